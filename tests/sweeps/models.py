"""Models for sweeps: some that can be counted, and some that hang, end their process or take memory."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from torch import nn

MODELS = str(Path(__file__))
"""This file, as specs name it."""


def make_linear(width=8):
    """A model of width times 4 multiply-accumulates."""
    return nn.Linear(4, width), (1, 4)


def hang():
    time.sleep(600)


def leave():
    os._exit(7)


def crash():
    os.kill(os.getpid(), signal.SIGKILL)


def eat():
    kept = []
    while True:
        kept.append(bytearray(b"x" * (16 << 20)))
        time.sleep(0.02)


def fail():
    raise ValueError("no luck today")


def exit_early():
    raise SystemExit(3)


def spread(count=3):
    for width in range(1, count + 1):
        yield f"width {width}", partial(make_linear, width)


def mixed() -> Iterator[object]:
    return iter(["resnet18", ("small", "resnet20"), partial(make_linear, 5), ("module", nn.Linear(4, 6))])


def broken():
    yield "one", partial(make_linear, 1)
    raise RuntimeError("the list ends here")


LISTED = [("two", partial(make_linear, 2))]
