"""Selecting models by specs and patterns; nothing is built, and torch is not needed."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from resflops.sources.found_model import FoundModel
from resflops.sources.lookup import expand, find

__all__ = ["SelectedModel", "select_models"]


class SelectedModel(Struct, frozen=True, kw_only=True):
    """One model that was selected."""

    spec: str
    by_pattern: bool
    """Whether a pattern named it, rather than the user. If so, its failure is one row and not the end."""


def select_models(
    texts: Iterable[str], *, check: Callable[[FoundModel], object], say: Callable[[str], None]
) -> list[SelectedModel]:
    """Select the models that specs and patterns name, each once.

    Args:
        texts: the specs and patterns, as the user gave them.
        check: raises an error if something is wrong with a model that the user named by its spec.
        say: called with a line that says which pattern is being looked for.

    Raises:
        ResflopsError: nothing matches a pattern, or ``find`` or ``check`` raised for a model that was named
            by its spec. Models that a pattern names are not looked at yet, for they may be a thousand.
    """
    selected: dict[str, SelectedModel] = {}
    for text in texts:
        if any(mark in text for mark in "*?["):
            say(f"looking for {text}")
        for spec in expand(text):
            if spec == text:
                check(find(spec))
                selected[spec] = SelectedModel(spec=spec, by_pattern=False)
            else:
                # A model that is also named by its spec stays one that the user named.
                selected.setdefault(spec, SelectedModel(spec=spec, by_pattern=True))
    return list(selected.values())
