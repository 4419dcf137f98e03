"""What modules a model has, and what parameters, buffers and attributes are their own."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from resflops.records import PARAMETER, ModuleRecord, Shape, TensorRecord

__all__ = ["DTYPE_NAMES", "Attributes", "Modules"]

Attributes = dict[str, Any]
"""What one module keeps: its ``__dict__``, or its parameters, buffers or children by name."""


class _DtypeNames(dict[torch.dtype, str]):
    def __missing__(self, dtype: torch.dtype) -> str:
        name = self[dtype] = str(dtype).removeprefix("torch.")
        return name


DTYPE_NAMES = _DtypeNames()
"""``float32`` for ``torch.float32``; a dict, since it is asked for every op and every tensor."""


class _Classes(dict[type, tuple[str, str, bool]]):
    def __missing__(self, cls: type) -> tuple[str, str, bool]:
        bases = (base for base in cls.__mro__ if base.__module__.startswith("torch.nn."))
        nearest = next((base.__name__ for base in bases if base is not nn.Module), "")
        # A counter that goes by exact classes does not know timm.layers.norm.LayerNorm.
        namesake = cls.__name__ == nearest and not cls.__module__.startswith("torch.nn.")
        name = f"{cls.__module__}.{cls.__qualname__}" if namesake else cls.__name__
        # A lazy module becomes one of its plain class at its first call.
        known = self[cls] = (name, nearest, issubclass(cls, LazyModuleMixin))
        return known


_CLASSES = _Classes()
"""A class's name, its nearest base in torch.nn, itself included (``""`` for a plain Module), and whether it
is lazy."""


class Modules:
    """The modules of a model, each once, under the path at which it is met first, in the order of definition.

    Everything that a trace wants to know of them is found in one walk: a deep model's
    modules do not fit the processor's caches, and every further walk takes as long again.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.paths: dict[int, str] = {}
        """Module id to path; ``""`` is the model itself."""
        self.attributes: list[Attributes] = []
        """Every dict in which a module keeps something."""
        self.lazy = False
        """Whether the first call would give some parameters their shapes."""
        self._modules: list[nn.Module] = []
        self._parameters: list[Tensor] = []
        self._buffers: list[Tensor] = []
        self.records = tuple(self._found())
        distinct = {*map(id, self._parameters), *map(id, self._buffers)}
        if len(distinct) < len(self._parameters) + len(self._buffers):
            self.records = tuple(self._tied())

    @property
    def origins(self) -> dict[int, int]:
        """Id of a trainable parameter to what ``OpRecord.producers`` calls it."""
        last = PARAMETER - len(self._parameters) + 1
        # From the last to the first: a tied one goes by its first place.
        backwards = enumerate(reversed(self._parameters), last)
        return {id(tensor): place for place, tensor in backwards if tensor.requires_grad}

    def _found(self) -> list[ModuleRecord]:
        # named_modules() takes a nest of generators as deep as the model, and longer than recording its ops.
        paths, modules, attributes, records = self.paths, self._modules, self.attributes, []
        waiting: list[tuple[str, nn.Module]] = [("", self.model)]
        while waiting:
            path, module = waiting.pop()
            if id(module) in paths:
                continue
            paths[id(module)] = path
            modules.append(module)
            parameters, buffers, children = module._parameters, module._buffers, module._modules
            attributes += (module.__dict__, parameters, buffers, children)
            cls, base, lazy = _CLASSES[type(module)]
            if lazy:
                self.lazy, parameters, buffers = True, {}, {}
            records.append(
                ModuleRecord(
                    path=path,
                    cls=cls,
                    base=base,
                    leaf=not children,
                    training=module.training,
                    parameters=_tensor_records(parameters, self._parameters) if parameters else (),
                    buffers=_tensor_records(buffers, self._buffers) if buffers else (),
                )
            )
            if children:
                prefix = f"{path}." if path else ""
                waiting += [
                    (prefix + name, child) for name, child in reversed(children.items()) if child is not None
                ]
        # A scripted module keeps its own in C++, behind something that is no dict.
        self.attributes = [each for each in attributes if type(each) is dict]
        return records

    def _tied(self) -> Iterator[ModuleRecord]:
        """The records once more; a tensor met before is marked as tied to its first name."""
        first: dict[int, str] = {}

        def tied(path: str, own: Mapping[str, Tensor | None], each: TensorRecord) -> TensorRecord:
            name = f"{path}.{each.name}" if path else each.name
            met = first.setdefault(id(own[each.name]), name)
            return each if met == name else replace(each, tied_to=met)

        for module, record in zip(self._modules, self.records, strict=True):
            parameters, buffers = module._parameters, module._buffers
            yield replace(
                record,
                parameters=tuple([tied(record.path, parameters, each) for each in record.parameters]),
                buffers=tuple([tied(record.path, buffers, each) for each in record.buffers]),
            )


def _tensor_records(tensors: Mapping[str, Tensor | None], met: list[Tensor]) -> tuple[TensorRecord, ...]:
    own = [(name, tensor) for name, tensor in tensors.items() if tensor is not None]
    met += [tensor for _, tensor in own]
    return _records_of(tuple([(name, each.shape, each.dtype, each.requires_grad) for name, each in own]))


# A network's layers repeat each other, and so do the networks of a search: records are shared.
@lru_cache(maxsize=1 << 14)
def _records_of(tensors: tuple[tuple[str, Shape, torch.dtype, bool], ...]) -> tuple[TensorRecord, ...]:
    return tuple(
        TensorRecord(name=name, shape=tuple(shape), dtype=DTYPE_NAMES[dtype], trainable=trainable)
        for name, shape, dtype, trainable in tensors
    )
