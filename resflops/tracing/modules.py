"""What modules a model has, and what parameters, buffers and attributes are their own."""

from collections.abc import Mapping
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
        # A lazy module becomes one of its plain class at its first call.
        known = self[cls] = (cls.__name__, nearest, issubclass(cls, LazyModuleMixin))
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
        self.origins: dict[int, int] = {}
        """Id of a trainable parameter to what ``OpRecord.producers`` calls it."""
        self.attributes: list[Attributes] = []
        """Every dict in which a module keeps something."""
        self.lazy = False
        """Whether the first call would give some parameters their shapes."""
        self._place = PARAMETER
        # Tensor id -> the module and the name that it is met under first.
        self._met: dict[int, tuple[str, str]] = {}
        self.records = tuple(self._found())

    def all(self) -> list[nn.Module]:
        """The modules themselves."""
        found = {id(module): module for module in self.model.modules()}
        return [found[key] for key in self.paths]

    def _found(self) -> list[ModuleRecord]:
        # named_modules() takes a nest of generators as deep as the model, and longer than recording its ops.
        paths, records = self.paths, []
        waiting: list[tuple[str, nn.Module]] = [("", self.model)]
        while waiting:
            path, module = waiting.pop()
            if id(module) in paths:
                continue
            paths[id(module)] = path
            parameters, buffers, children = module._parameters, module._buffers, module._modules
            # A scripted module keeps its own in C++, behind something that is no dict.
            self.attributes += [each for each in (module.__dict__, parameters, buffers, children)
                                if type(each) is dict]  # fmt: skip
            cls, base, lazy = _CLASSES[type(module)]
            if lazy:
                self.lazy = True
                parameters, buffers = {}, {}
            records.append(
                ModuleRecord(
                    path=path,
                    cls=cls,
                    base=base,
                    leaf=not children,
                    training=module.training,
                    parameters=self._parameters(path, parameters) if parameters else (),
                    buffers=self._tensors(path, buffers) if buffers else (),
                )
            )
            if children:
                prefix = f"{path}." if path else ""
                waiting += [
                    (prefix + name, child) for name, child in reversed(children.items()) if child is not None
                ]
        return records

    def _parameters(self, path: str, parameters: Mapping[str, Tensor | None]) -> tuple[TensorRecord, ...]:
        for parameter in parameters.values():
            if parameter is not None:
                if parameter.requires_grad:
                    self.origins.setdefault(id(parameter), self._place)
                self._place -= 1
        return self._tensors(path, parameters)

    def _tensors(self, path: str, tensors: Mapping[str, Tensor | None]) -> tuple[TensorRecord, ...]:
        met, records = self._met, []
        for name, tensor in tensors.items():
            if tensor is not None:
                record = _tensor_record(name, tensor.shape, tensor.dtype, tensor.requires_grad)
                if id(tensor) in met:
                    record = replace(record, tied_to=".".join(filter(None, met[id(tensor)])))
                else:
                    met[id(tensor)] = (path, name)
                records.append(record)
        return tuple(records)


# A network's layers repeat each other, and so do the networks of a search: records are shared.
@lru_cache(maxsize=1 << 14)
def _tensor_record(name: str, shape: Shape, dtype: torch.dtype, trainable: bool) -> TensorRecord:  # noqa: FBT001
    return TensorRecord(name=name, shape=tuple(shape), dtype=DTYPE_NAMES[dtype], trainable=trainable)
