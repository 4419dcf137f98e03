"""The inputs of an exported program: their names, shapes and types, and the sizes that it was exported for.

A size is a number, or an expression of symbols such as ``s0`` or ``8*s1``. The shapes that a program is given
say what its symbols stand for, within the limits that it was exported with.
"""

from collections.abc import Mapping, Sequence
from inspect import Parameter as SignatureParameter
from inspect import Signature
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_leaves, tree_unflatten

from resflops.errors import InputError, pluralize
from resflops.records import Shape, TensorSpec
from resflops.sources.found_model import Inputs
from resflops.tracing.modules import DTYPE_NAMES
from resflops.tracing.parameters import Parameter

if TYPE_CHECKING:
    pass

ANY: Any = object()
"""In place of the value of an input that may be any number."""

__all__ = ["ANY", "ProgramInput", "ProgramInputs", "Size", "evaluate"]

_FLOATING = ("float16", "float32", "float64")

Size = Any
"""A number, or an expression of sympy's, which has no types."""


class ProgramInput(Struct, frozen=True, kw_only=True):
    """One tensor that a program takes, or a value that it was exported with."""

    name: str
    """Its path among the arguments: ``x``, ``batch.ids``."""
    sizes: tuple[Size, ...] = ()
    """The sizes of a tensor."""
    dtype: str = ""
    """The type of a tensor; ``""`` if it is none."""
    value: Any = None
    """What it was when the program was exported, if it is no tensor; ``ANY`` if it may be any number."""

    def __str__(self) -> str:
        """Write its name and, of a tensor, its shape."""
        return f"{self.name} ({_join(self.sizes)})" if self.dtype else self.name


class ProgramInputs(Struct, frozen=True, kw_only=True):
    """What a program takes."""

    leaves: tuple[ProgramInput, ...]
    """Its tensors and values, in the order in which they lie in its arguments."""
    in_spec: TreeSpec
    positional: tuple[str, ...]
    """The names of the positional arguments."""
    keywords: tuple[str, ...]
    """The names of the keyword arguments, in their order."""
    limits: Mapping[Size, tuple[int, int | None]]
    """The smallest and the largest number of a symbol or an expression; None if there is no largest."""
    example: tuple[Any, ...] | None
    """The example inputs that the program holds, one for each leaf."""
    hints: Mapping[Size, int] = {}
    """What each symbol stood for when the program was exported, where that is known."""

    def make_signature(self) -> Signature:
        """Make the signature of a forward that takes these inputs, with what is known of each."""
        tensors = {leaf.name: leaf for leaf in self.leaves}
        parameters = [SignatureParameter("self", SignatureParameter.POSITIONAL_ONLY)]
        for name in (*self.positional, *self.keywords):
            leaf = tensors.get(name)
            known = Parameter("plain") if leaf is None or not leaf.dtype else Parameter("tensor", leaf.dtype)
            parameters.append(
                SignatureParameter(name, SignatureParameter.POSITIONAL_OR_KEYWORD, annotation=known)
            )
        return Signature(parameters)

    def flatten(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """Give the tensors and values in some arguments, one for each leaf.

        Raises:
            InputError: there are more or fewer.
        """
        named = {**dict(zip(self.positional, args, strict=False)), **kwargs}
        names = (*self.positional, *self.keywords)
        # Otherwise it may be a call in another form, such as one tuple of all inputs.
        complete = len(args) <= len(self.positional) and named.keys() == set(names)
        leaves = tree_leaves([named[name] for name in names] if complete else (args, kwargs))
        if len(leaves) != len(self.leaves):
            number = len(self.leaves)
            raise InputError(
                f"the program takes {number} {pluralize('input', number)}, "
                f"{', '.join(map(str, self.leaves))}, got {len(leaves)}; give each of them"
            )
        return leaves

    def unflatten(self, leaves: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the arguments that hold some tensors and values, one for each leaf."""
        args, kwargs = tree_unflatten(list(leaves), self.in_spec)
        return tuple(args), dict(kwargs)

    def make_inputs(self, main: Shape | None = None, batch: int | None = None) -> Inputs:
        """Make inputs to call the program with: those that it holds, or others of the shapes that it takes.

        Args:
            main: the shape of its first tensor, with the batch in front or without; None for the usual one.
            batch: the first size of that one, in place of its own.

        Raises:
            InputError: the program was not exported for that shape, or more has to be known.
        """
        if main is None and batch is None and self.example is not None:
            return Inputs(*self.unflatten(self.example))
        first = next((leaf for leaf in self.leaves if leaf.dtype), None)
        known = dict(self.hints)
        if first is not None and (main is not None or batch is not None):
            known |= self.solve({first.name: self._complete(first, main, batch)})
        leaves = list(self.example or [leaf.value for leaf in self.leaves])
        for place, leaf in enumerate(self.leaves):
            if leaf.dtype:
                shape = tuple(evaluate(size, known) for size in leaf.sizes)
                if self.example is None or tuple(self.example[place].shape) != shape:
                    leaves[place] = TensorSpec(self._require_numbers(leaf, shape), leaf.dtype)
        return Inputs(*self.unflatten(leaves))

    def _complete(self, leaf: ProgramInput, shape: Shape | None, batch: int | None) -> Shape:
        """Complete the shape of an input with what was left out of it."""
        usual = self.example and dict(zip([one.name for one in self.leaves], self.example, strict=True))
        if shape is None:
            shape = (
                tuple(usual[leaf.name].shape)
                if usual
                else self._require_numbers(leaf, tuple(evaluate(size, self.hints) for size in leaf.sizes))
            )
        elif len(shape) == len(leaf.sizes) - 1:
            size = leaf.sizes[0]
            shape = (size if isinstance(size, int) else max(self.limits.get(size, (1, None))[0], 1), *shape)
        return shape if batch is None else (batch, *shape[1:])

    def _require_numbers(self, leaf: ProgramInput, shape: tuple[Size, ...]) -> Shape:
        """Give a shape back if every size of it is a number.

        Raises:
            InputError: it is not; the message asks for them.
        """
        symbols = {symbol for size in shape for symbol in getattr(size, "free_symbols", ())}
        if not symbols:
            return shape
        low = {symbol: max(self.limits.get(symbol, (1, None))[0], 1) for symbol in symbols}
        example = tuple(evaluate(size, low) for size in shape)
        open_ones = ", ".join(f"{each} ({self.describe_limits(each)})" for each in sorted(symbols, key=str))
        raise InputError(
            f"the program has sizes without a number: {open_ones} in input {leaf}; "
            f"give its input, as in --input {'x'.join(map(str, example))} or {example}"
        )

    def check(self, given: Sequence[Any]) -> None:
        """Check inputs, one for each leaf, against what the program was exported for.

        Raises:
            InputError: it was not exported for these.
        """
        shapes = {}
        for leaf, each in zip(self.leaves, given, strict=True):
            if not leaf.dtype:
                _check_value(leaf, each)
                continue
            if not isinstance(each, Tensor):
                raise InputError(f"the program takes a tensor for {leaf}, got {each!r:.80}")
            # A floating-point type may be another one: weights and inputs are converted together.
            floating = each.is_floating_point() and leaf.dtype.endswith(_FLOATING)
            if not floating and leaf.dtype != DTYPE_NAMES[each.dtype]:
                raise InputError(
                    f"the program takes {leaf.dtype} for {leaf}, got {DTYPE_NAMES[each.dtype]}; "
                    "give a tensor of that type"
                )
            shapes[leaf.name] = tuple(each.shape)
        self.solve(shapes)

    def solve(self, shapes: Mapping[str, Shape]) -> dict[Size, int]:
        """Find what the symbols stand for.

        Args:
            shapes: the shapes of some inputs, by their names.

        Raises:
            InputError: the program was not exported for these shapes.
        """
        known: dict[Size, int] = {}
        leaves = [leaf for leaf in self.leaves if leaf.name in shapes]
        for leaf in leaves:
            if len(leaf.sizes) != len(shape := shapes[leaf.name]):
                raise InputError(
                    f"{leaf.name} has {len(shape)} {pluralize('size', len(shape))}, {_join(shape)}, but the "
                    f"program takes {len(leaf.sizes)}: {leaf}"
                )
        places = [(leaf, place) for leaf in leaves for place in range(len(leaf.sizes))]
        # Those that are one symbol first, of which others may be made.
        places.sort(key=lambda each: not getattr(each[0].sizes[each[1]], "is_symbol", False))
        for leaf, place in places:
            size, given = leaf.sizes[place], shapes[leaf.name][place]
            if not self.set_symbol(size, given, known):
                raise InputError(
                    f"size {place} of {leaf.name} is {given}, but the program was exported for "
                    f"{self._describe(size, known)} there: {leaf}; give such a size, or export it with "
                    "dynamic_shapes"
                )
        return known

    def set_symbol(self, size: Size, given: int, known: dict[Size, int]) -> bool:
        """Set the symbol of a size, if there is one; say whether the size can be what is given."""
        if not self._allows(size, given):
            return False
        expected = evaluate(size, known)
        free = list(getattr(expected, "free_symbols", ()))
        if not free:
            return bool(expected == given)
        if len(free) > 1:
            return True
        number = _solve(expected, free[0], given)
        if number is None or not self._allows(free[0], number):
            return False
        known[free[0]] = number
        return True

    def _allows(self, size: Size, number: int) -> bool:
        low, high = self.limits.get(size, (0, None))
        return low <= number and (high is None or number <= high)

    def _describe(self, size: Size, known: Mapping[Size, int]) -> str:
        """Describe the numbers that a size can be."""
        if size in known or isinstance(size, int):
            return f"{known.get(size, size)}"
        symbols = sorted(getattr(size, "free_symbols", ()), key=str)
        ranges = [self.describe_limits(symbol) for symbol in symbols]
        if symbols == [size]:
            return ranges[0]
        return f"{size} with {', '.join(f'{each} {one}' for each, one in zip(symbols, ranges, strict=True))}"

    def describe_limits(self, symbol: Size) -> str:
        """Describe the numbers that a symbol may stand for."""
        low, high = self.limits.get(symbol, (0, None))
        return f"at least {max(low, 1)}" if high is None else f"{max(low, 1)} to {high}"


def _check_value(leaf: ProgramInput, given: Any) -> None:
    if leaf.value is not ANY and (isinstance(given, Tensor) or given != leaf.value):
        raise InputError(
            f"the program was exported with {leaf.name} = {leaf.value!r:.80}, and takes nothing else for it; "
            f"got {given!r:.80}"
        )


def evaluate(size: Size, known: Mapping[Size, int]) -> Size:
    """Evaluate a size, as far as its symbols are known."""
    if isinstance(size, int):
        return size
    value = size.subs(known)
    return int(value) if value.is_number else value


def _solve(size: Size, symbol: Size, given: int) -> int | None:
    """Find the whole number that a symbol must stand for; None if there is none."""
    from sympy import solve  # type: ignore[import-untyped]

    roots = solve(size - given, symbol)
    return next((int(root) for root in roots if root.is_integer and root >= 0), None)


def _join(shape: Sequence[Any]) -> str:
    return "×".join(str(size).replace("*", "·") for size in shape) or "a single number"
