"""Read an op's attributes as the type that its declaration gives them: a missing one is an error."""

from typing import TypeVar

import msgspec
from msgspec import Struct

from resflops.errors import MissingAttributeError
from resflops.records import Attribute, OpRecord

__all__ = ["Attributes", "find_cache", "read_attributes"]


class Attributes(Struct, frozen=True, kw_only=True, gc=False):
    """What an op's cost depends on beside its shapes. A field has a default only if that counts nothing."""


SomeAttributes = TypeVar("SomeAttributes", bound=Attributes)

_CAPACITY = 1 << 15
"""How many entries the cache of a kind may have; a network needs one for each of its different layers."""

Cache = dict[int, tuple[dict[str, Attribute], Attributes]]

# Cached because converting a dict takes as long as everything else in pricing an op, and records of layers
# that repeat each other share one dict. The key is the id of the dict. The entry keeps the dict alive, so
# that no other dict can take over its id.
_CACHES: dict[type[Attributes], Cache] = {}


def find_cache(kind: type[Attributes]) -> Cache:
    """Find the cache of one kind of attributes, for a caller that looks into it itself for speed."""
    return _CACHES.setdefault(kind, {})


def read_attributes(record: OpRecord, kind: type[SomeAttributes]) -> SomeAttributes:
    """Read a record's attributes as their type; attributes that the type does not name are ignored.

    Raises:
        MissingAttributeError: an attribute is missing, or has a value of another type.
    """
    given, cache = record.attributes, find_cache(kind)
    cached = cache.get(id(given))
    if cached is not None and cached[0] is given:
        return cached[1]  # type: ignore[return-value]
    try:
        read = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise MissingAttributeError(
            f"op {record.op!r} of layer {record.layer!r} was recorded with the attributes {given}; "
            f"its cost depends on one that is missing or invalid: {error}; "
            "trace the model again with this version of resflops"
        ) from None
    if len(cache) >= _CAPACITY:
        cache.clear()
    cache[id(given)] = (given, read)
    return read
