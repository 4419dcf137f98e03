"""The sizes of a graph's inputs: those that the file fixes, and those that it leaves open under a name."""

import ast
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from resflops.errors import InputError, SpecError, pluralize, suggest
from resflops.records import Shape

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

__all__ = ["Given", "OpenSizes", "list_inputs"]

Dimension = int | str
"""A size, or the name of one that is open; an expression of names is a name, too."""


class Given(Struct, frozen=True, kw_only=True):
    """What the user says of the inputs."""

    inputs: Sequence[Shape] = ()
    """The shapes of the inputs, from the first on."""
    batch: int | None = None
    """The first size of the first input."""
    shapes: Mapping[str, Shape] = {}
    """Shapes of inputs by name."""
    sizes: Mapping[str, object] = {}
    """Open sizes by name."""


class GraphInput(Struct, frozen=True):
    """An input that is no initialiser."""

    name: str
    dimensions: tuple[Dimension, ...]


def list_inputs(graph: "GraphProto") -> list[GraphInput]:
    """List the inputs of a graph, those with a default value left out."""
    defaults = {each.name for each in graph.initializer}
    return [_read_input(each) for each in graph.input if each.name not in defaults]


def _read_input(info: "ValueInfoProto") -> GraphInput:
    dimensions: list[Dimension] = []
    for place, size in enumerate(info.type.tensor_type.shape.dim):
        # Some exporters write 0 or -1 for a size that they leave open.
        if size.HasField("dim_value") and size.dim_value > 0:
            dimensions.append(size.dim_value)
        else:
            dimensions.append(size.dim_param or f"{info.name}.{place}")
    return GraphInput(info.name, tuple(dimensions))


class OpenSizes:
    """The open sizes of a graph, and what is known of them.

    Args:
        name: what the user calls the file.
        inputs: the inputs of the graph.
        given: what the user says of them.

    Raises:
        InputError: a shape does not fit its input, or a size is still open.
        SpecError: there is no open size of a name.
    """

    def __init__(self, name: str, inputs: Sequence[GraphInput], given: Given) -> None:
        self._name, self._inputs = name, inputs
        self.known: dict[str, int] = {}
        """Open sizes by name, as they are set."""
        self.notes: tuple[str, ...] = ()
        self._set_named(given.sizes)
        shapes = dict(given.shapes) | self._name_shapes(given.inputs)
        if inputs and given.batch is not None:
            main = inputs[0]
            # 0 leaves a size as it is.
            shape = shapes.get(main.name) or (0,) * len(main.dimensions)
            shapes[main.name] = (given.batch, *shape[1:])
        for each in inputs:
            if each.name in shapes:
                self._fit(each, shapes.pop(each.name))
        if shapes:
            unknown = next(iter(shapes))
            names = [each.name for each in inputs]
            raise InputError(
                f"{name} has no input {unknown!r}{suggest(unknown, names)}; its inputs are {', '.join(names)}"
            )
        self._assume_batch()
        self._ask_for_rest()

    def evaluate(self, size: Dimension) -> int | None:
        """Evaluate a size; None if it is still open."""
        if isinstance(size, int):
            return size
        return self.known[size] if size in self.known else _evaluate(size, self.known)

    def list_shapes(self) -> dict[str, Shape]:
        """List the shapes of all inputs by name."""
        return {
            each.name: tuple([self.evaluate(size) or 0 for size in each.dimensions]) for each in self._inputs
        }

    def _name_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        """Give the shapes of the first inputs by their names."""
        names = [each.name for each in self._inputs]
        if len(shapes) > len(names):
            raise InputError(
                f"{self._name} takes {len(names)} {pluralize('input', len(names))} ({', '.join(names)}), "
                f"and {len(shapes)} shapes were given"
            )
        return dict(zip(names, shapes, strict=False))

    def _set_named(self, sizes: Mapping[str, object]) -> None:
        names = list(self._list_open())
        for name, size in sizes.items():
            if name not in names:
                fixed = "; " + (f"it has {', '.join(names)}" if names else "all its sizes are fixed")
                raise SpecError(f"{self._name} has no open size {name!r}{suggest(name, names)}{fixed}")
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise InputError(f"{self._name}: {name}={size}: a size must be a whole number of at least 1")
            self.known[name] = size

    def _fit(self, given: GraphInput, shape: Shape) -> None:
        """Set what is open in an input to the sizes of a shape, in which 0 leaves a size as it is."""
        wanted = given.dimensions
        if len(shape) != len(wanted):
            raise InputError(
                f"{self._name}: its input {given.name} has {len(wanted)} {pluralize('size', len(wanted))} "
                f"({_format(wanted)}), not {len(shape)} ({_format(shape)})"
            )
        for place, (size, open_size) in enumerate(zip(shape, wanted, strict=True)):
            known = self.evaluate(open_size)
            if not size or size == known:
                continue
            if known is None and isinstance(open_size, str) and not _is_expression(open_size):
                self.known[open_size] = size
                continue
            if known is not None:
                fixes = "the file fixes" if isinstance(open_size, int) else f"{open_size} makes"
                raise InputError(
                    f"{self._name}: size {place} of its input {given.name} is {size}, but {fixes} it "
                    f"to be {known} ({_format(wanted)}); give one that fits, or export the model with that "
                    "size open"
                )

    def _assume_batch(self) -> None:
        """Take an open batch for one, as everywhere else, if nothing else is open."""
        first = {each.dimensions[0] for each in self._inputs if each.dimensions}
        left = self._list_open()
        if len(left) == 1 and left[0] in first:
            self.known[left[0]] = 1
            self.notes = (f"its batch, which the file leaves open, was taken as 1 ({left[0]})",)

    def _list_open(self) -> list[str]:
        """List the names of the sizes that are still open."""
        names: dict[str, None] = {}
        for each in self._inputs:
            for size in each.dimensions:
                if isinstance(size, str) and self.evaluate(size) is None:
                    names.update(dict.fromkeys(_list_names(size)))
        return [name for name in names if name not in self.known]

    def _ask_for_rest(self) -> None:
        if not (left := self._list_open()):
            return
        concerned = [
            f"{each.name} ({_format(each.dimensions)})"
            for each in self._inputs
            if any(
                name in _list_names(size)
                for size in each.dimensions
                if isinstance(size, str)
                for name in left
            )
        ]
        options = ",".join(f"{name}=1" for name in left)
        raise InputError(
            f"{self._name} leaves {pluralize('size', len(left))} open: {', '.join(left)}, "
            f"in {pluralize('input', len(concerned))} {', '.join(concerned)}; "
            f"set {'it' if len(left) == 1 else 'them'}, as in {self._name},{options}"
            + (", or by --input" if len(self._inputs) == 1 else "")
        )


def _format(shape: Iterable[Dimension]) -> str:
    return "×".join(map(str, shape)) or "a scalar"


_OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def _parse(text: str) -> ast.expr | None:
    """Parse a size that exporters write as a term: ``past_length + 1``."""
    try:
        return ast.parse(text, mode="eval").body if len(text) < 1000 else None
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _is_expression(text: str) -> bool:
    return isinstance(_parse(text), ast.BinOp)


def _list_names(text: str) -> list[str]:
    parsed = _parse(text)
    if not isinstance(parsed, ast.BinOp):
        return [text]
    return [each.id for each in ast.walk(parsed) if isinstance(each, ast.Name)]


def _evaluate(text: str, known: Mapping[str, int]) -> int | None:
    parsed = _parse(text)
    return _compute(parsed, known) if isinstance(parsed, ast.BinOp) else None


def _compute(term: ast.expr, known: Mapping[str, int]) -> int | None:
    match term:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return known.get(name)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            first, second = _compute(left, known), _compute(right, known)
            if first is None or second is None or (isinstance(op, ast.FloorDiv) and not second):
                return None
            result: int = _OPERATIONS[type(op)](first, second)
            return result
    return None
