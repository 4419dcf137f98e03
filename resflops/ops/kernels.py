"""Fused kernels of other libraries: attention, and attention to neighbours.

The tracer knows them by the names of the torch ops, autograd Functions and inner functions that call them,
and does not import the libraries. Arguments are read by name, since their order changes between versions.
Looked up in flash-attn 2.8, xFormers 0.0.35 and natten 0.17.

Attention is dense here as everywhere, also under a causal mask or a window of flash-attn's, since a mask only
says which scores count. A neighbourhood of natten's has no other scores than its own.
"""

from collections.abc import Callable
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, NotDescribed, TensorLike
from resflops.ops._declaration import Needed, each_gradient, joint_gradient, kernel, op
from resflops.ops.softmax import softmax_gradient_work, softmax_work
from resflops.records import Attribute, OpRecord, Shape, Work, add_works

FAMILY = "kernels"


class Pairs(Attributes, frozen=True):
    """How many queries meet how many keys."""

    rows: int
    """Queries, over batch and heads."""
    pairs: int
    """Pairs of a query and a key that it meets, over batch and heads."""
    width: int
    value_width: int


def fused_attention(record: OpRecord, attributes: Pairs) -> Work:
    """Per query-key pair one MAC per element of either product's width, and the softmax between them.

    The scores are scaled by one multiplication each, as in ``scaled_dot_product_attention``.
    """
    del record
    pairs, rows = attributes.pairs, attributes.rows
    softmax = softmax_work(rows=1, length=pairs) if rows else Work()
    # Each row has a largest element and a sum of its own.
    folds = rows - 1 if rows else 0
    return Work(
        macs=pairs * (attributes.width + attributes.value_width),
        arithmetic=softmax.arithmetic - folds + pairs,
        comparisons=softmax.comparisons - folds,
        transcendental=softmax.transcendental,
    )


_PARTS: dict[int, Callable[[Work, Work], list[tuple[Work, ...]]]] = {
    1: lambda query, value: [(query, query, value)],
    2: lambda query, value: [(query,), (query, value)],
    3: lambda query, value: [(query,), (query,), (value,)],
}
"""The gradients in each operand, by how many operands there are."""


def fused_attention_gradient(record: OpRecord, attributes: Pairs, needed: Needed) -> tuple[Work, ...]:
    """Four matrix products, two for each of the forward pass, and the gradient of the softmax."""
    pairs, rows = attributes.pairs, attributes.rows
    softmax = softmax_gradient_work(rows=1, length=pairs)
    scores = Work(
        macs=pairs * attributes.value_width, arithmetic=softmax.arithmetic - (rows - 1 if rows else 0) + pairs
    )
    query, value = Work(macs=pairs * attributes.width), Work(macs=pairs * attributes.value_width)
    # Packed inputs hold several of them: queries, keys and values, or the last two.
    by_operand = _PARTS[len(record.input_shapes)](query, value)
    last = len(by_operand) - 1
    works = []
    for place, operand in enumerate(needed):
        parts = by_operand[operand]
        shared = (scores,) if place == 0 and (operand != last or last == 0 or len(parts) > 1) else ()
        works.append(add_works([*parts, *shared]))
    return tuple(works)


def _call_attention(
    inputs: tuple[TensorLike, ...], shape: Shape, *, pairs: int, rows: int, width: int
) -> Call:
    attributes: dict[str, Attribute] = {
        "rows": rows,
        "pairs": pairs,
        "width": width,
        "value_width": shape[-1],
    }
    return Call("fused_attention", inputs, shape, attributes)


def _attend(inputs: tuple[TensorLike, ...], query: Shape, keys: int, value_width: int) -> Call:
    """Call attention on (batch, queries, heads, width)."""
    rows = prod(query[:-1])
    return _call_attention(inputs, (*query[:-1], value_width), pairs=rows * keys, rows=rows, width=query[-1])


def _attend_varying(inputs: tuple[TensorLike, ...], query: Shape, key: Shape, value_width: int,
                    ends: tuple[Any, Any], longest: tuple[int, int]) -> Call:  # fmt: skip
    """Call attention on (tokens, heads, width), in sequences whose ends only the values of a tensor tell.

    On shapes they are known for one sequence, and where all are as long as the longest.
    """
    batch = ends[0].shape[0] - 1
    if batch == 1:
        per_head = query[-3] * key[-3]
    elif (batch * longest[0], batch * longest[1]) == (query[-3], key[-3]):
        per_head = batch * longest[0] * longest[1]
    elif ends[0].is_meta or ends[1].is_meta:
        # An op without a rule: what is not known must not count as zero.
        return Call("fused_attention by lengths", inputs, (*query[:-1], value_width))
    else:
        queries, keys = (each.tolist() for each in ends)
        steps = zip(queries, queries[1:], keys, keys[1:], strict=False)
        per_head = sum((to - start) * (last - first) for start, to, first, last in steps)
    heads = query[-2]
    return _call_attention(
        inputs, (*query[:-1], value_width), pairs=per_head * heads, rows=query[-3] * heads, width=query[-1]
    )


def _with_statistics(call: Call, given: dict[str, Any], statistics: Shape) -> Call:
    """Let a Function of flash-attn return the sums and weights, too, if it was asked to."""
    if given.get("return_softmax") or given.get("return_attn_probs"):
        call.others, call.pack = ((statistics, "float32"),), lambda outs: (*outs, None)
    return call


def _find(given: dict[str, Any], *names: str) -> Any:
    for name in names:
        if given.get(name) is not None:
            return given[name]
    return None


@kernel("flash_attn.flash_attn_interface", "FlashAttnFunc.forward")
@kernel("flash_attn.flash_attn_interface", "FlashAttnKVPackedFunc.forward")
@kernel("flash_attn.flash_attn_interface", "FlashAttnQKVPackedFunc.forward")
# Version 3, for Hopper, and 4.
@kernel("flash_attn_interface", "FlashAttnFunc.forward")
@kernel("flash_attn_interface", "FlashAttnQKVPackedFunc.forward")
@kernel("flash_attn.cute.interface", "FlashAttnFunc.forward")
def read_flash_attention(given: dict[str, Any]) -> Call:
    """Read attention on (batch, length, heads, width), with keys and values apart or packed."""
    if "qkv" in given:
        packed = given["qkv"]
        batch, length, *_, heads, width = packed.shape
        call = _attend((packed,), (batch, length, heads, width), length, width)
    elif "kv" in given:
        query, packed = given["q"], given["kv"]
        call = _attend((query, packed), tuple(query.shape), packed.shape[1], packed.shape[-1])
    else:
        query, key, value = (given[name] for name in "qkv")
        call = _attend((query, key, value), tuple(query.shape), key.shape[1], value.shape[-1])
    batch, length, heads, _ = call.shape
    return _with_statistics(call, given, (batch, heads, length))


@kernel("flash_attn.flash_attn_interface", "FlashAttnVarlenFunc.forward")
@kernel("flash_attn.flash_attn_interface", "FlashAttnVarlenKVPackedFunc.forward")
@kernel("flash_attn.flash_attn_interface", "FlashAttnVarlenQKVPackedFunc.forward")
@kernel("flash_attn_interface", "FlashAttnVarlenFunc.forward")
@kernel("flash_attn.cute.interface", "FlashAttnVarlenFunc.forward")
def read_varying_flash_attention(given: dict[str, Any]) -> Call:
    """Read attention on (tokens, heads, width), in sequences of several lengths."""
    ends = (
        _find(given, "cu_seqlens_q", "cu_seqlens"),
        _find(given, "cu_seqlens_k", "cu_seqlens_q", "cu_seqlens"),
    )
    longest = (
        _find(given, "max_seqlen_q", "max_seqlen"), _find(given, "max_seqlen_k", "max_seqlen_q", "max_seqlen")
    )  # fmt: skip
    if None in ends or _find(given, "block_table", "page_table", "seqused_k") is not None:
        raise NotDescribed
    inputs: tuple[TensorLike, ...]
    if "qkv" in given:
        tokens, *_, heads, width = given["qkv"].shape
        inputs, query, key = (given["qkv"],), (tokens, heads, width), (tokens, heads, width)
    elif "kv" in given:
        inputs, query = (given["q"], given["kv"]), tuple(given["q"].shape)
        key = (given["kv"].shape[0], *given["kv"].shape[-2:])
    else:
        inputs = tuple(given[name] for name in "qkv")
        query, key = tuple(inputs[0].shape), (*inputs[1].shape[:-1], inputs[2].shape[-1])
    call = _attend_varying(inputs, query, key, key[-1], ends, longest)
    return _with_statistics(call, given, (query[-2], query[-3]))


def _read_op(
    names: tuple[str, str, str], ends: tuple[str, str], longest: tuple[str, str]
) -> Callable[..., Call]:
    """Make the reader of an op on (batch, length, heads, width), or on tokens if it is told their ends."""

    def read(given: dict[str, Any]) -> Call:
        inputs = tuple(given[name] for name in names)
        query, key, value = (tuple(tensor.shape) for tensor in inputs)
        first, second = (given.get(name) for name in ends)
        if first is None or second is None:
            return _attend(inputs, query, key[-3], value[-1])
        most = (given[longest[0]], given[longest[1]])
        return _attend_varying(inputs, query, key, value[-1], (first, second), most)

    return read


_ENDS, _LONGEST = ("cu_seqlens_q", "cu_seqlens_k"), ("max_seqlen_q", "max_seqlen_k")
_WORDS = ("query", "key", "value")
_OPS = {
    "_flash_attention_forward": _read_op(_WORDS, ("cum_seq_q", "cum_seq_k"), ("max_q", "max_k")),
    "_efficient_attention_forward": _read_op(_WORDS, _ENDS, _LONGEST),
    "torch_attn._varlen_attn": _read_op(_WORDS, ("cu_seq_q", "cu_seq_k"), ("max_q", "max_k")),
    "xformers_flash.flash_fwd": _read_op(_WORDS, _ENDS, _LONGEST),
    "xformers.efficient_attention_forward_cutlass": _read_op(_WORDS, _ENDS, _LONGEST),
    **{
        f"{library}.{name}": _read_op(("q", "k", "v"), _ENDS, _LONGEST)
        for library in ("flash_attn", "flashattn", "flash_attn_3")
        for name in ("_flash_attn_forward", "_flash_attn_varlen_forward")
    },
}

FUSED_ATTENTION = op(
    "fused_attention",
    family=FAMILY,
    cause="attention",
    attributes=Pairs,
    aten=_OPS,
    work=fused_attention,
    gradient=joint_gradient(fused_attention_gradient, takes=(0, 1, 2)),
)


_NATTEN, _DIMENSIONS = "natten.functional", (1, 2, 3)


def _neighbours(given: dict[str, Any], dimensions: int) -> int:
    size = given["kernel_size"]
    return int(size**dimensions) if isinstance(size, int) else prod(size)


def _read_neighbourhood(dimensions: int) -> Callable[..., Call]:
    def read(given: dict[str, Any]) -> Call:
        """Read attention on (batch, …, heads, width), of each position to its neighbours."""
        inputs = tuple(given[name] for name in _WORDS)
        query, value = tuple(inputs[0].shape), inputs[2].shape
        rows = prod(query[:-1])
        return _call_attention(
            inputs, (*query[:-1], value[-1]),
            pairs=rows * _neighbours(given, dimensions), rows=rows, width=query[-1],
        )  # fmt: skip

    return read


def _read_scores(dimensions: int) -> Callable[..., Call]:
    def read(given: dict[str, Any]) -> Call:
        """Read the scores of (batch, heads, …, width), one product of a width for each neighbour."""
        query, key = given["query"], given["key"]
        shape = (*query.shape[:-1], _neighbours(given, dimensions))
        return Call("neighbourhood_product", (query, key), shape, {"macs": prod(query.shape) * shape[-1]})

    return read


def _read_values(given: dict[str, Any]) -> Call:
    """Read the sum of the neighbours' values, weighed by the scores."""
    scores, value = given["attn"], given["value"]
    shape = (*scores.shape[:-1], value.shape[-1])
    return Call("neighbourhood_product", (scores, value), shape, {"macs": prod(shape) * scores.shape[-1]})


for _each in _DIMENSIONS:
    # The first two are the names up to 0.17, the third is that of 0.20 and later.
    for _module, _name in (
        (_NATTEN, f"FusedNeighborhoodAttention{_each}D"),
        (_NATTEN, f"NeighborhoodAttention{_each}DAutogradFunction"),
        ("natten.backends.fna", f"CutlassFNA{_each}DAutogradFn"),
    ):
        kernel(_module, f"{_name}.forward")(_read_neighbourhood(_each))
    kernel(_NATTEN, f"NeighborhoodAttention{_each}DQKAutogradFunction.forward")(_read_scores(_each))
    kernel(_NATTEN, f"NeighborhoodAttention{_each}DAVAutogradFunction.forward")(_read_values)


class Products(Attributes, frozen=True):
    """Multiply-accumulates that follow from sizes which the record's shapes alone do not order."""

    macs: int


def neighbourhood_product(record: OpRecord, attributes: Products) -> Work:
    """One MAC per query, neighbour and element of the width."""
    del record
    return Work(macs=attributes.macs)


def neighbourhood_product_gradient(record: OpRecord, attributes: Products, operand: int) -> Work:
    """Either factor: as many MACs as forward."""
    del operand
    return neighbourhood_product(record, attributes)


op(
    "neighbourhood_product",
    family=FAMILY,
    cause="attention",
    attributes=Products,
    work=neighbourhood_product,
    gradient=each_gradient(neighbourhood_product_gradient, takes=(0, 1)),
)


@kernel("xformers.ops.fmha", "_memory_efficient_attention")
@kernel("xformers.ops.fmha", "_memory_efficient_attention_forward")
def read_memory_efficient_attention(given: dict[str, Any]) -> Call:
    """Read xFormers' attention on (batch, length, heads, width), without heads, or with groups of them."""
    asked = given["inp"]
    inputs = (asked.query, asked.key, asked.value)
    query, key, value = (tuple(tensor.shape) for tensor in inputs)
    width, value_width = query[-1], value[-1]
    shape = (*query[:-1], value_width)
    heads = prod(query[2:-1])
    bias = asked.attn_bias
    if hasattr(bias, "q_seqinfo"):
        # Sequences behind each other, of which xFormers knows the ends without a tensor.
        queries, keys = bias.q_seqinfo.intervals(), bias.k_seqinfo.intervals()
        per_head = sum((a[1] - a[0]) * (b[1] - b[0]) for a, b in zip(queries, keys, strict=True))
    else:
        per_head = query[0] * query[1] * key[1]
    return _call_attention(inputs, shape, pairs=per_head * heads, rows=prod(query[:-1]), width=width)
