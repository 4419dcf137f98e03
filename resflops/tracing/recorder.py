"""The recorder sees every torch function that a model calls and records the ops that it is.

It works on two levels. A function whose output shape follows from its arguments (the table in
``torch_functions.py``) is recorded before torch dispatches it, and in a meta trace no kernel runs at all.
Everything else that reaches torch's dispatcher, such as another function, or compiled code whose calls
Python does not see, runs on meta tensors and is recorded as aten ops (``dispatcher.py``). Both levels write
the same op names.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import RLock
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes
from torch._C._functorch import maybe_current_level as functorch_level
from torch._ops import HigherOrderOperator
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack, _pop_mode, _push_mode

from resflops.errors import DataDependentError, ResflopsError, TraceError
from resflops.ops import OPS, Call, CallSignature, Mismatch, NotDescribed, SignedCall, plain_shapes
from resflops.records import CONSTANT, Attribute, OpRecord
from resflops.tracing.call_cache import Key, find_signature, keep_signature, make_signature, sign_step
from resflops.tracing.call_through import call_through
from resflops.tracing.caller import CallingLayer, find_asking_frame, is_taken_back
from resflops.tracing.dispatcher import DispatchRecorder
from resflops.tracing.failures import (
    make_exit_error,
    make_layout_error,
    make_mismatch_error,
    make_op_error,
    make_size_error,
    make_weight_error,
    name_function,
)
from resflops.tracing.flex import CLAIMED_DEVICE, is_flex_attention
from resflops.tracing.formats import check_format, holds_special
from resflops.tracing.grad_mode import GradMode, TrueGradMode
from resflops.tracing.known_steps import StepsInTheMaking, find_steps
from resflops.tracing.layouts import REORDERING, are_in_order, lay_out
from resflops.tracing.meta import find_tensors, list_outputs, make_meta_doubles
from resflops.tracing.meta_pool import MetaPool
from resflops.tracing.modules import DTYPE_NAMES, Modules
from resflops.tracing.observers import InputValues, Observer
from resflops.tracing.producers import Producers, drop_main_outputs
from resflops.tracing.refusals import judge_refusal
from resflops.tracing.storages import Storages
from resflops.tracing.strided import run_on_meta
from resflops.tracing.torch_functions import (
    COMPOSITE,
    CONTROL_FLOW,
    DESCRIBED,
    DEVICE,
    EXITS,
    GRADIENTS,
    LAYOUTS,
    OPERATORS,
    QUERIES,
    REPEATED,
    WHOLE,
    Describe,
    Steps,
)
from resflops.tracing.unchanged import UNCHANGED, run_unchanged

if TYPE_CHECKING:
    from resflops.tracing.torchscript import ScriptCalls

__all__ = ["Recorder", "RepeatableCall"]

RepeatableCall = tuple[CallSignature, Sequence[Tensor], Sequence[Tensor | None]]
"""A call whose signature serves for every call like it: its inputs, and its weight and bias beside these."""


class Recorder(TorchFunctionMode):
    """Records the ops that run while it is entered; each forward pass needs a recorder of its own.

    Args:
        modules: the model's modules.
        real: whether functions run for real; otherwise shapes are worked out on meta.
        strided: whether a pass on meta gives tensors the strides of a real run, and views the memory of what
            they are views of. Torch's own meta kernels then run for every function, which takes many times as
            long.
        described: whether to use the table of described functions. Without it every function goes through
            the dispatcher, with which tests compare.
        autograd: whether the pass runs with autograd on, since the model takes gradients itself.
        observers: what else is to be learnt of the pass. A recorder without observers pays one test an op
            for them.
    """

    script_calls: "ScriptCalls | None"
    """What goes through the model's TorchScript, None until that is called."""

    def __init__(
        self,
        modules: Modules,
        *,
        real: bool = False,
        strided: bool = False,
        described: bool = True,
        autograd: bool = False,
        observers: Sequence[Observer] = (),
    ) -> None:
        super().__init__()
        self.ops: list[OpRecord] = []
        self.real, self.autograd = real, autograd
        self.strided = strided
        self._runs = real or strided
        # Whether every call is looked at for tensors that are no plain arrays, which takes time.
        self._careful = self._runs or modules.special
        self.failure: TraceError | None = None
        """Why a pass on shapes is of no use, even if the model goes on after the exception."""
        self.complaint: tuple[Exception, TraceError] | None = None
        """The last exception of torch's that the model was given as it is, and what a trace says of it."""
        self.autograd_needed = False
        """Whether the pass has taken a gradient without autograd; the thread that did may be another one."""
        self.gradient_asked = False
        """Whether the model has asked of the result of an op if it has a gradient."""
        self.gradient_taken = False
        """Whether a gradient was taken in the pass."""
        self.graph_asked = False
        """Whether a gradient that is being taken has a gradient itself, even if torch is not told so."""
        self.over = False
        """Whether the pass has ended, which a thread that it has started may outlive."""
        self.lock = RLock()
        """Held while an op is recorded, where other threads may record as well."""
        self.hooks_before: dict[int, tuple[dict[Any, Any], dict[Any, Any]]] = {}
        """By id: the dicts of hooks that the pass has changed, each with what it held before."""
        self.fallbacks: list[str] = []
        """Names of the functions that no table knew, in order of their calls."""
        self._described = DESCRIBED if described else {}
        self._whole = WHOLE if described else {}
        self._layers = CallingLayer(modules.paths)
        self._calling_layer = self._layers.find
        self.producers = Producers(modules.origins, real=real)
        # The dicts themselves, since every op reads and writes them and a method would cost a call. The head
        # of producers.py says why an id may stand for a tensor.
        self._made, self._slots = self.producers.made, self.producers.slots
        self.storages = Storages(self.ops, self.producers, real=real)
        self.grad_mode = TrueGradMode() if autograd else GradMode()
        self.scripted, self.script_calls = modules.scripted, None
        self.meta_pool = MetaPool()
        self.made_up_values: InputValues | None = None
        """What may be told values that are made up, where the model has no weights to find any with."""
        self._observers = tuple(observers)
        self._keeps_steps = not any(observer.counts_references for observer in observers)
        self.takes_known_calls = described and not (self._careful or observers)
        """Whether the ops of calls that are known already may be recorded without making the calls."""
        self.calls: list[RepeatableCall] | None = None
        """If it is a list: each call whose signature serves for every call like it is added."""
        self._on_record = tuple([observer.on_record for observer in observers])
        # Real tensors that the model holds, and their meta doubles. An original is held, too, so that no
        # other tensor is given its id and with it its double.
        self._doubles: dict[int, tuple[Tensor, Tensor]] = {}
        # Tensors that no op has made, and that something was done to in place, each as it was before.
        self._reshaped: list[tuple[Tensor, Tensor]] = []
        # The layer of the function that is running through the dispatcher; None between functions.
        self._running: str | None = None
        self._dispatch_recorder = DispatchRecorder(self)

    def __enter__(self) -> Self:
        # Torch asks the mode last that was entered first. The dispatch mode lies under everything that the
        # model enters, so it sees an op as the model's own modes leave it, which is what would run. What the
        # recorder answers itself never gets there.
        self._dispatch_recorder.__enter__()  # type: ignore[no-untyped-call]
        super().__enter__()  # type: ignore[no-untyped-call]
        # After the recorder, so that an observer that intercepts calls sees them first.
        for observer in self._observers:
            observer.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.over = True
        for observer in reversed(self._observers):
            observer.__exit__(*exception)
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        self._dispatch_recorder.__exit__(*exception)  # type: ignore[no-untyped-call]
        for tensor, before in reversed(self._reshaped):
            if tensor.shape != before.shape or tensor.stride() != before.stride():
                tensor.data = before
        # The two hold each other, and the tensors would stay until the garbage collector runs.
        del self._dispatch_recorder

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Record one call, and return what the model goes on with."""
        describe = self._described.get(func)
        # Inside vmap and similar transforms a tensor's shape lacks the dimensions that are mapped over.
        if describe is None or functorch_level() is not None:
            if func in QUERIES:
                return func(*args, **(kwargs or {}))
            if func == DEVICE:
                claims = not self.real and is_flex_attention(find_asking_frame(sys._getframe(1)))
                return CLAIMED_DEVICE if claims else func(*args, **(kwargs or {}))
            return self._record_undescribed(func, args, kwargs or {}, sys._getframe(1))
        if self._careful or func not in REPEATED:
            return self._record_described(func, describe, args, kwargs or {}, sys._getframe(1))
        values = (*args, *kwargs.values()) if kwargs else args
        if args and type(args[0]) in _SEQUENCES and args[0] and isinstance(args[0][0], Tensor):
            # A function that joins tensors.
            values = (*args[0], *values[1:])
        key, signature = find_signature(func, values, kwargs or (), self.meta_pool.kinds)
        if signature is None:
            frame = sys._getframe(1)
            known = find_steps(key, values) if func in COMPOSITE and self._keeps_steps else None
            return (
                self._record_described(func, describe, args, kwargs or {}, frame, key, values)
                if known is None
                else known.perform(self.perform, values, self._calling_layer(frame))
            )
        inputs = [values[place] for place in signature.inputs]
        affine = [values[place] for place in signature.affine] if signature.affine else ()
        if self.calls is not None:
            self.calls.append((signature, inputs, affine))
        return self.perform(signature, inputs, affine, self._calling_layer(sys._getframe(1)))

    def _record_described(
        self,
        func: Callable[..., Any],
        describe: Describe,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        frame: FrameType,
        key: Key | None = None,
        values: tuple[Any, ...] = (),
    ) -> Any:
        """Record a call as its description says; if it has a key, keep its signature for calls like it.

        Args:
            func: the function.
            describe: its description.
            args: its arguments.
            kwargs: its arguments by keyword.
            frame: the frame that calls it.
            key: the key of the call, None if there is none.
            values: the arguments that the key is made of.
        """
        if self._careful and holds_special((args, kwargs), real=self.real):
            return self._record_undescribed(func, args, kwargs, frame)
        try:
            call = describe(*args, **kwargs)
            if not isinstance(call, (SignedCall, Call)):
                return self._record_steps(func, call, args, kwargs, frame, key, values)
        except (TypeError, NotDescribed):
            # The description does not cover this use, or has other parameters. If the call is wrong, torch
            # says so when it runs.
            return self._record_undescribed(func, args, kwargs, frame)
        except Mismatch as mismatch:
            failure = make_mismatch_error(func, self._calling_layer(frame), mismatch)
            return self._refuse(func, args, kwargs, failure)
        signature = call.signature if isinstance(call, SignedCall) else make_signature(call)
        layer = self._calling_layer(frame)
        if not self._runs:
            signature = self._lay_out(signature, call, func, args, kwargs)
            if isinstance(call, SignedCall) or not call.once:
                if key is not None and isinstance(call, Call):
                    keep_signature(key, signature, call, values)
                if self.calls is not None:
                    self.calls.append((signature, call.inputs, call.affine))
            return self.perform(signature, call.inputs, call.affine, layer)
        out = self._run_described(func, args, kwargs, signature, layer)
        outs = call.inputs[:1] if signature.blank is None else list_outputs(out)
        self.note(signature.op, layer, call.inputs, outs, signature.attributes, call.affine)
        return out

    def _lay_out(
        self,
        signature: CallSignature,
        call: Call | SignedCall,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> CallSignature:
        """Give a signature the strides of its outputs, where they may lie in another order."""
        try:
            if signature.op in REORDERING or not are_in_order(call.inputs):
                return lay_out(signature, call, func, args, kwargs)
        except RuntimeError:
            # What has no strides is of a format that has no description either.
            self._check_formats(call.inputs)
            raise
        return signature

    def _run_described(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        signature: CallSignature | None,
        layer: str,
    ) -> Any:
        """Run a described function, for its values or for the strides of its result."""
        if not self.strided:
            with unseen_by_dispatch_modes():
                try:
                    return call_through(func, args, kwargs)
                except Exception as error:
                    self._explain(func, args, kwargs, layer, error)
                    raise
        with unseen_by_dispatch_modes():
            args, kwargs = self.make_doubles((args, kwargs), self._doubles)
            return run_on_meta(func, args, kwargs, signature)

    def _refuse(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], failure: TraceError
    ) -> Any:
        """Let torch refuse a call in its own words, since the model may catch what it raises and go on."""
        self.meta_pool.touch()
        with unseen_by_dispatch_modes():
            if not self.real:
                args, kwargs = self.make_doubles((args, kwargs), self._doubles)
            try:
                call_through(func, args, kwargs)
            except Exception as error:
                self.complaint = error, failure
                raise
        # Some of torch's meta kernels take what its others refuse.
        raise failure

    def perform(
        self, signature: CallSignature, inputs: Sequence[Tensor], affine: Sequence[Tensor | None], layer: str
    ) -> Any:
        """Record a described op, and give its results without running it."""
        if (blank := signature.blank) is None:
            return self._perform_in_place(signature, inputs, affine, layer)
        try:
            out = self.meta_pool.lend(blank)
            outs = (out, *map(self.meta_pool.lend, signature.others)) if signature.others else (out,)
        except (RuntimeError, TypeError) as error:
            raise make_size_error(layer, signature.op, signature.output_shapes[0]) from error
        if signature.others:
            storages = self.storages.number_blanks(signature.shares, inputs, len(outs))
        elif signature.shares:
            storages = self._find_storages(inputs[0])
        else:
            number = len(self.ops) + self.storages.further
            storages = _SINGLE[number] if number < _MOST else (number,)
        index = self._record(signature, inputs, affine, layer, outs, storages)
        # The pool holds a blank until the pass is over, so its id stays valid without a reference here.
        self._made[id(out)] = index
        # A single blank needs no number: nobody was lent it before in this pass, so it has no old one either.
        if signature.others:
            self.producers.number_outputs(outs, index)
        return out if signature.pack is None else signature.pack(outs)

    def _perform_in_place(
        self, signature: CallSignature, inputs: Sequence[Tensor], affine: Sequence[Tensor | None], layer: str
    ) -> Tensor:
        """Record a described op that writes into its first input, and give that."""
        out = inputs[0]
        storages = self._find_storages(out)
        index = self._record(signature, inputs, affine, layer, (out,), storages)
        # An op that autograd does not see leaves the tensor the producer that it had.
        if self.grad_mode.on:
            self._made[id(out)] = index
            if storages[0] < 0:
                self.producers.enter_write(self.storages.find_given(storages[0]), index)
        if self._slots:
            self._slots.pop(id(out), None)
        return out

    def _find_storages(self, base: Tensor) -> tuple[int, ...]:
        """Give the numbers of the memory of one output that lies in a tensor's memory."""
        # Looked up here where it is one step: a network with windowed attention makes hundreds of views.
        made = self._made.get(id(base), CONSTANT)
        storages = self.ops[made].storages if made >= 0 else ()
        return storages if len(storages) == 1 else (self.storages.find_number(base),)

    def _record_steps(
        self,
        func: Callable[..., Any],
        steps: Steps,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        frame: FrameType,
        key: Key | None = None,
        values: tuple[Any, ...] = (),
    ) -> Any:
        """Record a function that is several ops, one by one.

        In a real run, too, the single ops are shown with blanks: the function itself runs once, as a whole.
        """
        before, layer, answer = len(self.ops), self._calling_layer(frame), None
        # Known steps hold all tensors of a call until its end, which observers could see.
        making = None if key is None or not self._keeps_steps else StepsInTheMaking(key, values)
        try:
            while True:
                call = steps.send(answer)
                signature = call.signature if isinstance(call, SignedCall) else sign_step(call)
                answer = self.perform(signature, call.inputs, call.affine, layer)
                if making is not None:
                    making.add(call, signature, answer)
        except StopIteration as end:
            out = end.value
            if making is not None:
                making.keep(out)
        except BaseException:
            # Whoever catches this may run the function in another way, which records its ops again.
            del self.ops[before:]
            raise
        if self._runs:
            ran = self._run_described(func, args, kwargs, None, layer)
            result, out = out, out if ran is None else ran
            for tensor, blank in zip(list_outputs(out), list_outputs(result), strict=False):
                self.producers.enter_result(tensor, blank)
                self.storages.enter_result(tensor, blank)
        return out

    def _record_undescribed(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
    ) -> Any:
        """Run a function that has no description, and record what it does."""
        if func in GRADIENTS:
            asks = self.producers.find_maker(args[0]) >= 0 and self.grad_mode.on
            # Torch's own code asks on other grounds, as checkpointing does to warn.
            if asks and not frame.f_globals.get("__name__", "").startswith("torch."):
                self.gradient_asked = True
            return func(*args)
        if func is torch._C._set_grad_enabled:
            self.grad_mode.set(args[0], find_asking_frame(frame))
            return call_through(func, args, kwargs)
        if self._described and isinstance(func, HigherOrderOperator) and func.__name__ in OPERATORS:
            # This is the table of all recorders, so a name is looked up once in a process.
            self._described[func] = OPERATORS[func.__name__]
            return self.__torch_function__(func, (), args, kwargs)
        if isinstance(func, HigherOrderOperator) and func.__name__ in CONTROL_FLOW:
            # The functions that it is given are code of the model's, so the recorder goes on listening.
            with enable_reentry(self):
                return CONTROL_FLOW[func.__name__](*args, **kwargs)
        if func in LAYOUTS:
            # A tensor that no op of this pass has made is laid out as the caller's, or is new.
            if not self._runs and self.producers.find_maker(args[0]) >= 0:
                raise self._fail(make_layout_error(func, self._calling_layer(frame)))
            return call_through(func, args, kwargs)
        layer = self._calling_layer(frame)
        # Parameters and constants may leave: only what follows from the model's inputs belongs to the pass.
        if func in EXITS and self.producers.find_maker(args[0]) > CONSTANT and not is_taken_back(frame):
            if not self.real:
                raise self._fail(make_exit_error(func, layer, args))
            self.note(EXITS[func], layer, args[:1], (), {})
        return self._run_undescribed(func, args, kwargs, layer)

    def _run_undescribed(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], layer: str
    ) -> Any:
        """Hand a function to torch."""
        # Torch is about to see blanks. It may resize one, hold one in C++ or make a view of one, and the pool
        # could not tell. So the pool takes none of this pass back.
        self.meta_pool.touch()
        if not self.real:
            with unseen_by_dispatch_modes():
                args, kwargs = self.make_doubles((args, kwargs), self._doubles)
        if not self.real and _is_in_place(func) and args:
            self._keep_shape(args[0])
        try:
            whole = functorch_level() is None and (func in self._whole or func in UNCHANGED)
            # What is hidden from the dispatcher is hidden from a class's own dispatch as well.
            if whole and not (self._careful and holds_special((args, kwargs), real=self.real)):
                with unseen_by_dispatch_modes():
                    out = run_unchanged(self, func, args, kwargs, layer)
            else:
                out = self._run_through_dispatcher(func, args, kwargs, layer)
        except ResflopsError:
            raise
        except Exception as error:
            if (failure := self._explain(func, args, kwargs, layer, error)) is not None:
                raise failure from error
            raise
        finally:
            # It may have called the model's code back, which was lent others.
            self.meta_pool.touch()
        self.check_in_place(func, args, self._doubles, layer)
        return out

    def _explain(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        layer: str,
        error: Exception,
    ) -> TraceError | None:
        """Note what an exception of torch's says of a call; give the error to raise in its place, if any."""
        if self.complaint and self.complaint[0] is error:
            # It comes out of a function that this one has called.
            return None
        if self.real:
            self.complaint = error, make_op_error(func, layer, args, error)
            return None
        failure, genuine = judge_refusal(func, args, kwargs, layer, error, knows_layouts=self.strided)
        if genuine:
            self.complaint = error, failure
            return None
        return self._fail(failure)

    def _check_formats(self, tensors: Iterable[Tensor]) -> None:
        """Stop a pass on shapes that meets a tensor which it cannot work with."""
        for tensor in tensors:
            if tensor.layout is not torch.strided:
                try:
                    check_format(tensor)
                except DataDependentError as error:
                    raise self._fail(error) from None

    def _fail(self, failure: TraceError) -> TraceError:
        """Note why this pass is of no use: the model may catch the exception and go on another way."""
        self.failure = failure
        return failure

    @contextmanager
    def resume(self) -> Iterator[None]:
        """See functions again, while torch runs one that calls the model's code back.

        Torch switches a mode off as it asks it of a function, and with it what that function goes on to call.
        """
        on = {id(mode) for mode in _get_current_function_mode_stack()}  # type: ignore[no-untyped-call]
        with ExitStack() as stack:
            for mode in (self, *self._observers):
                if isinstance(mode, TorchFunctionMode) and id(mode) not in on:
                    TorchFunctionMode.__enter__(mode)  # type: ignore[no-untyped-call]
                    stack.push(partial(TorchFunctionMode.__exit__, mode))
            yield

    def record_kernel(
        self,
        func: Callable[..., Any],
        describe: Describe,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        frame: FrameType,
    ) -> Any:
        """Record a function that is no torch function as its description says."""
        return self._record_described(func, describe, args, kwargs, frame)

    def take_inputs(self, tensors: Iterable[Tensor]) -> None:
        """Remember which tensors came from the caller."""
        self.producers.take_inputs(tensors)

    def knows(self, tensor: Tensor) -> bool:
        """Whether a tensor comes from this pass, or is the double of one that the model holds."""
        return id(tensor) in self._made or any(tensor is double for _, double in self._doubles.values())

    def find_makers(self, tensors: Iterable[Tensor]) -> tuple[int, ...]:
        """Look up the ops that made some tensors, each once, in order."""
        return self.producers.find_makers(tensors)

    def make_doubles(self, value: Any, doubles: dict[int, tuple[Tensor, Tensor]]) -> Any:
        """Rebuild the same containers with meta doubles, which have the producers of their originals."""
        return make_meta_doubles(value, doubles, on_double=self._enter_double)

    def _keep_shape(self, tensor: Any) -> None:
        """Keep the shape of a tensor of the model's own, on meta, to which something is done in place."""
        if isinstance(tensor, Tensor) and tensor.is_meta and self.producers.find_maker(tensor) < 0:
            with unseen_by_dispatch_modes():
                self._reshaped.append((tensor, tensor.detach()))

    def check_in_place(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        doubles: dict[int, tuple[Tensor, Tensor]],
        layer: str,
    ) -> None:
        """Stop a pass on shapes that has given the double of a tensor another shape or type.

        It was not done to the tensor itself, which the next op is given.
        """
        if _is_in_place(func) and args:
            for original, double in doubles.values():
                if double is args[0] and (double.shape != original.shape or double.dtype != original.dtype):
                    raise self._fail(make_weight_error(func, layer))

    def double(self, value: Any) -> Any:
        """Give the meta doubles of tensors that torch is about to take past the recorder."""
        if self.real:
            return value
        self.meta_pool.touch()
        with DisableTorchFunction(), unseen_by_dispatch_modes():
            return self.make_doubles(value, self._doubles)

    def _enter_double(self, tensor: Tensor, double: Tensor) -> None:
        self.producers.enter_double(tensor, double)
        self.storages.enter_double(tensor, double)
        for observer in self._observers:
            observer.on_double(tensor, double)

    def _run_through_dispatcher(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], layer: str
    ) -> Any:
        """Run a function, and record the aten ops that it turns into."""
        before, outer = len(self.ops), self._running
        self._running = layer
        try:
            out = call_through(func, args, kwargs)
        finally:
            self._running = outer
        if len(self.ops) > before:
            self.fallbacks.append(name_function(func))
        if not self.real:
            self._check_formats(find_tensors(out))
        return out

    def find_calling_module(self, frame: FrameType) -> object:
        """Find the module that a frame runs for, None if there is none."""
        return self._layers.find_module(frame)

    def find_running_layer(self, frame: FrameType) -> str:
        """Find the layer that an aten op belongs to, if the dispatcher is called from a frame."""
        return self._running if self._running is not None else self._calling_layer(frame)

    def note(
        self,
        op: str,
        layer: str,
        inputs: tuple[Tensor, ...],
        outs: tuple[Tensor, ...],
        attributes: dict[str, Attribute],
        affine: tuple[Tensor | None, ...] = (),
    ) -> None:
        """Record an op that has run."""
        dtype = outs[0].dtype if outs else inputs[0].dtype if inputs else torch.float32
        if inputs and inputs[0].dtype.is_complex and not dtype.is_complex and "complex" not in attributes:
            # As in ``make_signature``.
            attributes = {**attributes, "complex": True}
        index = self._record(
            CallSignature(
                op=op,
                input_shapes=plain_shapes(tuple([tensor.shape for tensor in inputs])),
                output_shapes=plain_shapes(tuple([out.shape for out in outs])),
                dtype=DTYPE_NAMES[dtype],
                attributes=attributes,
            ),
            inputs,
            affine,
            layer,
            outs,
            self.storages.number_outputs((*inputs, *affine), outs),
        )
        if not self.grad_mode.on and outs and inputs and outs[0] is inputs[0]:
            # Autograd does not see this write, so the tensor keeps the producer that it had.
            return
        for out in outs:
            self.producers.remember(out, index)
        storages = self.ops[index].storages
        if storages and storages[0] < 0 and self.grad_mode.on and _is_written(op):
            self.producers.enter_write(self.storages.find_given(storages[0]), index)
        if self._slots or len(outs) > 1:
            self.producers.number_outputs(outs, index)

    def _record(
        self,
        signature: CallSignature,
        inputs: Sequence[Tensor],
        affine: Sequence[Tensor | None],
        layer: str,
        outs: Sequence[Tensor],
        storages: tuple[int, ...],
    ) -> int:
        """Append an op to the record and return its index.

        The producers of its inputs are read here, before the caller enters its outputs: an op in place would
        otherwise be its own producer.
        """
        # Lists made into tuples, and no generators: these take longer for the few inputs of an op.
        made, slots, ops = self._made.get, self._slots, self.ops
        producers: tuple[int, ...]
        if len(inputs) == 1:
            maker = made(id(inputs[0]), CONSTANT)
            producers = _SINGLE[maker] if 0 <= maker < _MOST else (maker,)
        else:
            producers = tuple([made(id(tensor), CONSTANT) for tensor in inputs])
        if CONSTANT in producers and not self.real:
            self._check_formats(inputs)
        ops.append(
            OpRecord(
                op=signature.op,
                layer=layer,
                input_shapes=signature.input_shapes,
                output_shapes=signature.output_shapes,
                dtype=signature.dtype,
                attributes=signature.attributes,
                producers=producers,
                output_indices=drop_main_outputs([slots.get(id(tensor), 0) for tensor in inputs])
                if slots
                else (),
                affine_producers=tuple(
                    [made(id(tensor), CONSTANT) for tensor in affine if tensor is not None]
                )
                if affine
                else (),
                records_gradient=self.grad_mode.on,
                storages=storages,
            )
        )
        index = len(ops) - 1
        if self._on_record:
            for on_record in self._on_record:
                on_record(index, ops[index], inputs, outs)
        return index


_SEQUENCES = frozenset((list, tuple))
_MOST = 1 << 11
_SINGLE = [(number,) for number in range(_MOST)]
"""The first of the tuples that hold one number. Records share them: a new tuple for every op would call the
garbage collector twice as often."""


@contextmanager
def enable_reentry(mode: TorchFunctionMode) -> Iterator[None]:
    """Let a mode see the calls that are made while it handles one."""
    _push_mode(mode)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        _pop_mode()  # type: ignore[no-untyped-call]


def _is_written(op: str) -> bool:
    """Whether an op that gives memory which was there before it has written into it, and is no view."""
    declared = OPS.get(op)
    return declared is not None and not declared.shares


def _is_in_place(func: Callable[..., Any]) -> bool:
    # An aten op has the name of its overload behind its own.
    return name_function(func).partition(".")[0].endswith("_")
