"""What a model's attributes hold, in containers and objects, before a pass: it is put back after it.

A forward pass may keep keys and values in a list, or what it has seen in an object of its own. What is found
here by going through lists, dicts, sets and objects of Python classes can be put back in place, whoever else
holds the same list. Other values, such as generators of random numbers, have a state that cannot be read in
one way for all. A model that holds one is counted as a copy.
"""

import inspect
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterable
from enum import Enum
from functools import partial
from numbers import Number
from operator import is_
from pathlib import PurePath
from types import CellType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any

import torch
from torch import Tensor

__all__ = ["HeldState"]

_MOST = 1 << 14
"""How many containers and objects are gone through. A model that holds a data set would take seconds."""
_INERT = (Tensor, type, ModuleType, Enum, Number, PurePath, str, bytes, torch.Size, torch.dtype, torch.device)
_PLAIN = frozenset((NoneType, bool, int, float, str, bytes))
"""The types of most values: nothing needs to be asked about these."""
_HEAP_TYPE = 1 << 9
"""The flag of a class that was made by a class statement: its instances keep all they have in Python."""


class HeldState:
    """The state of the containers and objects that can be reached from some values.

    Args:
        values: the values.
        known: ids of what is given back by other means, and not gone through.
    """

    def __init__(self, values: Iterable[Any], known: Container[int]) -> None:
        self.opaque: list[Any] = []
        """Values whose state cannot be read; functions that hold one of the ``known`` are among them."""
        self.tensors: list[Tensor] = []
        self.shared: list[Any] = []
        """Values that a copy of the model shares: functions in C, whose object need not be the model's, and
        the generators of the process."""
        self._restores: list[Callable[[], None]] = []
        self._known, self._seen = known, set[int]()
        waiting = list(values)
        while waiting and len(self._seen) < _MOST:
            value = waiting.pop()
            if id(value) not in self._seen and id(value) not in self._known:
                self._seen.add(id(value))
                waiting += [each for each in self._take(value) if type(each) not in _PLAIN]

    def restore(self) -> None:
        """Put everything back in place."""
        for restore in self._restores:
            restore()

    def _take(self, value: Any) -> Iterable[Any]:
        """Take note of one value, and give those that it holds."""
        # The usual containers first: to ask of others takes several times as long.
        kind = type(value)
        if kind is dict:
            return self._take_dict(value)
        if kind is list:
            return self._take_list(value)
        if isinstance(value, Tensor):
            self.tensors.append(value)
        if isinstance(value, _INERT):
            return ()
        for kinds, take in _TAKES:
            if isinstance(value, kinds):
                return take(self, value)
        return self._take_object(value)

    def _take_dict(self, value: dict[Any, Any]) -> Iterable[Any]:
        # The methods of the base class: those of a subclass may do more than keep.
        base = OrderedDict if isinstance(value, OrderedDict) else dict
        keys, values = list(value), list(value.values())

        def restore() -> None:
            if not (_are_same(keys, list(value)) and _are_same(values, list(value.values()))):
                base.clear(value)
                base.update(value, zip(keys, values, strict=True))

        self._restores.append(restore)
        return values

    def _take_list(self, value: list[Any]) -> Iterable[Any]:
        items = list(value)

        def restore() -> None:
            if not _are_same(items, value):
                list.__setitem__(value, slice(None), items)

        self._restores.append(restore)
        return items

    def _take_collection(self, value: set[Any] | deque[Any]) -> Iterable[Any]:
        items = list(value)

        def restore() -> None:
            if not _are_same(items, list(value)):
                value.clear()
                for item in items:
                    value.add(item) if isinstance(value, set) else value.append(item)

        self._restores.append(restore)
        return items

    def _take_function(self, value: FunctionType) -> Iterable[Any]:
        # What a function has enclosed is its author's, and stays what a call makes of it.
        if any(id(_read_cell(cell)) in self._known for cell in value.__closure__ or ()):
            # A copy of the model would call the model itself through it.
            self.opaque.append(value)
        return ()

    def _take_object(self, value: Any) -> Iterable[Any]:
        cls = type(value)
        package = cls.__module__.partition(".")[0]
        if inspect.isroutine(value) or cls.__name__ == "cython_function_or_method" or _is_generator(value):
            self.shared.append(value)
            return ()
        special = isinstance(value, bytearray | torch.Generator)
        if special or not (hasattr(value, "__dict__") and all(map(_keeps_all_in_dict, cls.__mro__))):
            if special or package not in _WITHOUT_STATE:
                self.opaque.append(value)
            return ()
        if package in sys.stdlib_module_names and package not in {"argparse", "collections"}:
            return ()
        return self._take_dict(vars(value))


_TAKES: tuple[tuple[Any, Callable[[HeldState, Any], Iterable[Any]]], ...] = (
    ((tuple, frozenset), lambda _, value: value),
    (dict, HeldState._take_dict),
    (list, HeldState._take_list),
    ((set, deque), HeldState._take_collection),
    (FunctionType, HeldState._take_function),
    (partial, lambda _, value: (value.func, value.args, value.keywords)),
    (MethodType, lambda _, value: (value.__self__,)),
)


_WITHOUT_STATE = frozenset(
    (
        "builtins", "_thread", "threading", "_io", "io", "logging", "re", "weakref", "torch",
        "datetime", "decimal", "fractions", "uuid", "abc", "typing", "functools",
    )
)  # fmt: skip
"""Packages of classes that keep nothing, or nothing that a count could put back, such as a lock or a file."""


def _keeps_all_in_dict(cls: type) -> bool:
    return cls is object or (bool(cls.__flags__ & _HEAP_TYPE) and not cls.__dict__.get("__slots__"))


def _is_generator(value: Any) -> bool:
    """Whether a value is Python's or numpy's own generator, which ``preserve_generators`` gives back."""
    numpy = sys.modules.get("numpy.random")
    return value is random.random.__self__ or (numpy is not None and value is numpy.rand.__self__)  # type: ignore[attr-defined]


def _are_same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _read_cell(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None
