"""The registry of sources, the places that models come from."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import DuplicateError, UnknownModelError, suggest
from resflops.extensions import find_origin, load_extensions
from resflops.sources.found_model import FoundModel
from resflops.sources.spec import Spec

__all__ = [
    "BUILTIN",
    "FACTORY",
    "FILE",
    "SOURCES",
    "WITHOUT_PREFIX",
    "Source",
    "load_more_sources",
    "make_unknown_model_error",
    "register",
]

BUILTIN = ""
"""The prefix of the built-in networks, whose specs have none."""
FACTORY = ":"
"""The prefix under which factories are registered. Their specs have none and are known by their colon."""
FILE = "./"
"""The prefix under which files are registered that hold a model by themselves; their specs are paths."""

WITHOUT_PREFIX = frozenset({BUILTIN, FACTORY, FILE})
"""The sources whose specs have no prefix."""


class Source(Struct, frozen=True, kw_only=True):
    """A place that models come from."""

    prefix: str
    """The part of its specs before the slash: ``torchvision`` in ``torchvision/resnet50``."""
    summary: str
    """An example of its specs and what they name, in a few words."""
    find: Callable[[str, Spec], FoundModel]
    """Finds the model of a name, which is the spec's name without the prefix."""
    names: Callable[[], list[str]]
    """Lists all names without the prefix, in the source's own order."""
    canonicalize: Callable[[str], str] = str
    """Gives a name as the source itself spells it, where people spell it in another case."""
    origin: str = ""
    """The distribution that it comes from, filled in as it is registered."""


SOURCES: dict[str, Source] = {}
"""Prefix to source."""


def register(source: Source) -> Source:
    """Add a source.

    Raises:
        DuplicateError: the prefix is another source's.
    """
    if source.prefix in SOURCES:
        raise DuplicateError(
            f"a source with the prefix {source.prefix!r} exists already; choose another prefix"
        )
    SOURCES[source.prefix] = replace(source, origin=find_origin())
    return SOURCES[source.prefix]


def load_more_sources() -> None:
    """Load the sources of other distributions.

    Called only if a prefix is not found or all sources are listed: looking for entry points takes time, and
    most specs do not need it.
    """
    load_extensions("resflops.sources", SOURCES)


def make_unknown_model_error(prefix: str, name: str, known: list[str]) -> UnknownModelError:
    """Make the error for a name that a source does not have."""
    return UnknownModelError(
        f"no model named {name!r} in {prefix}{suggest(name.lower(), known)}; "
        f"the pattern '{prefix}/*' stands for all of its models"
    )
