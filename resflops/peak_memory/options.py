"""How a model is to be run: what decides the memory of a pass beside the model and its input."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

from msgspec import Struct

from resflops.errors import UsageError, suggest

__all__ = [
    "ATTENTIONS",
    "BLOCKS",
    "DEVICES",
    "DTYPES",
    "LOSSES",
    "OPTIMIZERS",
    "Attention",
    "Device",
    "Loss",
    "Options",
]

Device = Literal["cpu", "cuda"]
Attention = Literal["math", "flash", "efficient", "cudnn"]
Loss = Literal["cross-entropy", "sum"]

DEVICES: tuple[Device, ...] = get_args(Device)
ATTENTIONS: tuple[Attention, ...] = get_args(Attention)
LOSSES: tuple[Loss, ...] = get_args(Loss)

OPTIMIZERS = {
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamax": "Adamax",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "radam": "RAdam",
    "rmsprop": "RMSprop",
    "rprop": "Rprop",
    "sgd": "SGD",
    "sgd-momentum": "SGD",
}
"""The optimisers by the names that they are asked for, with their classes in torch.optim."""

DTYPES = ("float32", "float16", "bfloat16", "float64")
"""The element types that can be asked for."""

_SHORT = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "fp64": "float64", "half": "float16"}

BLOCKS = ""
"""Among the layers to checkpoint: the blocks that the model repeats, each by itself."""


class Options(Struct, frozen=True, kw_only=True):
    """How a model is run."""

    training: bool = False
    """Whether a step of training is meant: forward, loss, backward, and the optimiser if there is one."""
    optimizer: str = ""
    """One of OPTIMIZERS; ``""`` for none."""
    dtype: str = ""
    """The type of the weights, or with ``autocast`` that of the arithmetic; ``""`` is the model's own."""
    autocast: bool = False
    checkpointing: tuple[str, ...] = ()
    """The layers whose forward pass runs again in the backward pass: dotted paths, patterns, or BLOCKS."""
    attention: Attention | None = None
    """The kernel of attention; None is what the device would take."""
    device: Device = "cpu"
    """Whose kernels are assumed: a GPU's save other tensors than the CPU's."""
    loss: Loss = "cross-entropy"
    """What the backward pass begins with; where the output is no scores, its sum."""


def read_options(**given: Any) -> Options:  # noqa: ANN401 - each is checked here
    """Check what was asked for, and spell it in full.

    Raises:
        UsageError: something is unknown, or does not go together.
    """
    values = {name: value for name, value in given.items() if value not in (None, ())}
    dtype = str(values.get("dtype", "")).removeprefix("torch.").lower()
    values["dtype"] = _SHORT.get(dtype, dtype)
    if values["dtype"]:
        _check("dtype", values["dtype"], DTYPES, also=_SHORT)
    if optimizer := str(values.get("optimizer", "")).lower():
        _check("optimizer", optimizer, OPTIMIZERS)
        values["optimizer"] = optimizer
    for name, known in (("attention", ATTENTIONS), ("device", DEVICES), ("loss", LOSSES)):
        if name in values:
            _check(name, values[name], known)
    checkpointing: Any = values.get("checkpointing", ())
    if checkpointing is True:
        checkpointing = BLOCKS
    values["checkpointing"] = (
        (checkpointing,) if isinstance(checkpointing, str) else tuple(checkpointing or ())
    )
    options = Options(**values)
    if not options.training:
        for name in ("optimizer", "checkpointing"):
            if getattr(options, name):
                raise UsageError(
                    f"{name} is part of a training step; add --training, in Python training=True"
                )
    if options.autocast and options.dtype not in ("float16", "bfloat16"):
        raise UsageError(
            "autocast computes in bfloat16 or float16; add --dtype bfloat16, in Python dtype='bfloat16'"
        )
    return options


def _check(name: str, value: object, known: Iterable[str], also: Iterable[str] = ()) -> None:
    names = list(known)
    if value not in names:
        closest = suggest(str(value), [*names, *also])
        raise UsageError(f"unknown {name} {value!r}{closest}; available: {', '.join(names)}")
