"""Calls that are one op each because their class has a rule: calls of a module, or of an autograd Function.

While a trace runs, the ``forward`` of such a class is a wrapper. It is patched on the class, for all threads,
since an autograd Function has no instance to patch, and an attribute on a module would be visible to the
user's code. In the thread of a trace the wrapper records one op; in any other thread it only calls on.
What runs inside is recorded as usual, because its shapes are needed, and taken out at the end.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from sys import _getframe
from threading import Lock, local
from types import FrameType
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from torch import Tensor, nn
from torch._C._functorch import maybe_current_level as functorch_level

from resflops.ops import CLASSES
from resflops.records import CONSTANT, Attribute, OpRecord
from resflops.tracing.dispatcher import select_plain_values
from resflops.tracing.meta import find_tensors
from resflops.tracing.recorder import Recorder

__all__ = ["CustomCalls", "find_calls", "join_calls", "record_custom_calls"]

Forward = Callable[..., Any]
Fact = TypeVar("Fact")


class JoinedOps(Struct, frozen=True, kw_only=True):
    """The ops of a recording in which every custom call is one op."""

    ops: tuple[OpRecord, ...]
    outputs: tuple[int, ...]
    kept: Sequence[int]
    """The numbers that the ops had before."""

    def renumber(self, facts: Mapping[int, Fact]) -> dict[int, Fact]:
        """Give facts about ops, known by the numbers that the ops had before, by their numbers now."""
        return {new: facts[old] for new, old in enumerate(self.kept) if old in facts}

    def renumber_last(self, lasts: Mapping[int, int]) -> dict[int, int]:
        """Give the last ops of something by their numbers now: an op inside a custom call is the call."""
        return {key: bisect_left(self.kept, last) for key, last in lasts.items()}


class CustomCalls(Struct, eq=False):
    """The custom calls of one trace."""

    recorder: Recorder
    spans: list[tuple[int, int]] = []
    """For each call, in the order in which they end: its first op, and the op that stands for the call."""

    def record(self, op: str, forward: Forward, frame: FrameType, args: Any, kwargs: Any) -> Any:
        """Make a call and record it as one op."""
        recorder, first = self.recorder, len(self.recorder.ops)
        inputs, attributes = _read_arguments(forward, args, kwargs)
        # Looked up before the call, which may write into its arguments and so become their producer.
        producers, slots = recorder.producers.find_origins(inputs)
        layer = recorder.find_running_layer(frame)
        out = forward(*args, **kwargs)
        self.spans.append((first, len(recorder.ops)))
        recorder.note(op, layer, inputs, tuple(find_tensors(out)), attributes)
        recorder.ops[-1] = replace(recorder.ops[-1], producers=producers, output_indices=slots)
        return out

    def join(self, outputs: tuple[int, ...]) -> JoinedOps:
        """Leave out the ops inside custom calls, and renumber the others and the makers of the outputs."""
        ops = self.recorder.ops
        if not self.spans:
            return JoinedOps(ops=tuple(ops), outputs=outputs, kept=range(len(ops)))
        place = list(range(len(ops)))
        # A call within a call ends first, so the outer one overwrites it.
        for first, whole in self.spans:
            place[first:whole] = [whole] * (whole - first)
        kept = sorted(set(place))
        number = {old: new for new, old in enumerate(kept)}

        def renumber_producer(producer: int) -> int:
            if producer < 0:
                return producer
            # A tensor may be made inside and come out by another way than as an output, such as an attribute.
            inside = place[producer] != producer
            return CONSTANT if inside and not ops[place[producer]].output_shapes else number[place[producer]]

        def renumber_record(record: OpRecord) -> OpRecord:
            slots = tuple(
                slot if made < 0 or place[made] == made else 0
                for made, slot in zip(
                    record.producers, record.output_indices, strict=bool(record.output_indices)
                )
            )
            return replace(
                record,
                producers=tuple(map(renumber_producer, record.producers)),
                affine_producers=tuple(map(renumber_producer, record.affine_producers)),
                output_indices=slots if any(slots) else (),
            )

        return JoinedOps(
            ops=tuple(renumber_record(ops[old]) for old in kept),
            outputs=tuple(sorted({*map(renumber_producer, outputs)} - {CONSTANT})),
            kept=kept,
        )


def _read_arguments(
    forward: Forward, args: Any, kwargs: Any
) -> tuple[tuple[Tensor, ...], dict[str, Attribute]]:
    """Read the tensors that a call works on, a module's parameters last, and what may decide its work."""
    inputs, attributes = [*find_tensors((args, kwargs))], {}
    if args and isinstance(args[0], nn.Module):
        parameters = dict(args[0].named_parameters())
        inputs += parameters.values()
        public = {name: value for name, value in vars(args[0]).items() if not name.startswith("_")}
        shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
        attributes = select_plain_values(public | shapes)
    bound = signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return tuple(inputs), attributes | select_plain_values(bound.arguments)


_thread = local()
"""Has ``calls`` in a thread in which a trace runs."""
_lock = Lock()
_wrapped: dict[type, tuple[int, Any]] = {}
"""How many running traces have wrapped a class, and the class's own ``forward``; None if it inherits one."""


@contextmanager
def record_custom_calls(recorder: Recorder) -> Iterator[CustomCalls]:
    """Record each call of a class with a rule as one op, as long as this lasts."""
    calls = CustomCalls(recorder, [])
    # A copy: a rule that is registered meanwhile would otherwise be unwrapped without having been wrapped.
    classes = list(CLASSES)
    try:
        for cls in classes:
            _wrap(cls)
        with join_calls(calls):
            yield calls
    finally:
        for cls in classes:
            _unwrap(cls)


@contextmanager
def join_calls(calls: CustomCalls | None) -> Iterator[None]:
    """Let this thread's custom calls be among those of a trace, as long as this lasts."""
    before = find_calls()
    _thread.calls = calls
    try:
        yield
    finally:
        _thread.calls = before


def find_calls() -> CustomCalls | None:
    """Find the custom calls of the trace that runs in this thread."""
    return getattr(_thread, "calls", None)


def _wrap(cls: type) -> None:
    with _lock:
        count, own = _wrapped.get(cls, (0, vars(cls).get("forward")))
        _wrapped[cls] = (count + 1, own)
        if not count:
            kind = _module_call if issubclass(cls, nn.Module) else _function_call
            cls.forward = kind(CLASSES[cls], cls.forward)  # type: ignore[attr-defined]


def _unwrap(cls: type) -> None:
    with _lock:
        count, own = _wrapped.pop(cls, (0, None))
        # Two traces may run in two threads; the one that ends last gives the class back.
        if count > 1:
            _wrapped[cls] = (count - 1, own)
        elif own is not None:
            cls.forward = own  # type: ignore[attr-defined]
        # An inherited forward is not set but uncovered, so that the base class's may still change.
        elif count:
            del cls.forward  # type: ignore[attr-defined]


def _module_call(op: str, forward: Forward) -> Forward:
    @wraps(forward)
    def whole(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if (calls := _find_recorded()) is None:
            return forward(self, *args, **kwargs)
        return calls.record(op, forward, _getframe(), (self, *args), kwargs)

    return whole


def _function_call(op: str, forward: Forward) -> Any:
    @wraps(forward)
    def whole(*args: Any, **kwargs: Any) -> Any:
        if (calls := _find_recorded()) is None:
            return forward(*args, **kwargs)
        return calls.record(op, forward, _getframe(), args, kwargs)

    return staticmethod(whole)


def _find_recorded() -> CustomCalls | None:
    # Inside vmap and similar transforms a tensor's shape lacks the dimensions that are mapped over. The
    # call is then recorded op by op, by the dispatcher, which sees whole shapes.
    return find_calls() if functorch_level() is None else None
