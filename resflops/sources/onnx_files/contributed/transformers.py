"""Operators that are parts of transformers: attention, embeddings, sums with a normalisation."""

from collections.abc import Iterable

from resflops.sources.onnx_files.contributed._rules import Given, Output, Unknown, outputs


@outputs("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")
def _normalise_sum(given: Given) -> Iterable[Output]:
    sizes = given.sizes(0)
    statistics = (*sizes[:-1], 1)
    yield given.get(0), sizes
    yield given.get(0), statistics
    yield given.get(0), statistics
    yield given.get(0), sizes


@outputs("SkipGroupNorm")
def _normalise_groups(given: Given) -> Iterable[Output]:
    yield given.get(0), given.sizes(0)
    yield given.get(0), given.sizes(0)


@outputs("EmbedLayerNormalization")
def _embed(given: Given) -> Iterable[Output]:
    embedded = (*given.sizes(0), given.sizes(2)[-1])
    yield given.get(2), embedded
    yield given.get(0), given.sizes(0)[:1]
    yield given.get(2), embedded


@outputs("BiasSplitGelu")
def _halve(given: Given) -> Iterable[Output]:
    *outer, width = given.sizes(0)
    if width is None:
        raise Unknown
    yield given.get(0), (*outer, width // 2)


@outputs("Attention")
def _attend(given: Given) -> Iterable[Output]:
    yield from _attend_projected(given, past=4, like=0)


@outputs("QAttention")
def _attend_integers(given: Given) -> Iterable[Output]:
    yield from _attend_projected(given, past=8, like=3)


def _attend_projected(given: Given, past: int, like: int) -> Iterable[Output]:
    batch, length, _ = given.sizes(0)
    _, joined = given.sizes(1)
    if joined is None:
        raise Unknown
    widths = given.attributes.get("qkv_hidden_sizes") or (joined // 3,) * 3
    heads = given.number("num_heads")
    yield given.get(like), (batch, length, widths[2])
    earlier = 0
    if given.has(past):
        if given.number("past_present_share_buffer"):
            yield given.get(past), given.sizes(past)
            return
        earlier = given.sizes(past)[3] or 0
    total = None if length is None else length + earlier
    yield given.get(like), (2, batch, heads, total, widths[0] // heads)


@outputs("PackedAttention")
def _attend_packed(given: Given) -> Iterable[Output]:
    tokens, _ = given.sizes(0)
    joined = given.sizes(1)[1] or 0
    widths = given.attributes.get("qkv_hidden_sizes") or (joined // 3,) * 3
    yield given.get(0), (tokens, widths[2])


@outputs("MultiHeadAttention")
def _attend_by_heads(given: Given) -> Iterable[Output]:
    heads, query = given.number("num_heads"), given.sizes(0)
    batch, length = query[:2]
    if not given.has(1):
        keys, widths = length, [query[4]] * 2
    elif not given.has(2):
        _, keys, _, _, width = given.sizes(1)
        widths = [width] * 2
    elif len(given.sizes(1)) == 4:
        keys, widths = given.sizes(1)[2], [given.sizes(place)[3] for place in (1, 2)]
    else:
        keys, widths = given.sizes(1)[1], [(given.sizes(place)[2] or 0) // heads for place in (1, 2)]
    key_width, value_width = widths
    if value_width is None:
        raise Unknown
    yield given.get(0), (batch, length, heads * value_width)
    if given.has(6):
        earlier = given.sizes(6)[2]
        keys = None if keys is None or earlier is None else keys + earlier
    yield given.get(0), (batch, heads, keys, key_width)
    yield given.get(0), (batch, heads, keys, value_width)


@outputs("GroupQueryAttention")
def _attend_by_groups(given: Given) -> Iterable[Output]:
    heads, shared = given.number("num_heads"), given.number("kv_num_heads")
    batch, length, width = given.sizes(0)
    if width is None:
        raise Unknown
    each = width // (heads if given.has(1) else heads + 2 * shared)
    yield given.get(0), (batch, length, heads * each)
    total, keys = given.get(6).value, length
    if total is not None:
        # What holds earlier keys may be longer than all that there are.
        keys = max(int(total.flat[0]), (given.sizes(3)[2] or 0) if given.has(3) else 0)
    elif given.has(3):
        earlier = given.sizes(3)[2]
        keys = None if earlier is None or length is None else earlier + length
    yield given.get(0), (batch, shared, keys, each)
    yield given.get(0), (batch, shared, keys, each)
