"""A recorder for processes that have a process group, in which tensors may be distributed.

A function of distributed tensors has no described shape: torch decides as it dispatches the function which
part of it this rank does, and what has to be exchanged before. So it is dispatched, and the ops on local
tensors that it turns into are recorded.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._pytree import tree_map_only

from resflops.tracing.call_through import call_through
from resflops.tracing.dispatcher import DispatchRecorder
from resflops.tracing.distributed.tensors import (
    find_distributed_type,
    find_local,
    find_waiting_type,
    make_local_double,
    replace_local,
)
from resflops.tracing.failures import make_op_error
from resflops.tracing.meta import find_tensors
from resflops.tracing.modules import Modules
from resflops.tracing.producers import Producers
from resflops.tracing.recorder import Recorder
from resflops.tracing.torch_functions import DEVICE, QUERIES

__all__ = ["DistributedRecorder", "is_distributed"]


def is_distributed(model: nn.Module) -> bool:
    """Whether a model may be spread over several processes or devices."""
    distributed = torch.distributed
    return (distributed.is_available() and distributed.is_initialized()) or isinstance(model, nn.DataParallel)


class DistributedRecorder(Recorder):
    """Records what this rank does of functions of distributed tensors, and the rest as any recorder does."""

    def __init__(self, modules: Modules, **how: Any) -> None:
        super().__init__(modules, **how)
        self._dispatch_recorder = _LocalDispatchRecorder(self)
        # In a real run, too, every tensor is kept: the Python object of a local tensor, to which a weak
        # reference refers, goes and comes again while a distributed tensor holds the tensor in C++.
        self.producers = Producers(modules.origins, real=False)
        self._made, self._slots = self.producers.made, self.producers.slots
        for parameter in modules.model.parameters():
            self.producers.enter_double(parameter, find_local(parameter))

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Record one call, and return what the model goes on with."""
        kwargs = kwargs or {}
        kinds = _list_kinds()
        if kinds and any(isinstance(tensor, kinds) for tensor in find_tensors((args, kwargs))):
            if func in QUERIES or func == DEVICE:
                return func(*args, **kwargs)
            if (distributed := find_distributed_type()) and any(
                isinstance(tensor, distributed) for tensor in find_tensors((args, kwargs))
            ):
                return self._record_distributed(func, args, kwargs)
            args, kwargs = tree_map_only(kinds, _wait, (args, kwargs))
        return super().__torch_function__(func, types, args, kwargs)

    def _record_distributed(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self.meta_pool.touch()
        layer = self._calling_layer(sys._getframe(2))
        if not self.real:
            with unseen_by_dispatch_modes():
                args, kwargs = self.make_doubles((args, kwargs), self._doubles)
        try:
            return self._run_through_dispatcher(func, args, kwargs, layer)
        except (RuntimeError, ValueError, IndexError, NotImplementedError) as error:
            raise make_op_error(func, layer, args, error) from error

    def make_doubles(self, value: Any, doubles: dict[int, tuple[Tensor, Tensor]]) -> Any:
        """Rebuild the same containers; the double of a distributed tensor has a local part on meta."""

        def double(tensor: Tensor) -> Tensor:
            if find_local(tensor).is_meta:
                return tensor
            known = doubles.get(id(tensor))
            if known is None:
                local = make_local_double(tensor)
                known = doubles[id(tensor)] = (tensor, replace_local(tensor, local))
                self.producers.enter_double(tensor, local)
            return known[1]

        if (kind := find_distributed_type()) is not None:
            value = tree_map_only(kind, double, value)
        return super().make_doubles(value, doubles)

    def take_inputs(self, tensors: Iterable[Tensor]) -> None:
        """Remember which tensors came from the caller."""
        super().take_inputs(map(find_local, tensors))

    def knows(self, tensor: Tensor) -> bool:
        """Whether this pass has made a tensor, or its local part."""
        return super().knows(find_local(tensor))

    def find_makers(self, tensors: Iterable[Tensor]) -> tuple[int, ...]:
        """Look up the ops that made some tensors, each once, in order."""
        outputs = list(tensors)
        # Torch complains at the end of the process of collectives whose result nobody has waited for.
        if (waiting := find_waiting_type()) is not None:
            for tensor in outputs:
                if isinstance(tensor, waiting):
                    _wait(tensor)
        return super().find_makers(map(find_local, outputs))


class _LocalDispatchRecorder(DispatchRecorder):  # type: ignore[no-untyped-call]
    """Leaves every op of distributed tensors to torch, until only the ops of the local ones are left."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one aten op and record it, if it works on local tensors."""
        if any(issubclass(kind, _list_kinds()) for kind in types):
            return NotImplemented
        # Torch works out the shape of the whole by running the op once on fake tensors of that shape.
        if any(issubclass(kind, FakeTensor) for kind in types):
            return call_through(func, args, kwargs or {})
        return super().__torch_dispatch__(func, types, args, kwargs)


def _list_kinds() -> tuple[type[Tensor], ...]:
    """List the classes of tensors that hold a local one."""
    kinds = (find_distributed_type(), find_waiting_type())
    return tuple(kind for kind in kinds if kind is not None)


def _wait(tensor: Any) -> Tensor:
    local: Tensor = tensor.trigger_wait()
    return local
