"""The text of a spec, taken apart: ``resnet34,shortcut=A,num_classes=10``."""

from msgspec import Struct

from resflops.errors import SpecError

__all__ = ["Spec", "parse_spec"]


class Spec(Struct, frozen=True, kw_only=True):
    """A model's name and what is set on it."""

    text: str
    """As it was given."""
    name: str
    options: dict[str, str] = {}


def parse_spec(text: str) -> Spec:
    """Take a spec apart at its commas and equals signs.

    >>> parse_spec("resnet34,shortcut=A").options
    {'shortcut': 'A'}

    Raises:
        SpecError: no name, an option without a value, or one that is given twice.
    """
    name, *rest = (part.strip() for part in text.split(","))
    if not name or "=" in name:
        raise SpecError(
            f"{text!r} is no model spec: it must begin with a model's name, as in resnet34,shortcut=A"
        )
    options: dict[str, str] = {}
    for part in rest:
        option, equals, value = (piece.strip() for piece in part.partition("="))
        if not (option and equals and value):
            raise SpecError(f"{text!r}: {part!r} is no option; write name=value, as in {name},num_classes=10")
        if option in options:
            raise SpecError(f"{text!r} sets {option} twice; set it once")
        options[option] = value
    return Spec(text=text, name=name, options=options)
