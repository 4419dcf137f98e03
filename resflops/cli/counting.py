"""Counting the models that a command was given, with a word to who waits."""

import argparse
import sys
from collections.abc import Iterable

from resflops.cli.progress import progress
from resflops.cost import Cost
from resflops.errors import InputError
from resflops.records import Shape
from resflops.sources import FoundModel, find

__all__ = ["counted"]


def counted(specs: Iterable[str], given: argparse.Namespace) -> list[tuple[FoundModel, Cost]]:
    """The models that specs name, and their costs; a spec given twice is counted once.

    All specs and shapes are checked before torch is loaded.
    """
    models = [find(spec) for spec in dict.fromkeys(specs)]
    shapes = [_input_shape(found, given.input) for found in models]
    with progress(shown=not given.no_progress) as say:
        if "torch" not in sys.modules:
            say("loading torch")
        from resflops.counting import count_found

        costs = []
        for number, (found, shape) in enumerate(zip(models, shapes, strict=True), start=1):
            say(f"counting {found.spec} ({number} of {len(models)})")
            costs.append((found, count_found(found, input_shape=shape, convention=given.convention)))
    return costs


def _input_shape(found: FoundModel, given: Shape | None) -> Shape:
    """The input with its batch in front, which is one if not given."""
    usual = found.input_shape
    if given is None or len(given) == len(usual):
        return (1, *(given or usual))
    if len(given) == len(usual) + 1:
        return given
    text, example = "x".join(map(str, given)), "x".join(map(str, usual))
    raise InputError(
        f"--input {text} has {len(given)} sizes, and {found.spec} takes {len(usual)}, as in {example}, "
        f"or with a batch {len(usual) + 1}, as in 4x{example}"
    )
