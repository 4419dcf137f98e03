"""The modules of a model, with the parameters, buffers and attributes that are each one's own."""

import weakref
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from types import BuiltinFunctionType, EllipsisType, NoneType
from typing import Any, Literal

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from resflops.records import PARAMETER, ModuleRecord, Shape, StorageRecord, TensorRecord
from resflops.tracing.formats import list_wrapped
from resflops.tracing.held_state import HeldState
from resflops.tracing.packed_parameters import (
    PackedReader,
    find_packed_reader,
    find_unpacked_shape,
    make_stand_ins,
)

__all__ = ["DTYPE_NAMES", "Attributes", "Modules", "StockLayer"]

Attributes = dict[str, Any]
"""A dict in which a module keeps things: its ``__dict__``, or its parameters, buffers or children."""

StockLayer = tuple[nn.Module, str, tuple[TensorRecord, ...], tuple[TensorRecord, ...]]
"""A layer of a class of torch.nn that has nothing added to it: its path, parameters and buffers."""


class _DtypeNames(dict[torch.dtype, str]):
    def __missing__(self, dtype: torch.dtype) -> str:
        name = self[dtype] = str(dtype).removeprefix("torch.")
        return name


DTYPE_NAMES = _DtypeNames()
"""``float32`` for ``torch.float32``; a dict, since it is looked up for every op and every tensor."""


_ClassFacts = tuple[str, str, bool, bool, PackedReader | None, int]
"""A class's name, its nearest base in torch.nn, itself included (``""`` for a plain Module), whether it is
lazy, whether it is what torch.compile wraps a module in, how its packed weights are read, and how many
attributes a module of it has that holds nothing unusual: 0 for a class that is not torch's own, whose forward
may use them in any way."""

_UNKNOWN_SIZE = 1 << 30

_CLASSES: dict[int, _ClassFacts] = {}
"""Facts by id of the class. No class is kept alive by it: a parametrised module has a class of its own."""


def _read_class(module: nn.Module) -> _ClassFacts:
    """Find out the facts of a module's class: once for each class, if the first to be met is a usual one."""
    cls = type(module)
    bases = (base for base in cls.__mro__ if base.__module__.startswith("torch.nn."))
    nearest = next((base.__name__ for base in bases if base is not nn.Module), "")
    # A counter that goes by exact classes does not know timm.layers.norm.LayerNorm.
    namesake = cls.__name__ == nearest and not cls.__module__.startswith("torch.nn.")
    name = f"{cls.__module__}.{cls.__qualname__}" if namesake else cls.__name__
    # Told by its name, since importing its module takes longer than a count.
    compiled = cls.__module__ == "torch._dynamo.eval_frame" and cls.__name__ == "OptimizedModule"
    own = cls.__module__.startswith("torch.nn.modules.") and type(module._modules) is dict
    # One that holds something unusual does not tell what a usual one holds.
    size = (_UNKNOWN_SIZE if _list_unusual(module.__dict__) else len(module.__dict__)) if own else 0
    # A lazy module changes its class to the plain one at its first call.
    lazy = issubclass(cls, LazyModuleMixin)
    facts = (name, nearest, lazy, compiled, find_packed_reader(cls), size)
    _CLASSES[id(cls)] = facts
    weakref.finalize(cls, _CLASSES.pop, id(cls), None).atexit = False
    return facts


_STANDARD = len(nn.Module().__dict__)
"""How many attributes every module has before its own: ``training``, and dicts of parameters, hooks and the
like."""
_USUAL = frozenset(
    (
        NoneType, bool, int, float, complex, str, bytes, EllipsisType, type, BuiltinFunctionType,
        torch.Size, torch.dtype, torch.device, torch.memory_format, torch.layout,
        Tensor, nn.Parameter, nn.Buffer,
    )
)  # fmt: skip
"""Types of values that nobody can write into, but for the elements of a tensor."""


def _list_unusual(attributes: Attributes) -> list[Any]:
    """List those of a module's own attributes that a forward pass may write into."""
    first = next(iter(attributes), "")
    values = islice(attributes.values(), _STANDARD if first == "training" else 0, None)
    return [
        value
        for value in values
        if (kind := type(value)) not in _USUAL and not (kind is tuple and _USUAL.issuperset(map(type, value)))
    ]


_PLAIN = frozenset((Tensor, nn.Parameter, nn.Buffer))
_STRIDED = frozenset((torch.strided,))


class Modules:
    """The modules of a model, each once, under the first of its paths, in the order of definition.

    One walk finds everything that a trace needs to know of them: a deep model's modules do not fit into
    the processor's caches, so a second walk would take as long again.

    Args:
        model: the model.
        copied: whether it is a copy that nobody else has.
    """

    def __init__(self, model: nn.Module, *, copied: bool = False) -> None:
        self.model, self.copied = model, copied
        self._held_state: HeldState | None = None
        self.paths: dict[int, str] = {}
        """Module id to path; ``""`` is the model itself."""
        self.attributes: list[Attributes] = []
        """Every dict in which a module keeps something; ``preserve_state`` gives these back."""
        self.lazy = False
        """Whether some parameters get their shapes only at the first call."""
        self.written: list[Attributes] = []
        """The dicts of those modules whose forward is not torch's own and may do anything to them."""
        self.unusual: list[Any] = []
        """Attributes that a forward pass may write into: containers and objects."""
        self.stock: list[StockLayer] = []
        """The layers of classes of torch's own."""
        self.scripted: list[torch.jit.ScriptModule] = []
        """The modules whose code is TorchScript."""
        self._modules: list[nn.Module] = []
        # In the order of the records; None for a bias, say, that a module does without.
        self._parameters: list[Tensor | None] = []
        self._buffers: list[Tensor | None] = []
        self.records = tuple(self._walk())
        # Those that are there.
        present = self._present = [parameter for parameter in self._parameters if parameter is not None]
        # By map and sets, since this looks at every parameter of every model.
        self.special = not (
            _PLAIN.issuperset(map(type, present)) and _STRIDED.issuperset(map(attrgetter("layout"), present))
        )
        """Whether a parameter is no plain array: sparse, or of a class of its own."""
        if self.special:
            self.records = tuple(self._unpack_shapes())
        ids = [*map(id, present), *[id(buffer) for buffer in self._buffers if buffer is not None]]
        # Few models have tied tensors, so the others are spared a second walk.
        if len(set(ids)) < len(ids):
            self.records = tuple(self._mark_tied())

    @property
    def held(self) -> HeldState:
        """What the attributes that are containers or objects hold, as it is when this is first asked for."""
        # Not a cached property, which up to Python 3.11 takes a lock.
        if self._held_state is None:
            self._held_state = HeldState(self.unusual, self.paths)
        return self._held_state

    @property
    def root(self) -> nn.Module:
        """The model itself, without what torch.compile has wrapped it in."""
        return self._modules[0]

    @property
    def origins(self) -> dict[int, int]:
        """Id of a trainable parameter to the number that ``OpRecord.producers`` has for it.

        The ids stay valid for as long as the model, which holds the parameters, is alive.
        """
        parameters = self._present
        # From the last to the first, so that a tied parameter keeps the number of its first place.
        backwards = enumerate(reversed(parameters), PARAMETER - len(parameters) + 1)
        numbers = {id(parameter): number for number, parameter in backwards if parameter.requires_grad}
        if self.special:
            # Ops are done on the tensors inside a parameter that wraps them.
            held = [parameter for parameter in parameters if id(parameter) in numbers]
            numbers |= {id(each): numbers[id(whole)] for whole in held for each in list_wrapped(whole)}
        return numbers

    def are_in_order(self) -> bool:
        """Whether the elements of every parameter lie in the order of its shape."""
        return all(map(Tensor.is_contiguous, self._present))

    def list_modules(self) -> tuple[nn.Module, ...]:
        """List the modules, in the order of the records."""
        return tuple(self._modules)

    def name_parameter(self, number: int) -> StorageRecord:
        """Name a trainable parameter, given the number that ``OpRecord.producers`` has for it."""
        place = PARAMETER - number
        for module in self.records:
            if place < len(module.parameters):
                return _name_storage("parameter", module.path, module.parameters[place].name)
            place -= len(module.parameters)
        raise AssertionError("each number is some parameter's")

    def name_tensors(self, ids: AbstractSet[int]) -> dict[int, StorageRecord]:
        """Name the parameters and buffers of some ids."""
        named: dict[int, StorageRecord] = {}
        for module, record in zip(self._modules, self.records, strict=True):
            # By items(), since what a scripted module has here is no dict.
            for name, parameter in module._parameters.items():
                if id(parameter) in ids:
                    named.setdefault(id(parameter), _name_storage("parameter", record.path, name))
            for name, buffer in module._buffers.items():
                if id(buffer) in ids:
                    named.setdefault(id(buffer), _name_storage("buffer", record.path, name))
        return named

    def _walk(self) -> list[ModuleRecord]:
        # named_modules() is a nest of generators as deep as the model, and takes longer than recording the
        # model's ops.
        paths, modules, attributes, records = self.paths, self._modules, self.attributes, []
        waiting: list[tuple[str, nn.Module]] = [("", self.model)]
        classes, stock = _CLASSES, self.stock
        stand_ins: dict[int, Tensor] = {}
        while waiting:
            path, module = waiting.pop()
            if id(module) in paths:
                continue
            paths[id(module)] = path
            parameters: Mapping[str, Tensor | None] = module._parameters
            buffers, children = module._buffers, module._modules
            # A scripted module keeps its parameters, buffers and children in C++, behind objects that are
            # no dicts.
            own = module.__dict__
            cls, base, lazy, compiled, read_packed, size = classes.get(id(type(module))) or _read_class(
                module
            )
            if type(children) is dict:
                attributes += (own, module._parameters, buffers, children)
                if len(own) != size:
                    size = self._look_closely(module, size)
            else:
                attributes.append(own)
                cls, base = self._name_scripted(module) or (cls, base)
            if compiled:
                # The layer is called as it was before it was compiled, without _orig_mod.
                waiting += [(path, child) for child in children.values() if child is not None]
                continue
            modules.append(module)
            if lazy:
                self.lazy, parameters, buffers = True, {}, {}
            elif read_packed is not None and (unpacked := tuple(read_packed(module))):
                packed = make_stand_ins(unpacked, {**parameters, **buffers}, stand_ins)
                parameters = {**parameters, **packed}
                buffers = {name: buffer for name, buffer in buffers.items() if name not in packed}
            own_parameters = _tensor_records(parameters, self._parameters) if parameters else ()
            own_buffers = _tensor_records(buffers, self._buffers) if buffers else ()
            records.append(
                ModuleRecord(
                    path=path,
                    cls=cls,
                    base=base,
                    leaf=not children,
                    # A frozen script has none.
                    training=getattr(module, "training", False),
                    parameters=own_parameters,
                    buffers=own_buffers,
                )
            )
            if children:
                prefix = f"{path}." if path else ""
                waiting += [
                    (prefix + name, child) for name, child in reversed(children.items()) if child is not None
                ]
            elif len(own) == size:
                stock.append((module, path, own_parameters, own_buffers))
        return records

    def _name_scripted(self, module: nn.Module) -> tuple[str, str] | None:
        """Name the class that a module had before it was scripted or traced, and its base in torch.nn."""
        if not isinstance(module, torch.jit.ScriptModule):
            return None
        self.scripted.append(module)
        path, _, name = module._c.qualified_name.rpartition(".")
        return name, name if path.startswith("__torch__.torch.nn.modules.") else ""

    def _look_closely(self, module: nn.Module, size: int) -> int:
        """Look at a module with other attributes than those of its class; give how many these have."""
        own = module.__dict__
        if len(own) < size:
            # The first of the class that was met had more, which somebody had added.
            *_, size = _read_class(module)
        if len(own) != size:
            self.written.append(own)
            self.unusual += _list_unusual(own)
        return size

    def _unpack_shapes(self) -> Iterator[ModuleRecord]:
        """Rebuild the records, with the logical shape of every parameter that is packed."""
        present = iter(self._present)
        for record in self.records:
            parameters = [
                tensor if shape is None else replace(tensor, shape=shape)
                for tensor in record.parameters
                for shape in (find_unpacked_shape(next(present)),)
            ]
            yield replace(record, parameters=tuple(parameters))

    def _mark_tied(self) -> Iterator[ModuleRecord]:
        """Rebuild the records, with every tensor that was met before marked as tied to its first name."""
        first_names: dict[int, str] = {}
        parameters = iter(self._present)
        buffers = iter([buffer for buffer in self._buffers if buffer is not None])

        def mark(path: str, own: Tensor, tensor: TensorRecord) -> TensorRecord:
            name = f"{path}.{tensor.name}" if path else tensor.name
            first = first_names.setdefault(id(own), name)
            return tensor if first == name else replace(tensor, tied_to=first)

        for record in self.records:
            yield replace(
                record,
                parameters=tuple([mark(record.path, next(parameters), each) for each in record.parameters]),
                buffers=tuple([mark(record.path, next(buffers), each) for each in record.buffers]),
            )


def _name_storage(kind: Literal["parameter", "buffer"], path: str, name: str) -> StorageRecord:
    return StorageRecord(kind=kind, name=f"{path}.{name}" if path else name)


def _tensor_records(
    tensors: Mapping[str, Tensor | None], met: list[Tensor | None]
) -> tuple[TensorRecord, ...]:
    met += tensors.values()
    return _make_tensor_records(
        tuple(
            [
                (name, tensor.shape, tensor.dtype, tensor.requires_grad)
                for name, tensor in tensors.items()
                if tensor is not None
            ]
        )
    )


# The layers of a network repeat each other, and so do the networks of a search, so records are shared.
@lru_cache(maxsize=1 << 14)
def _make_tensor_records(
    tensors: tuple[tuple[str, Shape, torch.dtype, bool], ...],
) -> tuple[TensorRecord, ...]:
    return tuple(
        TensorRecord(name=name, shape=tuple(shape), dtype=DTYPE_NAMES[dtype], trainable=trainable)
        for name, shape, dtype, trainable in tensors
    )
