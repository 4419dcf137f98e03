"""Parsing the text of a spec: ``resnet34,shortcut=A,num_classes=10``."""

import re
from ast import literal_eval

from msgspec import Struct

from resflops.errors import SpecError

__all__ = ["Spec", "Value", "names_own_code", "parse_spec", "read_value", "split_at_commas"]

Value = int | float | bool | str | list[object] | tuple[object, ...] | dict[object, object] | None

_WORDS: dict[str, Value] = {"true": True, "false": False, "none": None, "null": None}


class Spec(Struct, frozen=True, kw_only=True):
    """The name of a model and the options that are set on it."""

    text: str
    """The spec as it was given."""
    name: str
    options: dict[str, str] = {}

    def values(self) -> dict[str, Value]:
        """Read the options as Python values."""
        return {name: read_value(text) for name, text in self.options.items()}


def parse_spec(text: str) -> Spec:
    """Split a spec at its commas and equals signs.

    >>> parse_spec("resnet34,shortcut=A").options
    {'shortcut': 'A'}
    >>> parse_spec("nets:make,depths=[2,2,6],name=small").options
    {'depths': '[2,2,6]', 'name': 'small'}

    Raises:
        SpecError: the spec has no name, an option without a value, or an option that is set twice.
    """
    name, *rest = (part.strip() for part in split_at_commas(text))
    # A path may have an equals sign in it.
    if not name or ("=" in name and "/" not in name):
        raise SpecError(
            f"{text!r} is not a model spec: it must begin with a model's name, as in resnet34,shortcut=A"
        )
    options: dict[str, str] = {}
    for part in rest:
        option, equals, value = (piece.strip() for piece in part.partition("="))
        if not (option and equals and value):
            raise SpecError(
                f"{text!r}: {part!r} is not an option; write name=value, as in {name},num_classes=10"
                + (f", or give two models as {name} {part}" if part and not equals else "")
            )
        if option in options:
            raise SpecError(f"{text!r} sets {option} twice; set it once")
        options[option] = value
    return Spec(text=text, name=name, options=options)


def split_at_commas(text: str) -> list[str]:
    """Split a text at commas, except those between brackets, which belong to a value: depths=[2,2,6].

    Raises:
        SpecError: a bracket is not closed, or not opened.
    """
    parts, depth = [""], 0
    for character in text:
        if character == "," and not depth:
            parts.append("")
            continue
        parts[-1] += character
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            break
    if depth:
        raise SpecError(f"{text!r}: a bracket is not closed or not opened; write lists as in depths=[2,2,6]")
    return parts


def read_value(text: str) -> Value:
    """Read a text as a Python value: a number, a bool, None or a list; otherwise it stands for itself.

    >>> [read_value(text) for text in ("2", "1e-3", "true", "None", "(2, 6)", "gelu")]
    [2, 0.001, True, None, (2, 6), 'gelu']
    """
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    # Only what begins like a literal: of some other texts, literal_eval makes Python show a SyntaxWarning.
    if not re.match(r"""[-+.\d\[({"']""", text):
        return text
    try:
        value: Value = literal_eval(text)
        # A number of thousands of digits, which hexadecimals can make, Python reads and does not write.
        repr(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text
    return value


def names_own_code(name: str) -> bool:
    """Whether a name is of a factory of resflops' own, whose traces follow from its version as others do.

    >>> names_own_code("resflops.models.kernels:stack")
    True
    """
    return name.startswith("resflops.") and ":" in name
