"""Find out which calls of a model a counter misses that patches functions.

Such a counter replaces ``torch.nn.functional.gelu`` and its like for the time of a forward pass. A call gets
past it that takes another way to the same op: an operator, a method of the tensor, or a function that the
model took hold of before. A trace records the op, and not the way to it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FunctionType
from typing import Any

import torch
from msgspec import Struct
from torch import nn
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from resflops.ops import is_free
from resflops.records import Trace
from resflops.tracing import trace
from resflops.tracing.call_through import call_through
from resflops.tracing.recorder import Recorder

__all__ = ["find_sights", "list_patches"]

OWNERS: dict[str, Any] = {"nn.functional": nn.functional, "torch": torch, "Tensor": torch.Tensor}
"""Where counters replace functions."""


@contextmanager
def list_patches(model: nn.Module) -> Iterator[list[str]]:
    """Find out what is patched while a model runs.

    Yields:
        A list that holds the names of what is patched, such as ``Tensor.matmul``, once the model has run.
    """
    before = {owner: dict(vars(value)) for owner, value in OWNERS.items()}
    patched: list[str] = []

    def compare(module: nn.Module, args: object) -> None:
        del module, args
        # A patched method of Tensor may be new there: most are inherited from a class written in C.
        patched[:] = [
            f"{owner}.{name}"
            for owner, value in OWNERS.items()
            for name, function in vars(value).items()
            if callable(function) and function is not before[owner].get(name)
        ]

    handle = model.register_forward_pre_hook(compare)
    try:
        yield patched
    finally:
        handle.remove()


def find_sights(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, patched: list[str], expected: Trace
) -> dict[int, bool]:
    """Find out which ops of a model's trace are called through one of the patched functions.

    It changes torch while it runs, so it is for a process of its own.

    Args:
        model: the model.
        args: its positional inputs.
        kwargs: its keyword inputs.
        patched: the names of the patched functions.
        expected: the model's trace.

    Returns:
        For places in the trace whether they are; none if a second pass is another one, and none of an op that
        a function in Python calls inside.
    """
    watch = _Watch(patched)
    with watch.marked():
        model.register_forward_pre_hook(watch.start)
        model.register_forward_hook(watch.stop, always_call=True)
        traced = trace(model, *args, **kwargs)
    # Free ops may differ: a model may keep for the next pass what the first one has looked up.
    places, theirs = _list_costly(expected), _list_costly(traced)
    same = [expected.ops[place].op for place in places] == [traced.ops[place].op for place in theirs]
    # A class with a rule of its own is one op in a trace, and several here.
    if not same or watch.count_ops() != len(traced.ops):
        return {}
    moved = dict(zip(theirs, places, strict=True))
    return {moved[place]: seen for place, seen in watch.sights.items() if place in moved}


def _list_costly(traced: Trace) -> list[int]:
    """List the places of a trace's ops that are not free."""
    return [place for place, op in enumerate(traced.ops) if not is_free(op.op)]


class _Mark(Struct, frozen=True, kw_only=True):
    """A function that stands where the counter has put its own, and tells that a call goes through there."""

    owner: Any
    attribute: str
    original: Callable[..., Any]
    replacement: Callable[..., Any]
    own: bool
    """Whether the owner holds the original itself: Tensor inherits most methods, and must not keep them."""

    def put(self) -> None:
        setattr(self.owner, self.attribute, self.replacement)

    def take(self) -> None:
        if self.own:
            setattr(self.owner, self.attribute, self.original)
        else:
            delattr(self.owner, self.attribute)


class _Watch(TorchFunctionMode):
    """Notes, for each op of the recorder below it, whether the call came through a marked function."""

    def __init__(self, patched: list[str]) -> None:
        super().__init__()
        self.sights: dict[int, bool] = {}
        self._marks = [self._make_mark(name) for name in patched]
        self._originals = {mark.replacement: mark.original for mark in self._marks}
        self._names = {mark.attribute for mark in self._marks}
        self._inside = 0
        self._recorder: Recorder | None = None

    def _make_mark(self, name: str) -> _Mark:
        place, _, attribute = name.rpartition(".")
        owner = OWNERS[place]
        original = getattr(owner, attribute)

        @wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            self._inside += 1
            try:
                return original(*args, **kwargs)
            finally:
                self._inside -= 1

        return _Mark(
            owner=owner,
            attribute=attribute,
            original=original,
            replacement=replacement,
            own=attribute in vars(owner),
        )

    @contextmanager
    def marked(self) -> Iterator[None]:
        """Put the marks where they belong, and take them away again."""
        for mark in self._marks:
            mark.put()
        try:
            yield
        finally:
            for mark in self._marks:
                mark.take()

    def start(self, module: nn.Module, args: object) -> None:
        """Begin to watch a pass: not before, since the mode that is entered last sees a call first."""
        del module, args
        # A trace may take several passes, of which the last one counts.
        self.sights = {}
        modes = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        self._recorder = next((mode for mode in modes if isinstance(mode, Recorder)), None)
        self.__enter__()  # type: ignore[no-untyped-call]

    def stop(self, module: nn.Module, args: object, output: object) -> None:
        """Stop watching."""
        del module, args, output
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def count_ops(self) -> int:
        """Count the ops of the pass that was watched."""
        return len(self._recorder.ops) if self._recorder else 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 - torch's signature
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Pass a call on, and note an op that it turned into."""
        ops = self._recorder.ops if self._recorder else []
        place = len(ops)
        # Torch looks the function that it tells a mode of up by its name, and so finds the mark, also where
        # the call came by an operator. The recorder must find what it knows.
        func = self._originals.get(func, func)
        for mark in self._marks:
            mark.take()
        try:
            result = call_through(func, args, kwargs or {})
        finally:
            for mark in self._marks:
                mark.put()
        # What a function written in Python calls inside may well be patched: that is not told apart.
        is_told = not isinstance(func, FunctionType) or func.__name__ in self._names
        if len(ops) == place + 1 and (self._inside or is_told):
            self.sights[place] = bool(self._inside)
        return result
