# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call"
"""Ask each peer for its figures, in the way that its documentation tells its users to.

An adapter runs in a process of its own, on a model in eval mode that it may change as it likes. It
returns the figure of each of the peer's conventions and, where the peer counts them, the parameters.
"""

import contextlib
import inspect
import io
import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any, Self

from msgspec.structs import replace
from torch import Tensor, nn

from resflops.cost.convention import Convention
from resflops.counters import PEERS, Peer
from resflops.counters.installed import list_figures
from resflops.crosschecking.answer import Answer, import_ask, to_integer
from resflops.crosschecking.dispatch import DispatchReasons
from resflops.crosschecking.jit_graphs import (
    CLOSED_CALLS,
    SIZE_ARITHMETIC,
    charge_closed_calls,
    find_size_products,
    has_closed_calls,
)
from resflops.errors import DuplicateError

__all__ = ["ADAPTERS", "Adapter", "Answer", "adapter", "find_adapter"]


Adapter = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], Answer]

ADAPTERS: dict[str, Adapter] = {}


def adapter(peer: str) -> Callable[[Adapter], Adapter]:
    """Register a function as the one that asks a peer.

    Args:
        peer: the name of the peer.

    Raises:
        DuplicateError: the peer has an adapter already.
    """

    def register(function: Adapter) -> Adapter:
        if peer in ADAPTERS:
            raise DuplicateError(f"the peer {peer!r} already has an adapter")
        ADAPTERS[peer] = function
        return function

    return register


def find_adapter(peer: Peer) -> Adapter:
    """Find the function that asks a peer: the registered one, or else the one that the peer names.

    Raises:
        UsageError: there is neither.
    """
    registered = ADAPTERS.get(peer.name)
    if registered is not None:
        return registered
    asking: Adapter = import_ask(peer)
    return asking


def _bind_positionally(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Put all inputs into the order of the signature, for a peer that takes no keyword inputs.

    Raises:
        ValueError: an input can only be given by keyword.
    """
    if not kwargs:
        return args
    bound = inspect.signature(model.forward).bind(*args, **kwargs)
    if bound.kwargs:
        values, bound.arguments = dict(bound.arguments), {}
        # Defaults fill the places before the last input that was given, and no others: a wrapped
        # forward may pass defaults of its own for the rest.
        last = max(place for place, name in enumerate(bound.signature.parameters) if name in values)
        for place, (name, parameter) in enumerate(bound.signature.parameters.items()):
            if place <= last:
                bound.arguments[name] = values.get(name, parameter.default)
    if bound.kwargs:
        keyword = ", ".join(bound.kwargs)
        raise ValueError(f"the peer takes no keyword inputs, but {keyword} can only be given by keyword")
    return bound.args


@adapter("fvcore")
def ask_fvcore(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask fvcore, which traces the model with torch.jit and has handles for its ops."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    positional = _bind_positionally(model, args, kwargs)
    analysis = FlopCountAnalysis(model, positional)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    total = to_integer(analysis.total())
    closed = has_closed_calls(analysis.unsupported_ops())
    return Answer(
        figures={"fvcore": total},
        params=parameter_count(model)[""],
        non_op_charges=_charge_closed_calls("fvcore", model, positional) if closed else {},
    )


def _charge_closed_calls(peer: str, model: nn.Module, args: tuple[Any, ...]) -> dict[str, int]:
    """Charge the ops that no jit graph shows, which a peer that reads one does not see."""
    return {CLOSED_CALLS: -charge_closed_calls(model, args, {}, _find_convention(peer))}


@adapter("thop")
def ask_thop(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask thop, which hooks modules."""
    import thop as package

    macs, params = package.profile(model, _bind_positionally(model, args, kwargs), verbose=False)
    return Answer(figures={"thop": to_integer(macs)}, params=to_integer(params))


@adapter("ultralytics-thop")
def ask_ultralytics_thop(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask ultralytics-thop, which hooks modules and enters a function mode."""
    # thop and its fork share this import name: find_installed_version tells which of the two it is.
    import thop as package

    macs, params = package.profile(model, _bind_positionally(model, args, kwargs), verbose=False)
    return Answer(figures={"ultralytics-thop": to_integer(macs)}, params=to_integer(params))


@adapter("ptflops")
def ask_ptflops(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask ptflops by its default backend, pytorch, which hooks modules and patches functions."""
    with _TimmAttention(model) as attention:
        answer = _ask_ptflops_backend(model, args, kwargs, name="ptflops", backend="pytorch")
    return replace(answer, non_op_charges=attention.charges)


@adapter("ptflops-aten")
def ask_ptflops_aten(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask ptflops by its backend aten, which is a dispatch mode."""
    with DispatchReasons(_find_convention("ptflops-aten")) as reasons:
        answer = _ask_ptflops_backend(model, args, kwargs, name="ptflops-aten", backend="aten")
    return replace(answer, non_op_charges=dict(reasons.charges))


def _ask_ptflops_backend(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, name: str, backend: str
) -> Answer:
    from ptflops import get_model_complexity_info

    settings: dict[str, Any] = {"backend": backend, "as_strings": False, "print_per_layer_stat": False}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        if len(args) == 1 and not kwargs and isinstance(args[0], Tensor) and args[0].shape[0] == 1:
            macs, params = get_model_complexity_info(model, tuple(args[0].shape[1:]), **settings)
        else:
            # ptflops makes an input of batch size 1 from a shape; any other it takes as keywords from a
            # function, and then it does not divide by the batch size.
            named = dict(inspect.signature(model.forward).bind(*args, **kwargs).arguments)
            macs, params = get_model_complexity_info(
                model, (1,), input_constructor=lambda _: named, **settings
            )
    if macs is None:
        # ptflops catches every exception, prints it, and returns None.
        _, _, words = printed.getvalue().partition("following exception:")
        raise RuntimeError(" ".join(words.split()) or "ptflops gave no figure")
    return Answer(figures={name: int(macs)}, params=params)


@adapter("torchinfo")
def ask_torchinfo(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask torchinfo, which hooks modules."""
    import torchinfo as package

    summary = package.summary(model, input_data=args, verbose=0, **kwargs)
    paths = {id(module): path for path, module in model.named_modules()}
    own: dict[str, int] = {}
    for layer in summary.summary_list:
        # Of torch's own layers the ops tell what they are charged; those of other classes may do anything.
        if layer.is_leaf_layer and not type(layer.module).__module__.startswith("torch.nn."):
            path = paths[id(layer.module)]
            own[path] = own.get(path, 0) + int(layer.macs)
    return Answer(
        figures={"torchinfo": int(summary.total_mult_adds)}, params=int(summary.total_params), by_layer=own
    )


@adapter("calflops")
def ask_calflops(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask calflops, which patches functions."""
    from calflops import calculate_flops

    unmoved = [type(given).__name__ for given in (*args, *kwargs.values()) if not hasattr(given, "to")]
    if unmoved:
        raise ValueError(f"calflops takes only inputs that it can move to a device, not a {unmoved[0]}")
    flops, macs, params = calculate_flops(
        model, args=list(args), kwargs=dict(kwargs), print_results=False, output_as_string=False
    )
    return Answer(figures={"calflops": int(macs), "calflops-flops": int(flops)}, params=int(params))


@adapter("DeepSpeed")
def ask_deepspeed(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask DeepSpeed's profiler, which patches functions."""
    from deepspeed.profiling.flops_profiler import get_model_profile

    # DeepSpeed warms up for its timings, which are not used here.
    flops, macs, params = get_model_profile(
        model, args=list(args), kwargs=dict(kwargs), print_profile=False, as_string=False, warm_up=0
    )
    return Answer(figures={"DeepSpeed": int(macs), "DeepSpeed-flops": int(flops)}, params=int(params))


@adapter("torchprofile")
def ask_torchprofile(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask torchprofile, which traces the model with torch.jit and has handlers for its ops."""
    package: Any = import_module("torchprofile.profile")
    graphs: list[Any] = []
    read = package.trace

    def keep_graph(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        graphs.append(read(*args, **kwargs))
        return graphs[-1]

    package.trace = keep_graph
    positional = _bind_positionally(model, args, kwargs)
    try:
        charged = package.profile_macs(model, positional, reduction=None)
    finally:
        package.trace = read
    assert isinstance(charged, dict)  # noqa: S101 - what it says it returns without a reduction
    (graph,) = graphs
    # It charges the multiplications of sizes like those of the model. No op of ours stands for them.
    charges = {SIZE_ARITHMETIC: sum(charged[node] for node in find_size_products(graph.nodes))}
    if has_closed_calls(node.operator for node in graph.nodes):
        charges |= _charge_closed_calls("torchprofile", model, positional)
    return Answer(figures={"torchprofile": sum(charged.values())}, non_op_charges=charges)


@adapter("FlopCounterMode")
def ask_flop_counter_mode(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
    """Ask FlopCounterMode, torch's own dispatch mode."""
    from torch.utils.flop_counter import FlopCounterMode

    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    with (
        DispatchReasons(_find_convention("FlopCounterMode")) as reasons,
        FlopCounterMode(display=False) as counter,
    ):
        model(*args, **kwargs)
    return Answer(
        figures={"FlopCounterMode": counter.get_total_flops()}, non_op_charges=dict(reasons.charges)
    )


def _find_convention(peer: str) -> Convention:
    """Find how the installed version of a peer counts."""
    return next(list_figures(PEERS[peer]))[1]


class _TimmAttention:
    """What ptflops charges by its hook for timm's Attention, which hides the layers inside of it."""

    def __init__(self, model: nn.Module) -> None:
        from ptflops.pytorch_ops import MODULES_MAPPING

        self.charges: dict[str, int] = {}
        self._hooks = MODULES_MAPPING
        self._outer = [
            module
            for module in model.modules()
            if type(module).__module__.startswith("timm.") and type(module) in MODULES_MAPPING
        ]
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for module in self._outer:
            self._watch(module, "timm's Attention, by a hook of its own", 1)
            for child in list(module.modules())[1:]:
                if type(child) in self._hooks:
                    self._watch(child, "layers in timm's Attention, hidden by that hook", -1)
        return self

    def _watch(self, module: nn.Module, cause: str, sign: int) -> None:
        def charge(module: nn.Module, given: Any, output: Any) -> None:  # noqa: ANN401
            ledger = _Ledger(module)
            self._hooks[type(module)](ledger, given, output)
            self.charges[cause] = self.charges.get(cause, 0) + sign * ledger.__flops__

        self._handles.append(module.register_forward_hook(charge))

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()


class _Ledger:
    """A module as a hook of ptflops sees it, with an account of its own."""

    def __init__(self, module: nn.Module) -> None:
        self.__flops__ = 0
        self._module = module

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._module, name)
