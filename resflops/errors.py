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

import re
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
    "escape_control_characters",
    "explain_missing",
    "pluralize",
    "shorten",
    "suggest",
]


class ResflopsError(Exception):
    """The root: catch this to catch all that resflops raises on purpose."""

    def __str__(self) -> str:
        """Give the message, fit to be shown: names and values in it come from files of anyone's."""
        return escape_control_characters(shorten(super().__str__()))


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


LONGEST_WORD, LONGEST_LINE = 400, 4000
"""The most characters of a word and of a line in a message; longer than any name, and still readable."""


def shorten(message: str) -> str:
    """Cut the words and lines of a message that are too long to be read, in their middle.

    >>> shorten("a" * 1000) == "a" * 267 + "…" + "a" * 132
    True
    """
    if len(message) <= LONGEST_WORD:
        return message
    lines = (re.sub(r"\S+", lambda found: _cut(found[0], LONGEST_WORD), line) for line in message.split("\n"))
    return "\n".join(_cut(line, LONGEST_LINE) for line in lines)


def _cut(text: str, most: int) -> str:
    begin = most * 2 // 3 + 1
    return text if len(text) <= most else f"{text[:begin]}…{text[begin + 1 - most :]}"


def escape_control_characters(text: str) -> str:
    r"""Escape what would move a terminal's cursor, change its colours or hide a part of a text.

    >>> escape_control_characters("\x1b[31mred\u202e\n") == r"\x1b[31mred\u202e" + "\n"
    True
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode()
        for sign in text
    )


def describe_error(error: BaseException) -> str:
    r"""Describe an exception of somebody else's code in one line, as a part of a message.

    >>> describe_error(ValueError("two\nlines")), describe_error(RuntimeError())
    ('ValueError: two lines', 'RuntimeError')
    """
    return ": ".join(part for part in (type(error).__name__, " ".join(str(error).split())) if part)


def pluralize(noun: str, number: int) -> str:
    """Give a regular noun in the form that a number takes.

    >>> pluralize("row", 1), pluralize("row", 0), pluralize("row", 2)
    ('row', 'rows', 'rows')
    """
    return noun if number == 1 else f"{noun}s"


def suggest(name: str, known: Iterable[str], *, most: int = 4) -> str:
    """Suggest the known names that are closest to a misspelt one, in any case, as the end of a message.

    >>> suggest("resnet43", ["resnet34", "vgg19"])
    '; closest: resnet34'
    >>> suggest("THOP", ["thop"])
    '; closest: thop'
    >>> suggest("xyzzy", ["resnet34"])
    ''
    """
    # Comparing takes the square of a name's length, and nobody misspells so long a name.
    if len(name) > LONGEST_WORD:
        return ""
    lowered = {candidate.lower(): candidate for candidate in known}
    closest = [lowered[match] for match in get_close_matches(name.lower(), lowered, n=most, cutoff=0.6)]
    return f"; closest: {', '.join(closest)}" if closest else ""


def explain_missing(value: object, name: str, answers: dict[str, str]) -> str:
    """Explain that a value has no such attribute, and what has the answer instead.

    Args:
        value: the value that was asked.
        name: the attribute that it lacks.
        answers: the names that other counters use, each with what to write here.
    """
    kind = type(value)
    message = f"{kind.__name__!r} object has no attribute {name!r}"
    if name in answers:
        return f"{message}; {answers[name]}"
    # Notebooks and debuggers ask for many of those, and nobody reads the answer.
    if name.startswith("_"):
        return message
    known = [each for each in dir(kind) if not each.startswith("_")]
    return f"{message}{suggest(name, known)}"
