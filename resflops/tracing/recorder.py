"""The recorder: sees every torch function that a model calls, and writes down what it is.

It works on two levels. A function whose output shape follows from its arguments (the
table in ``functions/``) is recorded before torch dispatches it, and in a meta trace no
kernel runs at all. Any other function runs, on meta tensors, under a dispatch mode that
records the aten ops it turns into (``fallback.py``). Both write the same op names.
"""

import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from resflops.errors import ShapeError, TraceError
from resflops.records import CONSTANT, MODEL_INPUT, Attribute, OpRecord, Shape
from resflops.tracing.functions import DESCRIBED, FACTORIES, QUERIES, WHOLE, Mismatch, NotDescribed
from resflops.tracing.meta import META, on_meta, tensors_in
from resflops.tracing.modules import DTYPE_NAMES

__all__ = ["Recorder"]


class Recorder(TorchFunctionMode):
    """Records the ops of what runs inside it; one recorder, one forward pass.

    Args:
        modules: the model's modules by path.
        real: whether functions run for real; else shapes are worked out on meta.
        described: whether to use the table of described functions. Without it every
            function takes the fallback, which tests compare with.
    """

    def __init__(self, modules: dict[str, nn.Module], *, real: bool = False, described: bool = True) -> None:
        super().__init__()
        self.ops: list[OpRecord] = []
        self.real = real
        self.fallbacks: list[str] = []
        """Names of the functions that no table knew, in order of their calls."""
        self._described = DESCRIBED if described else {}
        self._whole = WHOLE if described else {}
        self._paths = {id(module): path for path, module in modules.items()}
        # Tensor id -> index of the op that made it. An id means the same tensor as long as
        # the tensor lives: meta tensors are kept, real ones take their entry with them.
        self._made: dict[int, int] = {}
        self._kept: list[Tensor] = []
        self._watched: list[ReferenceType[Tensor]] = []
        # Code object id -> whether its first argument is called self. Asking the code
        # object itself builds a tuple of all its names each time.
        self._is_method: dict[int, bool] = {}
        # Real tensors that the model holds, and their meta doubles.
        self._doubles: dict[int, tuple[Tensor, Tensor]] = {}

    def take_inputs(self, tensors: Iterable[Tensor]) -> None:
        """Remember which tensors came from the caller."""
        for tensor in tensors:
            self._kept.append(tensor)
            self._made[id(tensor)] = MODEL_INPUT

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Record one call, and return what the model goes on with."""
        describe = self._described.get(func)
        if describe is None:
            return self._undescribed(func, args, kwargs or {}, sys._getframe(1))
        try:
            call = describe(*args, **kwargs) if kwargs else describe(*args)
        except (TypeError, NotDescribed):
            # A use that the description does not cover; what is wrong with it, torch will say.
            return self._undescribed(func, args, kwargs or {}, sys._getframe(1))
        except Mismatch as error:
            raise self._mismatched(func, error, sys._getframe(1)) from None
        inputs, shape, dtype = call.inputs, call.shape, call.dtype or call.inputs[0].dtype
        layer = self._calling_layer(sys._getframe(1))
        out: Tensor
        if self.real:
            out = func(*args, **(kwargs or {}))
            shape, dtype = tuple(out.shape), out.dtype
        elif call.in_place:
            out = inputs[0]
        else:
            try:
                out = torch.empty(shape, dtype=dtype, device=META)
            except (RuntimeError, TypeError) as error:
                raise _too_large(layer, call.op, shape) from error
        self._record(call.op, layer, inputs, (out,), (shape,), dtype, call.attributes)
        return out

    def _undescribed(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
    ) -> Any:
        """Run a function that has no description, and record what it does."""
        if func in QUERIES:
            return func(*args, **kwargs)
        layer = self._calling_layer(frame)
        if not self.real:
            args, kwargs = on_meta(args, self._doubles), on_meta(kwargs, self._doubles)
        try:
            return self._run(func, args, kwargs, layer)
        except (RuntimeError, ValueError, IndexError, NotImplementedError) as error:
            raise _failed(func, layer, args, error) from error

    def _run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], layer: str
    ) -> Any:
        if func in self._whole:
            out = func(*args, **kwargs)
            outs = (out,) if isinstance(out, Tensor) else tuple(tensors_in(out))
            self.note(self._whole[func], layer, tuple(tensors_in(args)), outs, {})
        elif func in FACTORIES:
            out = func(*args, **(kwargs if self.real else {**kwargs, "device": META}))
            self.note(FACTORIES[func], layer, (), (out,), {})
        elif func is torch.Tensor.__setitem__:
            target, index, value = args
            target[index] = out = value
            self.note("setitem", layer, tuple(tensors_in((target, value))), (target,), {})
        else:
            out = self._through_dispatch(func, args, kwargs, layer)
        return out

    def _through_dispatch(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], layer: str
    ) -> Any:
        from resflops.tracing.fallback import DispatchRecorder

        before = len(self.ops)
        with DispatchRecorder(self, layer):
            out = func(*args, **kwargs)
        if len(self.ops) > before:
            self.fallbacks.append(_name(func))
        return out

    def note(
        self,
        op: str,
        layer: str,
        inputs: tuple[Tensor, ...],
        outs: tuple[Tensor, ...],
        attributes: dict[str, Attribute],
    ) -> None:
        """Record an op that has run."""
        dtype = outs[0].dtype if outs else inputs[0].dtype if inputs else torch.float32
        self._record(op, layer, inputs, outs, tuple([tuple(out.shape) for out in outs]), dtype, attributes)

    def _record(
        self,
        op: str,
        layer: str,
        inputs: tuple[Tensor, ...],
        outs: tuple[Tensor, ...],
        shapes: tuple[Shape, ...],
        dtype: torch.dtype,
        attributes: dict[str, Attribute],
    ) -> None:
        made = self._made
        record = OpRecord(
            op=op,
            layer=layer,
            input_shapes=tuple([tuple(tensor.shape) for tensor in inputs]),
            output_shapes=shapes,
            dtype=DTYPE_NAMES[dtype],
            attributes=attributes,
            producers=tuple([made.get(id(tensor), CONSTANT) for tensor in inputs]),
        )
        for out in outs:
            made[id(out)] = len(self.ops)
            if self.real:
                self._watched.append(ref(out, self._forgetting(id(out))))
            else:
                self._kept.append(out)
        self.ops.append(record)

    def _forgetting(self, key: int) -> Callable[[ReferenceType[Tensor]], None]:
        made = self._made

        def forget(_: ReferenceType[Tensor]) -> None:
            made.pop(key, None)

        return forget

    def _calling_layer(self, frame: FrameType | None) -> str:
        """Path of the innermost module whose code is on the stack.

        The stack tells it without a hook on the user's modules, and without seeing
        other threads.
        """
        is_method, paths = self._is_method, self._paths
        while frame is not None:
            code = frame.f_code
            method = is_method.get(id(code))
            if method is None:
                method = code.co_argcount > 0 and code.co_varnames[0] == "self"
                is_method[id(code)] = method
            if method:
                path = paths.get(id(frame.f_locals.get("self")))
                if path is not None:
                    return path
            frame = frame.f_back
        return ""

    def _mismatched(self, func: Callable[..., Any], error: Mismatch, frame: FrameType) -> ShapeError:
        return ShapeError(f"{_where(self._calling_layer(frame))}: {_name(func)}: {error}")


def _name(func: Callable[..., Any]) -> str:
    return str(getattr(func, "__name__", func))


def _where(layer: str) -> str:
    return layer or "the model's own forward"


def _sizes(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape)) or "a scalar"


def _failed(func: Callable[..., Any], layer: str, args: tuple[Any, ...], error: Exception) -> TraceError:
    shapes = ", ".join(_sizes(tensor.shape) for tensor in tensors_in(args))
    reason = str(error).strip().partition("\n")[0]
    return TraceError(f"{_where(layer)}: {_name(func)} on {shapes or 'no tensor'}: {reason}")


def _too_large(layer: str, op: str, shape: Shape) -> ShapeError:
    return ShapeError(
        f"{_where(layer)}: {op} would make a tensor of {_sizes(shape)}, "
        "more than torch can address; give a smaller input"
    )
