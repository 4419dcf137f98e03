"""Calls that are one op each, since their class has a rule: of a module, or of an autograd Function.

While a trace runs, the ``forward`` of such a class is a wrapper that tells the recorder of the
thread that it is called in; in any other thread it does nothing but call on. What runs
inside is recorded as ever, for the shapes that come out of it, and taken out at the end.
"""

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

__all__ = ["CustomCalls", "record_custom_calls"]

Forward = Callable[..., Any]
Fact = TypeVar("Fact")


class JoinedOps(Struct, frozen=True, kw_only=True):
    """What is left of a recording when every such call is one op."""

    ops: tuple[OpRecord, ...]
    outputs: tuple[int, ...]
    kept: Sequence[int]
    """The numbers that the ops had before."""

    def renumber(self, facts: Mapping[int, Fact]) -> dict[int, Fact]:
        """What is known of ops by their numbers before, by those that they have now."""
        return {new: facts[old] for new, old in enumerate(self.kept) if old in facts}


class CustomCalls(Struct, eq=False):
    """The calls of one trace that are one op each."""

    recorder: Recorder
    spans: list[tuple[int, int]] = []
    """Of each call, in the order in which they end: its first op, and the op that is the whole."""

    def record(self, op: str, forward: Forward, frame: FrameType, args: Any, kwargs: Any) -> Any:
        """Make a call, and record it as one op."""
        recorder, first = self.recorder, len(self.recorder.ops)
        inputs, attributes = _read_arguments(forward, args, kwargs)
        # Before the call, which may write into what it takes.
        producers, slots = recorder.producers.find_origins(inputs)
        layer = recorder.find_running_layer(frame)
        out = forward(*args, **kwargs)
        self.spans.append((first, len(recorder.ops)))
        recorder.note(op, layer, inputs, tuple(find_tensors(out)), attributes)
        recorder.ops[-1] = replace(recorder.ops[-1], producers=producers, output_indices=slots)
        return out

    def join(self, outputs: tuple[int, ...]) -> JoinedOps:
        """All ops but those inside such a call, numbered anew, with the ops that made the outputs."""
        ops = self.recorder.ops
        if not self.spans:
            return JoinedOps(ops=tuple(ops), outputs=outputs, kept=range(len(ops)))
        place = list(range(len(ops)))
        for first, whole in self.spans:
            place[first:whole] = [whole] * (whole - first)
        kept = sorted(set(place))
        number = {old: new for new, old in enumerate(kept)}

        def renumber_producer(producer: int) -> int:
            if producer < 0:
                return producer
            # What was made inside and came out by another way than as an output.
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
    """What a call works on: tensors, then a module's parameters; and whatever else may decide its work."""
    inputs, attributes = [*find_tensors((args, kwargs))], {}
    if args and isinstance(args[0], nn.Module):
        parameters = dict(args[0].named_parameters())
        inputs += parameters.values()
        public = {name: value for name, value in vars(args[0]).items() if not name.startswith("_")}
        attributes = select_plain_values(
            public | {name: tuple(each.shape) for name, each in parameters.items()}
        )
    bound = signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return tuple(inputs), attributes | select_plain_values(bound.arguments)


_thread = local()
"""Of the thread: ``calls``, while a trace runs in it."""
_lock = Lock()
_wrapped: dict[type, tuple[int, Any]] = {}
"""How many traces have wrapped a class, and the ``forward`` that is its own, or None."""


@contextmanager
def record_custom_calls(recorder: Recorder) -> Iterator[CustomCalls]:
    """Let the recorder know of calls that are one op, as long as this lasts."""
    calls, before = CustomCalls(recorder, []), getattr(_thread, "calls", None)
    classes = list(CLASSES)
    try:
        for cls in classes:
            _wrap(cls)
        _thread.calls = calls
        yield calls
    finally:
        _thread.calls = before
        for cls in classes:
            _unwrap(cls)


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
        if count > 1:
            _wrapped[cls] = (count - 1, own)
        elif own is not None:
            cls.forward = own  # type: ignore[attr-defined]
        elif count:
            del cls.forward  # type: ignore[attr-defined]


def _module_call(op: str, forward: Forward) -> Forward:
    @wraps(forward)
    def whole(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if (calls := _find_calls()) is None:
            return forward(self, *args, **kwargs)
        return calls.record(op, forward, _getframe(), (self, *args), kwargs)

    return whole


def _function_call(op: str, forward: Forward) -> Any:
    @wraps(forward)
    def whole(*args: Any, **kwargs: Any) -> Any:
        if (calls := _find_calls()) is None:
            return forward(*args, **kwargs)
        return calls.record(op, forward, _getframe(), args, kwargs)

    return staticmethod(whole)


def _find_calls() -> CustomCalls | None:
    # Inside vmap and its kin a tensor's shape lacks the dimensions that are mapped over: what
    # runs inside is then recorded op by op.
    calls: CustomCalls | None = getattr(_thread, "calls", None)
    return calls if functorch_level() is None else None
