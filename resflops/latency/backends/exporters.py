"""Torch's exporters to ONNX: the newer one for modules, and the older one for TorchScript."""

from ast import literal_eval
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from torch import nn

from resflops.latency.backends.scopes import Node, collect_layers, list_computing
from resflops.latency.backends.silence import silence
from resflops.latency.failures import ExportError

__all__ = ["export_module", "export_script"]

SCOPES = "pkg.torch.onnx.name_scopes"
"""The metadata in which torch's exporter keeps the modules around a node."""

Exported = tuple[tuple[str, ...], tuple[Node, ...]]
"""The names of a graph's inputs, and its nodes."""


def export_module(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], path: Path) -> Exported:
    """Export a module to a file, with its weights beside it.

    Raises:
        ExportError: torch cannot export it.
    """
    with torch.no_grad():
        program = _run_exporter(module, args, kwargs)
    scopes = _read_scopes(program)
    try:
        with silence():
            program.optimize()
            program.save(path, external_data=True)
    except Exception as error:
        raise ExportError(_find_cause(error)) from error
    return tuple(each.name for each in program.model.graph.inputs), _list_nodes(program, scopes)


def export_script(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], path: Path) -> Exported:
    """Export TorchScript to a file, which the newer exporter does not take.

    The older one leaves no scopes in it. A node belongs to the layers whose tensors it takes, so nothing is
    folded together: that is left to the runtime.

    Raises:
        ExportError: torch cannot export it.
    """
    import onnx

    try:
        with silence(), torch.no_grad():
            torch.onnx.export(
                _copy_script(module, path.with_suffix(".pt")),
                args,
                path,
                kwargs=kwargs,
                dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False,
            )
    except Exception as error:
        raise ExportError(_find_cause(error)) from error
    graph = onnx.load(str(path), load_external_data=False).graph
    layers = {name for name, _ in module.named_modules()}
    nodes = [
        Node(
            name=each.name,
            op=each.op_type,
            inputs=tuple(filter(None, each.input)),
            outputs=tuple(each.output),
            layers=tuple(dict.fromkeys(_find_owners(each.input, layers))),
        )
        for each in graph.node
    ]
    names = tuple(each.name for each in graph.input)
    return names, tuple(list_computing(nodes, names))


def _copy_script(module: nn.Module, path: Path) -> nn.Module:
    """Copy TorchScript with its code, which other copies share, and which the exporter changes in place."""
    torch.jit.save(module, path)
    copied: nn.Module = torch.jit.load(path)  # type: ignore[no-untyped-call]
    path.unlink()
    return copied


def _find_owners(tensors: Iterable[str], layers: Collection[str]) -> Iterator[str]:
    """Find the layers whose parameters or buffers tensors are, by their names."""
    for name in tensors:
        owner, dot, _ = name.rpartition(".")
        if dot and owner in layers:
            yield owner


def _run_exporter(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    # torch 2.6 would convert the graph from opset 18 to 18 and fail, as it is not optimized yet; asked for an
    # older one it leaves the graph as it is.
    opset = 17 if _is_torch_26() else None
    try:
        with silence():
            # Not optimized before the scopes are read: folding a BatchNorm into a convolution drops the
            # convolution's.
            return torch.onnx.export(
                module,
                args,
                kwargs=kwargs,
                dynamo=True,
                optimize=False,
                verbose=False,
                opset_version=opset,
            )
    except Exception as error:
        raise ExportError(_find_cause(error)) from error


def _find_cause(error: BaseException) -> str:
    """Find what the model did that cannot be exported: torch's own message is a page on what else to try."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = lines[0] if lines else type(error).__name__
    # https://github.com/microsoft/onnxscript/issues/2651
    hint = (
        "; torch 2.6 exports some layers with onnxscript 0.5.3 or older only, torch 2.7 with newer ones, too"
    )
    return f"{cause}{hint}" if _is_torch_26() else cause


def _is_torch_26() -> bool:
    return torch.__version__.startswith("2.6.")


def _read_scopes(program: Any) -> dict[str, Node]:  # noqa: ANN401 - an ONNXProgram
    """Read, by each value's name, the node that makes it, with the layer that it belongs to."""
    graph = program.model.graph
    nodes = list_computing(map(_read_node, graph), [each.name for each in graph.inputs])
    return {value: node for node in nodes for value in node.outputs}


def _read_node(node: Any) -> Node:  # noqa: ANN401 - a node of onnx_ir
    scopes = node.metadata_props.get(SCOPES)
    # The last is the op's own name, the one before it the innermost module's.
    layers = tuple(_parse_names(scopes)[-2:-1]) if scopes else ()
    return Node(
        name=node.name or "",
        op=node.op_type,
        inputs=tuple(each.name for each in node.inputs if each is not None),
        outputs=tuple(each.name for each in node.outputs),
        layers=layers,
    )


def _parse_names(text: str) -> list[str]:
    try:
        return list(literal_eval(text))
    except (SyntaxError, ValueError):
        return []


def _list_nodes(program: Any, before: dict[str, Node]) -> tuple[Node, ...]:  # noqa: ANN401
    """List the nodes of the optimized graph, each with the layers of all that it was made of."""
    nodes = [_read_node(each) for each in program.model.graph]
    kept = {value for node in nodes for value in (*node.inputs, *node.outputs)}
    return tuple(replace(node, layers=collect_layers(node, before, kept) or node.layers) for node in nodes)
