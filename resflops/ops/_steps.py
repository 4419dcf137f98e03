"""The types of generators that yield the calls of a torch function that is several ops."""

from collections.abc import Generator
from typing import Any, TypeVar

from resflops.ops._call import Call, SignedCall

__all__ = ["Part", "Steps"]

SomeResult = TypeVar("SomeResult")

Part = Generator[Call | SignedCall, Any, SomeResult]
"""It yields some calls of such a function, is sent the result of each, and returns what they come to."""

Steps = Part[Any]
"""It yields all calls of such a function and returns the function's own result."""
