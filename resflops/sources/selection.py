"""Selecting models by specs and patterns; nothing is built, and torch is not needed."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from resflops.sources.lookup import expand

__all__ = ["SelectedModel", "select_models"]


class SelectedModel(Struct, frozen=True, kw_only=True):
    """One model that was selected."""

    spec: str
    by_pattern: bool
    """Whether a pattern named it, rather than the user. If so, its failure is one row and not the end."""


def select_models(
    texts: Iterable[str], *, check: Callable[[str], object], say: Callable[[str], None], fresh: bool = True
) -> list[SelectedModel]:
    """Select the models that specs and patterns name, each once.

    Args:
        texts: the specs and patterns, as the user gave them.
        check: raises an error if something is wrong with a model that the user named by this spec.
        say: called with a line that says which pattern is being looked for.
        fresh: whether to list the models of a pattern's source even if a list of them is stored.

    Raises:
        ResflopsError: nothing matches a pattern, or ``check`` raised for a model that was named by its spec.
            Models that a pattern names are not looked at yet, for they may be a thousand.
    """
    selected: dict[str, SelectedModel] = {}
    for text in texts:
        if any(mark in text for mark in "*?["):
            say(f"looking for {text}")
        for spec in expand(text, fresh=fresh):
            if spec == text:
                check(spec)
                selected[spec] = SelectedModel(spec=spec, by_pattern=False)
            else:
                # A model that is also named by its spec stays one that the user named.
                selected.setdefault(spec, SelectedModel(spec=spec, by_pattern=True))
    return list(selected.values())
