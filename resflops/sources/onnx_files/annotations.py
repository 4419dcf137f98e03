"""A copy of an ONNX file in which every node says what it costs, for people who look at it in a viewer.

Netron shows the metadata of a node beside its attributes, and that of the model among its properties.
"""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resflops._version import __version__
from resflops.cost import Cost
from resflops.cost.convention import MACS
from resflops.errors import FileError, UsageError
from resflops.sources.onnx_files.external_data import list_locations
from resflops.sources.onnx_files.loading import LARGEST_FILE, load_graph
from resflops.sources.onnx_files.order import list_taken
from resflops.sources.onnx_files.parameters import classify, list_graphs, list_initialisers
from resflops.sources.onnx_files.reading import GraphReading, match_nodes
from resflops.storage.writing import write_bytes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

__all__ = ["PREFIX", "write_annotated"]

PREFIX = "resflops."
"""How the keys of all that is written begin."""

FOLDED = "0, computed before the first pass"
"""What stands at a node that follows from shapes and constants alone."""


def write_annotated(source: Path, cost: Cost, destination: Path) -> None:
    """Write a copy of an ONNX file whose nodes say what they cost; nothing else in it changes.

    What an earlier call has written into the file is replaced.

    Args:
        source: the file.
        cost: what it costs, by a trace that was read from the file.
        destination: the copy; it may be the file itself.

    Raises:
        UsageError: the file's weights lie beside it, and the copy would be in another folder.
        ModelError: the file was changed since it was counted.
        FileError: the copy cannot be written.
    """
    model = load_graph(source, cost.model, whole=True)
    _check_folder(model, source, destination)
    reading = match_nodes(load_graph(source, cost.model), cost.trace)
    parameters = _count_parameters(model.graph)
    costs = _describe_costs(cost, reading)
    for place, node in enumerate(model.graph.node):
        entries = costs.get(place, {})
        if (held := parameters.get(place)) is not None:
            entries["parameters"] = held
        _replace(node.metadata_props, entries)
    _replace(model.metadata_props, _describe_whole(cost))
    if model.ByteSize() > LARGEST_FILE:
        raise FileError(
            f"could not write {destination}: it would have more than 2 GiB, the most that an ONNX file can "
            f"have; write {cost.model} again with its weights in a file beside it"
        )
    write_bytes(destination, model.SerializeToString())


def _check_folder(model: "ModelProto", source: Path, destination: Path) -> None:
    """Check that the copy finds the weights that lie beside the file: it has their names, and no paths."""
    beside = sorted(list_locations(model))
    if beside and source.resolve().parent != destination.resolve().parent:
        raise UsageError(
            f"{source} has its weights in {', '.join(beside)} beside it, where a copy in another folder does "
            f"not find them; write the copy beside it, too, as in {source.parent / destination.name}"
        )


def _describe_costs(cost: Cost, reading: GraphReading) -> dict[int, dict[str, str]]:
    """Describe what each node costs, by its place; one that does nothing, such as Constant, has no entry."""
    parts: dict[int, list[int]] = {}
    for op, node in enumerate(reading.nodes):
        parts.setdefault(node, []).append(op)
    described = {node: _describe_ops(cost, ops) for node, ops in parts.items()}
    for node in reading.folded:
        described[node] = dict.fromkeys(_name_figures(cost, 0, 0), FOLDED)
    return described


def _describe_ops(cost: Cost, ops: Sequence[int]) -> dict[str, str]:
    """Describe what the ops of a node cost."""
    records = [cost.trace.ops[op] for op in ops]
    missing = ", ".join(
        dict.fromkeys(record.op for op, record in zip(ops, records, strict=True) if cost.works[op] is None)
    )
    figures = _name_figures(
        cost,
        sum([work.macs for op in ops if (work := cost.works[op]) is not None]),
        sum([price for op in ops if (price := cost.prices[op]) is not None]),
    )
    described = {name: _describe_figure(figure, missing) for name, figure in figures.items()}
    if layers := ", ".join(dict.fromkeys(record.layer for record in records if record.layer)):
        described["layer"] = layers
    return described


def _name_figures(cost: Cost, macs: int, total: int) -> dict[str, int]:
    """Name the multiply-accumulates and, under another convention, what it counts."""
    of_convention = {} if cost.convention == MACS.name else {f"total.{cost.convention}": total}
    return {"macs": macs, **of_convention}


def _describe_figure(figure: int, missing: str) -> str:
    if not missing:
        return f"{figure:,}"
    return f"≥ {figure:,}, without {missing}" if figure else f"not counted: {missing} has no rule"


def _count_parameters(graph: "GraphProto") -> dict[int, str]:
    """Count the parameters that each node takes, by its place; each at the first node that takes it."""
    kinds = classify(graph)
    elements = {
        name: prod(tensor.dims)
        for each in list_graphs(graph)
        for name, tensor in list_initialisers(each)
        if kinds[name] == "parameter"
    }
    counted: set[str] = set()
    described: dict[int, str] = {}
    named: dict[str, str] = {}
    for place, node in enumerate(graph.node):
        taken = {named.get(name, name) for name in list_taken(node)} & elements.keys()
        if node.op_type == "Identity" and taken:
            # Another name of the same weight, which the node that takes it is told to hold.
            (named[node.output[0]],) = taken
        elif taken:
            own, shared = (
                sum(elements[name] for name in each) for each in (taken - counted, taken & counted)
            )
            described[place] = f"{own:,}" + (f", and {shared:,} of an earlier node" if shared else "")
            counted |= taken
    return described


def _describe_whole(cost: Cost) -> dict[str, str]:
    """Describe what the whole graph costs, and how that was counted."""
    missing = ", ".join(each.op for each in cost.uncounted)
    figures = _name_figures(cost, cost.macs, cost.total)
    inputs = "; ".join(f"{each.name} {'×'.join(map(str, each.shape))}" for each in cost.trace.inputs)
    return {
        **{name: _describe_figure(figure, missing) for name, figure in figures.items()},
        "parameters": f"{cost.params:,}",
        "convention": f"{cost.convention}: {cost.priced_by.counts}",
        "inputs": inputs,
        **({"notes": "; ".join(cost.trace.notes)} if cost.trace.notes else {}),
        "version": __version__,
    }


def _replace(metadata: Any, entries: Mapping[str, str]) -> None:  # noqa: ANN401 - a list of protobuf's
    """Replace what was written into some metadata before, and leave the rest of it as it is."""
    for place in range(len(metadata) - 1, -1, -1):
        if metadata[place].key.startswith(PREFIX):
            del metadata[place]
    for key, value in entries.items():
        metadata.add(key=f"{PREFIX}{key}", value=value)
