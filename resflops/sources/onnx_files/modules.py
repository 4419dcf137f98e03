"""The modules of a graph, made up from the layers of its nodes and the names of its initialisers."""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING

from resflops.records import PARAMETER, ModuleRecord, StorageRecord, TensorRecord
from resflops.sources.onnx_files.layers import Layer
from resflops.sources.onnx_files.packed_weights import find_unpacked_shapes
from resflops.sources.onnx_files.parameters import classify, list_initialisers
from resflops.sources.onnx_files.recording import Recording
from resflops.sources.onnx_files.tensors import GraphTensor, read_constant

if TYPE_CHECKING:
    from onnx import GraphProto, TensorProto

__all__ = ["Initialisers"]

DOTTED = re.compile(r"(\w+(?:\.\w+)*)\.(\w+)")
"""The name of a tensor of a module, as exporters that keep it write it: ``layer1.0.conv1.weight``."""

TRAINABLE = ("float", "double", "bfloat")


class Initialisers:
    """The initialisers of a graph; a trace numbers those that are parameters.

    Args:
        graph: the graph of the file.
        recording: where they are entered.
    """

    def __init__(self, graph: "GraphProto", recording: Recording) -> None:
        self._recording = recording
        self._kinds = classify(graph)
        self._unpacked = find_unpacked_shapes(graph)
        self._tensors: dict[str, GraphTensor] = {}
        self._users: dict[int, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def enter(self, graph: "GraphProto", scope: MutableMapping[str, GraphTensor]) -> None:
        """Enter the initialisers of a graph into a scope: those of one in a loop once for all trips."""
        for name, initialiser in list_initialisers(graph):
            if name not in self._tensors:
                self._tensors[name] = self._enter_one(name, initialiser)
            scope[name] = self._tensors[name]

    def _enter_one(self, name: str, initialiser: "TensorProto") -> GraphTensor:
        kind = self._kinds[name]
        tensor = read_constant(name, initialiser, static=kind == "constant")
        storage = StorageRecord(kind=kind, name="" if kind == "constant" else name)
        if kind == "parameter" and tensor.dtype.startswith(TRAINABLE):
            # For now by its place among all; the modules are known only after the walk.
            self._recording.enter_constant(tensor, storage, PARAMETER - len(self._tensors))
        else:
            self._recording.enter_constant(tensor, storage)
        return tensor

    def note_use(self, tensor: GraphTensor, layer: str) -> None:
        """Note that a node of a layer takes a tensor: an initialiser without a module goes there."""
        self._users.setdefault(id(tensor), layer)

    def name_all(self, numbers: Mapping[int, int]) -> dict[int, str]:
        """Name the parameters by their numbers, given these by those that they had until now."""
        names = list(self._tensors)
        return {number: names[PARAMETER - before] for before, number in numbers.items()}

    def list_modules(
        self, layers: Mapping[str, Layer], root: str
    ) -> tuple[tuple[ModuleRecord, ...], dict[int, int]]:
        """List the modules, and the numbers of the parameters by those that they had until now."""
        classes = {path: cls for layer in layers.values() for path, cls in layer.classes}
        parameters: dict[str, list[TensorRecord]] = {}
        buffers: dict[str, list[TensorRecord]] = {}
        places: dict[tuple[str, int], int] = {}
        for number, (name, tensor) in enumerate(self._tensors.items()):
            if (kind := self._kinds[name]) == "constant":
                continue
            owner, short = self._find_owner(name)
            trainable = kind == "parameter" and tensor.dtype.startswith(TRAINABLE)
            shape = self._unpacked.get(name, tensor.shape)
            record = TensorRecord(name=short, shape=shape, dtype=tensor.dtype, trainable=trainable)
            own = (parameters if kind == "parameter" else buffers).setdefault(owner, [])
            if kind == "parameter":
                places[owner, len(own)] = number
            own.append(record)
        paths = _order([*layers, *parameters, *buffers])
        inner = {path.rpartition(".")[0] for path in paths if path}
        modules = tuple(
            [
                ModuleRecord(
                    path=path,
                    cls=_name_class(classes.get(path, "") or ("" if path else root)),
                    base=_name_base(classes.get(path, "")),
                    leaf=path not in inner,
                    parameters=tuple(parameters.get(path, ())),
                    buffers=tuple(buffers.get(path, ())),
                )
                for path in paths
            ]
        )
        numbers, last = {}, PARAMETER
        for module in modules:
            for place in range(len(module.parameters)):
                numbers[PARAMETER - places[module.path, place]] = last
                last -= 1
        return modules, numbers

    def _find_owner(self, name: str) -> tuple[str, str]:
        if match := DOTTED.fullmatch(name):
            return match[1], match[2]
        return self._users.get(id(self._tensors[name]), ""), name


def _order(paths: Iterable[str]) -> list[str]:
    """List paths with those around them, each once, what is inside after what it is in."""
    found: dict[str, None] = {"": None}
    for path in paths:
        parts = path.split(".")
        found.update(dict.fromkeys(".".join(parts[:length]) for length in range(1, len(parts) + 1)))
    children: dict[str, list[str]] = {}
    for path in found:
        if path:
            children.setdefault(path.rpartition(".")[0], []).append(path)
    ordered, left = [], [""]
    while left:
        path = left.pop()
        ordered.append(path)
        left += reversed(children.get(path, ()))
    return ordered


def _name_class(cls: str) -> str:
    return cls.rpartition(".")[2]


def _name_base(cls: str) -> str:
    return cls.rpartition(".")[2] if cls.startswith("torch.nn.modules.") else ""
