"""Selecting models by specs and patterns; nothing is built, and torch is not needed."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from resflops.errors import ResflopsError, UsageError
from resflops.sources.labels import split_label
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
    label: str = ""
    """The name that the user has given it; ``""`` if it goes by its spec."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.label or self.spec


def select_models(
    texts: Iterable[str], *, say: Callable[[str], None], fresh: bool = True
) -> list[SelectedModel]:
    """Select the models that specs and patterns name, each once.

    Args:
        texts: the specs and patterns, as the user gave them; commas may stand between models, and a label
            and an equals sign before one.
        say: called with a line that says which pattern is being looked for.
        fresh: whether to list the models of a pattern's source even if a list of them is stored.

    Returns:
        The models; one that cannot be found has the error, so that the others are still counted. Whether a
        name is that of a model is not looked up yet.

    Raises:
        UsageError: two models have the same name.
    """
    selected: dict[str, SelectedModel] = {}
    for text in texts:
        try:
            label, spec = split_label(text)
            named = split_models(spec)
        except ResflopsError as error:
            selected[text] = SelectedModel(spec=text, by_pattern=False, error=error)
            continue
        if label:
            _select_labelled(label, named, selected, fresh=fresh)
            continue
        for one in named:
            _select(one, selected, say=say, fresh=fresh)
    return list(selected.values())


def _select_labelled(
    label: str, specs: Sequence[str], selected: dict[str, SelectedModel], *, fresh: bool
) -> None:
    """Select the one model that a label stands for.

    Raises:
        UsageError: another model has that name.
    """
    try:
        expanded = [spec for each in specs for spec in expand(each, fresh=fresh)]
        if len(expanded) > 1:
            raise UsageError(
                f"the label {label!r} stands for one model, got {len(expanded)}: "
                f"{', '.join(expanded[:3])}{', …' if len(expanded) > 3 else ''}; give each a label of its own"
            )
    except ResflopsError as error:
        selected[label] = SelectedModel(spec=",".join(specs), by_pattern=False, error=error, label=label)
        return
    (spec,) = expanded
    other = selected.get(label)
    if other is not None and other.spec != spec:
        raise UsageError(
            f"{label!r} is the name of two models, {other.spec} and {spec}; give each a label of its own"
        )
    selected[label] = SelectedModel(spec=spec, by_pattern=False, label=label)


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
        other = selected.get(spec)
        if other is not None and other.spec != spec:
            raise UsageError(
                f"{spec!r} is the label of {other.spec}, and the name of another model; choose another label"
            )
        if not is_pattern:
            selected[spec] = SelectedModel(spec=spec, by_pattern=False)
        else:
            # A model that is also named by its spec stays one that the user named.
            selected.setdefault(spec, SelectedModel(spec=spec, by_pattern=True))
