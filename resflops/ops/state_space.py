"""Scans of state-space models and linear attention: fused kernels of other libraries, known by name.

Looked up in mamba-ssm 2.2, causal-conv1d 1.5 and fla 0.6; none of them is imported. Multiply-accumulates
are those of the products that a kernel does. A state that decays and is added to does elementwise arithmetic,
as it does written in torch. What the gradients of a scan take is not known here and listed as uncounted.
"""

from collections.abc import Callable
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, NotDescribed, TensorLike
from resflops.ops._declaration import each_gradient, kernel, op
from resflops.records import Attribute, OpRecord, Shape, Work

FAMILY = "state_space"


class CausalConvolution(Attributes, frozen=True):
    """A convolution of every channel by itself, along time, over what has been."""

    bias: bool
    activation: bool
    """Whether a SiLU follows."""


def causal_convolution(record: OpRecord, attributes: CausalConvolution) -> Work:
    """One MAC per output element and tap; then the bias, and a SiLU's operations."""
    points = prod(record.output_shape)
    # As SiLU is declared: a sigmoid, and a product with the input.
    return Work(
        macs=points * record.input_shapes[1][-1],
        bias_adds=points if attributes.bias else 0,
        arithmetic=4 * points if attributes.activation else 0,
        transcendental=points if attributes.activation else 0,
    )


def causal_convolution_gradient(record: OpRecord, attributes: CausalConvolution, operand: int) -> Work:
    """Input and weight: as many MACs as forward; bias: one addition per output element."""
    points = prod(record.output_shape)
    if operand > 1:
        return Work(arithmetic=points)
    # The gradient of the SiLU stands with the input.
    extra = 5 * points if attributes.activation and operand == 0 else 0
    return Work(macs=points * record.input_shapes[1][-1], arithmetic=extra)


op(
    "causal_conv1d",
    family=FAMILY,
    cause="convolution",
    attributes=CausalConvolution,
    work=causal_convolution,
    gradient=each_gradient(causal_convolution_gradient),
)

_CONVOLUTIONS = "causal_conv1d.causal_conv1d_interface"


@kernel(_CONVOLUTIONS, "CausalConv1dFn.forward")
def read_causal_convolution(given: dict[str, Any]) -> Call:
    """Read a convolution of (batch, channels, length) by (channels, taps)."""
    data, weight, bias = given["x"], given["weight"], given.get("bias")
    activation = given.get("activation") is not None
    attributes: dict[str, Attribute] = {"bias": bias is not None, "activation": activation}
    call = Call("causal_conv1d", (data, weight), tuple(data.shape), attributes, affine=(bias,))
    if given.get("return_final_states"):
        call.others, call.pack = (((*data.shape[:-1], weight.shape[-1] - 1), None),), tuple
    return call


@kernel(_CONVOLUTIONS, "causal_conv1d_update_function")
def read_causal_update(given: dict[str, Any]) -> Call:
    """Read the convolution of one time step, or a few, of (batch, channels) or (batch, channels, steps)."""
    data, weight, bias = given["x"], given["weight"], given.get("bias")
    activation = bool(given.get("silu_activation"))
    attributes: dict[str, Attribute] = {"bias": bias is not None, "activation": activation}
    return Call("causal_conv1d", (data, weight), tuple(data.shape), attributes, affine=(bias,))


class Scan(Attributes, frozen=True):
    """What a selective scan does besides."""

    state: int
    """How many numbers the state of one channel has."""
    skip: bool
    """Whether the input is scaled and added to the output."""
    gated: bool
    bias: bool
    softplus: bool


def selective_scan(record: OpRecord, attributes: Scan) -> Work:
    """One MAC per channel, time step and number of the state.

    The output is a product with the state. The state itself is elementwise: its decay, one product and an
    exponential; what is added, two products; and the product and addition of the step.
    """
    points = prod(record.input_shapes[0])
    inside = points * attributes.state
    arithmetic = 5 * inside + points * (2 * attributes.skip + attributes.bias + 2 * attributes.softplus)
    transcendental = inside + points * (attributes.gated + 2 * attributes.softplus)
    return Work(
        macs=inside, arithmetic=arithmetic + 5 * points * attributes.gated, transcendental=transcendental
    )


op("selective_scan", family=FAMILY, attributes=Scan, work=selective_scan)


def _describe_scan(state: int, given: dict[str, Any]) -> dict[str, Attribute]:
    return {
        "state": state,
        "skip": given.get("D") is not None,
        "gated": given.get("z") is not None,
        "bias": given.get("delta_bias") is not None,
        "softplus": bool(given.get("delta_softplus")),
    }


@kernel("mamba_ssm.ops.selective_scan_interface", "SelectiveScanFn.forward")
def read_selective_scan(given: dict[str, Any]) -> Call:
    """Read Mamba's scan of (batch, channels, length)."""
    names = ("u", "delta", "A", "B", "C", "D", "z")
    data, decay = given["u"], given["A"]
    inputs = tuple(given[name] for name in names if given.get(name) is not None)
    call = Call("selective_scan", inputs, tuple(data.shape), _describe_scan(decay.shape[-1], given))
    if given.get("return_last_state"):
        call.others, call.pack = (((*data.shape[:-1], decay.shape[-1]), "float32"),), tuple
    return call


class Macs(Attributes, frozen=True):
    """The multiply-accumulates of a kernel, which follow from more sizes than its record's shapes show."""

    macs: int


def scan_products(record: OpRecord, attributes: Macs) -> Work:
    """The products of a scan by chunks or by time steps; its elementwise arithmetic is not counted."""
    del record
    return Work(macs=attributes.macs)


op("chunk_scan", family=FAMILY, attributes=Macs, work=scan_products)


def _sum_squares(length: int, chunk: int) -> int:
    """Sum the squares of the lengths of chunks, of which the last may be shorter."""
    whole, rest = divmod(length, chunk)
    return whole * chunk**2 + rest**2


@kernel("mamba_ssm.ops.triton.ssd_combined", "MambaChunkScanCombinedFn.forward")
def read_chunk_scan(given: dict[str, Any]) -> Call:
    """Read Mamba-2's scan by chunks, of (batch, length, heads, width).

    Within a chunk all pairs of time steps meet: once a group, for the product of B and C, and once a head,
    for that with the input. Each chunk then makes a state of its inputs, and each step reads the last one.
    """
    data, written, read = given["x"], given["B"], given["C"]
    batch, length, heads, width = data.shape
    groups, state = written.shape[-2:]
    if given.get("cu_seqlens") is not None:
        raise NotDescribed
    pairs = batch * _sum_squares(length, given["chunk_size"])
    macs = pairs * (groups * state + heads * width) + 2 * batch * length * heads * width * state
    inputs = (data, given["dt"], given["A"], written, read)
    call = Call("chunk_scan", inputs, tuple(data.shape), {"macs": macs})
    if given.get("return_final_states"):
        call.others, call.pack = (((batch, heads, width, state), "float32"),), tuple
    return call


def _read_linear(count: Callable[[int, int, int, int], int]) -> Callable[[dict[str, Any]], Call]:
    """Make the reader of linear attention on (batch, length, heads, width).

    Args:
        count: the multiply-accumulates of a head, from the length, the two widths and the size of a chunk.
    """

    def read(given: dict[str, Any]) -> Call:
        inputs: tuple[TensorLike, ...] = (given["q"], given["k"], given["v"])
        value: Shape = tuple(inputs[2].shape)
        batch, length, heads, value_width = value
        width = inputs[1].shape[-1]
        if given.get("cu_seqlens") is not None or given.get("return_intermediate_states"):
            raise NotDescribed
        macs = batch * heads * count(length, width, value_width, given.get("chunk_size") or _CHUNK)
        call = Call("chunk_scan", inputs, value, {"macs": macs}, inputs[0].dtype)
        if given.get("output_final_state"):
            call.others, call.pack = (((batch, heads, width, value_width), "float32"),), tuple
        else:
            call.pack = _add_no_state
        return call

    return read


def _add_no_state(outs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*outs, None)


_CHUNK = 64
"""How long fla's chunks are where it does not say."""


def count_gated_chunks(length: int, width: int, value_width: int, chunk: int) -> int:
    """Count a chunk's scores and their product with the values, and two products with the state.

    >>> count_gated_chunks(8, 3, 5, 4)
    496
    """
    return _sum_squares(length, chunk) * (width + value_width) + 2 * length * width * value_width


def count_delta_chunks(length: int, width: int, value_width: int, chunk: int) -> int:
    """Count the same, and what the delta rule has besides.

    These are the products of keys with keys, of the inverse with keys and with values, and of the keys with
    the state, whose result is taken from the values. The inverse of the triangle itself is not counted.

    >>> count_delta_chunks(8, 3, 5, 4)
    968
    """
    gated = count_gated_chunks(length, width, value_width, chunk)
    return gated + _sum_squares(length, chunk) * (2 * width + value_width) + length * width * value_width


def count_gated_steps(length: int, width: int, value_width: int, chunk: int) -> int:
    """Count the product of each query with the state."""
    del chunk
    return length * width * value_width


def count_delta_steps(length: int, width: int, value_width: int, chunk: int) -> int:
    """Count the products of each query and of each key with the state."""
    return 2 * count_gated_steps(length, width, value_width, chunk)


for _module, _name, _count in (
    ("fla.ops.simple_gla.chunk", "ChunkSimpleGLAFunction", count_gated_chunks),
    ("fla.ops.gla.chunk", "ChunkGLAFunction", count_gated_chunks),
    ("fla.ops.common.fused_chunk", "FusedChunkFunction", count_gated_chunks),
    ("fla.ops.common.fused_recurrent", "FusedRecurrentFunction", count_gated_steps),
    ("fla.ops.delta_rule.chunk", "ChunkDeltaRuleFunction", count_delta_chunks),
    ("fla.ops.delta_rule.fused_recurrent", "FusedRecurrentFunction", count_delta_steps),
    ("fla.ops.gated_delta_rule.chunk", "ChunkGatedDeltaRuleFunction", count_delta_chunks),
    ("fla.ops.gated_delta_rule.fused_recurrent", "FusedRecurrentFunction", count_delta_steps),
    ("fla.ops.kda.chunk", "ChunkKDAFunction", count_delta_chunks),
):
    kernel(_module, f"{_name}.forward")(_read_linear(_count))
