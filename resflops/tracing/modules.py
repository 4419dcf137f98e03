"""What modules a model has, and what parameters and buffers are their own."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from resflops.records import ModuleRecord, TensorRecord

__all__ = ["DTYPE_NAMES", "module_records", "modules_by_path"]


class _DtypeNames(dict[torch.dtype, str]):
    def __missing__(self, dtype: torch.dtype) -> str:
        name = self[dtype] = str(dtype).removeprefix("torch.")
        return name


DTYPE_NAMES = _DtypeNames()
"""``float32`` for ``torch.float32``; a dict, since it is asked for every op and every tensor."""


class _NearestBases(dict[type, str]):
    def __missing__(self, cls: type) -> str:
        bases = (base for base in cls.__mro__ if base.__module__.startswith("torch.nn."))
        name = self[cls] = next((base.__name__ for base in bases if base is not nn.Module), "")
        return name


NEAREST_BASES = _NearestBases()
"""A class's nearest base in torch.nn, itself included: ``Conv2d``; ``""`` for a plain Module."""


def modules_by_path(model: nn.Module) -> dict[str, nn.Module]:
    """Every module once, under the path at which it is met first, in the order of definition.

    It is ``named_modules()`` without its nest of generators, which costs a deep model
    more than recording its ops.
    """
    found: dict[str, nn.Module] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, nn.Module]] = [("", model)]
    while waiting:
        path, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        found[path] = module
        if children := module._modules:
            prefix = f"{path}." if path else ""
            waiting += [
                (prefix + name, child) for name, child in reversed(children.items()) if child is not None
            ]
    return found


def module_records(modules: dict[str, nn.Module]) -> Iterator[ModuleRecord]:
    """The records of the modules; a tensor met before is marked as tied to its first name."""
    met: dict[int, tuple[str, str]] = {}
    for path, module in modules.items():
        cls = type(module)
        parameters, buffers = module._parameters, module._buffers
        yield ModuleRecord(
            path=path,
            cls=cls.__name__,
            base=NEAREST_BASES[cls],
            leaf=not module._modules,
            training=module.training,
            parameters=_tensor_records(parameters, path, met) if parameters else (),
            buffers=_tensor_records(buffers, path, met) if buffers else (),
        )


def _tensor_records(
    tensors: Mapping[str, Tensor | None], path: str, met: dict[int, tuple[str, str]]
) -> tuple[TensorRecord, ...]:
    names = DTYPE_NAMES
    records = []
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        here = (path, name)
        first = met.setdefault(id(tensor), here)
        records.append(
            TensorRecord(
                name=name,
                shape=tuple(tensor.shape),
                dtype=names[tensor.dtype],
                trainable=tensor.requires_grad,
                tied_to="" if first is here else ".".join(filter(None, first)),
            )
        )
    return tuple(records)
