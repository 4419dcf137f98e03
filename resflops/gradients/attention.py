"""Gradients of attention as one op."""

from math import prod

from resflops.gradients.registry import Needed, joint_gradient_rule
from resflops.ops.softmax import softmax_gradient_work
from resflops.records import OpRecord, Work, sum_of

_QUERY, _KEY, _VALUE = range(3)


@joint_gradient_rule("scaled_dot_product_attention", takes=(_QUERY, _KEY, _VALUE))
def attention_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Four matrix products of the forward pass's two, and the gradient of the softmax between.

    With ``P = softmax(Q·Kᵀ)`` and ``O = P·V``: ``V' = Pᵀ·O'``; ``P' = O'·Vᵀ`` and, through the
    softmax, ``S'``; ``Q' = S'·K`` and ``K' = S'ᵀ·Q``. P' and S', with one multiplication a
    score for the scale, stand with the query or, where that needs no gradient, with the key.
    A kernel that does not keep P computes the scores once more; that is a choice of the
    kernel's and not counted. Heads that share a key and a value add their gradients up.
    """
    query, key, value = record.input_shapes[:3]
    rows, length = prod(query[:-1]), key[-2]
    pairs = rows * length
    heads = prod(query[:-2])
    products = {
        _QUERY: Work(macs=pairs * query[-1]),
        _KEY: Work(macs=pairs * key[-1], arithmetic=heads * prod(key[-2:]) - prod(key)),
        _VALUE: Work(macs=pairs * value[-1], arithmetic=heads * prod(value[-2:]) - prod(value)),
    }
    softmax = softmax_gradient_work(rows=rows, length=length)
    scores = sum_of([Work(macs=pairs * value[-1], arithmetic=pairs), softmax])
    return tuple(
        sum_of([products[operand], scores]) if place == 0 and operand != _VALUE else products[operand]
        for place, operand in enumerate(needed)
    )
