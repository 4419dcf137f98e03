"""An op's attributes, read as the type that its declaration gives them: a missing one is an error."""

from typing import TypeVar

import msgspec
from msgspec import Struct

from resflops.errors import MissingAttributeError
from resflops.records import Attribute, OpRecord

__all__ = ["Attributes", "read_attributes", "read_before"]


class Attributes(Struct, frozen=True, kw_only=True, gc=False):
    """What decides an op's cost beside its shapes. A field has a default only where that counts nothing."""


Given = TypeVar("Given", bound=Attributes)

_MOST = 1 << 15
"""How many of a kind are kept; a network has as many as it has different layers."""

Read = dict[int, tuple[dict[str, Attribute], Attributes]]

# For each kind, by the id of the record's dict, which is kept beside so that the id stays its own. Records of
# layers that repeat each other share one dict, and reading one takes as long as pricing an op does otherwise.
_READ: dict[type[Attributes], Read] = {}


def read_before(kind: type[Attributes]) -> Read:
    """What has been read of a kind, for who looks there first: pricing a model asks once for every op."""
    return _READ.setdefault(kind, {})


def read_attributes(record: OpRecord, kind: type[Given]) -> Given:
    """A record's attributes as their type; what the type does not name is passed over.

    Raises:
        MissingAttributeError: one is missing, or is not what it should be.
    """
    given, before = record.attributes, read_before(kind)
    known = before.get(id(given))
    if known is not None and known[0] is given:
        return known[1]  # type: ignore[return-value]
    try:
        read = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise MissingAttributeError(
            f"op {record.op!r} of layer {record.layer!r} was recorded with the attributes {given}, which "
            f"lack what its cost depends on: {error}; trace the model again with this version of resflops"
        ) from None
    if len(before) >= _MOST:
        before.clear()
    before[id(given)] = (given, read)
    return read
