"""Attention as one op."""

from math import prod

from resflops.ops.softmax import softmax_work
from resflops.records import OpRecord, Work
from resflops.rules.registry import Factors, rule


def attention_factors(record: OpRecord) -> Factors:
    """Every pair of a query and a key, times the widths of the two products."""
    query, key, value = record.input_shapes[:3]
    pairs = (*query[:-2], query[-2], key[-2])
    return tuple(size for size in pairs[:-2] if size != 1) + pairs[-2:], (query[-1] + value[-1],)


@rule("scaled_dot_product_attention", factors=attention_factors)
def scaled_dot_product_attention(record: OpRecord) -> Work:
    """Two matrix products, queries by keys and weights by values, and a softmax between.

    Inputs are (…, heads, queries, width), (…, heads, keys, width), (…, heads, keys, value
    width). Every query meets every key, also under a causal or other mask: that is what
    papers count and what kernels without block skipping do. The scores are scaled by one
    multiplication each, and a mask adds one addition each.
    """
    query, key, value = record.input_shapes[:3]
    pairs = prod(query[:-1]) * key[-2]
    masked = bool(record.attributes.get("masked"))
    softmax = softmax_work(rows=prod(query[:-1]), length=key[-2])
    return Work(
        macs=pairs * (query[-1] + value[-1]),
        arithmetic=softmax.arithmetic + pairs * (1 + masked),
        comparisons=softmax.comparisons,
        transcendental=softmax.transcendental,
    )
