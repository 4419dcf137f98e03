"""Search the names of all models that are installed, without importing their packages."""

from fnmatch import fnmatchcase

from resflops.errors import ResflopsError, UnknownModelError, suggest
from resflops.models.installed_names import list_installed_names
from resflops.sources.lookup import names
from resflops.sources.registry import BUILTIN, SOURCES, WITHOUT_PREFIX, load_more_sources

__all__ = ["search_models"]


def search_models(text: str) -> list[str]:
    """List the specs of the models that a text stands for: a source, a pattern, or a part of a name.

    >>> search_models("plain3?"), search_models("resnet15")[:1]
    (['plain34'], ['resnet152'])

    Raises:
        UnknownModelError: nothing matches.
    """
    load_more_sources()
    prefixes = [BUILTIN, *(prefix for prefix in SOURCES if prefix not in WITHOUT_PREFIX)]
    wanted = text.lower()
    prefix, slash, rest = wanted.partition("/")
    if prefix in prefixes and prefix and not rest:
        prefixes, rest = [prefix], "*"
    elif slash and prefix in prefixes:
        prefixes = [prefix]
    else:
        rest = wanted
    pattern = rest if any(mark in rest for mark in "*?[") else f"*{rest}*"
    found = [
        f"{each}/{name}" if each else name
        for each in prefixes
        for name in _list_names(each)
        if fnmatchcase(name.lower(), pattern)
    ]
    if not found:
        known = [name for each in prefixes for name in _list_names(each)]
        raise UnknownModelError(
            f"no installed model matches {text!r}{suggest(rest, known)}; "
            "list all of a source as in `resflops models timm`"
        )
    return found


def _list_names(prefix: str) -> list[str]:
    if listed := list_installed_names(prefix):
        return listed
    try:
        specs = names(prefix)
    # A package that is missing or broken has no models to list.
    except ResflopsError:
        return []
    return [spec.removeprefix(f"{prefix}/") for spec in specs]
