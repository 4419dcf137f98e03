"""The columns of a sweep, and the row of one case.

A row says nothing of when and how long it was counted, so that the same sweep gives the same bytes.
"""

from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import Any, Literal

from msgspec import Struct

from resflops._version import __version__
from resflops.cost import Cost
from resflops.cost.backward import prices_gradients
from resflops.cost.convention import find_convention
from resflops.models import NETWORKS
from resflops.records import Shape
from resflops.sources.registry import SOURCES
from resflops.sources.shapes import format_shape
from resflops.sweeps.cases import Case, SweepOptions

__all__ = ["Column", "build_failed_row", "build_row", "find_version", "list_columns"]


class Column(Struct, frozen=True):
    """One column."""

    name: str
    kind: Literal["text", "integer", "boolean"]


def list_columns(options: SweepOptions) -> tuple[Column, ...]:
    """List the columns that rows have with some options, in their order."""
    return tuple(_list_columns(options))


def _list_columns(options: SweepOptions) -> Iterable[Column]:
    for name in ("spec", "source", "name", "input", *(["dtype"] if options.dtype else [])):
        yield Column(name, "text")
    for name in ("batch", "size", "params", "buffers", *_list_figures(options)):
        yield Column(name, "integer")
    for name, kind in _ABOUT.items():
        yield Column(name, kind)


_ABOUT: dict[str, Literal["text", "integer", "boolean"]] = {
    "complete": "boolean",
    "uncounted": "text",
    "upper_bound": "boolean",
    "execution": "text",
    "notes": "text",
    "failure": "text",
    "reason": "text",
    "resflops": "text",
    "torch": "text",
    "package": "text",
}


def _list_figures(options: SweepOptions) -> Iterable[str]:
    for convention in dict.fromkeys(("macs", *options.conventions)):
        yield convention
        if options.training and _prices_gradients(convention):
            yield f"{convention}_backward"
    if options.memory:
        yield "peak_memory"
        if options.training:
            yield "training_memory"


def _prices_gradients(convention: str) -> bool:
    return prices_gradients(find_convention(convention))


def build_row(case: Case, cost: Cost, options: SweepOptions) -> dict[str, Any]:
    """Build the row of a case that was counted, with its backward pass if the options ask for that."""
    trace = cost.trace
    shapes = [tensor.shape for tensor in trace.inputs]
    row = _start_row(case) | {
        "input": "; ".join(map(format_shape, shapes)),
        **({"dtype": options.dtype} if options.dtype else {}),
        "batch": shapes[0][0] if shapes and shapes[0] else None,
        "size": _find_side(shapes[0]) if shapes else None,
        "params": cost.params,
        "buffers": cost.buffers,
        "complete": cost.complete,
        "uncounted": ", ".join(dict.fromkeys(op.op for op in cost.uncounted)),
        "upper_bound": trace.upper_bound,
        "execution": trace.execution,
        "notes": "; ".join(trace.notes),
    }
    for convention in dict.fromkeys(("macs", *options.conventions)):
        priced = cost.under(convention)
        row[convention] = priced.total
        if options.training and _prices_gradients(convention) and priced.backward is not None:
            row[f"{convention}_backward"] = priced.backward.total
            # A figure that lacks a gradient is a lower bound, as one that lacks an op is.
            row["complete"] = row["complete"] and priced.backward.complete
    if options.memory:
        row |= _build_memory(cost, training=options.training)
    return row


def build_failed_row(case: Case, kind: str, reason: str) -> dict[str, Any]:
    """Build the row of a case that could not be counted.

    Args:
        case: the case.
        kind: the kind of the failure, a word or two.
        reason: the message.
    """
    # A message may quote half a character, which no file takes.
    reason = reason.encode("utf-8", "backslashreplace").decode()
    row = _start_row(case) | {"failure": kind, "reason": reason}
    if case.input_shape is not None:
        row["input"] = format_shape(case.input_shape)
        row["size"] = _find_side(case.input_shape)
    return row | ({"batch": case.batch} if case.batch is not None else {})


def _start_row(case: Case) -> dict[str, Any]:
    source, name = _split_spec(case)
    return {
        "spec": case.spec,
        "source": source,
        "name": name,
        "failure": "",
        "reason": "",
        "resflops": __version__,
        "torch": find_version("torch"),
        "package": _name_package(source),
    }


def _split_spec(case: Case) -> tuple[str, str]:
    """Split where a model comes from, and what it is called there, for a join with other people's tables."""
    prefix, slash, rest = case.spec.partition("/")
    if slash and prefix in SOURCES:
        return prefix, rest if case.name == case.spec else case.name
    return case.source or (_BUILTIN if case.spec.partition(",")[0] in NETWORKS else ""), case.name


_BUILTIN = "resflops"


@cache
def find_version(package: str) -> str:
    """Find the version of a package, without what it was built for; ``""`` if it is not there."""
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""


def _name_package(source: str) -> str:
    package = {"hf": "transformers"}.get(source, source)
    version = find_version(package) if source and source in SOURCES else ""
    return f"{package} {version}" if version else ""


def _find_side(shape: Shape) -> int | None:
    """Find the width of an image; None if the input is none."""
    return shape[-1] if len(shape) >= 3 and shape[-3] in (1, 3, 4) else None


def _build_memory(cost: Cost, *, training: bool) -> dict[str, int]:
    from resflops.peak_memory.from_traces import estimate_memory
    from resflops.peak_memory.options import Options

    figures = {"peak_memory": estimate_memory(cost.trace, Options()).peak}
    if training:
        figures["training_memory"] = estimate_memory(cost.trace, Options(training=True)).peak
    return figures
