"""Gradients of recurrent networks: through every layer, direction and time step of a call."""

from math import prod

from resflops.gradients.registry import Needed, joint_gradient_rule
from resflops.ops import OPS
from resflops.records import OpRecord, Work, sum_of

_INPUT = 0

_PER_ELEMENT = {
    # Output gate 4, state 5, input gate 4, new value 4, forget gate 4, state before 1, joining the
    # gradients of the output and of the next step 1.
    "lstm": Work(arithmetic=23),
    # Update gate 5, new value 5, reset gate 4, the state's product 1, state before 2, joining 1.
    "gru": Work(arithmetic=18),
    # (1 - h²)·h' 3, joining 1.
    "rnn_tanh": Work(arithmetic=4),
    "rnn_relu": Work(arithmetic=1, comparisons=1),
}
"""Per hidden element and step, the gates' values being kept from the forward pass."""


@joint_gradient_rule("lstm", "gru", "rnn_tanh", "rnn_relu")
def recurrent_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """One MAC per row and weight for the path back through time and layers, one more for the weights.

    The gradient goes back through every matrix that a state passes; through the first
    layer's input matrices only where the input needs one. That path, with 23 (LSTM), 18
    (GRU) or 4 arithmetic operations per hidden element and step, stands with the input's
    gradient or, where the input needs none, with the first weight's. Each bias takes one
    addition for each of its additions in the forward pass, and counts as trainable where a
    weight is. With all gradients needed the backward pass is twice the forward pass.
    """
    rows, matrices = prod(record.input_shapes[0][:-1]), record.input_shapes[1:]
    first = set(_first_layer_inputs(record))
    passed = sum(prod(shape) for place, shape in enumerate(matrices, 1) if place not in first)
    entered = sum(prod(matrices[place - 1]) for place in first) if _INPUT in needed else 0
    path = sum_of([Work(macs=rows * (passed + entered)), _PER_ELEMENT[record.op].times(_elements(record))])
    forward = OPS[record.op].work(record)
    biases = Work(arithmetic=forward.bias_adds)
    works = [
        Work() if operand == _INPUT else Work(macs=rows * prod(record.input_shapes[operand]))
        for operand in needed
    ]
    works[0] = sum_of([works[0], path])
    if needed[-1] != _INPUT:
        works[-1] = sum_of([works[-1], biases])
    return tuple(works)


def _first_layer_inputs(record: OpRecord) -> list[int]:
    """The places of the matrices that take the input itself: the first of each direction."""
    layers, directions = record.attributes["layers"], record.attributes["directions"]
    assert isinstance(layers, int)  # noqa: S101 - the tracer writes it so
    assert isinstance(directions, int)  # noqa: S101 - the tracer writes it so
    each = (len(record.input_shapes) - 1) // (layers * directions)
    return [1 + direction * each for direction in range(directions)]


def _elements(record: OpRecord) -> int:
    """Hidden elements of all layers, directions and steps."""
    sizes = [record.attributes[name] for name in ("hidden", "layers", "directions")]
    return prod(record.input_shapes[0][:-1]) * prod(size for size in sizes if isinstance(size, int))
