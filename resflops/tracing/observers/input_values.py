"""Input values: in a pass on meta, what is computed from whole-numbered inputs alone has values nevertheless.

Text models look into their masks and tokens: whether a mask hides anything, whether a token is padding.
That needs the values of these inputs and of no weight, so the model's own kernels need not run.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from resflops.tracing.call_through import call_through
from resflops.tracing.meta import find_tensors
from resflops.tracing.observers.observer import Observer

__all__ = ["InputValues"]


class InputValues(TorchFunctionMode, Observer):
    """Works out the values of what follows from whole-numbered inputs alone, over a recorder on meta.

    It calls every function again, which then reaches the recorder. Only queries that a known value answers
    end here.
    """

    def __init__(self) -> None:
        super().__init__()
        # By tensor id. The tensors are kept, so that no other tensor is given the id of one.
        self._known: dict[int, Tensor] = {}
        self._kept: list[Tensor] = []
        # By id of a known tensor: the inputs that it was made from and whose values are assumed.
        self._assumed: dict[int, frozenset[str]] = {}
        self.relied_on: set[str] = set()
        """Names of the inputs that were given without values and whose values the model has asked for."""

    def remember(self, tensor: Tensor, value: Tensor, *, assumed: frozenset[str] = frozenset()) -> None:
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

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Hand a call on; if the values of all its tensors are known, work out those of its result, too."""
        if func in _REPEATING:
            kwargs = self._tell_size(args, kwargs or {})
        elif func is torch.Tensor.__getitem__:
            args = (args[0], self._replace_masks(args[1]))
        known, given = self._known, list(find_tensors((args, kwargs or {})))
        if any(id(tensor) not in known for tensor in given) or not (given or func in _FILLING):
            out = call_through(func, args, kwargs or {})
            # Something unknown was written into a known tensor. Others may be views of it, and nobody knows
            # which: so none is known any more.
            written = args[:1] if func is torch.Tensor.__setitem__ else out
            if any(id(tensor) in known for tensor in find_tensors(written)):
                known.clear()
            return out
        values = self._compute_values(func, args, kwargs or {}, filled=not given)
        assumed = frozenset[str]().union(*[self._assumed.get(id(tensor), ()) for tensor in given])
        if not any(True for _ in find_tensors(values)):
            if func not in _VALUE_QUERIES:
                return call_through(func, args, kwargs or {})
            self.relied_on |= assumed
            return values
        out = call_through(func, args, kwargs or {})
        for tensor, value in zip(find_tensors(out), find_tensors(values), strict=True):
            self.remember(tensor, value, assumed=assumed)
        return out

    def _tell_size(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Tell a repetition the size of its result, if it is known how often each element is repeated."""
        repeats: Any = kwargs["repeats"] if "repeats" in kwargs else next(iter(args[1:]), None)
        if id(repeats) not in self._known or kwargs.get("output_size") is not None:
            return kwargs
        self.relied_on |= self._assumed.get(id(repeats), frozenset())
        with DisableTorchFunction(), unseen_by_dispatch_modes():
            counts = self._known[id(repeats)].flatten().tolist()
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
                places = self._known[id(part)].nonzero(as_tuple=True)
                doubles = [torch.empty_like(place, device="meta") for place in places]
            for double, place in zip(doubles, places, strict=True):
                self.remember(double, place, assumed=assumed)
            replaced += doubles
        return tuple(replaced)

    def _is_known_mask(self, tensor: Tensor) -> bool:
        known = self._known.get(id(tensor))
        return known is not None and known.dtype is torch.bool

    def _compute_values(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, filled: bool
    ) -> Any:
        """Run a function on the known values."""
        args, kwargs = tree_map_only(Tensor, lambda tensor: self._known[id(tensor)], (args, kwargs))
        # A tensor that the model moves to its device stays on the CPU, with the other values.
        args, kwargs = tree_map_only(torch.device, lambda _: CPU, (args, kwargs))
        if filled and func is not torch.div:
            kwargs = {**kwargs, "device": CPU}
        # The recorder lies under this mode and must not record what is computed beside the pass.
        with DisableTorchFunction(), unseen_by_dispatch_modes():
            return call_through(func, args, kwargs)


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
_REPEATING = frozenset((torch.repeat_interleave, torch.Tensor.repeat_interleave))
_VALUE_QUERIES = frozenset(
    getattr(torch.Tensor, name)
    for name in ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "__contains__")
)
