"""Questions about whole tensors: whether two are equal or nearly so, and which elements are among others."""

from math import prod
from typing import Any

from resflops.ops._call import Call, is_tensor
from resflops.ops._complex import SUMS
from resflops.ops._declaration import ANSWERS, op, stopped_gradient
from resflops.records import OpRecord, Work

FAMILY = "comparison"


def equal(record: OpRecord) -> Work:
    """One comparison per element, the most possible: tensors of different sizes differ at once."""
    left, right = record.input_shapes[:2]
    return Work(comparisons=prod(left) if left == right else 0)


EQUAL = op("equal", family=FAMILY, work=equal, on_complex=SUMS, gradient=stopped_gradient(ANSWERS), saves=())


def nearly_equal(record: OpRecord) -> Work:
    """Per element 3 arithmetic and 3 comparisons; n-1 comparisons to fold n answers into one.

    ``|a - b| <= absolute + relative·|b|``: a difference, a product, a sum; two magnitudes and the test.
    """
    points = prod(record.input_shapes[0])
    return Work(arithmetic=3 * points, comparisons=3 * points + max(points - 1, 0))


ALLCLOSE = op("allclose", family=FAMILY, work=nearly_equal, gradient=stopped_gradient(ANSWERS), saves=())


def _read_membership(given: dict[str, Any]) -> Call:
    """Read any overload; one of the two sides may be a number, which is then a side of one element."""
    elements: Any = given.get("elements", given.get("element"))
    tests = given.get("test_elements", given.get("test_element"))
    inputs = tuple(each for each in (elements, tests) if is_tensor(each))
    shape = tuple(elements.shape) if is_tensor(elements) else ()
    return Call("isin", inputs, shape)


def membership(record: OpRecord) -> Work:
    """For n elements among m: n·m comparisons, or for large m a sort of all and n+m-1 of neighbours.

    Torch compares each with each while m is below 10·n^0.145, and sorts both together otherwise
    (``isin_Tensor_Tensor_out`` in aten/src/ATen/native/TensorCompare.cpp). A sort takes ⌈log₂(n + m)⌉
    comparisons an element.
    """
    points = prod(record.output_shape)
    # A number on either side is not among the inputs. Which of the two it is, only the shapes can tell.
    alone = len(record.input_shapes) == 1 and record.input_shapes[0] == record.output_shape
    tests = 1 if alone else prod(record.input_shapes[-1])
    if tests < 10 * points**0.145:
        return Work(comparisons=points * tests)
    together = points + tests
    return Work(comparisons=together * max(together - 1, 0).bit_length() + together - 1)


ISIN = op(
    "isin",
    family=FAMILY,
    aten={"isin": _read_membership},
    work=membership,
    gradient=stopped_gradient(ANSWERS),
    saves=(),
)
