"""The calls of a torch function that is several ops."""

from collections.abc import Generator
from typing import Any, TypeVar

from resflops.ops._call import Call, SignedCall

__all__ = ["Part", "Steps"]

SomeResult = TypeVar("SomeResult")

Part = Generator[Call | SignedCall, Any, SomeResult]
"""Some calls of such a function, and what they come to; each is answered with its result."""

Steps = Part[Any]
"""The calls of a function that is several ops, and what it gives."""
