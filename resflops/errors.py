"""Everything that resflops raises on purpose.

The tree::

    ResflopsError
    ├── ModelError              a model could not be found or built
    │   ├── UnknownModelError   no model of that name
    │   └── SpecError           the text of a model spec is malformed
    ├── InputError              an input shape that no tensor can have
    ├── TraceError              the forward pass could not be traced
    │   ├── ShapeError          an op does not take these shapes
    │   └── DataDependentError  an op needs values, which a trace on shapes does not have
    ├── MissingAttributeError   a recorded op lacks what its cost depends on
    ├── UnknownConventionError  no convention of that name
    ├── DuplicateError          a name was registered twice
    ├── ConfigError             the configuration is wrong; all its mistakes at once
    ├── RevisionError           a git revision could not be counted
    ├── FileError               a file could not be read or written
    │   └── SchemaError         a file has the wrong content, or an unknown version
    └── UsageError              the command line asks for something that does not exist

Every message says three things: what was given, what is wrong, what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ConfigError",
    "DataDependentError",
    "DuplicateError",
    "FileError",
    "InputError",
    "MissingAttributeError",
    "ModelError",
    "ResflopsError",
    "RevisionError",
    "SchemaError",
    "ShapeError",
    "SpecError",
    "TraceError",
    "UnknownConventionError",
    "UnknownModelError",
    "UsageError",
    "describe_error",
    "suggest",
]


class ResflopsError(Exception):
    """The root: catch this to catch all that resflops raises on purpose."""


class ModelError(ResflopsError):
    """A model could not be found or built: it is unknown or misspelt, or its constructor failed."""


class UnknownModelError(ModelError):
    """There is no model of that name."""


class SpecError(ModelError):
    """The text of a model spec is malformed, or names an option that the model lacks."""


class InputError(ResflopsError):
    """An input shape is one that no tensor can have, or cannot be read as a shape."""


class TraceError(ResflopsError):
    """The forward pass could not be traced; the message names the layer and the op."""


class ShapeError(TraceError):
    """An op does not take these shapes."""


class DataDependentError(TraceError):
    """An op needs the values of a tensor, which a trace on shapes does not have."""


class MissingAttributeError(ResflopsError):
    """A recorded op lacks an attribute that its cost depends on."""


class UnknownConventionError(ResflopsError):
    """There is no convention of that name."""


class DuplicateError(ResflopsError):
    """A rule, a convention or a format was registered under a name that is taken already."""


class ConfigError(ResflopsError):
    """The configuration is wrong; the message has all its mistakes, each with its file and line."""


class RevisionError(ResflopsError):
    """A git revision could not be checked out or counted."""


class FileError(ResflopsError):
    """A file could not be read or written."""


class SchemaError(FileError):
    """A file has the wrong content, or a version that this resflops does not know."""


class UsageError(ResflopsError):
    """The command line asks for something that does not exist."""


def describe_error(error: BaseException) -> str:
    r"""Describe an exception of somebody else's code in one line, as a part of a message.

    >>> describe_error(ValueError("two\nlines")), describe_error(RuntimeError())
    ('ValueError: two lines', 'RuntimeError')
    """
    return ": ".join(part for part in (type(error).__name__, " ".join(str(error).split())) if part)


def suggest(name: str, known: Iterable[str], *, most: int = 4) -> str:
    """Suggest the known names that are closest to a misspelt one, in any case, as the end of a message.

    >>> suggest("resnet43", ["resnet34", "vgg19"])
    '; closest: resnet34'
    >>> suggest("THOP", ["thop"])
    '; closest: thop'
    >>> suggest("xyzzy", ["resnet34"])
    ''
    """
    lowered = {candidate.lower(): candidate for candidate in known}
    closest = [lowered[match] for match in get_close_matches(name.lower(), lowered, n=most, cutoff=0.6)]
    return f"; closest: {', '.join(closest)}" if closest else ""
