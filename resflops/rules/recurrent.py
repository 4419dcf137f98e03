"""Recurrent networks as one op: every layer, direction and time step of a call."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import Factors, rule


def recurrent_factors(record: OpRecord) -> Factors:
    """Every element of every sequence, times the elements of all weight matrices."""
    rows = tuple(size for size in record.input_shapes[0][:-1] if size != 1)
    return rows or (1,), (_weights(record),)


def _weights(record: OpRecord) -> int:
    return sum(prod(matrix) for matrix in record.input_shapes[1:])


def _rows(record: OpRecord) -> int:
    """Elements of all sequences; of packed ones only those that are there, padding not."""
    return prod(record.input_shapes[0][:-1])


def _of(record: OpRecord, name: str) -> int:
    size = record.attributes[name]
    assert isinstance(size, int)  # noqa: S101 - the tracer writes it so
    return size


def _recurrent(record: OpRecord, gates: int, each: Work) -> Work:
    """Work of a recurrent op, from what one hidden element takes in one step beside the products."""
    rows, hidden = _rows(record), _of(record, "hidden")
    layers, directions = _of(record, "layers"), _of(record, "directions")
    elements = rows * hidden * layers * directions
    between = rows * hidden * (layers - 1) * directions if record.attributes.get("dropout") else 0
    return Work(
        macs=rows * _weights(record),
        # One bias on the input's product and one on the state's.
        bias_adds=2 * gates * elements if record.attributes.get("bias") else 0,
        arithmetic=each.arithmetic * elements + between,
        comparisons=each.comparisons * elements + between,
        transcendental=each.transcendental * elements,
    )


@rule("lstm", factors=recurrent_factors)
def lstm(record: OpRecord) -> Work:
    """One MAC per row and weight; per hidden element 17 arithmetic, 5 transcendental, 8 bias adds.

    Every weight matrix (input to gates, state to gates, and a projection where there is
    one) of every layer and direction meets every element of every sequence once. Of a
    packed sequence the rows are the elements that are there.

    Per hidden element and step: 4 additions join the two products of the 4 gates; 3
    sigmoids (3 arithmetic, 1 exponential each); 2 tanh; ``c' = f·c + i·g`` takes 3 and
    ``h' = o·tanh(c')`` one.

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000, as in
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    return _recurrent(record, 4, Work(arithmetic=4 + 3 * 3 + 3 + 1, transcendental=3 + 2))


@rule("gru", factors=recurrent_factors)
def gru(record: OpRecord) -> Work:
    """One MAC per row and weight; per hidden element 13 arithmetic, 3 transcendental, 6 bias adds.

    Rows and weights as for the LSTM. Per hidden element and step: 2 additions join the
    products of reset and update gate; 2 sigmoids (3 arithmetic, 1 exponential each); the
    new state's product takes the reset gate's multiplication, an addition and a tanh;
    ``h' = n + z·(h - n)`` takes 3, the form in which torch computes ``(1-z)·n + z·h``.

    Cho et al. 2014, with the reset gate after the product, as in
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """
    return _recurrent(record, 3, Work(arithmetic=2 + 2 * 3 + 2 + 3, transcendental=2 + 1))


@rule("rnn_tanh", factors=recurrent_factors)
def rnn_tanh(record: OpRecord) -> Work:
    """One MAC per row and weight; per hidden element an addition, a tanh and 2 bias adds.

    ``h' = tanh(W·x + b + U·h + c)`` (Elman 1990).
    """
    return _recurrent(record, 1, Work(arithmetic=1, transcendental=1))


@rule("rnn_relu", factors=recurrent_factors)
def rnn_relu(record: OpRecord) -> Work:
    """One MAC per row and weight; per hidden element an addition, a comparison and 2 bias adds."""
    return _recurrent(record, 1, Work(arithmetic=1, comparisons=1))
