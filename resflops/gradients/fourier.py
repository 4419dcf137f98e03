"""Gradients of Fourier transforms."""

from resflops.gradients.registry import gradient_rule
from resflops.ops import OPS
from resflops.records import OpRecord, Work


@gradient_rule("fft", "rfft", "irfft")
def transform_gradient(record: OpRecord, operand: int) -> Work:
    """As the forward pass: the gradient of a transform is the transform the other way."""
    del operand
    return OPS[record.op].work(record)
