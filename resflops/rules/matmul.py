"""Matrix products in all their forms."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import Factors, rule


def product_factors(record: OpRecord) -> Factors:
    """Every element of the output is a dot product along the dimension summed over."""
    left = record.input_shapes[0]
    points = tuple(size for size in record.output_shape[:-1] if size != 1) + record.output_shape[-1:]
    return points, (left[-1],)


@rule("linear", factors=product_factors)
def linear(record: OpRecord) -> Work:
    """One MAC per input feature and output element; one bias add per output element.

    >>> from resflops.records import OpRecord
    >>> linear(OpRecord(op="linear", layer="fc", attributes={"bias": True},
    ...     input_shapes=((1, 512), (1000, 512)), output_shapes=((1, 1000),))).macs
    512000
    """
    points = prod(record.output_shape)
    return Work(
        macs=points * record.input_shapes[0][-1],
        bias_adds=points if record.attributes.get("bias") else 0,
    )


@rule("matmul", "mm", "bmm", "mv", "dot", "inner", factors=product_factors)
def matrix_product(record: OpRecord) -> Work:
    """One MAC per element of the output and of the dimension summed over.

    Broadcast batch dimensions need no term: the output already has them.
    """
    return Work(macs=prod(record.output_shape) * record.input_shapes[0][-1])


@rule("addmm", "addmv", "baddbmm", factors=product_factors)
def matrix_product_with_bias(record: OpRecord) -> Work:
    """The matrix product of the first two inputs, and one bias add per output element."""
    points = prod(record.output_shape)
    return Work(macs=points * record.input_shapes[0][-1], bias_adds=points)
