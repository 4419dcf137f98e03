"""What is measured: a model on an input, and every setting that changes how long it takes."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Literal, get_args

from msgspec import Struct

from resflops.errors import UsageError, suggest
from resflops.latency.backends.support import BACKENDS, BackendName, check_supported, read_backend
from resflops.records import Shape

__all__ = [
    "BACKENDS",
    "CAPTURING_MODES",
    "COMPILE_MODES",
    "DTYPES",
    "MEMORY_FORMATS",
    "MODES",
    "SWITCHES",
    "Configuration",
    "MemoryFormat",
    "Mode",
    "Setting",
    "Switch",
    "activation_itemsize",
    "check_known",
    "grid",
    "itemsize",
    "list_left_out",
    "read_backend",
    "read_dtype",
]

MemoryFormat = Literal["contiguous", "channels_last"]
"""How images and the weights of convolutions lie in memory: NCHW or NHWC."""

Switch = Literal["default", "on", "off"]
"""What a flag of torch is set to for a run; by default it stays as the process has it."""

Mode = Literal["eager", "compile", "compile-max-autotune", "compile-reduce-overhead", "cuda-graph"]
"""How the kernels are launched: op by op from Python, by torch.compile in one of its modes, or at once."""

MEMORY_FORMATS: tuple[str, ...] = get_args(MemoryFormat)
MODES: tuple[str, ...] = get_args(Mode)
SWITCHES: tuple[str, ...] = get_args(Switch)

COMPILE_MODES = {
    "compile": "default",
    "compile-max-autotune": "max-autotune",
    "compile-reduce-overhead": "reduce-overhead",
}
"""What torch.compile calls its modes."""

CAPTURING_MODES = {"compile-max-autotune", "compile-reduce-overhead", "cuda-graph"}
"""Modes that capture CUDA graphs on a GPU, where a capture that fails may end the process."""

DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8, "int8-dynamic": 1, "int8-static": 1}
"""The element types that can be asked for, with the sizes of a weight in bytes."""


class Setting(Struct, frozen=True, kw_only=True):
    """Everything that decides a time except the model and its input; models are compared under one."""

    device: str
    batch: int
    dtype: str
    autocast: bool
    memory_format: MemoryFormat
    mode: Mode
    cold_l2: bool
    training: bool
    backend: BackendName = "torch"

    @property
    def way(self) -> str:
        """The setting in words, without the batch and what is usual."""
        return self.describe().partition(", ")[2]

    def describe(self) -> str:
        """The setting in words, without what is usual.

        >>> Setting(device="cuda", batch=8, dtype="float16", autocast=True, memory_format="channels_last",
        ...         mode="cuda-graph", cold_l2=True, training=False).describe()
        'batch 8, float16 by autocast, channels_last, cuda-graph, cold L2'
        """
        parts = [f"batch {self.batch}", f"{self.dtype} by autocast" if self.autocast else self.dtype]
        parts += [self.backend] if self.backend != "torch" else []
        parts += [self.memory_format] if self.memory_format != "contiguous" else []
        parts += [self.mode] if self.mode != "eager" else []
        parts += ["cold L2"] if self.cold_l2 else []
        parts += ["training step"] if self.training else []
        return ", ".join(parts)


class Configuration(Struct, frozen=True, kw_only=True):
    """One thing to measure."""

    model: str
    """The spec, or the name of the model's class."""
    device: str
    batch: int = 1
    input_shape: Shape = ()
    """The shape of the main input without the batch; ``()`` for the model's own inputs."""
    dtype: str = "float32"
    autocast: bool = False
    """Whether the weights stay float32 and ``dtype`` is what torch.autocast computes in."""
    memory_format: MemoryFormat = "contiguous"
    mode: Mode = "eager"
    cold_l2: bool = False
    """Whether a buffer of the L2 cache's size is cleared before every repetition."""
    training: bool = False
    """Whether a training step is timed: forward, the outputs' mean as the loss, and backward."""
    backend: BackendName = "torch"
    """What runs the model."""

    @property
    def setting(self) -> Setting:
        """The configuration without the model and its input."""
        return Setting(**{name: getattr(self, name) for name in Setting.__struct_fields__})

    def describe(self) -> str:
        """The model and the setting."""
        return f"{self.model}, {self.setting.describe()}"


def itemsize(dtype: str) -> int:
    """The size of one weight in bytes."""
    return DTYPES[dtype]


def activation_itemsize(dtype: str) -> int:
    """The size of one element between two ops in bytes.

    >>> activation_itemsize("int8-dynamic"), activation_itemsize("int8-static")
    (4, 1)
    """
    # Ops that scale by what they get take and give float32.
    return DTYPES["float32"] if dtype == "int8-dynamic" else DTYPES[dtype]


def check_known(option: str, name: str, known: Iterable[str]) -> str:
    """Return the known name that a name stands for, in any case and with dashes or underscores.

    >>> check_known("--memory-format", "Channels-Last", MEMORY_FORMATS)
    'channels_last'

    Raises:
        UsageError: the name is unknown; the message has the nearest one.
    """
    known = tuple(known)
    folded = {_fold(each): each for each in known}
    if _fold(name) not in folded:
        raise UsageError(f"{option} {name!r} is unknown{suggest(name, known)}; available: {', '.join(known)}")
    return folded[_fold(name)]


def _fold(name: str) -> str:
    return name.lower().replace("-", "_")


DTYPE_ALIASES = {
    "fp16": "float16", "f16": "float16", "half": "float16",
    "bf16": "bfloat16",
    "fp32": "float32", "f32": "float32", "float": "float32", "single": "float32",
    "fp64": "float64", "f64": "float64", "double": "float64",
    "int8_dynamic": "int8-dynamic", "int8_static": "int8-static",
}  # fmt: skip
"""What people call the element types."""


def read_dtype(option: str, name: str) -> str:
    """Return the element type that a name stands for.

    >>> read_dtype("--dtype", "fp16"), read_dtype("--dtype", "torch.bfloat16")
    ('float16', 'bfloat16')

    Raises:
        UsageError: the name is unknown; the message has the nearest one.
    """
    bare = name.lower().removeprefix("torch.")
    if bare in DTYPE_ALIASES:
        return DTYPE_ALIASES[bare]
    if bare not in DTYPES:
        beginning = [each for each in DTYPES if bare and each.startswith(bare)]
        closest = suggest(bare, [*DTYPES, *DTYPE_ALIASES])
        # Of several that begin so, such as int8, each may be meant.
        closest = f"; closest: {', '.join(beginning)}" if beginning else closest
        raise UsageError(f"{option} {name!r} is unknown{closest}; available: {', '.join(DTYPES)}")
    return bare


def grid(
    models: Sequence[tuple[str, Shape]],
    *,
    device: str,
    batches: Sequence[int] = (1,),
    dtypes: Sequence[str] = ("float32",),
    memory_formats: Sequence[MemoryFormat] = ("contiguous",),
    modes: Sequence[Mode] = ("eager",),
    backends: Sequence[str] = ("torch",),
    autocast: bool = False,
    cold_l2: bool = False,
    training: bool = False,
) -> tuple[Configuration, ...]:
    """Build every combination once, those that are compared with each other side by side.

    Args:
        models: each with the shape of its input, without the batch.
        device: such as ``cpu`` or ``cuda:1``.
        batches: how many inputs at once.
        dtypes: element types; with ``autocast``, float32 is measured without it.
        memory_formats: how tensors lie in memory.
        modes: how kernels are launched.
        backends: what runs the models; a combination that one does not take is left out with that one.
        autocast: compute in the smaller dtypes by torch.autocast, and keep the weights in float32.
        cold_l2: clear the L2 cache before every repetition.
        training: a training step rather than inference.

    Raises:
        UsageError: the device or a backend lacks a setting, or a name is unknown.
    """
    dtypes = [read_dtype("dtype", name) for name in dtypes]
    chosen = [read_backend("backend", name) for name in backends]
    check_supported(
        chosen,
        device=device,
        dtypes=dtypes,
        modes=modes,
        memory_formats=memory_formats,
        training=training,
        autocast=autocast,
    )
    if not device.startswith("cuda"):
        if "cuda-graph" in modes:
            raise UsageError(
                f"mode 'cuda-graph' needs a CUDA device, and the device is {device}; leave it out"
            )
        if "compile-reduce-overhead" in modes:
            raise UsageError(
                "mode 'compile-reduce-overhead' is 'compile' with CUDA graphs, so it needs a CUDA device, "
                f"and the device is {device}; use 'compile'"
            )
        if cold_l2:
            raise UsageError(
                f"a cold L2 cache can only be measured on a CUDA device, and the device is {device}; "
                "leave it out"
            )
    return tuple(
        Configuration(
            model=model,
            device=device,
            batch=batch,
            input_shape=shape,
            dtype=dtype,
            autocast=autocast and itemsize(dtype) < itemsize("float32"),
            memory_format=memory_format,
            mode=mode,
            cold_l2=cold_l2,
            training=training,
            backend=backend,
        )
        for batch, dtype, memory_format, mode, backend, (model, shape) in dict.fromkeys(
            product(batches, dtypes, memory_formats, modes, chosen, models)
        )
        if BACKENDS[backend].takes(device=device, dtype=dtype, mode=mode, memory_format=memory_format)
    )


def list_left_out(configurations: Iterable[Configuration]) -> list[str]:
    """List what some backends were measured under and others were not, as they do not take it."""
    kept: dict[str, dict[str, None]] = {}
    for each in configurations:
        settings = kept.setdefault(each.backend, {})
        settings |= dict.fromkeys((each.dtype, each.memory_format, each.mode))
    asked = dict.fromkeys(value for settings in kept.values() for value in settings)
    return [
        f"backend {backend!r} with {', '.join(missing)}"
        for backend, settings in kept.items()
        if (missing := [value for value in asked if value not in settings])
    ]
