"""Run the peers on a model, one after the other, each in a process of its own."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from msgspec.structs import replace
from torch import nn

from resflops.counters import TIME_LIMIT, Peer
from resflops.counters.installed import find_installed_version, list_figures
from resflops.crosschecking.adapters import find_adapter
from resflops.crosschecking.answer import Answer
from resflops.crosschecking.patches import find_sights, list_patches
from resflops.crosschecking.process import Failure, run_in_process
from resflops.crosschecking.reconciliation import Reconciliation, reconcile
from resflops.crosschecking.selection import build_failure, explain_missing
from resflops.errors import TraceError, UsageError
from resflops.records import Trace
from resflops.tracing import check_module, resolve_inputs, trace
from resflops.tracing.inputs import as_tensors
from resflops.tracing.model_copies import ensure_on_cpu

__all__ = ["reconcile_model"]

CPU = torch.device("cpu")


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
        model: a module on any device.
        args: its positional inputs; a tuple of ints is a shape.
        kwargs: its keyword inputs.
        peers: the peers to run; one that is not installed gives a row that says so.
        spec: the name of the model in the rows; the name of its class if not given.
        seconds: the time limit for each peer.
        say: is called with a text about what is being done.

    Raises:
        InputError: no tensor can have one of the shapes.
        TraceError: ``model`` is no module, or does not take these inputs.
        UsageError: ``seconds`` is not above 0.
    """
    check_module(model)
    if not seconds > 0:
        raise UsageError(f"seconds must be more than 0, got {seconds!r}; it is how long a peer may take")
    with _eval_mode(model):
        reading = resolve_inputs(model, args, kwargs)
        args, kwargs = reading.args, reading.kwargs
        traced = trace(model, *args, **kwargs)
        if stand_ins := _find_stand_ins(model):
            traced = stand_ins.hide_classes(traced)
        if spec:
            traced = replace(traced, model=spec)
        runnable: nn.Module | None = None
        for peer in peers:
            version = find_installed_version(peer)
            if peer.takes != "modules":
                yield from build_failure(traced, peer, version=version or "", reason=_ask_for_file(peer))
                continue
            if version is None:
                yield from build_failure(traced, peer, version="", reason=explain_missing(peer))
                continue
            say(f"running {peer.name} on {traced.model}")
            if runnable is None:
                # One copy for all peers is enough: each works on it in a forked process.
                try:
                    runnable = ensure_on_cpu(model)
                except TraceError as error:
                    yield from build_failure(traced, peer, version=version, reason=str(error))
                    continue
            yield from _reconcile_one(peer, version, traced, runnable, args, kwargs, seconds=seconds)


def _reconcile_one(
    peer: Peer,
    version: str,
    traced: Trace,
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    seconds: float,
) -> Iterator[Reconciliation]:
    ask = find_adapter(peer)

    def ask_peer() -> tuple[Answer, list[str]]:
        if stand_ins := _find_stand_ins(model):
            stand_ins.restore_classes(model)
        with list_patches(model) as patched:
            return ask(model, as_tensors(args, CPU), as_tensors(kwargs, CPU)), patched

    outcome: tuple[Answer, list[str]] | Failure = run_in_process(
        ask_peer, seconds=seconds, kind=tuple[Answer, list[str]]
    )
    if isinstance(outcome, Failure):
        yield from build_failure(traced, peer, version=version, reason=outcome.reason)
        return
    answer, patched = outcome
    sights = _find_sights(peer, traced, model, args, kwargs, patched=patched, seconds=seconds)
    occurrences = _count_occurrences(model)
    for figure, convention in list_figures(peer):
        main = figure == peer.convention.name
        yield reconcile(
            traced,
            peer,
            convention,
            version=version,
            figure=answer.figures[figure],
            non_op_charges=answer.non_op_charges if main else {},
            by_layer=answer.by_layer if main else {},
            # Parameters are compared once, in the row of the main figure.
            peer_params=answer.params if main else None,
            sights=sights,
            occurrences=occurrences,
        )


def _ask_for_file(peer: Peer) -> str:
    return (
        f"{peer.name} takes ONNX files, not PyTorch modules; export the model, as in "
        "torch.onnx.export(model, args, 'model.onnx'), and give the file: resflops crosscheck model.onnx"
    )


def _find_stand_ins(model: nn.Module) -> Any:  # noqa: ANN401 - a module
    """Find the module that knows of exported programs or scripts, if a model is one; None if it is none."""
    # Whoever has such a model has imported these.
    programs = sys.modules.get("resflops.sources.programs")
    if programs and isinstance(model, programs.ProgramModel):
        return programs
    scripts = sys.modules.get("resflops.sources.scripts")
    return scripts if scripts and isinstance(model, scripts.ScriptModel) else None


def _count_occurrences(model: nn.Module) -> dict[str, int]:
    """Count, by path, the places of modules that stand in several: as children of different modules."""
    paths = {id(module): path for path, module in model.named_modules()}
    met: Counter[str] = Counter()

    def visit(module: nn.Module) -> None:
        met[paths[id(module)]] += 1
        for child in module.children():
            visit(child)

    visit(model)
    return {path: times for path, times in met.items() if times > 1}


def _find_sights(
    peer: Peer,
    traced: Trace,
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    patched: list[str],
    seconds: float,
) -> dict[int, bool]:
    """Find out which of the ops that a peer charges go through the functions that it patches."""
    views = [view for convention in peer.conventions for view in convention.views if view.patches]
    charged = {op for view in views for op in view.charges}
    if not patched or not charged:
        return {}
    # In a process of its own too: the peer may have left the model and torch changed.
    found: dict[int, bool] | Failure = run_in_process(
        lambda: find_sights(model, args, kwargs, patched=patched, expected=traced),
        seconds=seconds,
        kind=dict[int, bool],
    )
    if isinstance(found, Failure):
        return {}
    return {place: seen for place, seen in found.items() if traced.ops[place].op in charged}


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    """Put the model into eval mode, and give every module its own mode back afterwards."""
    modes = {module: module.training for module in model.modules()}
    try:
        # Set here and not by model.eval(), which calls a train() that a module of the user's may override.
        for module in modes:
            module.training = False
        yield
    finally:
        for module, training in modes.items():
            module.training = training
