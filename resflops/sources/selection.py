"""Selecting models by specs and patterns; nothing is built, and torch is not needed."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from resflops.errors import ResflopsError
from resflops.sources.lookup import expand, split_models

__all__ = ["SelectedModel", "select_models"]


class SelectedModel(Struct, frozen=True, kw_only=True):
    """One model that was selected."""

    spec: str
    """Its spec; what the user gave if that names no model."""
    by_pattern: bool
    """Whether a pattern named it, rather than the user."""
    error: ResflopsError | None = None
    """Why there is no such model."""


def select_models(
    texts: Iterable[str], *, say: Callable[[str], None], fresh: bool = True
) -> list[SelectedModel]:
    """Select the models that specs and patterns name, each once.

    Args:
        texts: the specs and patterns, as the user gave them; commas may stand between models.
        say: called with a line that says which pattern is being looked for.
        fresh: whether to list the models of a pattern's source even if a list of them is stored.

    Returns:
        The models; one that cannot be found has the error, so that the others are still counted. Whether a
        name is that of a model is not looked up yet.
    """
    selected: dict[str, SelectedModel] = {}
    for text in texts:
        try:
            named = split_models(text)
        except ResflopsError as error:
            selected[text] = SelectedModel(spec=text, by_pattern=False, error=error)
            continue
        for one in named:
            _select(one, selected, say=say, fresh=fresh)
    return list(selected.values())


def _select(
    text: str, selected: dict[str, SelectedModel], *, say: Callable[[str], None], fresh: bool
) -> None:
    is_pattern = any(mark in text.partition(",")[0] for mark in "*?[")
    if is_pattern:
        say(f"looking for {text}")
    try:
        specs = expand(text, fresh=fresh)
    except ResflopsError as error:
        selected[text] = SelectedModel(spec=text, by_pattern=False, error=error)
        return
    for spec in specs:
        if not is_pattern:
            selected[spec] = SelectedModel(spec=spec, by_pattern=False)
        else:
            # A model that is also named by its spec stays one that the user named.
            selected.setdefault(spec, SelectedModel(spec=spec, by_pattern=True))
