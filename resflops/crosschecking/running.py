"""The peers run on a model, one after the other, each in a process of its own."""

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from msgspec.structs import replace
from torch import nn

from resflops.counters import PEERS, TIME_LIMIT, Peer, load_more_peers, peer
from resflops.counters.installed import figures_here, installed_version
from resflops.crosschecking.adapters import Said, find_adapter
from resflops.crosschecking.process import Failure, run_apart
from resflops.crosschecking.reconciliation import Reconciliation, reconcile
from resflops.errors import TraceError, UsageError
from resflops.records import Trace
from resflops.tracing import check_module, trace
from resflops.tracing.inputs import as_tensors
from resflops.tracing.model_copies import on_cpu

__all__ = ["environment", "reconcile_model", "select_peers"]

CPU = torch.device("cpu")


def select_peers(names: str | Sequence[str] | None) -> tuple[Peer, ...]:
    """The peers of those names, or of a single one, each once; all that are installed if none are named.

    Raises:
        UsageError: there is no peer of a name.
    """
    if names is None:
        load_more_peers()
        return tuple(each for each in PEERS.values() if installed_version(each) is not None)
    # A text is a sequence too, of its letters.
    wanted = [names] if isinstance(names, str) else names
    return tuple({each.name: each for each in map(peer, wanted)}.values())


def reconcile_model(
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    peers: Sequence[Peer],
    spec: str = "",
    seconds: float = TIME_LIMIT,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Reconciliation]:
    """Run peers on a model and explain what each says, one after the other.

    The model is counted in eval mode, which is what most peers put it in; it is given back as
    it was. A peer gets a copy on the CPU: of a model on meta, one with made-up weights.

    Args:
        model: on any device.
        args: its positional inputs; a tuple of ints is a shape.
        kwargs: its keyword inputs.
        peers: which to run; one that is not installed gives a row that says so.
        spec: what to call the model; the name of its class if not given.
        seconds: how long a peer may take.
        say: is told what is going on.

    Raises:
        InputError: a shape that no tensor can have.
        TraceError: it is no module, or does not take these inputs.
        UsageError: a peer may take no time at all.
    """
    check_module(model)
    if not seconds > 0:
        raise UsageError(f"a peer may take {seconds!r} seconds, in which none can run; give more than 0")
    with _evaluating(model):
        traced = trace(model, *args, **kwargs)
        if spec:
            traced = replace(traced, model=spec)
        runnable: nn.Module | None = None
        for each in peers:
            version = installed_version(each)
            if version is None:
                yield from _failed(traced, each, version="", reason=_not_installed(each))
                continue
            say(f"running {each.name} on {traced.model}")
            if runnable is None:
                try:
                    runnable = on_cpu(model)
                except TraceError as error:
                    yield from _failed(traced, each, version=version, reason=str(error))
                    continue
            yield from _reconcile_one(each, version, traced, runnable, args, kwargs, seconds=seconds)


def _reconcile_one(
    each: Peer,
    version: str,
    traced: Trace,
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    seconds: float,
) -> Iterator[Reconciliation]:
    ask = find_adapter(each)

    def said() -> Said:
        return ask(model, as_tensors(args, CPU), as_tensors(kwargs, CPU))

    outcome: Said | Failure = run_apart(said, seconds=seconds)
    if isinstance(outcome, Failure):
        yield from _failed(traced, each, version=version, reason=outcome.reason)
        return
    for figure, using in figures_here(each):
        main = figure == each.convention.name
        yield reconcile(
            traced,
            each,
            using,
            version=version,
            figure=outcome.figures[figure],
            apart=outcome.apart if main else {},
            # Said once: with the main figure.
            peer_params=outcome.params if main else None,
        )


def _failed(traced: Trace, each: Peer, *, version: str, reason: str) -> Iterator[Reconciliation]:
    yield Reconciliation(
        model=traced.model,
        inputs=tuple(given.shape for given in traced.inputs),
        peer=each.name,
        convention=next(figures_here(each))[1].name,
        version=version,
        verified=each.verified_with(version),
        failure=reason,
    )


def _not_installed(each: Peer) -> str:
    if each.distribution in ("thop", "ultralytics-thop"):
        return (
            f"not installed: pip install {each.distribution}; thop and ultralytics-thop share the import "
            "name thop, and the one installed last hides the other"
        )
    return f"not installed: pip install {each.distribution}"


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """The model in eval mode, and every module as it was afterwards."""
    modes = {module: module.training for module in model.modules()}
    try:
        for module in modes:
            module.training = False
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def environment() -> dict[str, str]:
    """What figures may depend on besides the peers' versions."""
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "machine": f"{platform.system()} {platform.machine()}, CPU",
    }
