"""Watching storages: when each is taken, by which op and layer, and when it is released."""

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from resflops.peak_memory.records import BEFORE, Block, Kind, Phase, Step
from resflops.peak_memory.taken import Taken
from resflops.tracing.memory.accumulation import Accumulation, add_bias
from resflops.tracing.memory.running_layer import RunningLayer

__all__ = ["StorageWatch"]


class StorageWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every op below autograd, and the storages of its results.

    A step is an op that takes memory; the others change nothing that is in use.

    Args:
        running: tells the layer that runs.
        fake: whether the tensors are fake ones.
        on_gpu: whether they stand for a GPU's, whose kernels leave some scalars in the host's memory.
    """

    def __init__(self, running: RunningLayer, *, fake: bool, on_gpu: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[Step] = []
        self.phase: Phase = "forward"
        self.hidden: set[str] = set()
        """The ops that were met whose kernels keep memory that fake tensors do not show."""
        self._fake, self._on_gpu = fake, on_gpu
        self._taken: list[Taken] = []
        # By the address of a storage, which is its own as long as the reference lives.
        self._known: dict[int, tuple[weakref.ref[Any], Taken]] = {}
        self._running = running
        self._layer_of_node: dict[int, str] = {}
        self._accumulates: dict[int, str] = {}
        self._backward_begins: int | None = None
        self._accumulation = Accumulation()
        self._paused = False

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Look away for a moment."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def hold(self, tensors: Iterable[tuple[Tensor, str, str]], kind: Kind) -> None:
        """Take note of memory that is there before the pass: each tensor with its layer and its name."""
        for tensor, layer, name in tensors:
            self._see(tensor, kind=kind, layer=layer, name=name, born=BEFORE)
            if kind == "parameters":
                self._accumulates[id(tensor)] = layer

    def begin(self, phase: Phase) -> None:
        """Begin a phase; what the forward pass has made and is there when the backward one begins is kept."""
        self.phase = phase
        if phase == "backward":
            self._backward_begins = len(self.steps)
            taken, steps = len(self._taken), len(self.steps)
            self._accumulation.calibrate()
            del self._taken[taken:], self.steps[steps:]

    def name_gradients(self, tensors: Iterable[Tensor]) -> None:
        """Say which memory holds the gradients of parameters."""
        for tensor in tensors:
            known = self._known.get(tensor.untyped_storage()._cdata)
            if known is not None and known[1].kind == "temporary":
                known[1].kind = "gradients"

    def list_blocks(self) -> tuple[Block, ...]:
        """List the blocks, in the order in which they were taken."""
        return tuple(
            taken.make_block(self._backward_begins)
            for taken in self._taken
            # Taken and released within one op of several: no moment finds it.
            if taken.died is None or taken.died > taken.born
        )

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one op, and see what memory its results lie in."""
        if self._paused:
            return func(*args, **(kwargs or {}))
        if self.phase == "backward" and (added := self._accumulation.add(func, args, kwargs)) is not None:
            return added
        path = self._running.path
        layer = path or ""
        recomputed = self.phase == "backward" and path is not None and torch.is_grad_enabled()
        if self.phase == "backward" and not recomputed:
            layer = self._find_layer_of_gradient() or layer
        elif torch.is_grad_enabled():
            # Autograd makes the node of an op before it runs the op. Of several, the first is the node's: the
            # others have none, as a count of batches.
            self._layer_of_node.setdefault(torch.autograd._get_sequence_nr() - 1, layer)  # type: ignore[attr-defined]
        if (out := add_bias(func, args)) is None:
            out = func(*args, **(kwargs or {}))
        if self._fake:
            if self._on_gpu and func in _IN_FLOAT32:
                out = _raise_statistics(out)
            elif func in _STATISTICS:
                out = _correct_statistics(args, out)
        self._note(_name_op(func), layer, out, recomputed=recomputed)
        return out

    def _note(self, name: str, layer: str, out: Any, *, recomputed: bool) -> None:
        """Take note of the memory that the results of an op have taken."""
        if name in HIDDEN_WORKSPACE:
            self.hidden.add(name)
        takes = False
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and not (
                self._on_gpu and name in _WITH_SCALARS and not tensor.dim()
            ):
                born = len(self.steps)
                new = self._see(tensor, kind="temporary", layer=layer, name=name, born=born)
                if new is not None:
                    new.recomputed, takes = recomputed, True
        if takes:
            self.steps.append(Step(op=name, layer=layer, phase=self.phase))

    def _see(self, tensor: Tensor, *, kind: Kind, layer: str, name: str, born: int) -> Taken | None:
        """Take note of a tensor's memory, if it is new and holds anything."""
        try:
            storage = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            # A sparse tensor, whose parts are tensors of their own.
            return None
        key, size = storage._cdata, storage.nbytes()
        known = self._known.get(key)
        if known is not None and known[0]() is not None:
            return None
        if not size:
            return None
        taken = Taken(size, kind, layer, name, born)
        self._taken.append(taken)
        self._known[key] = weakref.ref(storage, partial(self._release, key, taken)), taken
        return taken

    def _release(self, key: int, taken: Taken, _reference: object) -> None:
        taken.died = len(self.steps)
        known = self._known.get(key)
        if known is not None and known[1] is taken:
            del self._known[key]

    def _find_layer_of_gradient(self) -> str:
        """Find the layer whose op the gradient that is being worked out belongs to."""
        node: Any = torch._C._current_autograd_node()
        if node is None:
            return ""
        variable = getattr(node, "variable", None)
        if variable is not None:
            return self._accumulates.get(id(variable), "")
        return self._layer_of_node.get(node._sequence_nr(), "")


HIDDEN_WORKSPACE = {"mkldnn_rnn_layer", "cudnn_rnn", "miopen_rnn"}
"""Ops that keep a workspace for the backward pass whose size only their kernels know."""

_WITH_SCALARS = {
    "lift_fresh",  # a number that became a tensor
    "scaled_dot_product_efficient_attention",  # the seed and the offset of its random numbers
    "scaled_dot_product_flash_attention",
}
"""Ops whose results without dimensions are in the host's memory when all else is in a GPU's."""

_STATISTICS = {
    torch.ops.aten.native_batch_norm.default,
    torch.ops.aten._native_batch_norm_legit.default,
    torch.ops.aten._batch_norm_with_update.default,
}


_IN_FLOAT32 = {*_STATISTICS, torch.ops.aten.native_layer_norm.default}


def _raise_statistics(out: Any) -> Any:
    """Give the statistics of a norm the type that a GPU gives them: float32, unless it is float64."""
    result, *statistics = out
    low = (torch.float16, torch.bfloat16)
    return (result, *[each.float() if each.dtype in low else each for each in statistics])


def _correct_statistics(args: tuple[Any, ...], out: Any) -> Any:
    """Give the statistics of a batch norm the type that a kernel gives them.

    Fake ones have the type of the input; a kernel's have that of the weight, which autocast leaves as it is.
    """
    tensor, weight = args[0], args[1]
    if weight is None or weight.dtype is tensor.dtype:
        return out
    result, *statistics = out
    return (result, *[each.to(weight.dtype) if each.dtype is tensor.dtype else each for each in statistics])


def _name_op(func: Callable[..., Any]) -> str:
    """Name an aten op as the field does: without its overload and what marks it as torch's own."""
    name: str = (
        func.overloadpacket.__name__ if hasattr(func, "overloadpacket") else getattr(func, "__name__", "op")
    )
    return name.strip("_").removesuffix("_default")
