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
from resflops.tracing.dispatcher import plain_values
from resflops.tracing.meta import tensors_in
from resflops.tracing.recorder import Recorder

__all__ = ["Noting", "record_custom_calls"]

Forward = Callable[..., Any]
Of = TypeVar("Of")


class Joined(Struct, frozen=True, kw_only=True):
    """What is left of a recording when every such call is one op."""

    ops: tuple[OpRecord, ...]
    outputs: tuple[int, ...]
    kept: Sequence[int]
    """The numbers that the ops had before."""

    def renumbered(self, of_op: Mapping[int, Of]) -> dict[int, Of]:
        """What is known of ops by their numbers before, by those that they have now."""
        return {new: of_op[old] for new, old in enumerate(self.kept) if old in of_op}


class Noting(Struct, eq=False):
    """The calls of one trace that are one op each."""

    recorder: Recorder
    spans: list[tuple[int, int]] = []
    """Of each call, in the order in which they end: its first op, and the op that is the whole."""

    def call(self, op: str, forward: Forward, frame: FrameType, args: Any, kwargs: Any) -> Any:
        """Make a call, and record it as one op."""
        recorder, first = self.recorder, len(self.recorder.ops)
        inputs, attributes = _taken(forward, args, kwargs)
        # Before the call, which may write into what it takes.
        producers, slots = recorder.producers.origins(inputs)
        layer = recorder.layer_running(frame)
        out = forward(*args, **kwargs)
        self.spans.append((first, len(recorder.ops)))
        recorder.note(op, layer, inputs, tuple(tensors_in(out)), attributes)
        recorder.ops[-1] = replace(recorder.ops[-1], producers=producers, output_indices=slots)
        return out

    def joined(self, outputs: tuple[int, ...]) -> Joined:
        """All ops but those inside such a call, numbered anew, with the ops that made the outputs."""
        ops = self.recorder.ops
        if not self.spans:
            return Joined(ops=tuple(ops), outputs=outputs, kept=range(len(ops)))
        place = list(range(len(ops)))
        for first, whole in self.spans:
            place[first:whole] = [whole] * (whole - first)
        kept = sorted(set(place))
        number = {old: new for new, old in enumerate(kept)}

        def moved(producer: int) -> int:
            if producer < 0:
                return producer
            # What was made inside and came out by another way than as an output.
            inside = place[producer] != producer
            return CONSTANT if inside and not ops[place[producer]].output_shapes else number[place[producer]]

        def renumbered(record: OpRecord) -> OpRecord:
            slots = tuple(
                slot if made < 0 or place[made] == made else 0
                for made, slot in zip(
                    record.producers, record.output_indices, strict=bool(record.output_indices)
                )
            )
            return replace(
                record,
                producers=tuple(map(moved, record.producers)),
                affine_producers=tuple(map(moved, record.affine_producers)),
                output_indices=slots if any(slots) else (),
            )

        return Joined(
            ops=tuple(renumbered(ops[old]) for old in kept),
            outputs=tuple(sorted({*map(moved, outputs)} - {CONSTANT})),
            kept=kept,
        )


def _taken(forward: Forward, args: Any, kwargs: Any) -> tuple[tuple[Tensor, ...], dict[str, Attribute]]:
    """What a call works on: tensors, then a module's parameters; and whatever else may decide its work."""
    inputs, attributes = [*tensors_in((args, kwargs))], {}
    if args and isinstance(args[0], nn.Module):
        parameters = dict(args[0].named_parameters())
        inputs += parameters.values()
        public = {name: value for name, value in vars(args[0]).items() if not name.startswith("_")}
        attributes = plain_values(public | {name: tuple(each.shape) for name, each in parameters.items()})
    bound = signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return tuple(inputs), attributes | plain_values(bound.arguments)


_here = local()
"""Of the thread: ``noting``, while a trace runs in it."""
_lock = Lock()
_wrapped: dict[type, tuple[int, Any]] = {}
"""How many traces have wrapped a class, and the ``forward`` that is its own, or None."""


@contextmanager
def record_custom_calls(recorder: Recorder) -> Iterator[Noting]:
    """Let the recorder know of calls that are one op, as long as this lasts."""
    noting, before = Noting(recorder, []), getattr(_here, "noting", None)
    classes = list(CLASSES)
    try:
        for cls in classes:
            _wrap(cls)
        _here.noting = noting
        yield noting
    finally:
        _here.noting = before
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
        if (noting := _noting()) is None:
            return forward(self, *args, **kwargs)
        return noting.call(op, forward, _getframe(), (self, *args), kwargs)

    return whole


def _function_call(op: str, forward: Forward) -> Any:
    @wraps(forward)
    def whole(*args: Any, **kwargs: Any) -> Any:
        if (noting := _noting()) is None:
            return forward(*args, **kwargs)
        return noting.call(op, forward, _getframe(), args, kwargs)

    return staticmethod(whole)


def _noting() -> Noting | None:
    # Inside vmap and its kin a tensor's shape lacks the dimensions that are mapped over: what
    # runs inside is then recorded op by op.
    noting: Noting | None = getattr(_here, "noting", None)
    return noting if functorch_level() is None else None
