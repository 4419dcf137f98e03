"""From the text of a spec to the model it names."""

from resflops.errors import UnknownModelError, near
from resflops.sources import builtin
from resflops.sources.found import FoundModel
from resflops.sources.spec import parse_spec

__all__ = ["find"]


def find(text: str) -> FoundModel:
    """The model that a spec names; nothing is built yet.

    Raises:
        SpecError: the spec is malformed, or sets an option that the model lacks.
        UnknownModelError: there is no model of that name.
    """
    spec = parse_spec(text)
    found = builtin.find_builtin(spec)
    if found is None:
        known = builtin.names()
        raise UnknownModelError(
            f"no model named {spec.name!r}{near(spec.name.lower(), known)}; resflops models lists them all"
        )
    return found
