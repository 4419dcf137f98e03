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

from resflops.errors import ResflopsError, ShapeError, TraceError
from resflops.records import CONSTANT, MODEL_INPUT, Attribute, OpRecord, Shape
from resflops.tracing.functions import DESCRIBED, FACTORIES, QUERIES, WHOLE, Mismatch, NotDescribed
from resflops.tracing.meta import META, on_meta, tensors_in
from resflops.tracing.modules import dtype_name

__all__ = ["Recorder"]

_empty = torch.empty


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
        self.fallbacks: list[str] = []
        """Names of the functions that no table knew, in order of their calls."""
        self.real = real
        self._described = DESCRIBED if described else {}
        self._paths = {id(module): path for path, module in modules.items()}
        # Tensor id -> (weak reference, index of the op that made it). The reference tells
        # whether an id still means the same tensor.
        self._made: dict[int, tuple[ReferenceType[Tensor], int]] = {}
        # Code object id -> whether its first argument is called self. Asking the code
        # object itself builds a tuple of all its names each time.
        self._is_method: dict[int, bool] = {}
        # Tensors of the user's that the model holds, and their meta doubles.
        self._doubles: dict[int, tuple[Tensor, Tensor]] = {}

    def take_inputs(self, tensors: Iterable[Tensor]) -> None:
        """Remember which tensors came from the caller."""
        for tensor in tensors:
            self._made[id(tensor)] = (ref(tensor), MODEL_INPUT)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 - torch's signature
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Record one call, and return what the model goes on with."""
        describe = self._described.get(func)
        if describe is None:
            return self._undescribed(func, args, kwargs or {}, self._calling_layer(sys._getframe(1)))
        try:
            call = describe(*args, **kwargs) if kwargs else describe(*args)
        except (TypeError, NotDescribed):
            return self._undescribed(func, args, kwargs or {}, self._calling_layer(sys._getframe(1)))
        except Mismatch as error:
            layer = self._calling_layer(sys._getframe(1))
            raise ShapeError(f"{layer or 'the model itself'}: {_name(func)}: {error}") from None
        layer = self._calling_layer(sys._getframe(1))
        op, inputs, shape, dtype = call.op, call.inputs, call.shape, call.dtype or call.inputs[0].dtype
        out: Any
        if self.real:
            out = func(*args, **(kwargs or {}))
            shape, dtype = tuple(out.shape), out.dtype
        elif call.in_place:
            out = inputs[0]
        else:
            try:
                out = _empty(shape, dtype=dtype, device=META)
            except (RuntimeError, TypeError) as error:
                raise _too_large(layer, op, shape) from error
        self._record(op, layer, inputs, (out,), (shape,), dtype, call.attributes)
        return out

    def _undescribed(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], layer: str
    ) -> Any:  # noqa: ANN401
        """Run a function that has no description, and record what it does."""
        if func in QUERIES:
            return func(*args, **kwargs)
        if not self.real:
            args, kwargs = on_meta(args, self._doubles), on_meta(kwargs, self._doubles)
        if func is torch.Tensor.__setitem__:
            return self._set_item(args, layer)
        op = WHOLE.get(func)
        try:
            if op is not None:
                out = func(*args, **kwargs)
            elif (op := FACTORIES.get(func)) is not None:
                out = func(*args, **({**kwargs, "device": META} if not self.real else kwargs))
            else:
                return self._through_dispatch(func, args, kwargs, layer)
        except ResflopsError:
            raise
        except (RuntimeError, ValueError, IndexError, NotImplementedError) as error:
            raise self._failed(func, layer, args, error) from error
        outs = (out,) if isinstance(out, Tensor) else tuple(tensors_in(out))
        inputs = tuple(tensors_in(args)) if func not in FACTORIES else ()
        self.note(op, layer, inputs, outs, {})
        return out

    def _through_dispatch(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], layer: str
    ) -> Any:  # noqa: ANN401
        from resflops.tracing.fallback import DispatchRecorder

        before = len(self.ops)
        with DispatchRecorder(self, layer):
            out = func(*args, **kwargs)
        if len(self.ops) > before:
            self.fallbacks.append(_name(func))
        return out

    def _set_item(self, args: tuple[Any, ...], layer: str) -> None:
        target, index, value = args
        target[index] = value
        self.note("setitem", layer, tuple(tensors_in((target, value))), (target,), {})

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
        self._record(op, layer, inputs, outs, tuple(tuple(out.shape) for out in outs), dtype, attributes)

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
        input_shapes, producers = [], []
        for tensor in inputs:
            input_shapes.append(tuple(tensor.shape))
            maker = made.get(id(tensor))
            producers.append(CONSTANT if maker is None or maker[0]() is not tensor else maker[1])
        index = len(self.ops)
        for out in outs:
            made[id(out)] = (ref(out), index)
        self.ops.append(
            OpRecord(
                op=op,
                layer=layer,
                input_shapes=tuple(input_shapes),
                output_shapes=shapes,
                dtype=dtype_name(dtype),
                attributes=attributes,
                producers=tuple(producers),
            )
        )

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

    def _failed(
        self, func: Callable[..., Any], layer: str, args: tuple[Any, ...], error: Exception
    ) -> TraceError:
        shapes = ", ".join("×".join(map(str, tensor.shape)) or "scalar" for tensor in tensors_in(args))
        reason = str(error).strip().partition("\n")[0]
        return TraceError(f"{layer or 'the model itself'}: {_name(func)} on {shapes or 'no tensor'}: {reason}")


def _name(func: Callable[..., Any]) -> str:
    return str(getattr(func, "__name__", func))


def _too_large(layer: str, op: str, shape: Shape) -> ShapeError:
    return ShapeError(
        f"{layer or 'the model itself'}: {op} would make a tensor of {'×'.join(map(str, shape))}, "
        "more than torch can address; give a smaller input"
    )
