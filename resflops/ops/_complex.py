"""What ops take on complex numbers: every operation is counted by the real ones that it is made of.

A complex multiply-accumulate is four real ones: ``(a + bi)·(c + di)`` has four products, each of which is
added to a sum. An addition is two, a multiplication that is not accumulated six (four products, two sums),
and a division eleven (six products, three sums, two divisions). A real operand beside a complex one is
converted first, as torch does, and so counts like it. A complex product is often done with three real
products, by Gauss's trick; kernels for neural networks do not, and it is not counted so.
"""

from collections.abc import Callable

from resflops.records import OpRecord, Work

__all__ = ["AS_REAL", "COMPLEX_TYPES", "PRODUCTS", "SUMS", "is_complex", "multiply", "multiply_work"]

SUMS = Work(macs=4, bias_adds=2, arithmetic=2, comparisons=2)
"""What each operation counts in an op whose arithmetic is additions, or products with real numbers."""
PRODUCTS = Work(macs=4, bias_adds=2, arithmetic=6, comparisons=2)
"""The same for an op whose arithmetic is multiplications."""
AS_REAL = Work(macs=1, bias_adds=1, arithmetic=1, comparisons=1, transcendental=1)
"""The same for an op whose rule counts complex numbers by their parts already."""

COMPLEX_TYPES = frozenset(("complex32", "complex64", "complex128"))


def is_complex(record: OpRecord) -> bool:
    """Whether an op works on complex numbers: it gives some, or the tracer has noted that it takes some."""
    return record.dtype in COMPLEX_TYPES or "complex" in record.attributes


def multiply_work(function: Callable[[OpRecord], Work], factors: Work) -> Callable[[OpRecord], Work | None]:
    """Make a rule for complex numbers from one for real ones, with a factor for each kind of work.

    A kind without a factor is not known: what has some of it has no rule.
    """

    def work(record: OpRecord) -> Work | None:
        return multiply(function(record), factors)

    return work


def multiply(work: Work, factors: Work) -> Work | None:
    """Multiply each kind of work by its factor; None where a kind has none."""
    counts = {kind: count * getattr(factors, kind) for kind, count in work.kinds()}
    return Work(**counts) if all(counts.values()) else None
