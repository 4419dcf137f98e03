"""A group normalisation and a SiLU in one kernel, as image generators have it."""

from math import prod

from resflops.ops._call import Call, TensorLike
from resflops.ops._declaration import Needed, binding, joint_gradient, op
from resflops.ops.normalization import (
    GroupStatistics,
    infer_group_norm,
    normalisation,
    normalisation_gradient,
)
from resflops.records import OpRecord, Work


def infer_group_norm_silu(
    input: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Call:
    """As the normalisation alone."""
    call = infer_group_norm(input, num_groups, weight, bias, eps)
    call.op = "group_norm_silu"
    return call


def group_norm_silu(record: OpRecord, attributes: GroupStatistics) -> Work:
    """A group normalisation, and per element a SiLU: 4 arithmetic and 1 transcendental."""
    points, normalised = prod(record.output_shape), normalisation(record, attributes)
    return Work(
        arithmetic=normalised.arithmetic + 4 * points, transcendental=normalised.transcendental + points
    )


def group_norm_silu_gradient(
    record: OpRecord, attributes: GroupStatistics, needed: Needed
) -> tuple[Work, ...]:
    """A group normalisation's, after 5 per element for the SiLU's, which stand with the first."""
    first, *others = normalisation_gradient(record, attributes, needed)
    return (Work(arithmetic=first.arithmetic + 5 * prod(record.output_shape)), *others)


GROUP_NORM_SILU = op(
    "group_norm_silu",
    family="normalization",
    attributes=GroupStatistics,
    bindings=binding(
        infer_group_norm_silu, "ops.acceptance.group_norm_silu", "ops.acceptance.group_norm_silu.default"
    ),
    aten={"acceptance.group_norm_silu": {}},
    work=group_norm_silu,
    gradient=joint_gradient(group_norm_silu_gradient),
    saves=("input", "weight", "statistics"),
)
