"""The public function that says what memory a model needs."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from resflops.api.given_models import Model, name_spec
from resflops.api.graphs import read_given_graph
from resflops.errors import UsageError
from resflops.peak_memory.options import Attention, Device, read_options
from resflops.peak_memory.records import Memory
from resflops.records import Trace, is_shape

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["memory"]


def memory(
    model: "Model | Trace",
    *inputs: Any,  # noqa: ANN401 - whatever the model takes
    training: bool = False,
    optimizer: str | None = None,
    dtype: str | None = None,
    autocast: bool = False,
    checkpointing: bool | str | Sequence[str] = (),
    attention: Attention | None = None,
    device: Device = "cpu",
    loss: "str | Callable[[Any], Tensor]" = "cross-entropy",
    **keyword_inputs: Any,  # noqa: ANN401
) -> Memory:
    """Say what memory a model needs at its peak, which layers hold it, and when.

    Nothing runs and nothing is allocated: the model is copied onto tensors that have shapes and no
    elements, and every storage of the pass is watched from the op that takes it until nothing refers to it
    any longer. The model itself stays as it is.

    >>> import resflops
    >>> memory = resflops.memory("resnet34", (1, 3, 224, 224))
    >>> memory.peak, memory.above_weights
    (94283712, 7024640)
    >>> resflops.memory("resnet34", (1, 3, 224, 224), training=True, optimizer="adamw").split()["optimizer"]
    174381816

    Args:
        model: any module on any device, an exported program, the spec of one as :func:`resflops.load` takes
            it, the path of a file; or a trace or an ONNX graph, whose memory is worked out by rules.
        inputs: the positional arguments of the model, as :func:`resflops.count` takes them.
        training: whether to take a step of training: forward, loss, backward, and the optimiser's step. A
            model in eval mode is put into training mode for it; the parts of one in training mode stay as
            they are.
        optimizer: ``adamw``, ``sgd``, ``sgd-momentum``, …: its state is there from the start, as in every
            step but the first.
        dtype: the type of weights and inputs, such as ``bfloat16``; the model's own if not given.
        autocast: keep weights and inputs as they are, and compute in ``dtype`` by torch.autocast.
        checkpointing: layers whose forward pass runs again in the backward pass: their dotted paths, patterns
            of such, or True for the blocks that the model repeats.
        attention: the kernel of attention, ``math``, ``flash``, ``efficient`` or ``cudnn``; by default what
            the device would take.
        device: ``cpu`` or ``cuda``: whose kernels and optimisers are assumed, none of which has to be there.
        loss: ``cross-entropy`` or ``sum``, or a function of the model's output. An output that has a ``loss``
            of its own gives that.
        keyword_inputs: the keyword arguments of the model.

    Returns:
        The memory of the pass, in bytes.

    Raises:
        UsageError: an option is unknown, or does not go with another.
        UnknownModelError: there is no model of the name that a spec gives.
        InputError: a shape that no tensor can have.
        TraceError: the pass failed; the message says where.
    """
    options = read_options(
        training=training,
        optimizer=optimizer,
        dtype=dtype,
        autocast=autocast,
        checkpointing=checkpointing,
        attention=attention,
        device=device,
        loss=None if callable(loss) else loss,
    )
    if isinstance(model, Trace):
        if inputs or keyword_inputs or callable(loss):
            raise UsageError(
                "the memory of a trace follows from what was recorded; "
                "give inputs to resflops.trace() instead"
            )
        from resflops.peak_memory.from_traces import estimate_memory

        return estimate_memory(model, options)
    if not callable(loss) and (read := read_given_graph(model, inputs, keyword_inputs)) is not None:
        from resflops.peak_memory.from_traces import estimate_memory

        return estimate_memory(read, options)
    model = name_spec(model)
    by_spec = isinstance(model, str) and not keyword_inputs and len(inputs) < 2 and all(map(is_shape, inputs))
    if by_spec and not callable(loss):
        from resflops.sources.memory import measure_spec

        return measure_spec(str(model), options, input_shape=inputs[0] if inputs else None)
    from resflops.api.given_models import open_given
    from resflops.tracing import resolve_inputs
    from resflops.tracing.memory import measure_memory

    given = open_given(model, inputs, keyword_inputs)
    reading = resolve_inputs(given.module, given.args, given.kwargs)
    measured = measure_memory(given.module, reading, options, loss=loss if callable(loss) else None)
    return replace(measured, model=given.name) if given.name else measured
