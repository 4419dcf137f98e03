"""Sums over products of tensors."""

import string
from collections import Counter
from collections.abc import Generator, Iterator, Sequence

from resflops.ops import Call, Mismatch
from resflops.ops.contraction import infer_einsum
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, operator
from resflops.sources.onnx_files.tensors import GraphTensor

_REST = "..."


@operator("Einsum")
def read_einsum(node: OperatorCall) -> Steps | None:
    """Read a sum over products: tensors are taken in two by two, from left to right."""
    tensors = node.list_inputs()
    labels, result = _parse(node.attributes["equation"], tensors)
    sizes = dict(_list_sizes(labels, tensors))
    same = all(
        size == sizes[label]
        for each, tensor in zip(labels, tensors, strict=True)
        for label, size in zip(each, tensor.shape, strict=True)
    )
    # A diagonal, or a size of one that stands for any.
    if not same or any(len(set(each)) < len(each) for each in (*labels, result)):
        return None
    return _contract(node, list(zip(tensors, labels, strict=True)), result, sizes)


def _parse(equation: str, tensors: Sequence[GraphTensor]) -> tuple[list[str], str]:
    """Give the labels of each operand and those of the result, with letters in place of an ellipsis."""
    given, arrow, result = equation.replace(" ", "").partition("->")
    labels = given.split(",")
    if len(labels) != len(tensors):
        raise Mismatch(f"its equation {equation!r} is of {len(labels)} tensors")
    if not arrow:
        counts = Counter(given.replace(",", "").replace(_REST, ""))
        result = _REST * (_REST in given) + "".join(
            sorted(label for label, count in counts.items() if count == 1)
        )
    free = [letter for letter in string.ascii_letters if letter not in equation]
    lengths = [
        tensor.dim() - len(each.replace(_REST, "")) for each, tensor in zip(labels, tensors, strict=True)
    ]
    rest = free[: max([0, *(length for length, each in zip(lengths, labels, strict=True) if _REST in each)])]
    full = []
    for each, tensor, length in zip(labels, tensors, lengths, strict=True):
        own = each.replace(_REST, "".join(rest[len(rest) - length :])) if length >= 0 else each
        if len(own) != tensor.dim():
            raise Mismatch(f"its equation {equation!r} is of tensors with other numbers of dimensions")
        full.append(own)
    return full, result.replace(_REST, "".join(rest))


def _list_sizes(labels: Sequence[str], tensors: Sequence[GraphTensor]) -> Iterator[tuple[str, int]]:
    for each, tensor in zip(labels, tensors, strict=True):
        yield from zip(each, tensor.shape, strict=True)


def _contract(
    node: OperatorCall, operands: list[tuple[GraphTensor, str]], result: str, sizes: dict[str, int]
) -> Steps:
    left, of_left = operands[0]
    for place, (other, of_other) in enumerate(operands[1:], 1):
        later = {*result, *"".join(labels for _, labels in operands[place + 1 :])}
        left, of_left = yield from _sum_out(left, of_left, {*later, *of_other}, sizes)
        right, of_right = yield from _sum_out(other, of_other, {*later, *of_left}, sizes)
        last = place == len(operands) - 1
        kept = result if last else "".join(sorted({*of_left, *of_right} & later))
        left = yield from infer_einsum(f"{of_left},{of_right}->{kept}", left, right)
        of_left = kept
    left, of_left = yield from _sum_out(left, of_left, set(result), sizes)
    return node.call("permute", (left,))


def _sum_out(
    tensor: GraphTensor, labels: str, kept: set[str], sizes: dict[str, int]
) -> Generator[Call, GraphTensor, tuple[GraphTensor, str]]:
    """Sum a tensor over the labels that are not used again."""
    left = "".join(label for label in labels if label in kept)
    if left != labels:
        tensor = yield Call("sum", (tensor,), tuple([sizes[label] for label in left]))
    return tensor, left
