"""Attention: by itself, as one op, and with the projections around it."""

from collections.abc import Sequence
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, Mismatch, NotDescribed, TensorLike, broadcast
from resflops.ops._declaration import Factors, Needed, binding, composite, joint_gradient, op
from resflops.ops._steps import Part, Steps
from resflops.ops.matmul import infer_linear, infer_matmul
from resflops.ops.slicing import infer_chunk, infer_split
from resflops.ops.softmax import infer_softmax, softmax_gradient_work, softmax_work
from resflops.records import OpRecord, Shape, Work, add_works

FAMILY = "attention"

_QUERY, _KEY, _VALUE = range(3)


class Scores(Attributes, frozen=True):
    """What is done to the scores of an attention, and whether heads share a key."""

    masked: bool
    """Whether a mask is added to them."""
    causal: bool
    """Whether queries see only the keys before them; the work is counted in full even so."""
    grouped: bool
    """Whether several queries may share a key and value."""
    mask_dims: int = 0
    """How many dimensions the mask has: it costs nothing here, but decides whether torch fuses the op.
    Older traces do not say."""
    dropout: bool = False
    """Whether some scores are dropped, which is free; older traces do not say."""


def infer_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    attn_mask: TensorLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Call:
    """Attend from every query to every key; the inputs are (…, heads, length, width)."""
    del scale
    # As plain tuples: torch's own take several times as long to cut.
    of_query, of_key, of_value = tuple(query.shape), tuple(key.shape), tuple(value.shape)
    if of_query[-1] != of_key[-1] or of_key[-2] != of_value[-2]:
        raise Mismatch("the shapes of its query, key and value do not match")
    # Keys that are shared have heads of their own, fewer than the query has; all else is broadcast.
    apart = -3 if enable_gqa else -2
    batch = of_query[:apart]
    if not batch == of_key[:apart] == of_value[:apart]:
        batch = broadcast(batch, broadcast(of_key[:apart], of_value[:apart]))
    return Call(
        "scaled_dot_product_attention",
        (query, key, value),
        (*batch, *of_query[apart:-1], of_value[-1]),
        {
            "masked": attn_mask is not None,
            "mask_dims": 0 if attn_mask is None else attn_mask.dim(),
            "causal": is_causal,
            "grouped": enable_gqa,
            "dropout": dropout_p > 0.0,
        },
    )


def infer_fused_attention(given: dict[str, Any]) -> Call:
    """Read a fused kernel, to which only the shapes say that heads share keys."""
    query, key = given["query"], given["key"]
    return infer_attention(
        query,
        key,
        given["value"],
        given["attn_mask"] if "attn_mask" in given else given.get("attn_bias"),
        given["dropout_p"] or 0.0,
        bool(given["is_causal"]),
        enable_gqa=query.shape[:-2] != key.shape[:-2],
    )


def infer_flex_attention(query: TensorLike, key: TensorLike, value: TensorLike) -> Call:
    """Attend with scores that a function of the user's changes; two numbers per query are outputs as well.

    It is counted as dense attention, like a masked one, because only the values of the mask say
    which blocks it leaves out. The tracer records the ops of the functions of scores and mask.
    """
    call = infer_attention(query, key, value, enable_gqa=query.shape[1] != key.shape[1])
    rows = (tuple(query.shape[:-1]), "float32")
    call.others, call.pack = (rows, rows), tuple
    return call


def attention_factors(record: OpRecord, attributes: Scores) -> Factors:
    """Every pair of a query and a key, times the widths of the two products."""
    del attributes
    query, key, value = record.input_shapes[:3]
    pairs = (*record.output_shape[:-1], key[-2])
    return tuple(size for size in pairs[:-2] if size != 1) + pairs[-2:], (query[-1] + value[-1],)


def attention(record: OpRecord, attributes: Scores) -> Work:
    """Two matrix products, queries by keys and weights by values, and the softmax between them.

    Inputs are (…, heads, queries, width), (…, heads, keys, width), (…, heads, keys, value
    width). Every query meets every key, also under a causal or other mask: that is what
    papers count and what kernels without block skipping do. The scores are scaled by one
    multiplication each, and a mask adds one addition each. The output has a batch that any of
    the inputs was broadcast to.

    On tensors without memory torch has no fused kernel. Below its functions, as in a scripted
    model, attention becomes two products and a softmax, with query and key scaled in place of
    the scores. The multiply-accumulates are the same, but ``flops`` are not, and nothing there
    shows that it was attention.
    """
    query, key, value = record.input_shapes[:3]
    rows = prod(record.output_shape[:-1])
    pairs = rows * key[-2]
    softmax = softmax_work(rows=rows, length=key[-2])
    return Work(
        macs=pairs * (query[-1] + value[-1]),
        arithmetic=softmax.arithmetic + pairs * (1 + attributes.masked),
        comparisons=softmax.comparisons,
        transcendental=softmax.transcendental,
    )


def attention_gradient(record: OpRecord, attributes: Scores, needed: Needed) -> tuple[Work, ...]:
    """Four matrix products, two for each of the forward pass, and the gradient of the softmax between them.

    With ``P = softmax(Q·Kᵀ)`` and ``O = P·V``: ``V' = Pᵀ·O'``; ``P' = O'·Vᵀ`` and, through the
    softmax, ``S'``; ``Q' = S'·K`` and ``K' = S'ᵀ·Q``. P' and S', with one multiplication a
    score for the scale, stand with the query or, where that needs no gradient, with the key.
    A kernel that does not keep P computes the scores once more; that is a choice of the kernel
    and not counted. Heads that share a key and a value add up their gradients, as does a batch that
    shares an input.
    """
    del attributes
    query, key, value = record.input_shapes[:3]
    rows, length = prod(record.output_shape[:-1]), key[-2]
    pairs = rows * length
    heads = prod(record.output_shape[:-2])
    products = {
        _QUERY: Work(macs=pairs * query[-1], arithmetic=heads * prod(query[-2:]) - prod(query)),
        _KEY: Work(macs=pairs * key[-1], arithmetic=heads * prod(key[-2:]) - prod(key)),
        _VALUE: Work(macs=pairs * value[-1], arithmetic=heads * prod(value[-2:]) - prod(value)),
    }
    softmax = softmax_gradient_work(rows=rows, length=length)
    scores = add_works([Work(macs=pairs * value[-1], arithmetic=pairs), softmax])
    return tuple(
        add_works([products[operand], scores]) if place == 0 and operand != _VALUE else products[operand]
        for place, operand in enumerate(needed)
    )


ATTENTION = op(
    "scaled_dot_product_attention",
    family=FAMILY,
    attributes=Scores,
    bindings=binding(
        infer_attention,
        "nn.functional.scaled_dot_product_attention",
        # An exported model calls the second.
        "ops.aten.scaled_dot_product_attention.default",
    ),
    aten={
        "scaled_dot_product_attention": {},
        "_scaled_dot_product_flash_attention": infer_fused_attention,
        "_scaled_dot_product_flash_attention_for_cpu": infer_fused_attention,
        "_scaled_dot_product_efficient_attention": infer_fused_attention,
        "_scaled_dot_product_cudnn_attention": infer_fused_attention,
        "_scaled_dot_product_fused_attention_overrideable": infer_fused_attention,
    },
    work=attention,
    factors=attention_factors,
    gradient=joint_gradient(attention_gradient, takes=(_QUERY, _KEY, _VALUE)),
    saves=("query", "key", "value", "output", "statistics"),
)


@composite("nn.functional.multi_head_attention_forward", repeated=True)
def infer_multi_head_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: TensorLike | None,
    in_proj_bias: TensorLike | None,
    bias_k: TensorLike | None,
    bias_v: TensorLike | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: TensorLike,
    out_proj_bias: TensorLike | None,
    training: bool = True,
    key_padding_mask: TensorLike | None = None,
    need_weights: bool = True,
    attn_mask: TensorLike | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: TensorLike | None = None,
    k_proj_weight: TensorLike | None = None,
    v_proj_weight: TensorLike | None = None,
    static_k: TensorLike | None = None,
    static_v: TensorLike | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Steps:
    """Project three times, attend in every head, and project the output.

    Torch projects with one product if query, key and value are the same tensor, with two if
    key and value are, and with three otherwise.

    Below this function, and in an exported model, torch takes query, key and value out of one
    projection by three ops, whose gradients it adds up; here they are the pieces of one op.
    """
    if static_k is not None or static_v is not None or (bias_k is None) != (bias_v is None):
        raise NotDescribed
    _check_shapes(query, key, value, embed_dim_to_check, num_heads)
    length, *middle, width = query.shape
    batched, batch = bool(middle), middle[0] if middle else 1
    if attn_mask is not None or key_padding_mask is not None:
        _check_masks(attn_mask, key_padding_mask, (batch, num_heads, length, key.shape[0]))

    if use_separate_proj_weight:
        weights: tuple[Any, ...] = (q_proj_weight, k_proj_weight, v_proj_weight)
        biases = [None] * 3 if in_proj_bias is None else (yield infer_chunk(in_proj_bias, 3))
        q, k, v = yield from _project_each((query, key, value), weights, biases)
    elif in_proj_weight is None:
        raise NotDescribed
    else:
        q, k, v = yield from _project_stacked(query, key, value, in_proj_weight, in_proj_bias)
    # A learned key and value add one row, and a key of zeros another.
    keys = key.shape[0] + (bias_k is not None) + add_zero_attn

    q, k, v = yield _split_heads(q, k, v, (batch, num_heads, length, keys))
    # Torch drops the mask here, too: the kernel knows a causal one by its flag, unless padding or the weights
    # that are returned need the mask itself.
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    mask = yield from _join_masks(attn_mask, key_padding_mask, (batch, num_heads, length, keys))
    rate = dropout_p if training else 0.0
    weights_out: TensorLike | None = None
    if need_weights:
        out, weights_out = yield from _attend_with_weights(q, k, v, mask, rate)
        if average_attn_weights:
            weights_out = yield Call("mean", (weights_out,), (batch, length, keys))
        if not batched:
            weights_out = yield Call("squeeze", (weights_out,), tuple(weights_out.shape)[1:])
    else:
        call = infer_attention(q, k, v, mask, rate, is_causal and mask is None)
        if mask is not None:
            # Torch gives every mask the dimensions of the scores first.
            call.attributes["mask_dims"] = len(call.shape)
        out = yield call
    out = yield Call("reshape", (out,), (length, batch, width) if batched else (length, width))
    out = yield infer_linear(out, out_proj_weight, out_proj_bias)
    return out, weights_out


def _check_shapes(query: TensorLike, key: TensorLike, value: TensorLike, width: int, num_heads: int) -> None:
    of_query, of_key, of_value = tuple(query.shape), tuple(key.shape), tuple(value.shape)
    if len(of_query) not in (2, 3) or len(of_key) != len(of_query):
        raise NotDescribed
    if of_query[-1] != width:
        raise Mismatch(f"takes a query of width {width}, but its query has {of_query[-1]}")
    if width % num_heads:
        raise Mismatch(f"has {num_heads} heads, which do not divide its width of {width}")
    if of_key[:-1] != of_value[:-1] or of_key[1:-1] != of_query[1:-1]:
        raise Mismatch("the shapes of its query, key and value do not match")


def _check_masks(mask: TensorLike | None, padding: TensorLike | None, sizes: Shape) -> None:
    batch, heads, queries, keys = sizes
    if mask is not None and tuple(mask.shape) not in ((queries, keys), (batch * heads, queries, keys)):
        raise NotDescribed
    if padding is not None and tuple(padding.shape) not in ((keys,), (batch, keys)):
        raise NotDescribed


def _project_stacked(
    query: TensorLike, key: TensorLike, value: TensorLike, weight: TensorLike, bias: TensorLike | None
) -> Part[tuple[TensorLike, TensorLike, TensorLike]]:
    """Project query, key and value by weights that are stacked in one matrix."""
    width = query.shape[-1]
    if query is key is value:
        stacked = yield infer_linear(query, weight, bias)
        q, k, v = yield infer_chunk(stacked, 3, -1)
        return q, k, v
    if key is value:
        parts = [width, 2 * width]
        for_query, for_others = yield infer_split(weight, parts)
        biases = (None, None) if bias is None else (yield infer_split(bias, parts))
        q = yield infer_linear(query, for_query, biases[0])
        stacked = yield infer_linear(key, for_others, biases[1])
        k, v = yield infer_chunk(stacked, 2, -1)
        return q, k, v
    weights = yield infer_chunk(weight, 3)
    three_biases = [None] * 3 if bias is None else (yield infer_chunk(bias, 3))
    return (yield from _project_each((query, key, value), weights, three_biases))


def _project_each(
    tensors: tuple[TensorLike, ...], weights: Sequence[TensorLike], biases: Sequence[TensorLike | None]
) -> Part[tuple[TensorLike, TensorLike, TensorLike]]:
    q = yield infer_linear(tensors[0], weights[0], biases[0])
    k = yield infer_linear(tensors[1], weights[1], biases[1])
    v = yield infer_linear(tensors[2], weights[2], biases[2])
    return q, k, v


def _split_heads(q: TensorLike, k: TensorLike, v: TensorLike, sizes: Shape) -> Call:
    """Cut query, key and value into heads; if keys are added, that copies the tensors to join them."""
    batch, heads, queries, keys = sizes
    width = q.shape[-1] // heads
    shape = (batch, heads, keys, width)
    return Call(
        "reshape" if keys == k.shape[0] else "cat",
        (q, k, v),
        (batch, heads, queries, width),
        others=((shape, None), (shape, None)),
        pack=tuple,
    )


def _join_masks(mask: TensorLike | None, padding: TensorLike | None, shape: Shape) -> Part[TensorLike | None]:
    """Join the two masks into one that is added to the scores."""
    if padding is None:
        return mask
    batch, heads, queries, keys = shape
    per_head = (batch * heads, 1, keys)
    padding = yield Call("expand", (padding,), per_head)
    if mask is None or padding is None:
        return padding
    rows = (1 if mask.dim() == 2 else batch * heads, queries, keys)
    joined: TensorLike = yield Call("add", (mask, padding), broadcast(rows, per_head))
    return joined


def _attend_with_weights(
    q: TensorLike, k: TensorLike, v: TensorLike, mask: TensorLike | None, rate: float
) -> Part[tuple[TensorLike, TensorLike]]:
    """Attend step by step, as torch does if it has to return the weights."""
    q = yield Call("mul", (q,), tuple(q.shape))
    k = yield Call("transpose", (k,), (*k.shape[:-2], k.shape[-1], k.shape[-2]))
    if mask is None:
        scores = yield infer_matmul(q, k)
    else:
        scores = yield Call("baddbmm", (q, k, mask), (*q.shape[:-1], k.shape[-1]))
    weights = yield infer_softmax(scores, -1)
    if rate > 0.0:
        weights = yield Call("dropout", (weights,), tuple(weights.shape), {"training": True})
    out = yield infer_matmul(weights, v)
    return out, weights


@composite("_nested_tensor_from_mask_left_aligned")
def infer_padding_at_the_end(tensor: TensorLike, mask: TensorLike) -> Steps:
    """Say that TransformerEncoder may not leave out padding: only the values of the mask could allow it."""
    # Without a ``yield`` this would be no generator, as a composite has to be.
    yield from ()
    return False
