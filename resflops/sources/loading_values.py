"""Loading what a file holds with its values, in the midst of building a model without any."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

import torch

__all__ = ["import_with_values", "load_values"]


@contextmanager
def load_values() -> Iterator[None]:
    """Load what a file holds with its values: outside the modes in which models are built without."""
    with torch.device("cpu"), torch._C.DisableTorchFunction():  # noqa: SLF001
        yield


def import_with_values(name: str) -> ModuleType:
    """Import a module that makes tensors as it is imported, as torch's compiler does.

    In a thread of its own, which has none of the modes: torch 2.6 tries them out there, and finds others.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(import_module, name).result()
