"""Where sources are registered."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import DuplicateError, UnknownModelError, suggest
from resflops.extensions import find_origin, load_extensions
from resflops.sources.found import FoundModel
from resflops.sources.spec import Spec

__all__ = [
    "BUILTIN",
    "FACTORY",
    "SOURCES",
    "Source",
    "load_more_sources",
    "make_unknown_model_error",
    "register",
]

BUILTIN = ""
"""The prefix of the built-in networks, which are named without one."""
FACTORY = ":"
"""The prefix of factories, which have none and are known by their colon."""


class Source(Struct, frozen=True, kw_only=True):
    """A place where models come from."""

    prefix: str
    """What stands before the slash of its specs: ``torchvision`` in ``torchvision/resnet50``."""
    summary: str
    """What its specs look like, in a few words."""
    find: Callable[[str, Spec], FoundModel]
    """The model of a name, which is the spec's without the prefix."""
    names: Callable[[], list[str]]
    """All names, in the source's own order, without the prefix."""
    origin: str = ""
    """The distribution that it comes with, filled in where it is registered."""


SOURCES: dict[str, Source] = {}
"""Prefix to source."""


def register(source: Source) -> Source:
    """Add a source.

    Raises:
        DuplicateError: the prefix is another source's.
    """
    if source.prefix in SOURCES:
        raise DuplicateError(f"a source with the prefix {source.prefix!r} exists already; choose another one")
    SOURCES[source.prefix] = replace(source, origin=find_origin())
    return SOURCES[source.prefix]


def load_more_sources() -> None:
    """Have the sources of other distributions, where a prefix is not found and where all are listed."""
    load_extensions("resflops.sources", SOURCES)


def make_unknown_model_error(prefix: str, name: str, known: list[str]) -> UnknownModelError:
    """The error for a name that a source does not have."""
    return UnknownModelError(
        f"no model named {name!r} in {prefix}{suggest(name.lower(), known)}; "
        f"'{prefix}/*' stands for all that it has"
    )
