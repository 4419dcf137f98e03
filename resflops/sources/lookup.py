"""From the text of a spec to the model it names, or of a pattern to the specs it stands for."""

from fnmatch import fnmatchcase

import resflops.sources.origins  # noqa: F401 - registers the sources
from resflops.errors import SpecError, UnknownModelError, suggest
from resflops.models import NETWORKS
from resflops.sources.found_model import FoundModel
from resflops.sources.hub_ids import URL, advise_on_hub_id, is_hub_id
from resflops.sources.model_files import CONFIG_FILE, holds_config, is_model_file
from resflops.sources.registry import (
    BUILTIN,
    FACTORY,
    FILE,
    SOURCES,
    WITHOUT_PREFIX,
    Source,
    load_more_sources,
)
from resflops.sources.spec import parse_spec, split_at_commas
from resflops.storage.writing import is_file

__all__ = ["canonicalize", "expand", "find", "names", "split_models"]


def find(text: str) -> FoundModel:
    """Find the model that a spec names; nothing is built yet.

    Raises:
        SpecError: the spec is malformed, or sets an option that the model lacks.
        UnknownModelError: there is no model of that name.
        ModelError: the package that it comes from is missing or broken.
    """
    spec = parse_spec(canonicalize(text))
    source, name = _find_source(spec.name)
    return source.find(name, spec)


def canonicalize(text: str) -> str:
    """Write a spec with its model's name as the source spells it; options stay as they are.

    >>> canonicalize("ResNet34,shortcut=A"), canonicalize("TorchVision/ResNet50")
    ('resnet34,shortcut=A', 'torchvision/resnet50')

    Raises:
        SpecError: the spec is malformed.
        UnknownModelError: it names a source that does not exist.
    """
    spec = parse_spec(text)
    source, name = _find_source(spec.name)
    return _join_spec(source, source.canonicalize(name)) + "".join(
        f",{option}={value}" for option, value in spec.options.items()
    )


def split_models(text: str) -> list[str]:
    """Split a text in which commas stand between models, as well as before the options of each.

    >>> split_models("resnet34,vgg19"), split_models("resnet34,num_classes=10,vgg19")
    (['resnet34', 'vgg19'], ['resnet34,num_classes=10', 'vgg19'])
    >>> split_models("resnet34,oops")
    ['resnet34,oops']

    Raises:
        SpecError: a bracket is not closed, or not opened.
    """
    parts = [part.strip() for part in split_at_commas(text)]
    if len(parts) > 1 and not parts[-1]:
        # What a list that goes on after a space leaves behind: resnet34, vgg19.
        parts.pop()
    models = [parts[0]]
    for part in parts[1:]:
        if "=" in part:
            models[-1] += f",{part}"
        elif _names_model(part):
            models.append(part)
        else:
            # One spec after all, and what is wrong with it is said where it is read.
            return [text]
    return models


def _names_model(text: str) -> bool:
    prefix, slash, _ = text.partition("/")
    return (
        text.lower() in NETWORKS or bool(slash and prefix.lower() in SOURCES) or ":" in text or is_file(text)
    )


def expand(text: str, *, fresh: bool = True) -> list[str]:
    """List the specs that a pattern stands for, in the order of their source; a spec stands for itself.

    >>> expand("resnet1?2"), expand("vgg19")
    (['resnet152'], ['vgg19'])

    Args:
        text: a spec, in whose name ``*``, ``?`` and ``[…]`` may stand for other characters.
            Options after the name apply to every model.
        fresh: whether to ask the source for its names even if a list of them is stored.

    Raises:
        SpecError: the spec is malformed, or is a pattern of factories.
        UnknownModelError: nothing matches.
        ModelError: the package that it comes from is missing or broken.
    """
    text = canonicalize(text)
    spec = parse_spec(text)
    if not any(mark in spec.name for mark in "*?["):
        return [text]
    source, pattern = _find_source(spec.name)
    if source.prefix in {FACTORY, FILE}:
        raise SpecError(
            f"{spec.name!r} is a pattern; factories must be named one by one, as in nets.py:small"
        )
    known = (None if fresh else _find_stored_names(source.prefix)) or _list_names(source)
    matching = [name for name in known if fnmatchcase(name.lower(), pattern.lower())]
    if not matching:
        plain = pattern.translate({ord(mark): None for mark in "*?[]"})
        raise UnknownModelError(
            f"no model matches {spec.name!r}{suggest(plain, known)}; "
            f"the pattern {_join_spec(source, '*')!r} matches all"
        )
    options = "".join(f",{name}={value}" for name, value in spec.options.items())
    return [_join_spec(source, name) + options for name in matching]


def names(prefix: str = BUILTIN) -> list[str]:
    """List the specs of all models that a source has, in its own order.

    Raises:
        UnknownModelError: there is no source of that prefix.
        ModelError: the package that it comes from is missing or broken.
    """
    if prefix not in SOURCES:
        load_more_sources()
    source = SOURCES.get(prefix)
    if source is None:
        raise _make_unknown_source_error(f"{prefix}/", prefix)
    return [_join_spec(source, name) for name in source.names()]


# Both import what only the user's cache needs.
def _find_stored_names(prefix: str) -> list[str] | None:
    from resflops.sources.stored_names import find_stored_names

    return find_stored_names(prefix)


def _list_names(source: Source) -> list[str]:
    from resflops.sources.stored_names import store_names

    known = source.names()
    store_names(source.prefix, known)
    return known


def _find_source(name: str) -> tuple[Source, str]:
    prefix, slash, rest = name.partition("/")
    if slash and prefix.lower() not in SOURCES:
        load_more_sources()
    # The prefix first: a local path may come after it, and may have a colon, as in hf/nets:old/config.json.
    for known in (prefix, prefix.lower()):
        if slash and known and known in SOURCES:
            return SOURCES[known], rest
    if URL.match(name):
        raise UnknownModelError(f"{name!r}: {advise_on_hub_id(name)}")
    if ":" in name:
        return SOURCES[FACTORY], name
    # A built-in network stays one beside a file of its name.
    if name.lower() not in NETWORKS and is_model_file(name):
        if holds_config(name):
            # The file itself: the name of its folder may be that of a model type, too.
            return SOURCES["hf"], name if name.endswith(".json") else f"{name.rstrip('/')}/{CONFIG_FILE}"
        return SOURCES[FILE], name
    if slash:
        raise _make_unknown_source_error(name, prefix)
    return SOURCES[BUILTIN], name


def _make_unknown_source_error(name: str, prefix: str) -> UnknownModelError:
    known = [source for source in SOURCES if source not in WITHOUT_PREFIX]
    if name.endswith(".json"):
        return UnknownModelError(f"there is no file {name!r}; a config of transformers is given by its path")
    if is_hub_id(name) and not suggest(prefix, known):
        return UnknownModelError(
            f"{name!r} looks like the id of a model on the Hugging Face Hub: {advise_on_hub_id(name)}"
        )
    return UnknownModelError(
        f"{name!r}: there is no source {prefix!r}{suggest(prefix, known)}; "
        f"write a model's name alone or after {', '.join(f'{source}/' for source in known)}, "
        "and a factory after its module, as in package.module:factory"
    )


def _join_spec(source: Source, name: str) -> str:
    return name if source.prefix in WITHOUT_PREFIX else f"{source.prefix}/{name}"
