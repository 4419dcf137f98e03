"""Compare models in one table, from Python."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from resflops.api.calls import count
from resflops.cost import Cost
from resflops.cost.convention import DEFAULT_CONVENTION, Convention, find_convention
from resflops.errors import UsageError
from resflops.records import Trace, is_shape
from resflops.sources.counting import CountRequest, count_spec
from resflops.tables import Table
from resflops.tables.comparison import Entry, build_comparison, build_entry

if TYPE_CHECKING:
    from resflops.api.calls import Model

__all__ = ["table"]

Countable: TypeAlias = "Model | Trace | Cost"


def table(
    models: "Countable | Iterable[Countable] | Mapping[str, Countable]",
    *inputs: Any,  # noqa: ANN401 - whatever the models take
    convention: str | None = None,
    backward: bool = False,
    **keyword_inputs: Any,  # noqa: ANN401
) -> "Table":
    """Compare what models cost, with a row for each.

    The table shows itself in a notebook and in a terminal, and goes elsewhere by ``to_markdown()``,
    ``to_latex()``, ``to_csv()`` and ``to_frame()``.

    >>> import resflops
    >>> compared = resflops.table(["resnet34", "vgg19"])
    >>> compared.to_frame()["macs"].tolist()
    [3663761408, 19632062464]

    Args:
        models: modules, specs, exported programs, traces or costs; in a dict, each under the name that its
            row is to have.
        inputs: the positional arguments of those that are modules or specs, as :func:`resflops.count` takes
            them.
        convention: the convention to compare them under; that of the costs, or ``macs``, if not given.
        backward: whether to count the backward pass as well.
        keyword_inputs: the keyword arguments of those that are modules or specs.

    Raises:
        UsageError: there is no model, or the costs are under different conventions and none was chosen.
        ResflopsError: one of the models could not be counted.
    """
    # Several names without the list around them.
    if isinstance(models, str) and all(isinstance(each, str) for each in inputs):
        models, inputs = [models, *inputs], ()
    named = list(models.items()) if isinstance(models, Mapping) else [("", each) for each in _list(models)]
    if not named:
        raise UsageError(
            'no models are given; give a list of them, as in resflops.table(["resnet34", "vgg19"])'
        )
    under = find_convention(convention or _find_common_convention([model for _, model in named]))
    entries = []
    for label, model in named:
        entry = _count_entry(model, inputs, keyword_inputs, convention=under, backward=backward)
        entries.append(_label_entry(entry, label) if label else entry)
    return build_comparison(entries)


def _list(models: "Countable | Iterable[Countable]") -> "list[Countable]":
    """List the models; a Sequential could be iterated over as well, and is one model."""
    if isinstance(models, list | tuple):
        return list(models)
    is_single = isinstance(models, str | Cost | Trace) or hasattr(models, "forward")
    return [models] if is_single or not isinstance(models, Iterable) else list(models)  # type: ignore[list-item]


def _find_common_convention(models: "Sequence[Countable]") -> str:
    """Find the convention that all costs among the models are under.

    Raises:
        UsageError: they are under different ones.
    """
    names = list(dict.fromkeys(model.convention for model in models if isinstance(model, Cost)))
    if len(names) > 1:
        raise UsageError(
            f"the costs are under different conventions, {' and '.join(names)}; choose one to compare them "
            f'under, as in convention="{names[0]}"'
        )
    return names[0] if names else DEFAULT_CONVENTION


def _count_entry(
    model: "Countable",
    inputs: tuple[Any, ...],
    keyword_inputs: dict[str, Any],
    *,
    convention: Convention,
    backward: bool,
) -> Entry:
    if isinstance(model, Cost):
        return Entry(cost=model if model.priced_by == convention else model.under(convention.name))
    if isinstance(model, Trace):
        return Entry(cost=count(model, convention=convention.name, backward=backward))
    if isinstance(model, str) and not keyword_inputs and len(inputs) < 2 and all(map(is_shape, inputs)):
        shape = inputs[0] if inputs else None
        counted = count_spec(
            CountRequest(spec=model, input_shape=shape, convention=convention, backward=backward)
        )
        return build_entry(counted.found, counted.cost, stored=counted.stored)
    cost = count(model, *inputs, convention=convention.name, backward=backward, **keyword_inputs)
    return Entry(cost=cost)


def _label_entry(entry: Entry, label: str) -> Entry:
    """Give the row of a model a name of the caller's own."""
    trace = replace(entry.cost.trace, model=str(label))
    return replace(entry, cost=replace(entry.cost, trace=trace))
