"""The public functions: load a model, trace it, count it, and ask other counters."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from resflops.conventions import DEFAULT_CONVENTION
from resflops.conventions import convention as known_convention
from resflops.cost import Cost, check_prices_gradients, cost_of
from resflops.crosschecking import TIME_LIMIT, environment, peers_named, reconcile_model
from resflops.errors import UsageError
from resflops.reconciliation import CrossCheck
from resflops.records import Trace
from resflops.sources import find
from resflops.sources.building import built
from resflops.tracing import trace

__all__ = ["count", "crosscheck", "load", "trace"]


def load(spec: str, *, device: str | torch.device = "meta") -> nn.Module:
    """Build the model that a spec names, in eval mode.

    Args:
        spec: ``resnet34`` or, with options, ``resnet34,shortcut=A,num_classes=10``;
            ``torchvision/resnet50``, ``timm/vit_base_patch16_224``, ``hf/bert`` or
            ``hf/path/to/config.json``; ``package.module:factory`` or ``file.py:factory``.
            :func:`resflops.sources.open_model` gives the usual inputs beside the model.
        device: where to build it. On ``meta``, the default, it has shapes and no weights:
            enough to count, and no memory is taken. ``cpu`` or ``cuda`` gives random weights.
            A model whose constructor needs values is on the CPU even so.

    Raises:
        UnknownModelError: there is no model of that name; the message has the nearest.
        SpecError: the spec is malformed, or sets an option that the model lacks.
        ModelError: it could not be built, or the package that it comes from is missing.
    """
    return built(find(spec), device=device)


def count(
    model: nn.Module | Trace,
    *inputs: Any,  # noqa: ANN401 - whatever the model takes
    convention: str = DEFAULT_CONVENTION,
    backward: bool = False,
    **keyword_inputs: Any,  # noqa: ANN401
) -> Cost:
    """What one forward pass costs.

    Nothing runs and nothing is changed; see :func:`resflops.trace`.

    >>> import resflops
    >>> cost = resflops.count(resflops.load("resnet34"), (1, 3, 224, 224))
    >>> cost.macs, cost.params
    (3663761408, 21797672)
    >>> cost.under("formula").total
    3667500520

    With ``backward`` the cost knows the backward pass too: the gradients of parameters that
    require one, and of what lies between them and the output. Its figures stand apart.

    >>> cost = resflops.count(resflops.load("resnet34"), (1, 3, 224, 224), backward=True)
    >>> cost.backward.input_macs, cost.backward.weight_macs
    (3545747456, 3663761408)

    Args:
        model: any module on any device, or a trace of one.
        inputs: what the model takes; a tuple of ints is the shape of a float32 tensor.
        convention: what ``total`` counts; ``resflops conventions`` lists them.
        backward: whether to count the backward pass as well, as ``cost.backward``.
        keyword_inputs: what the model takes by keyword.

    Raises:
        UnknownConventionError: there is no convention of that name.
        InputError: a shape that no tensor can have.
        TraceError: the forward pass failed; the message names the layer and the op.
        UsageError: the convention does not say what a backward pass counts.
    """
    chosen = known_convention(convention)
    if backward:
        check_prices_gradients(chosen)
    if isinstance(model, Trace):
        if inputs or keyword_inputs:
            raise UsageError("a trace is counted as it was recorded; give inputs to resflops.trace() instead")
        return cost_of(model, convention_name=convention, backward=backward)
    traced = trace(model, *inputs, **keyword_inputs)
    return cost_of(traced, convention_name=convention, backward=backward)


def crosscheck(
    model: nn.Module,
    *inputs: Any,  # noqa: ANN401 - whatever the model takes
    peers: Sequence[str] | None = None,
    seconds: float = TIME_LIMIT,
    **keyword_inputs: Any,  # noqa: ANN401
) -> CrossCheck:
    """Run other counters on a model, and take the difference between each one's figure and ours apart.

    Each runs in a process of its own, on a copy of the model on the CPU and in eval mode. One that
    crashes, raises or takes too long gives a row that says so; the caller's model stays as it is.

    >>> import resflops
    >>> check = resflops.crosscheck(resflops.load("resnet20"), (1, 3, 32, 32), peers=["FlopCounterMode"])
    >>> [(row.peer, row.difference, row.unexplained) for row in check.rows]
    [('FlopCounterMode', 0, 0)]

    Args:
        model: any module on any device.
        inputs: what the model takes; a tuple of ints is the shape of a float32 tensor.
        peers: names of those to run; all that are installed if not given. ``resflops peers`` lists them.
        seconds: how long a peer may take.
        keyword_inputs: what the model takes by keyword.

    Raises:
        UsageError: there is no peer of a name, or this system cannot fork a process.
        InputError: a shape that no tensor can have.
        TraceError: the forward pass failed; the message names the layer and the op.
    """
    found = reconcile_model(model, inputs, keyword_inputs, peers=peers_named(peers), seconds=seconds)
    return CrossCheck(rows=tuple(found), environment=environment())
