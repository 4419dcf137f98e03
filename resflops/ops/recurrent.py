"""Recurrent networks as one op: every layer, direction and time step of a call.

A whole network, with all its layers and directions, is one torch function; a cell is a network of one
layer and one step. At the level of aten ops torch mostly decomposes both into products and gates, which are
counted one by one. The work is then the same in the forward pass, but not under a convention that prices
layers; and in the backward pass, work that is shared over the steps is counted at each. Ops that arrive
whole at that level, too, as in inference mode or for a library's own kernel, are read as here.
"""

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, Mismatch, TensorLike, is_tensor
from resflops.ops._declaration import AtenBinding, Factors, Needed, binding, joint_gradient, op
from resflops.records import Attribute, OpRecord, Work, add_works

FAMILY = "recurrent"

_INPUT = 0

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
"""How many matrices each weight of a layer stacks: one for each gate."""


class Recurrence(Attributes, frozen=True):
    """A recurrent network."""

    hidden: int
    """Elements of the state, before a projection."""
    layers: int
    directions: int
    """2 if it is bidirectional, else 1."""
    bias: bool
    dropout: bool
    """Whether elements are dropped between the layers."""


def _infer(
    op: str,
    input: TensorLike,
    states: Sequence[TensorLike],
    matrices: Sequence[TensorLike],
    attributes: dict[str, Attribute],
) -> Call:
    if matrices[0].shape[1] != input.shape[-1]:
        raise Mismatch(f"takes {matrices[0].shape[1]} input features, but its input has {input.shape[-1]}")
    hidden = matrices[1].shape[0] // _GATES[op]
    directions = attributes["directions"]
    return Call(
        op,
        (input, *matrices),
        (*input.shape[:-1], directions * states[0].shape[-1]),
        {"hidden": hidden, **attributes},
        others=tuple([(tuple(state.shape), None) for state in states]),
        pack=tuple,
    )


def _select_matrices(weights: Iterable[TensorLike]) -> list[TensorLike]:
    return [weight for weight in weights if weight.dim() == 2]


def _list_states(given: Any) -> tuple[TensorLike, ...]:
    """List the state, or the two of an LSTM."""
    return (given,) if is_tensor(given) else tuple(given)


def _infer_any_network(
    op: str,
    input: TensorLike,
    states: Any,
    weights: Sequence[TensorLike],
    biases: bool,
    layers: int,
    rate: float,
    training: bool,
    bidirectional: bool,
) -> Call:
    attributes: dict[str, Attribute] = {
        "layers": layers,
        "directions": 2 if bidirectional else 1,
        "bias": biases,
        "dropout": training and rate > 0,
    }
    return _infer(op, input, _list_states(states), _select_matrices(weights), attributes)


def _infer_network(op: str) -> Callable[..., Call]:
    def infer_network(input: TensorLike, *arguments: Any) -> Call:
        """Run all layers, directions and steps."""
        # A packed sequence comes with its batch sizes before the states, a padded one with ``batch_first`` at
        # the end. Neither changes the work of a row.
        packed = not isinstance(arguments[2], bool)
        return _infer_any_network(op, input, *(arguments[1:] if packed else arguments[:-1]))

    return infer_network


def _read_network(op: str) -> AtenBinding:
    """Make the reader of the function itself, which inference mode keeps whole: padded or packed."""

    def read(given: dict[str, Any]) -> Call:
        return _infer_any_network(
            op,
            given["input"] if "input" in given else given["data"],
            given["hx"],
            given["params"],
            given["has_biases"],
            given["num_layers"],
            given["dropout"],
            given["train"],
            given["bidirectional"],
        )

    return read


_MODES = ("rnn_relu", "rnn_tanh", "lstm", "gru")
"""The networks in the order in which cuDNN numbers them, and the CPU's library after it."""


def _read_cudnn(given: dict[str, Any]) -> Call:
    """Read all layers and directions, as cuDNN runs them."""
    weights = given["weight"]
    return _infer_any_network(
        _MODES[given["mode"]],
        given["input"],
        given["hx"],
        weights,
        len(weights) > len(_select_matrices(weights)),
        given["num_layers"],
        given["dropout"],
        given["train"],
        given["bidirectional"],
    )


def _read_mkldnn(given: dict[str, Any]) -> Call:
    """Read one layer and direction, as the CPU's own library runs it."""
    return _infer_any_network(
        _MODES[given["mode"]],
        given["input"],
        given["hx_"],
        (given["weight0"], given["weight1"]),
        given["has_biases"],
        layers=1,
        rate=0.0,
        training=False,
        bidirectional=False,
    )


def _unpack(packed: Any) -> list[TensorLike]:
    """Unpack the two matrices of one layer and direction of a quantised network.

    Its parameters are one object, whose state is its kind, biases, scales, offsets and packed matrices.
    """
    *_, matrices = packed.__getstate__()[0]
    return [matrix.unpack()[0] for matrix in matrices]


def _read_quantised_network(op: str) -> AtenBinding:
    """Make the reader of a network that quantises its input at every step, padded or packed."""

    def read(given: dict[str, Any]) -> Call:
        call = _infer_any_network(
            op,
            given["input"] if "input" in given else given["data"],
            given["hx"],
            [matrix for packed in given["params"] for matrix in _unpack(packed)],
            given["has_biases"],
            given["num_layers"],
            given["dropout"],
            given["train"],
            given["bidirectional"],
        )
        call.attributes["quantised"] = True
        return call

    return read


def _read_quantised_cell(op: str) -> AtenBinding:
    """Make the reader of a cell whose two matrices are packed with what they are quantised by."""

    def read(given: dict[str, Any]) -> Call:
        states = _list_states(given["hx"])
        matrices = [given[name].unpack()[0] for name in ("w_ih", "w_hh")]
        bias = given.get("b_ih", given.get("bias_ih")) is not None
        attributes: dict[str, Attribute] = {
            "layers": 1,
            "directions": 1,
            "bias": bias,
            "dropout": False,
            "quantised": True,
        }
        return _infer(op, given["input"], states, matrices, attributes)

    return read


def _infer_cell(op: str) -> Callable[..., Call]:
    def infer_cell(
        input: TensorLike,
        hx: Any,
        w_ih: TensorLike,
        w_hh: TensorLike,
        b_ih: TensorLike | None = None,
        b_hh: TensorLike | None = None,
    ) -> Call:
        """Run one layer, direction and step, which returns the state alone."""
        states = _list_states(hx)
        attributes: dict[str, Attribute] = {
            "layers": 1,
            "directions": 1,
            "bias": b_ih is not None,
            "dropout": False,
        }
        call = _infer(op, input, states, (w_ih, w_hh), attributes)
        call.shape = tuple(states[0].shape)
        call.others = call.others[1:]
        call.pack = tuple if len(states) > 1 else None
        return call

    return infer_cell


def _read_cell(infer: Callable[..., Call]) -> AtenBinding:
    def read(given: dict[str, Any]) -> Call:
        return infer(**given)

    return read


def recurrent_factors(record: OpRecord, attributes: Recurrence) -> Factors:
    """Every element of every sequence, times the elements of all weight matrices."""
    del attributes
    rows = tuple(size for size in record.input_shapes[0][:-1] if size != 1)
    return rows or (1,), (_count_weights(record),)


def _count_weights(record: OpRecord) -> int:
    return sum(prod(matrix) for matrix in record.input_shapes[1:])


def _count_rows(record: OpRecord) -> int:
    """Count the elements of all sequences; packed ones have no padding."""
    return prod(record.input_shapes[0][:-1])


def _count_elements(record: OpRecord, attributes: Recurrence) -> int:
    """Count the hidden elements of all layers, directions and steps."""
    return _count_rows(record) * attributes.hidden * attributes.layers * attributes.directions


def _count_bias_adds(record: OpRecord, attributes: Recurrence) -> int:
    """Count one bias on the product of the input and one on that of the state."""
    return 2 * _GATES[record.op] * _count_elements(record, attributes) if attributes.bias else 0


def _recurrent(record: OpRecord, attributes: Recurrence, per_element: Work) -> Work:
    """Count the work of a recurrent op, given that of one hidden element in one step beside the products."""
    elements = _count_elements(record, attributes)
    between = _count_rows(record) * attributes.hidden * (attributes.layers - 1) * attributes.directions
    dropped = between if attributes.dropout else 0
    return Work(
        macs=_count_rows(record) * _count_weights(record),
        bias_adds=_count_bias_adds(record, attributes),
        arithmetic=per_element.arithmetic * elements + dropped,
        comparisons=per_element.comparisons * elements + dropped,
        transcendental=per_element.transcendental * elements,
    )


def lstm(record: OpRecord, attributes: Recurrence) -> Work:
    """One MAC per row and weight; per hidden element 17 arithmetic, 5 transcendental, 8 bias adds.

    Every weight matrix (input to gates, state to gates, and a projection where there is
    one) of every layer and direction meets every element of every sequence once. The rows of a
    packed sequence are its elements without padding.

    Per hidden element and step: 4 additions join the two products of the 4 gates; 3
    sigmoids (3 arithmetic, 1 exponential each); 2 tanh; ``c' = f·c + i·g`` takes 3 and
    ``h' = o·tanh(c')`` one.

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000, as in
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    return _recurrent(record, attributes, Work(arithmetic=4 + 3 * 3 + 3 + 1, transcendental=3 + 2))


def gru(record: OpRecord, attributes: Recurrence) -> Work:
    """One MAC per row and weight; per hidden element 13 arithmetic, 3 transcendental, 6 bias adds.

    Rows and weights as for the LSTM. Per hidden element and step: 2 additions join the
    products of reset and update gate; 2 sigmoids (3 arithmetic, 1 exponential each); the
    new state's product takes the reset gate's multiplication, an addition and a tanh;
    ``h' = n + z·(h - n)`` takes 3, the form in which torch computes ``(1-z)·n + z·h``.

    Cho et al. 2014, with the reset gate after the product, as in
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """
    return _recurrent(record, attributes, Work(arithmetic=2 + 2 * 3 + 2 + 3, transcendental=2 + 1))


def rnn_tanh(record: OpRecord, attributes: Recurrence) -> Work:
    """One MAC per row and weight; per hidden element an addition, a tanh and 2 bias adds.

    ``h' = tanh(W·x + b + U·h + c)`` (Elman 1990).
    """
    return _recurrent(record, attributes, Work(arithmetic=1, transcendental=1))


def rnn_relu(record: OpRecord, attributes: Recurrence) -> Work:
    """One MAC per row and weight; per hidden element an addition, a comparison and 2 bias adds."""
    return _recurrent(record, attributes, Work(arithmetic=1, comparisons=1))


_BACKWARD = {
    # Output gate 4, state 5, input gate 4, new value 4, forget gate 4, state before 1, joining the
    # gradients of the output and of the next step 1.
    "lstm": Work(arithmetic=23),
    # Update gate 5, new value 5, reset gate 4, the state's product 1, state before 2, joining 1.
    "gru": Work(arithmetic=18),
    # (1 - h²)·h' 3, joining 1.
    "rnn_tanh": Work(arithmetic=4),
    "rnn_relu": Work(arithmetic=1, comparisons=1),
}
"""The work per hidden element and step; the values of the gates are kept from the forward pass."""


def recurrent_gradient(record: OpRecord, attributes: Recurrence, needed: Needed) -> tuple[Work, ...]:
    """One MAC per row and weight for the path back through time and layers, one more for the weights.

    The gradient goes back through every matrix that a state passes; through the first
    layer's input matrices only where the input needs one. That path, with 23 (LSTM), 18
    (GRU) or 4 arithmetic operations per hidden element and step, stands with the input's
    gradient or, where the input needs none, with the first weight's. Each bias takes one
    addition for each of its additions in the forward pass, and counts as trainable where a
    weight is. With all gradients needed the backward pass is twice the forward pass.
    """
    rows, matrices = _count_rows(record), record.input_shapes[1:]
    first = set(_find_first_layer_matrices(record, attributes))
    passed = sum(prod(shape) for place, shape in enumerate(matrices, 1) if place not in first)
    entered = sum(prod(matrices[place - 1]) for place in first) if _INPUT in needed else 0
    gates = _BACKWARD[record.op].times(_count_elements(record, attributes))
    path = add_works([Work(macs=rows * (passed + entered)), gates])
    biases = Work(arithmetic=_count_bias_adds(record, attributes))
    works = [
        Work() if operand == _INPUT else Work(macs=rows * prod(record.input_shapes[operand]))
        for operand in needed
    ]
    works[0] = add_works([works[0], path])
    # The record lists weights and no biases, so their additions go with the last weight.
    if needed[-1] != _INPUT:
        works[-1] = add_works([works[-1], biases])
    return tuple(works)


def _find_first_layer_matrices(record: OpRecord, attributes: Recurrence) -> list[int]:
    """Find the matrices that take the input itself: the first of each direction in the first layer."""
    per_layer = (len(record.input_shapes) - 1) // (attributes.layers * attributes.directions)
    return [1 + direction * per_layer for direction in range(attributes.directions)]


for _name, _work in (("lstm", lstm), ("gru", gru), ("rnn_tanh", rnn_tanh), ("rnn_relu", rnn_relu)):
    _cell = _infer_cell(_name)
    op(
        _name,
        family=FAMILY,
        attributes=Recurrence,
        bindings=(binding(_infer_network(_name), _name), binding(_cell, f"{_name}_cell")),
        aten={
            _name: _read_network(_name),
            f"{_name}_cell": _read_cell(_cell),
            # Torch has no quantised network without gates, but a cell of it.
            **({f"quantized_{_name}": _read_quantised_network(_name)} if _name in ("lstm", "gru") else {}),
            f"quantized.quantized_{_name}_cell_dynamic": _read_quantised_cell(_name),
            # These two say by a number which of the four networks they run, and so are bound only once.
            **({"_cudnn_rnn": _read_cudnn, "mkldnn_rnn_layer": _read_mkldnn} if _name == "lstm" else {}),
        },
        work=_work,
        factors=recurrent_factors,
        gradient=joint_gradient(recurrent_gradient),
        weights="all but the first",
    )
