"""Input values: in a pass on meta, what is computed from whole-numbered inputs alone has values nevertheless.

Text models look into their masks and tokens: whether a mask hides anything, whether a token is padding.
That needs the values of these inputs and of no weight, so the model's own kernels need not run.

Where a model's path depends on what its weights would find, a pass may also go by values that are made up,
and says so (``resflops.tracing.detection``).
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from resflops.tracing.call_through import call_through
from resflops.tracing.dispatcher import describe_aten
from resflops.tracing.meta import find_tensors
from resflops.tracing.observers.observer import Observer
from resflops.tracing.observers.sized_results import SizedCall, find_sized
from resflops.tracing.observers.sparse_values import SparseValues
from resflops.tracing.torch_functions import DEVICE, QUERIES

if TYPE_CHECKING:
    from resflops.tracing.recorder import Recorder

__all__ = ["InputValues"]


class InputValues(TorchFunctionMode, Observer):
    """Works out the values of what follows from whole-numbered inputs alone, over a recorder on meta.

    It calls every function again, which then reaches the recorder. Only queries that a known value answers
    end here.
    """

    def __init__(self) -> None:
        super().__init__()
        # By tensor id. The tensors are kept, so that no other tensor is given the id of one.
        self._known: dict[int, Tensor | _Filled | SparseValues] = {}
        self._kept: list[Tensor] = []
        # By id of a known tensor: the inputs that it was made from and whose values are assumed.
        self._assumed: dict[int, frozenset[str]] = {}
        self.relied_on: set[str] = set()
        """Names of the inputs that were given without values and whose values the model has asked for."""
        self.recorder: Recorder | None = None
        """The recorder of the pass, which is told of functions whose results have known sizes."""
        self.made_up: dict[str, int] = {}
        """What values were made up for: a kind of thing that the model finds, and how many an image has."""

    def remember(
        self, tensor: Tensor, value: Tensor | SparseValues, *, assumed: frozenset[str] = frozenset()
    ) -> None:
        """Remember the values of an input, or of a tensor that follows from inputs.

        Args:
            tensor: the tensor that the model has, on meta.
            value: its values, on the CPU.
            assumed: names of the inputs that it follows from and that were given without values.
        """
        self._kept.append(tensor)
        self._known[id(tensor)] = value
        if assumed:
            self._assumed[id(tensor)] = assumed

    def run(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call what works on values, then forget them and all that it worked out but what it gives."""
        before = len(self._kept)
        found = call(*args)
        given = {id(tensor) for tensor in find_tensors(found)}
        for tensor in (*find_tensors(args), *self._kept[before:]):
            if id(tensor) not in given:
                self._known.pop(id(tensor), None)
        return found

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Hand a call on; if the values of all its tensors are known, work out those of its result, too."""
        args, kwargs = self._replace_known(func, args, kwargs or {})
        known, given = self._known, list(find_tensors((args, kwargs)))
        if any(id(tensor) not in known for tensor in given) or not (given or func in _FILLING):
            out = call_through(func, args, kwargs)
            # Something unknown was written into a known tensor, and into those that are views of it.
            for tensor in find_tensors(args[:1] if func is torch.Tensor.__setitem__ else out):
                if id(tensor) in known:
                    self._forget(tensor)
            return out
        if given:
            return self._work_out(func, args, kwargs, given, sys._getframe(1))
        out = call_through(func, args, kwargs)
        if func in _UNIFORM:
            # Most are buffers that the model writes into: nobody asks what was in them before.
            self._kept.append(out)
            known[id(out)] = _Filled(func, args, kwargs)
        else:
            self._remember_results(out, self._compute_values(func, args, kwargs, filled=True))
        return out

    def _work_out(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: list[Tensor],
        frame: FrameType,
    ) -> Any:
        """Hand a call on whose tensors have known values, or answer it."""
        if func == DEVICE and _asks_for_kernel(frame):
            return CPU
        assumed = frozenset[str]().union(*[self._assumed.get(id(tensor), ()) for tensor in given])
        if self.recorder is not None and (sized := find_sized(func, args, kwargs)) is not None:
            self.relied_on |= assumed
            with DisableTorchFunction(), unseen_by_dispatch_modes():
                results = self._run_sized(sized)
                outs = [torch.empty_like(result, device="meta") for result in results]
                op, inputs, attributes = describe_aten(sized.op, sized.args, {})
                layer = self.recorder.find_running_layer(frame)
                self.recorder.note(op, layer, inputs, tuple(outs), attributes)
            self._remember_results(outs, results, assumed)
            return sized.select(outs)
        if (sparse := self._compute_sparsely(func, args, kwargs)) is not None:
            out = call_through(func, args, kwargs)
            self.remember(out, sparse, assumed=assumed)
            return out
        # What is asked of a tensor of any values, such as its type, needs none worked out.
        values = None if func in QUERIES else self._compute_values(func, args, kwargs, filled=False)
        if not any(True for _ in find_tensors(values)):
            if func not in _VALUE_QUERIES:
                return call_through(func, args, kwargs)
            self.relied_on |= assumed
            return values
        out = call_through(func, args, kwargs)
        self._remember_results(out, values, assumed)
        return out

    def _remember_results(self, out: Any, values: Any, assumed: frozenset[str] = frozenset()) -> None:
        for tensor, value in zip(find_tensors(out), find_tensors(values), strict=True):
            self.remember(tensor, value, assumed=assumed)

    def _replace_known(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Replace known values among the arguments by the sizes that they decide."""
        if func in _REPEATING:
            return args, self._tell_size(args, kwargs)
        if func is torch.Tensor.__getitem__:
            return (args[0], self._replace_masks(self._replace_bounds(args[1]))), kwargs
        if func is torch.Tensor.__setitem__:
            return (args[0], self._replace_bounds(args[1]), *args[2:]), kwargs
        return args, kwargs

    def _find_value(self, tensor: Tensor) -> Tensor:
        """Give the values of a known tensor."""
        value = self._known[id(tensor)]
        if isinstance(value, _Filled):
            value = self._compute_values(value.func, value.args, value.kwargs, filled=True)
        elif isinstance(value, SparseValues):
            # Nothing is known any longer of its views: they are not views of what is made here.
            self._forget(tensor)
            with DisableTorchFunction(), unseen_by_dispatch_modes():
                value = value.fill()
        else:
            return value
        self._known[id(tensor)] = value
        return value

    def _forget(self, tensor: Tensor) -> None:
        """Forget the values of all tensors in the memory of one."""
        value = self._known.pop(id(tensor))
        # Nothing has been made of it, and so no view.
        if isinstance(value, _Filled):
            return
        memory = _find_memory(value)
        for key, each in list(self._known.items()):
            if not isinstance(each, _Filled) and _find_memory(each) == memory:
                del self._known[key]

    def _replace_bounds(self, index: Any) -> Any:
        """Replace the bounds of slices that are tensors of known values by these."""
        parts = index if isinstance(index, tuple) else (index,)
        bounds = [_list_bounds(part) if isinstance(part, slice) else () for part in parts]
        if not any(self._is_known(bound) for each in bounds for bound in each):
            return index
        replaced = [
            slice(*map(self._read_number, each)) if each else part
            for part, each in zip(parts, bounds, strict=True)
        ]
        return tuple(replaced) if isinstance(index, tuple) else replaced[0]

    def _is_known(self, value: Any) -> bool:
        return isinstance(value, Tensor) and id(value) in self._known

    def _read_number(self, value: Any) -> Any:
        if not self._is_known(value):
            return value
        self.relied_on |= self._assumed.get(id(value), frozenset())
        with DisableTorchFunction(), unseen_by_dispatch_modes():
            return self._find_value(value).item()

    def _tell_size(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Tell a repetition the size of its result, if it is known how often each element is repeated."""
        repeats: Any = kwargs["repeats"] if "repeats" in kwargs else next(iter(args[1:]), None)
        if id(repeats) not in self._known or kwargs.get("output_size") is not None:
            return kwargs
        self.relied_on |= self._assumed.get(id(repeats), frozenset())
        with DisableTorchFunction(), unseen_by_dispatch_modes():
            counts = self._find_value(repeats).flatten().tolist()
        if len(counts) > 1:
            return {**kwargs, "output_size": sum(counts)}
        # One number stands for each element of what is repeated.
        tensor: Any = args[0] if args else kwargs.get("input", kwargs.get("self"))
        dim = kwargs["dim"] if "dim" in kwargs else next(iter(args[2:]), None)
        elements = tensor.numel() if dim is None else tensor.shape[dim]
        return {**kwargs, "output_size": sum(counts) * elements}

    def _replace_masks(self, index: Any) -> Any:
        """Replace masks of known values by the places that they select, whose number is then known."""
        parts = index if isinstance(index, tuple) else (index,)
        if not any(isinstance(part, Tensor) and self._is_known_mask(part) for part in parts):
            return index
        replaced: list[Any] = []
        for part in parts:
            if not isinstance(part, Tensor) or not self._is_known_mask(part):
                replaced.append(part)
                continue
            assumed = self._assumed.get(id(part), frozenset())
            self.relied_on |= assumed
            with DisableTorchFunction(), unseen_by_dispatch_modes():
                places = self._find_true(part)
                doubles = [torch.empty_like(place, device="meta") for place in places]
            for double, place in zip(doubles, places, strict=True):
                self.remember(double, place, assumed=assumed)
            replaced += doubles
        return tuple(replaced)

    def _is_known_mask(self, tensor: Tensor) -> bool:
        return id(tensor) in self._known and tensor.dtype is torch.bool

    def _run_sized(self, sized: SizedCall) -> list[Tensor]:
        """Run a function whose result has a size that follows from values."""
        if sized.op is torch.ops.aten.where.default:
            return list(self._find_true(sized.args[0]))
        return sized.run(*tree_map_only(Tensor, self._find_value, sized.args))

    def _find_true(self, mask: Tensor) -> tuple[Tensor, ...]:
        value = self._known[id(mask)]
        if isinstance(value, SparseValues):
            return value.find_true()
        return self._find_value(mask).nonzero(as_tuple=True)

    def _compute_sparsely(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Tensor | SparseValues | None:
        """Run a function on sparse values; None if it is not to be run on any."""
        value = self._known.get(id(args[0])) if args else None
        if not isinstance(value, SparseValues):
            return None
        with DisableTorchFunction(), unseen_by_dispatch_modes():
            others = tree_map_only(Tensor, self._find_value, (args[1:], kwargs))
            return value.compute(func, (value, *others[0]), others[1])

    def _compute_values(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, filled: bool
    ) -> Any:
        """Run a function on the known values."""
        args, kwargs = tree_map_only(Tensor, self._find_value, (args, kwargs))
        # A tensor that the model moves to its device stays on the CPU, with the other values.
        args, kwargs = tree_map_only(torch.device, lambda _: CPU, (args, kwargs))
        if filled and func is not torch.div:
            kwargs = {**kwargs, "device": CPU}
        # The recorder lies under this mode and must not record what is computed beside the pass.
        with DisableTorchFunction(), unseen_by_dispatch_modes():
            return call_through(func, args, kwargs)


class _Filled(NamedTuple):
    """A call that fills a tensor with one number, to be made if its values are asked for."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _find_memory(value: Tensor | SparseValues) -> object:
    """Find what the values of a tensor and of its views have in common."""
    if isinstance(value, SparseValues):
        return value.memory
    # The values of a view are a view of the values.
    with DisableTorchFunction():
        return value.untyped_storage()._cdata


CPU = torch.device("cpu")
_FILLING = frozenset(
    (
        torch.arange,
        torch.as_tensor,
        torch.div,
        torch.full,
        torch.linspace,
        torch.ones,
        torch.tensor,
        torch.zeros,
    )
)
"""Functions that make a tensor of known values from no tensor, as a model makes its own mask."""
_UNIFORM = frozenset((torch.full, torch.ones, torch.zeros))
"""Those that fill it with one number."""
_REPEATING = frozenset((torch.repeat_interleave, torch.Tensor.repeat_interleave))
_VALUE_QUERIES = frozenset(
    getattr(torch.Tensor, name)
    for name in ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "__contains__")
)


def _list_bounds(part: slice) -> tuple[Any, Any, Any]:
    return part.start, part.stop, part.step


def _asks_for_kernel(frame: FrameType) -> bool:
    """Whether torchvision asks where boxes are to choose among ways to suppress those that overlap."""
    # A pass on shapes stands for a run on the CPU. No tensor goes where this answer says.
    return frame.f_globals.get("__name__") == "torchvision.ops.boxes"
