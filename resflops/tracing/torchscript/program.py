"""What a TorchScript method does, as steps for Python to take."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

__all__ = ["Act", "Program", "Run", "Step", "Values", "copy_values", "take_steps"]

Values = list[Any]
"""The values of a graph while it runs, each in its slot."""


class Run(Protocol):
    """What the steps of a program need of the pass that they belong to."""

    def read(self, module: Any, name: str) -> Any:
        """Read an attribute of a module."""

    def write(self, module: Any, name: str, value: Any) -> None:
        """Write an attribute of a module, for the rest of the pass alone."""

    def call(self, module: Any, name: str, arguments: list[Any]) -> Any:
        """Call a method of a module."""


Act = Callable[[Run, Values], None]


class Step(Struct, frozen=True):
    """What one node does."""

    act: Act
    last: tuple[int, ...]
    """Values that nothing uses after this, which are let go of, as the compiled code does."""


class Program(Struct, frozen=True, kw_only=True):
    """What a method does, in order."""

    slots: Values
    """A value for every slot: the constants, and None for what the steps work out."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    weights: dict[str, int] = {}
    """The slots of constants that are weights, by the names that these are given."""

    def run(self, run: Run, arguments: Sequence[Any], weights: Sequence[Any] = ()) -> Any:
        """Go through the steps, and give what the method returns.

        Args:
            run: the pass.
            arguments: those of the method, with the module first.
            weights: what to take in place of its weights, in their order; none for those themselves.
        """
        values = self.slots.copy()
        for slot, weight in zip(self.weights.values() if weights else (), weights, strict=True):
            values[slot] = weight
        for slot, argument in zip(self.inputs, arguments, strict=True):
            values[slot] = argument
        take_steps(self.steps, run, values)
        return values[self.outputs[0]] if self.outputs else None


def take_steps(steps: Sequence[Step], run: Run, values: Values) -> None:
    """Take some steps, one after another."""
    for step in steps:
        step.act(run, values)
        for slot in step.last:
            values[slot] = None


def copy_values(values: Values, sources: list[int], targets: list[int]) -> None:
    """Copy values from slots to others."""
    # All are read before any is written: a loop may exchange two.
    for target, value in zip(targets, [values[source] for source in sources], strict=True):
        values[target] = value
