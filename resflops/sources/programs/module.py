"""A module that does what an exported program does, layer by layer."""

from typing import TYPE_CHECKING, Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils._pytree import TreeSpec, tree_unflatten

from resflops.sources.programs.inputs import ProgramInputs
from resflops.sources.programs.layers import build_layers, make_class
from resflops.sources.programs.plan import Owner, plan_call
from resflops.sources.programs.reading import read_inputs
from resflops.sources.programs.stacks import clean_path, list_graphs, read_stack
from resflops.sources.programs.steps import LayerCall, ProgramLayer, find_layer

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["ProgramModel", "make_module"]


class _Plan(Struct, frozen=True, kw_only=True):
    """What a program takes, does and gives."""

    call: LayerCall
    inputs: ProgramInputs
    written: tuple[tuple[int, Owner | int], ...]
    """The results that are written into a tensor of the program's own, or into an input, by its number."""
    returned: tuple[int, ...]
    """The results that are returned."""
    out_spec: TreeSpec


class ProgramModel(ProgramLayer):
    """The outermost layer of an exported program."""

    plan: _Plan

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program."""
        plan = self.plan
        leaves = plan.inputs.flatten(args, kwargs)
        # What follows a program's steps to write another one asks for no sizes.
        if not (torch._C._get_tracing_state() or torch.compiler.is_compiling()):
            plan.inputs.check(leaves)
        results = self.run_nodes(*leaves, call=plan.call, model=self)
        for number, written in plan.written:
            held = leaves[written] if isinstance(written, int) else _find_tensor(self, written)
            held.copy_(results[number])
        return tree_unflatten([results[number] for number in plan.returned], plan.out_spec)


def make_module(program: "ExportedProgram") -> ProgramModel:
    """Make a module of a program; they share parameters and buffers, and the program stays as it is.

    Raises:
        ModelError: the program calls what no program of torch.export's would.
    """
    owners = {
        spec.arg.name: _split_name(spec.target)
        for spec in program.graph_signature.input_specs
        if spec.target is not None
    }
    cls = make_class(_read_class(program), ProgramLayer)
    plan = _read_plan(program, owners)

    def forward(self: ProgramModel, *args: Any, **kwargs: Any) -> Any:
        return ProgramModel.forward(self, *args, **kwargs)

    # From it, the names and types of the inputs are known.
    forward.__signature__ = plan.inputs.make_signature()  # type: ignore[attr-defined]
    own = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "forward": forward, "plan": plan}
    root: ProgramModel = type(cls.__name__, (ProgramModel, cls), own)()
    build_layers(program, root)
    _hold_tensors(program, root)
    return root


def _read_class(program: "ExportedProgram") -> str:
    """Read the name of the model's own class."""
    stacks = (read_stack(node) for graph in list_graphs(program) for node in graph.nodes)
    return next((cls for stack in stacks for _, path, cls in stack or () if not path), "")


def _read_plan(program: "ExportedProgram", owners: dict[str, Owner]) -> _Plan:
    signature = program.graph_signature
    inputs: dict[str, int] = {}
    for spec in signature.input_specs:
        if spec.kind is InputKind.USER_INPUT:
            inputs[spec.arg.name] = len(inputs)
    written: list[tuple[int, Owner | int]] = []
    returned = []
    for number, result in enumerate(signature.output_specs):
        if result.kind is OutputKind.USER_INPUT_MUTATION:
            written.append((number, inputs[str(result.target)]))
        elif result.target is not None and result.kind.name.endswith("_MUTATION"):
            written.append((number, _split_name(result.target)))
        else:
            returned.append(number)
    devices = (tensor.device for tensor in program.state_dict.values())
    out_spec = program.call_spec.out_spec
    assert out_spec is not None  # noqa: S101 - torch.export always writes it
    return _Plan(
        call=plan_call(program.graph, owners, device=next(devices, None)),
        inputs=read_inputs(program),
        written=tuple(written),
        returned=tuple(returned),
        out_spec=out_spec,
    )


def _split_name(name: str) -> Owner:
    """Split the name of a tensor into the names on the path of its layer, and its own."""
    *path, own = clean_path(name).split(".")
    return tuple(path), own


def _find_tensor(model: nn.Module, owner: Owner) -> Tensor:
    path, name = owner
    held: Tensor = getattr(find_layer(model, path), name)
    return held


def _hold_tensors(program: "ExportedProgram", root: nn.Module) -> None:
    """Give the layers the program's own tensors: parameters, buffers, and what else it holds."""
    signature = program.graph_signature
    first: dict[Any, Tensor] = {}
    buffers = {*signature.buffers, *signature.non_persistent_buffers}
    for name, given in (*program.state_dict.items(), *program.constants.items()):
        path, own = _split_name(name)
        layer = find_layer(root, path)
        held = first.setdefault(_identify(given), given) if isinstance(given, Tensor) else given
        if isinstance(held, nn.Parameter):
            layer.register_parameter(own, held)
        elif name in buffers or name in program.state_dict:
            layer.register_buffer(own, held, persistent=name not in signature.non_persistent_buffers)
        else:
            setattr(layer, own, held)


def _identify(tensor: Tensor) -> object:
    """Give what two tensors have in common that are one, as tied ones are; a file holds each by itself."""
    if tensor.is_meta or not tensor.numel() or tensor.layout is not torch.strided:
        return id(tensor)
    kind = isinstance(tensor, nn.Parameter)
    return kind, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
