"""What modules a model has, and what parameters and buffers are their own."""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor, nn

from resflops.records import ModuleRecord, TensorRecord

__all__ = ["dtype_name", "module_records", "modules_by_path"]


@cache
def dtype_name(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


@cache
def nearest_base(cls: type) -> str:
    """The nearest base class that torch.nn defines, the class itself included; ``""`` for a plain Module."""
    for base in cls.__mro__:
        if base.__module__.startswith("torch.nn.") and base is not nn.Module:
            return base.__name__
    return ""


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
    first_names: dict[int, str] = {}
    for path, module in modules.items():
        cls = type(module)
        yield ModuleRecord(
            path=path,
            cls=cls.__name__,
            base=nearest_base(cls),
            leaf=not module._modules,
            training=module.training,
            parameters=_tensor_records(module._parameters, path, first_names) if module._parameters else (),
            buffers=_tensor_records(module._buffers, path, first_names) if module._buffers else (),
        )


def _tensor_records(
    tensors: dict[str, Tensor | None] | dict[str, nn.Parameter | None], path: str, first_names: dict[int, str]
) -> tuple[TensorRecord, ...]:
    records = []
    prefix = f"{path}." if path else ""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        full = prefix + name
        first = first_names.setdefault(id(tensor), full)
        records.append(
            TensorRecord(
                name=name,
                shape=tuple(tensor.shape),
                dtype=dtype_name(tensor.dtype),
                trainable=tensor.requires_grad,
                tied_to="" if first == full else first,
            )
        )
    return tuple(records)
