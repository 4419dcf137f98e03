# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call"
"""How each peer is asked for its figures, the way its documentation tells its users to.

An adapter runs in a process of its own, on a model that it may spoil and that is in eval
mode. It returns the figure of each of the peer's conventions and, where the peer counts
them, the parameters.
"""

import contextlib
import inspect
import io
import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from msgspec import Struct
from torch import Tensor, nn

from resflops.counters import Peer
from resflops.errors import DuplicateError, UsageError

__all__ = ["ADAPTERS", "Adapter", "Answer", "adapter", "find_adapter"]


class Answer(Struct, frozen=True, kw_only=True):
    """What a peer says of a model."""

    figures: dict[str, int]
    """Name of a convention to the figure under it."""
    params: int | None = None
    non_op_charges: dict[str, int] = {}
    """What the peer's own account charges for what is no op of the model: cause to amount."""


Adapter = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], Answer]

ADAPTERS: dict[str, Adapter] = {}


def adapter(peer: str) -> Callable[[Adapter], Adapter]:
    """Register a function as the way to ask a peer.

    Raises:
        DuplicateError: the peer has an adapter already.
    """

    def register(function: Adapter) -> Adapter:
        if peer in ADAPTERS:
            raise DuplicateError(f"the peer {peer!r} has an adapter already")
        ADAPTERS[peer] = function
        return function

    return register


def find_adapter(peer: Peer) -> Adapter:
    """The function that asks a peer: the registered one, or else the one that the peer names.

    Raises:
        UsageError: it has neither.
    """
    known = ADAPTERS.get(peer.name)
    if known is not None:
        return known
    module, colon, function = peer.ask.partition(":")
    if not colon:
        raise UsageError(
            f"nothing is known of how to ask the peer {peer.name!r}, which {peer.origin} describes; it needs "
            "an adapter, or ask='package.module:function'"
        )
    found: Adapter = getattr(import_module(module), function)
    return found


def _bind_positionally(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """All inputs in the order of the signature, for a peer that takes no keywords."""
    if not kwargs:
        return args
    bound = inspect.signature(model.forward).bind(*args, **kwargs)
    if bound.kwargs:
        given, bound.arguments = dict(bound.arguments), {}
        # Defaults fill the places before the last input that is given, and no others: a forward
        # that is wrapped may pass its own.
        last = max(place for place, name in enumerate(bound.signature.parameters) if name in given)
        for place, (name, parameter) in enumerate(bound.signature.parameters.items()):
            if place <= last:
                bound.arguments[name] = given.get(name, parameter.default)
    if bound.kwargs:
        raise ValueError(f"it takes no keyword inputs, and {', '.join(bound.kwargs)} has to be one")
    return bound.args


def _to_integer(figure: float) -> int:
    """A figure that a peer gives as a float, exactly."""
    if figure != int(figure):
        raise ValueError(f"the figure {figure!r} is no whole number")
    return int(figure)


@adapter("fvcore")
def fvcore(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """A torch.jit trace, and handles for its ops."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, _bind_positionally(model, args, kwargs))
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    return Answer(figures={"fvcore": _to_integer(analysis.total())}, params=parameter_count(model)[""])


@adapter("thop")
def thop(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Hooks on modules."""
    import thop as package

    macs, params = package.profile(model, _bind_positionally(model, args, kwargs), verbose=False)
    return Answer(figures={"thop": _to_integer(macs)}, params=_to_integer(params))


@adapter("ultralytics-thop")
def ultralytics_thop(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Hooks on modules, and a function mode."""
    import thop as package

    macs, params = package.profile(model, _bind_positionally(model, args, kwargs), verbose=False)
    return Answer(figures={"ultralytics-thop": _to_integer(macs)}, params=_to_integer(params))


@adapter("ptflops")
def ptflops(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Hooks on modules and patched functions: the backend pytorch, the default."""
    return _ptflops(model, args, kwargs, name="ptflops", backend="pytorch")


@adapter("ptflops-aten")
def ptflops_aten(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """A dispatch mode: the backend aten."""
    return _ptflops(model, args, kwargs, name="ptflops-aten", backend="aten")


def _ptflops(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, name: str, backend: str
) -> Answer:
    from ptflops import get_model_complexity_info

    settings: dict[str, Any] = {"backend": backend, "as_strings": False, "print_per_layer_stat": False}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        if len(args) == 1 and not kwargs and isinstance(args[0], Tensor) and args[0].shape[0] == 1:
            macs, params = get_model_complexity_info(model, tuple(args[0].shape[1:]), **settings)
        else:
            # Any other inputs it takes as keywords, and then it does not divide by the batch size.
            named = dict(inspect.signature(model.forward).bind(*args, **kwargs).arguments)
            macs, params = get_model_complexity_info(
                model, (1,), input_constructor=lambda _: named, **settings
            )
    if macs is None:
        # It catches every exception, prints it, and goes on.
        _, _, words = printed.getvalue().partition("following exception:")
        raise RuntimeError(" ".join(words.split()) or "it gave no figure")
    return Answer(figures={name: int(macs)}, params=params)


@adapter("torchinfo")
def torchinfo(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Hooks on modules."""
    import torchinfo as package

    found = package.summary(model, input_data=args, verbose=0, **kwargs)
    return Answer(figures={"torchinfo": int(found.total_mult_adds)}, params=int(found.total_params))


@adapter("calflops")
def calflops(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Patched functions."""
    from calflops import calculate_flops

    flops, macs, params = calculate_flops(
        model, args=list(args), kwargs=dict(kwargs), print_results=False, output_as_string=False
    )
    return Answer(figures={"calflops": int(macs), "calflops-flops": int(flops)}, params=int(params))


@adapter("DeepSpeed")
def deepspeed(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Patched functions."""
    from deepspeed.profiling.flops_profiler import get_model_profile

    # Warming up is for its timings.
    flops, macs, params = get_model_profile(
        model, args=list(args), kwargs=dict(kwargs), print_profile=False, as_string=False, warm_up=0
    )
    return Answer(figures={"DeepSpeed": int(macs), "DeepSpeed-flops": int(flops)}, params=int(params))


@adapter("torchprofile")
def torchprofile(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """A torch.jit trace, and handlers for its ops."""
    from torchprofile import profile_macs

    charged = profile_macs(model, _bind_positionally(model, args, kwargs), reduction=None)
    assert isinstance(charged, dict)  # noqa: S101 - what it says it returns without a reduction
    # A jit trace records the arithmetic that a model does on the sizes of its tensors.
    sizes = [
        macs for node, macs in charged.items()
        if node.operator == "aten::mul" and node.outputs[0].shape == [] and node.outputs[0].dtype == "long"
    ]  # fmt: skip
    return Answer(
        figures={"torchprofile": sum(charged.values())},
        non_op_charges={"arithmetic on the sizes of tensors": sum(sizes)},
    )


@adapter("FlopCounterMode")
def flop_counter_mode(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """A dispatch mode."""
    from torch.utils.flop_counter import FlopCounterMode

    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    with FlopCounterMode(display=False) as counter:
        model(*args, **kwargs)
    return Answer(figures={"FlopCounterMode": counter.get_total_flops()})
