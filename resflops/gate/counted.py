"""From the configuration of a model to its bill: the one part of the gate that needs torch."""

import contextlib
from pathlib import Path

import torch

from resflops._version import __version__
from resflops.errors import ModelError, ResflopsError
from resflops.gate.bill import Bill, bill_of
from resflops.gate.config import ModelConfig
from resflops.sources import find
from resflops.sources.counting import count_found

__all__ = ["counted", "made_by"]


def counted(model: ModelConfig, *, root: Path) -> Bill:
    """Build a model and count it.

    Args:
        model: which, and on what input.
        root: the folder that paths and packages in its spec start from.

    Raises:
        ModelError: it cannot be had, built or traced; the message names the model.
    """
    try:
        with contextlib.chdir(root):
            cost = count_found(
                find(model.spec), input_shape=model.input, convention=model.convention, dtype=model.dtype
            )
    except ResflopsError as error:
        raise ModelError(f"model {model.name!r}: {error}") from error
    return bill_of(cost, model=model.name)


def made_by() -> str:
    """What a lock that is made now is made by."""
    return f"resflops {__version__}, torch {str(torch.__version__).partition('+')[0]}"
