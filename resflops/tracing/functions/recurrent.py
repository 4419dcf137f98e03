"""Recurrent networks: a whole network, of all its layers and directions, arrives as one function."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from resflops.records import Attribute
from resflops.tracing.functions.registry import Call, Mismatch, describes


def _network(op: str, function: Any) -> None:
    @describes(function)
    def recurrent(input: Tensor, *arguments: Any) -> Call:
        # A packed sequence comes with its batch sizes before the states, a padded one with
        # `batch_first` at the end. Neither changes the work of a row.
        packed = not isinstance(arguments[2], bool)
        states, weights, biases, layers, rate, training, bidirectional = (
            arguments[1:] if packed else arguments[:-1]
        )
        states = (states,) if isinstance(states, Tensor) else tuple(states)
        matrices = _matrices(weights)
        if matrices[0].shape[1] != input.shape[-1]:
            raise Mismatch(
                f"takes {matrices[0].shape[1]} input features, and its input has {input.shape[-1]}"
            )
        directions = 2 if bidirectional else 1
        attributes: dict[str, Attribute] = {
            "hidden": matrices[1].shape[0] // _GATES[op],
            "layers": layers,
            "directions": directions,
            "bias": biases,
            "dropout": training and rate > 0,
        }
        return Call(
            op,
            (input, *matrices),
            (*input.shape[:-1], directions * states[0].shape[-1]),
            attributes,
            others=tuple([(tuple(state.shape), None) for state in states]),
            pack=tuple,
        )


def _cell(op: str, function: Any) -> None:
    @describes(function)
    def cell(
        input: Tensor,
        hx: Any,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Call:
        states = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        if w_ih.shape[1] != input.shape[-1]:
            raise Mismatch(f"takes {w_ih.shape[1]} input features, and its input has {input.shape[-1]}")
        attributes: dict[str, Attribute] = {
            "hidden": w_hh.shape[0] // _GATES[op],
            "layers": 1,
            "directions": 1,
            "bias": b_ih is not None,
            "dropout": False,
        }
        return Call(
            op,
            (input, w_ih, w_hh),
            tuple(states[0].shape),
            attributes,
            others=tuple([(tuple(state.shape), None) for state in states[1:]]),
            pack=tuple if len(states) > 1 else None,
        )


def _matrices(weights: Sequence[Tensor]) -> list[Tensor]:
    return [weight for weight in weights if weight.dim() == 2]


_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
"""How many stacked matrices each weight of a layer holds."""

for _op in _GATES:
    _network(_op, getattr(torch, _op))
    _cell(_op, getattr(torch, f"{_op}_cell"))
