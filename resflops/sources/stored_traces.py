"""The traces that need not be taken: those that ship with resflops, and those in the user's cache.

A built-in network on its usual input has a trace that ships. Any other network that an installed package has
by name, and a built-in one with options or another input, goes to the user's cache. What depends on code or
files of the user's is never stored, nor a trace that was taken by running a model for real.
"""

import time

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import ResflopsError
from resflops.models import NETWORKS
from resflops.records import Shape, Trace
from resflops.sources.cache_key import make_key
from resflops.sources.found_model import FoundModel, Inputs
from resflops.sources.installed_code import has_usual_state, runs_installed_code_alone
from resflops.sources.lookup import canonicalize, find
from resflops.sources.registry import SOURCES
from resflops.sources.shipped_traces import read_shipped_trace
from resflops.sources.spec import names_own_code, parse_spec
from resflops.sources.trace_cache import Entry, read_entry, write_entry

__all__ = ["StoredTrace", "find_stored_trace", "store_trace"]

WEIGHTS_AS_BUILT = (None, "float32")
"""The types in which a built-in network is what it is without any conversion."""


class StoredTrace(Struct, frozen=True, kw_only=True):
    """A trace that was stored, and what is known of its model."""

    found: FoundModel
    trace: Trace
    where: str
    """Where it was stored, in words."""


class _TraceEntry(Entry, frozen=True, kw_only=True):
    """A trace in the user's cache, with the facts about its model that tables show."""

    name: str
    summary: str
    variant: str
    family: str
    input_shape: Shape
    notes: tuple[str, ...]
    trace: Trace


def find_stored_trace(spec: str, *, input_shape: Shape | None, dtype: str | None) -> StoredTrace | None:
    """Find the trace of a model that a spec names; None if it has to be taken.

    Args:
        spec: of the model.
        input_shape: shape of its main input, with the batch in front or without; None for its usual one.
        dtype: type to convert its floating-point parameters and inputs to; None keeps theirs.
    """
    try:
        spec = canonicalize(spec)
        prefix, is_named = _read_prefix(spec)
        if not is_named or not has_usual_state():
            return None
        if not prefix and (shipped := _find_shipped(find(spec), input_shape, dtype)):
            return shipped
    # Whatever is wrong with a spec, or its shape, is said by the count.
    except ResflopsError:
        return None
    return _find_in_cache(spec, input_shape, dtype) if runs_installed_code_alone() else None


def _read_prefix(spec: str) -> tuple[str, bool]:
    """Read the prefix of a spec's source, and whether the source has models by name."""
    name = parse_spec(spec).name
    if names_own_code(name):
        return name, True
    prefix, slash, _ = name.partition("/")
    if not slash:
        return "", ":" not in spec and prefix in NETWORKS
    return prefix, prefix in SOURCES


def _find_shipped(found: FoundModel, input_shape: Shape | None, dtype: str | None) -> StoredTrace | None:
    usual = (1, *found.input_shape)
    if dtype not in WEIGHTS_AS_BUILT or found.complete_shape(input_shape) not in {None, usual}:
        return None
    # Only options that change something are part of the name.
    trace = read_shipped_trace(found.name)
    if trace is None:
        return None
    where = f"from the trace that ships with resflops, made by {_name_torch(trace)}"
    return StoredTrace(found=found, trace=replace(trace, model=found.spec), where=where)


def _find_in_cache(spec: str, input_shape: Shape | None, dtype: str | None) -> StoredTrace | None:
    entry = read_entry(make_key("trace", spec, input_shape, dtype), _TraceEntry)
    if entry is None or entry.trace.model != spec or entry.trace.execution != "meta":
        return None
    try:
        entry.trace.check()
    except ValueError:
        return None
    date = time.strftime("%Y-%m-%d", time.gmtime(entry.stored_at))
    return StoredTrace(
        found=_remember(spec, entry),
        trace=entry.trace,
        where=f"from the trace stored on {date} by {_name_torch(entry.trace)}; --fresh counts it again",
    )


def _remember(spec: str, entry: _TraceEntry) -> FoundModel:
    """Make what was found from what is stored of it; only building it imports its package."""

    def find_inputs(shape: Shape) -> Inputs:
        return find(spec).inputs(shape)

    return FoundModel(
        spec=spec,
        name=entry.name,
        summary=entry.summary,
        variant=entry.variant,
        family=entry.family,
        input_shape=entry.input_shape,
        inputs=find_inputs,
        notes=entry.notes,
        by_name=True,
        make=lambda: find(spec).make(),
    )


def _name_torch(trace: Trace) -> str:
    # Without the local part, such as +cpu: builds of one version count the same.
    return f"torch {trace.torch_version.partition('+')[0]}"


def store_trace(found: FoundModel, trace: Trace, *, input_shape: Shape | None, dtype: str | None) -> None:
    """Store a trace that was taken just now, if it is one that serves again.

    Args:
        found: its model.
        trace: of the model, which goes by its spec.
        input_shape: the shape that was asked for.
        dtype: the type that was asked for.
    """
    if not found.by_name or trace.execution != "meta" or trace.weights is not None:
        return
    # An option may lead to a file, as a backbone's name in a config may be that of a folder.
    if any(mark in option for option in parse_spec(found.spec).options.values() for mark in "/\\~"):
        return
    if not has_usual_state() or not runs_installed_code_alone():
        return
    write_entry(
        _TraceEntry(
            key=make_key("trace", found.spec, input_shape, dtype),
            stored_at=int(time.time()),
            name=found.name,
            summary=found.summary,
            variant=found.variant,
            family=found.family,
            input_shape=found.input_shape,
            notes=found.notes,
            trace=trace,
        )
    )
