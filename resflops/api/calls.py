"""The public functions: load a model, count it, trace it, run other counters, and time it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from resflops.api.given_models import Model, hint_at_shape, load, name_spec, open_given
from resflops.api.graphs import open_given_graph, read_given_graph
from resflops.api.measuring import open_measurable
from resflops.cost import Cost, check_prices_gradients, price
from resflops.cost.convention import DEFAULT_CONVENTION, Convention, find_convention
from resflops.errors import TraceError, UsageError
from resflops.records import Shape, Trace, is_shape

# What imports torch is imported where it is used: a built-in network is counted without it.
if TYPE_CHECKING:
    from resflops.crosschecking.reconciliation import CrossCheck
    from resflops.latency.configuration import MemoryFormat, Mode
    from resflops.latency.measurements import Measurements

__all__ = ["Model", "benchmark", "count", "crosscheck", "load", "trace"]


def count(
    model: "Model | Trace",
    *inputs: Any,  # noqa: ANN401 - whatever the model takes
    convention: str = DEFAULT_CONVENTION,
    backward: bool = False,
    nonzero: bool = False,
    **keyword_inputs: Any,  # noqa: ANN401
) -> Cost:
    """Count what one forward pass costs.

    Nothing runs and nothing is changed; see :func:`resflops.trace`.

    >>> import resflops
    >>> cost = resflops.count(resflops.load("resnet34"), (1, 3, 224, 224))
    >>> cost.macs, cost.params
    (3663761408, 21797672)
    >>> cost.under("formula").total
    3667500520

    A model may be given by its spec. A built-in network on its usual input then takes a trace that ships with
    resflops, and torch is not even imported.

    >>> resflops.count("vgg19").macs
    19632062464

    With ``backward`` the backward pass is counted, too: the gradients of the parameters that require
    one, and of the tensors between these and the output. Its figures are kept separate.

    >>> cost = resflops.count(resflops.load("resnet34"), (1, 3, 224, 224), backward=True)
    >>> cost.backward.input_macs, cost.backward.weight_macs
    (3545747456, 3663761408)

    With ``nonzero`` the multiply-accumulates whose weight is not zero are counted, too, as
    ``cost.nonzero_macs``, beside all of them.

    >>> import torch
    >>> layer = torch.nn.Linear(4, 5)
    >>> torch.nn.init.eye_(layer.weight).count_nonzero().item()
    4
    >>> cost = resflops.count(layer, (7, 4), nonzero=True)
    >>> cost.macs, cost.nonzero_macs
    (140, 28)

    Args:
        model: any module on any device, a trace of one, an exported program, an ONNX graph as onnx
            loads it, the path of a file, or the spec of a model as :func:`resflops.load` takes it.
        inputs: the positional arguments of the model; a tuple of ints is a shape, and
            :func:`resflops.shape` says so where it could be meant as a tuple. A spec needs none; one shape is
            that of its model's main input. A tuple of tensors, and the keywords of other counters
            (``input_size``, ``inputs``, …), are read as these counters do, where the model itself does not
            take such.
        convention: the convention that ``total`` follows; ``resflops conventions`` lists them.
        backward: whether to count the backward pass as well, as ``cost.backward``.
        nonzero: whether to count the zeros in the weights, which need values for it.
        keyword_inputs: the keyword arguments of the model.

    Raises:
        UnknownConventionError: there is no convention of that name.
        UnknownModelError: there is no model of the name that a spec gives.
        InputError: a shape that no tensor can have.
        TraceError: the forward pass failed; the message names the layer and the op.
        UsageError: the convention does not define the cost of a backward pass; or ``nonzero`` of a
            model on the meta device, or of a trace that was recorded without it.
    """
    chosen = find_convention(convention)
    if backward:
        check_prices_gradients(chosen)
    if isinstance(model, Trace):
        if inputs or keyword_inputs:
            raise UsageError("a trace is counted as it was recorded; give inputs to resflops.trace() instead")
        if nonzero and model.weights is None:
            raise UsageError(
                f"the trace of {model.model} was recorded without the zeros in the weights; "
                "trace the model with nonzero=True"
            )
        return price(model, chosen, backward=backward)
    model = name_spec(model)
    if isinstance(model, str) and not keyword_inputs and all(map(is_shape, inputs)) and len(inputs) < 2:
        return _count_spec(model, *inputs, convention=chosen, backward=backward, nonzero=nonzero)
    return price(_trace_given(model, inputs, keyword_inputs, nonzero=nonzero), chosen, backward=backward)


def _count_spec(spec: str, *shape: Shape, convention: Convention, backward: bool, nonzero: bool) -> Cost:
    """Count the model of a spec on its usual input, or on one of another shape."""
    from resflops.sources.counting import CountRequest, count_spec

    request = CountRequest(
        spec=spec,
        input_shape=shape[0] if shape else None,
        convention=convention,
        backward=backward,
        nonzero=nonzero,
    )
    return count_spec(request).cost


def trace(
    model: Model,
    *inputs: Any,  # noqa: ANN401 - whatever the model takes
    real: bool = False,
    nonzero: bool = False,
    lifetimes: bool = False,
    **keyword_inputs: Any,  # noqa: ANN401
) -> Trace:
    """Record every op of one forward pass.

    Nothing is computed: the pass runs on tensors that have shapes and no elements. The model stays where it
    is, in eval or training mode as it is. Its parameters, buffers, attributes and hooks and the random number
    generators are as before afterwards, also when its forward raises.

    A model whose path depends on the values of its tensors (``.item()``, routing) cannot be traced on shapes.
    It then runs for real, on the CPU, and the trace's ``execution`` and ``notes`` say so. torchvision's
    detectors do so if they have weights; without, they are taken to find as much as they keep.

    >>> import resflops
    >>> resflops.trace("resnet20")
    Trace(resnet20 on 1×3×32×32: 73 ops, 72 modules, 269,722 parameters)

    Args:
        model: any module on any device, an exported program, an ONNX graph, the path of a file, or the spec
            of a model.
        inputs: the positional arguments of the model, as :func:`resflops.count` takes them.
        real: whether to run every kernel from the start, on the model's device. A shape then stands for a
            tensor of zeros.
        nonzero: whether to count the zeros in the weights of each op, too, as ``weights``.
        lifetimes: whether to find out what the model's own variables hold longer than it is used, too, as
            ``held_until``: the memory of a trace in inference depends on it. A real run does not tell.
        keyword_inputs: the keyword arguments of the model.

    Returns:
        The trace, which is plain data and holds no tensors.

    Raises:
        InputError: a shape that no tensor can have.
        TraceError: the forward pass failed; the message names the layer and the op.
        UsageError: ``nonzero`` was asked of a model on the meta device, whose weights have no values.
    """
    return _trace_given(model, inputs, keyword_inputs, real=real, nonzero=nonzero, lifetimes=lifetimes)


def _trace_given(
    model: Model,
    inputs: tuple[Any, ...],
    keyword_inputs: dict[str, Any],
    *,
    nonzero: bool,
    real: bool = False,
    lifetimes: bool = False,
) -> Trace:
    """Trace what is given as a model, or read it, and name the trace by its spec if it has one."""
    if (read := read_given_graph(model, inputs, keyword_inputs, nonzero=nonzero)) is not None:
        return read
    from resflops.tracing import trace

    # Weights with values take memory that a pass on shapes does not need.
    given = open_given(model, inputs, keyword_inputs, device="cpu" if real or nonzero else "meta")
    try:
        traced = trace(
            given.module, *given.args, real=real, nonzero=nonzero, lifetimes=lifetimes, **given.kwargs
        )
    except TraceError as error:
        if hint := hint_at_shape(given.module, given.args):
            raise type(error)(f"{error}{hint}") from error.__cause__
        raise
    return replace(traced, model=given.name) if given.name else traced


def crosscheck(
    model: Model,
    *inputs: Any,  # noqa: ANN401 - whatever the model takes
    peers: str | Sequence[str] | None = None,
    seconds: float = 300,  # counters.TIME_LIMIT, which a count need not import
    **keyword_inputs: Any,  # noqa: ANN401
) -> "CrossCheck":
    """Run other counters on a model, and explain the difference between each one's figure and ours.

    Each counter runs in a process of its own, on a copy of the model on the CPU and in eval mode. If it
    crashes, raises or takes too long, its row says so. The caller's model stays as it is.

    An ONNX graph is given to the counters that take ONNX files, and a module to those that take modules; one
    that is named although it takes the other says so in its row.

    >>> import resflops
    >>> check = resflops.crosscheck(resflops.load("resnet20"), (1, 3, 32, 32), peers=["FlopCounterMode"])
    >>> [(row.peer, row.difference, row.unexplained) for row in check.rows]
    [('FlopCounterMode', 0, 0)]

    Args:
        model: any module on any device, an exported program, the spec of a model, or an ONNX graph, by the
            path of its file or as onnx has loaded it.
        inputs: the positional arguments of the model, as :func:`resflops.count` takes them.
        peers: the name of one counter, or the names of several; by default all that are installed.
            ``resflops peers`` lists them.
        seconds: how long each may take.
        keyword_inputs: the keyword arguments of the model.

    Raises:
        UsageError: there is no peer of a given name, ``seconds`` is not above 0, or this system cannot
            fork a process.
        InputError: a shape that no tensor can have.
        TraceError: the forward pass failed; the message names the layer and the op.
    """
    from resflops.crosschecking import (
        describe_platform,
        reconcile_graph_file,
        reconcile_model,
        select_peers,
    )
    from resflops.crosschecking.reconciliation import CrossCheck

    if (opened := open_given_graph(model, inputs, keyword_inputs)) is not None:
        rows = reconcile_graph_file(*opened, peers=select_peers(peers, takes="onnx"), seconds=seconds)
        return CrossCheck(rows=tuple(rows), environment=describe_platform(("onnx",)))
    chosen = select_peers(peers)
    given = open_given(model, inputs, keyword_inputs)
    found = reconcile_model(
        given.module, given.args, given.kwargs, peers=chosen, spec=given.name, seconds=seconds
    )
    return CrossCheck(rows=tuple(found), environment=describe_platform())


def benchmark(
    model: Model,
    *inputs: Any,  # noqa: ANN401 - whatever the model takes
    device: str | None = None,
    dtype: str = "float32",
    autocast: bool = False,
    memory_format: "MemoryFormat" = "contiguous",
    mode: "Mode" = "eager",
    backend: str = "torch",
    cold_l2: bool = False,
    training: bool = False,
    layers: bool = False,
    rounds: int = 7,
    seconds: float = 0.3,
    warm_up: float = 0.2,
    **keyword_inputs: Any,  # noqa: ANN401
) -> "Measurements":
    """Measure how long one forward pass, or one training step, of a model takes.

    A copy of the model is measured, with random weights if the model is on meta; the model itself stays as
    it is. The device's peaks are measured in turns with it, so that its time can be compared with
    them::

        measured = resflops.benchmark(model, (8, 3, 224, 224), device="cuda", dtype="float16")
        measured.rows[0].series.time.median     # seconds, on the device; .low, .high, .p90, .p99
        measured.rows[0].series.verdict         # how precisely it is known, and what disturbed it
        measured.save("latency.json")           # every sample, and what it was measured on

    Args:
        model: any module on any device, an exported program, or the spec of a model; for another backend
            than torch also an ONNX graph, by the path of its file or as ``onnx.load`` returns it.
        inputs: the positional arguments of the model, as :func:`resflops.count` takes them; a shape stands
            for a tensor of random numbers.
        device: ``cpu``, ``cuda`` or ``cuda:N``; by default a GPU, if there is one.
        dtype: element type of weights and inputs: ``float32``, ``float16``, ``bfloat16`` or ``float64``, and
            ``int8-dynamic`` or ``int8-static`` with onnxruntime.
        autocast: keep weights and inputs as they are, and compute in ``dtype`` by torch.autocast.
        memory_format: ``contiguous`` or ``channels_last``.
        mode: ``eager``, ``compile``, ``compile-max-autotune``, ``compile-reduce-overhead`` or ``cuda-graph``.
        backend: ``torch``, ``onnxruntime`` or ``openvino``, of which the last two are extras; the outputs are
            compared with those of eager torch, and the error is ``rows[0].output_error``, but for an ONNX
            graph, which torch cannot run.
        cold_l2: clear the GPU's L2 cache before every repetition.
        training: time a training step: forward, the mean of the outputs as the loss, and backward.
        layers: also attribute the time to layers, as ``rows[0].attribution``.
        rounds: how often to measure the model, in turns with the peaks.
        seconds: seconds of samples in every round.
        warm_up: seconds of warm-up in every round.
        keyword_inputs: the keyword arguments of the model.

    Returns:
        Everything that was measured: one row, which holds the failure if there is no time.

    Raises:
        UsageError: there is no such device, or it does not support one of the settings.
        ModelError: torch was to run an ONNX graph.
        TraceError: the model is not a torch.nn.Module.
    """
    from resflops.latency.bench import measure
    from resflops.latency.configuration import grid, read_backend
    from resflops.latency.devices import choose_device
    from resflops.latency.schedule import Effort

    given = open_measurable(model, inputs, keyword_inputs, backend=read_backend("backend", backend))
    configurations = grid(
        [(given.name, ())],
        device=choose_device(device),
        batches=[given.batch],
        dtypes=[dtype],
        memory_formats=[memory_format],
        modes=[mode],
        backends=[backend],
        autocast=autocast,
        cold_l2=cold_l2,
        training=training,
    )
    measured = measure(
        {given.name: given.measurable},
        [given.measurable.settle(each) for each in configurations],
        effort=Effort(rounds=rounds, seconds=seconds, warm_up=warm_up),
        command="resflops.benchmark()",
        layers=layers,
    )
    # At Ctrl-C measure() ends quietly and keeps what it has, as a command needs it. A caller of this function
    # expects the exception.
    if not measured.runs[-1].finished:
        raise KeyboardInterrupt
    return measured
