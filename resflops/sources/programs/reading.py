"""Reading what an exported program takes: names, shapes and types of its inputs, and their limits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from torch import SymInt, Tensor
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.utils._pytree import tree_flatten_with_path, tree_leaves, tree_unflatten

from resflops.sources.programs.inputs import ANY, ProgramInput, ProgramInputs, Size
from resflops.tracing.modules import DTYPE_NAMES

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["read_inputs"]


def read_inputs(program: "ExportedProgram") -> ProgramInputs:
    """Read what a program takes."""
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind is InputKind.USER_INPUT]
    in_spec = program.call_spec.in_spec
    assert in_spec is not None  # noqa: S101 - torch.export always writes it
    args, kwargs = tree_unflatten(range(len(specs)), in_spec)
    positional, keywords = _name_arguments(program, len(args)), tuple(kwargs)
    names = [
        ".".join([positional[first] if isinstance(first, int) else str(first), *map(str, rest)])
        for path, _ in tree_flatten_with_path((args, kwargs))[0]
        for first, *rest in [[_read_step(step) for step in path[1:]]]
    ]
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    inputs = ProgramInputs(
        leaves=tuple(
            _read_leaf(name, spec.arg, values[spec.arg.name]) for name, spec in zip(names, specs, strict=True)
        ),
        in_spec=in_spec,
        positional=positional,
        keywords=keywords,
        limits={size: _read_limits(limits) for size, limits in program.range_constraints.items()},
        example=_read_example(program, keywords),
    )
    return replace(inputs, hints=_read_hints(inputs, [values[spec.arg.name] for spec in specs]))


def _read_hints(inputs: ProgramInputs, values: Sequence[Any]) -> dict[Size, int]:
    """Read what the symbols stood for when the program was exported, from the sizes that have a number."""
    hints: dict[Size, int] = {}
    for leaf, value in zip(inputs.leaves, values, strict=True):
        for size, given in zip(leaf.sizes, value.shape if leaf.dtype else (), strict=True):
            if isinstance(given, SymInt) and given.node.hint is not None:
                inputs.set_symbol(size, int(given.node.hint), hints)
    return hints


def _name_arguments(program: "ExportedProgram", number: int) -> tuple[str, ...]:
    """Name the positional arguments, as the model's forward did where that is known."""
    signature = program.module_call_graph[0].signature
    known = getattr(signature, "forward_arg_names", None) or []
    return tuple(known[place] if place < len(known) else f"input_{place}" for place in range(number))


def _read_step(step: Any) -> Any:
    """Read what a step into a container goes by: a key, a place or the name of an attribute."""
    return getattr(step, "key", getattr(step, "idx", getattr(step, "name", step)))


def _read_leaf(name: str, argument: Any, value: Any) -> ProgramInput:
    if isinstance(argument, ConstantArgument):
        return ProgramInput(name=name, value=argument.value)
    if not isinstance(value, Tensor):
        return ProgramInput(name=name, value=ANY)
    shape: tuple[Any, ...] = tuple(value.shape)
    sizes = tuple(size.node.expr if isinstance(size, SymInt) else size for size in shape)
    return ProgramInput(name=name, sizes=sizes, dtype=DTYPE_NAMES[value.dtype])


def _read_limits(limits: Any) -> tuple[int, int | None]:
    # Torch's own infinity is no number of sympy's, and calls itself finite.
    low, high = [
        int(each) if getattr(each, "is_Integer", False) else None for each in (limits.lower, limits.upper)
    ]
    return low or 0, high


def _read_example(program: "ExportedProgram", keywords: Sequence[str]) -> tuple[Any, ...] | None:
    if program.example_inputs is None:
        return None
    args, kwargs = program.example_inputs
    return tuple(tree_leaves((args, {name: kwargs[name] for name in keywords})))
