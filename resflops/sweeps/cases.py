"""What a sweep counts: cases, each of which is one row of its result, and what became of each."""

from typing import Any

from msgspec import Struct

from resflops.records import Shape
from resflops.sources.shapes import format_shape

__all__ = ["Batch", "Case", "Limits", "Outcome", "SweepOptions"]


class SweepOptions(Struct, frozen=True, kw_only=True):
    """What is counted of every case."""

    conventions: tuple[str, ...] = ("macs",)
    """Names of the conventions, each of which is a column."""
    training: bool = False
    """Whether to count the backward pass as well."""
    memory: bool = False
    """Whether to work out the peak of memory; with ``training`` that of a step of training, too."""
    dtype: str | None = None
    """Type to convert floating-point parameters and inputs to; None keeps theirs."""
    fresh: bool = False
    """Whether to trace models even if traces of them are stored."""


class Limits(Struct, frozen=True, kw_only=True):
    """What one case may take before the process that counts it is ended."""

    seconds: float = 600.0
    memory: int | None = None
    """Bytes in memory of that process; None sets no limit."""


class Case(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model on an input."""

    number: int
    """Its place in the result, from 0 on."""
    name: str
    """What it is called: its label, its spec, or the name that a search space gives it."""
    spec: str = ""
    """The spec that names its model; ``""`` if something else makes it."""
    made_by: int | None = None
    """The place of what makes it in what its batch brings along; None if a spec names it."""
    source: str = ""
    """Where a model without a spec comes from, as the user named it."""
    input_shape: Shape | None = None
    """With the batch in front or without; None for its usual input."""
    batch: int | None = None
    """The batch in place of that of the input; None keeps that one."""
    failure: tuple[str, str] | None = None
    """The kind of error that keeps it from being counted, and its message; None if there is none."""

    @property
    def label(self) -> str:
        """What tells it from all others of a sweep that is the same each time."""
        parts = [self.name]
        if self.input_shape is not None:
            parts.append(format_shape(self.input_shape))
        if self.batch is not None:
            parts.append(f"batch {self.batch}")
        return " ".join(parts)


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a case."""

    number: int
    label: str
    row: dict[str, Any]
    """The values of the row, by the names of their columns; what is missing is unknown."""
    failure: str = ""
    """The kind of error for which it has no figures; ``""`` if it has them."""
    seconds: float = 0.0


class Batch(Struct, frozen=True, kw_only=True):
    """Cases that one worker counts one after the other."""

    cases: tuple[Case, ...]
    options: SweepOptions
    limits: Limits
    folder: str
    """The folder to which the paths in specs are relative."""
    paths: tuple[str, ...] = ()
    """Folders that modules are imported from where the sweep was started."""
    modules: tuple[str, ...] = ()
    """Modules or files that have made the models, which unpickling them looks up."""
    makers: bytes = b""
    """What makes the models that no spec names: a pickled list of functions and modules."""
