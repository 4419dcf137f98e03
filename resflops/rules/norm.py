"""Normalisations."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import rule

# Mean: one addition an element. Variance: a subtraction, a multiplication and an addition.
_STATISTICS = 4
# Subtract the mean, multiply by the reciprocal deviation.
_NORMALISE = 2


def _affine(record: OpRecord) -> int:
    return bool(record.attributes.get("weight")) + bool(record.attributes.get("bias"))


@rule("batch_norm")
def batch_norm(record: OpRecord) -> Work:
    """In eval mode 2 per element, scale and shift being folded; in training 6, and 2 for weight and bias.

    In eval mode the statistics, the weight and the bias are constants, which leave one
    multiplication and one addition an element. In training: mean 1, variance 3, normalise
    2, weight 1, bias 1, and one root per channel.
    """
    points = prod(record.input_shapes[0])
    if not record.attributes.get("training"):
        return Work(arithmetic=2 * points)
    channels = record.input_shapes[0][1] if len(record.input_shapes[0]) > 1 else 1
    return Work(arithmetic=(_STATISTICS + _NORMALISE + _affine(record)) * points, transcendental=channels)


@rule("layer_norm", "group_norm", "instance_norm")
def normalisation(record: OpRecord) -> Work:
    """Per element 6 (mean 1, variance 3, normalise 2), 1 for a weight, 1 for a bias; one root per group."""
    points = prod(record.input_shapes[0])
    groups = record.attributes.get("groups", 1)
    return Work(
        arithmetic=(_STATISTICS + _NORMALISE + _affine(record)) * points,
        transcendental=groups if isinstance(groups, int) else 1,
    )


@rule("rms_norm")
def rms_norm(record: OpRecord) -> Work:
    """Per element: square, add, scale, and 1 for a weight; one root per group."""
    points = prod(record.input_shapes[0])
    groups = record.attributes.get("groups", 1)
    return Work(
        arithmetic=(3 + _affine(record)) * points, transcendental=groups if isinstance(groups, int) else 1
    )


@rule("local_response_norm")
def local_response_norm(record: OpRecord) -> Work:
    """Per element, with a window of n channels: n + 3 arithmetic operations and one power.

    Krizhevsky et al. 2012, section 3.3: a square, n-1 additions over the window, alpha
    times, k plus, and a division by the power beta.
    """
    points = prod(record.input_shapes[0])
    size = record.attributes["size"]
    assert isinstance(size, int)  # noqa: S101 - the tracer writes it so
    return Work(arithmetic=points * (size + 3), transcendental=points)


@rule("_weight_norm_interface")
def weight_norm(record: OpRecord) -> Work:
    """Per weight: square, add, scale; per norm a root and a division.

    Salimans & Kingma 2016 (arXiv 1602.07868), equation 2: ``w = g / |v| · v``.
    """
    points, norms = prod(record.output_shape), prod(record.output_shapes[-1])
    return Work(arithmetic=3 * points + norms, transcendental=norms)
