"""The models that a command was given, by name or by pattern."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from resflops.sources import FoundModel, expand, find

__all__ = ["Wanted", "wanted_models"]


class Wanted(Struct, frozen=True, kw_only=True):
    """One model of a command."""

    spec: str
    of_pattern: bool
    """Whether a pattern named it, and not the user: then its failure is one row and not the end."""


def wanted_models(
    texts: Iterable[str], *, check: Callable[[FoundModel], object], say: Callable[[str], None]
) -> list[Wanted]:
    """The models that specs and patterns name, each once.

    Args:
        texts: as the user gave them.
        check: raises what is wrong with a model that the user named, before anything is done.
        say: is told which pattern is being looked for.

    Raises:
        ResflopsError: nothing matches, or what ``find`` and ``check`` raise of a named one.
    """
    wanted: dict[str, Wanted] = {}
    for text in texts:
        if any(mark in text for mark in "*?["):
            say(f"looking for {text}")
        for spec in expand(text):
            if spec == text:
                check(find(spec))
                wanted[spec] = Wanted(spec=spec, of_pattern=False)
            else:
                wanted.setdefault(spec, Wanted(spec=spec, of_pattern=True))
    return list(wanted.values())
