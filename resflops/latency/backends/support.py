"""Says which settings each backend takes, without importing any."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal, get_args

from msgspec import Struct

from resflops.errors import UsageError, suggest

__all__ = [
    "BACKENDS",
    "INT8",
    "BackendName",
    "Support",
    "check_installed",
    "check_supported",
    "read_backend",
]

BackendName = Literal["torch", "onnxruntime", "openvino"]
"""What runs a model."""

INT8 = ("int8-dynamic", "int8-static")
"""The precisions that a backend's own quantiser makes of float32: activations are scaled by what they are at
each step, or by what they were while calibrating."""


class Support(Struct, frozen=True, kw_only=True):
    """What a backend takes."""

    name: BackendName
    dtypes: dict[str, tuple[str, ...]]
    """By the kind of device; a kind that is not there cannot be used."""
    modes: tuple[str, ...] = ("eager",)
    memory_formats: tuple[str, ...] = ("contiguous",)
    training: bool = False
    autocast: bool = False
    layers: tuple[str, ...] = ()
    """The kinds of devices on which it can tell the time of each layer."""
    modules: tuple[str, ...] = ()
    """What it imports, which its extra of the same name installs."""

    def list_values(self, axis: str, device: str) -> tuple[str, ...]:
        """List what it takes of an axis that has several values."""
        if axis == "dtype":
            return self.dtypes.get(get_kind(device), ())
        return self.modes if axis == "mode" else self.memory_formats

    def takes(self, *, device: str, dtype: str, mode: str, memory_format: str) -> bool:
        """Tell whether it takes a combination."""
        asked = {"dtype": dtype, "mode": mode, "memory_format": memory_format}
        return all(value in self.list_values(axis, device) for axis, value in asked.items())


BACKENDS: dict[str, Support] = {
    each.name: each
    for each in (
        Support(
            name="torch",
            dtypes=dict.fromkeys(("cpu", "cuda"), ("float32", "float16", "bfloat16", "float64")),
            modes=("eager", "compile", "compile-max-autotune", "compile-reduce-overhead", "cuda-graph"),
            memory_formats=("contiguous", "channels_last"),
            training=True,
            autocast=True,
            layers=("cpu", "cuda"),
        ),
        Support(
            name="onnxruntime",
            # On the CPU it casts smaller types to float32 and back, which is not to compute in them.
            dtypes={"cpu": ("float32", *INT8), "cuda": ("float32", "float16", "bfloat16")},
            # Its profile of a GPU tells when kernels were launched.
            layers=("cpu",),
            modules=("onnxruntime", "onnx", "onnxscript"),
        ),
        Support(
            name="openvino",
            dtypes={"cpu": ("float32", "float16", "bfloat16")},
            modules=("openvino", "onnx", "onnxscript"),
        ),
    )
}
"""Every backend, by its name."""

_ALIASES = {"pytorch": "torch", "ort": "onnxruntime", "onnx": "onnxruntime", "ov": "openvino"}

_OPTIONS = {"memory_format": "memory format"}


def get_kind(device: str) -> str:
    """Get the kind of a device, such as ``cuda`` for ``cuda:1``."""
    return device.partition(":")[0]


def read_backend(option: str, name: str) -> BackendName:
    """Return the backend that a name stands for.

    >>> read_backend("--backend", "ONNX-Runtime")
    'onnxruntime'

    Raises:
        UsageError: the name is unknown; the message has the nearest one.
    """
    folded = name.lower().replace("-", "").replace("_", "")
    folded = _ALIASES.get(folded, folded)
    for each in get_args(BackendName):
        if each == folded:
            return each  # type: ignore[no-any-return]
    closest = suggest(name, [*BACKENDS, *_ALIASES])
    raise UsageError(f"{option} {name!r} is unknown{closest}; available: {', '.join(BACKENDS)}")


def check_installed(name: str) -> None:
    """Check that everything that a backend imports is installed.

    Raises:
        UsageError: something is missing; the message has the command that installs it.
    """
    missing = [each for each in BACKENDS[name].modules if find_spec(each) is None]
    if missing:
        raise UsageError(
            f"backend {name!r} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            f"installed; install with: pip install 'resflops[{name}]'"
        )


def check_supported(
    backends: Sequence[str],
    *,
    device: str,
    dtypes: Sequence[str],
    modes: Sequence[str],
    memory_formats: Sequence[str],
    training: bool,
    autocast: bool,
) -> None:
    """Check that every setting is taken by a backend, and that every backend takes some combination.

    A combination that one backend takes and another does not is measured with the one: only so can
    ``int8-static`` and ``channels_last`` be measured in one run.

    Raises:
        UsageError: a setting is taken by none of them, or a backend takes none of the settings.
    """
    for name in backends:
        support = BACKENDS[name]
        if get_kind(device) not in support.dtypes:
            kinds = ", ".join(support.dtypes)
            raise UsageError(f"backend {name!r} cannot run on device {device!r}; it runs on: {kinds}")
        for asked, taken, option in (
            (training, support.training, "training"),
            (autocast, support.autocast, "autocast"),
        ):
            if asked and not taken:
                able = ", ".join(each.name for each in BACKENDS.values() if getattr(each, option))
                raise UsageError(
                    f"backend {name!r} does not support {option}; leave out {option}, or use backend {able}"
                )
    for axis, values in (("mode", modes), ("dtype", dtypes), ("memory_format", memory_formats)):
        _check_axis(backends, axis, values, device)


def _check_axis(backends: Sequence[str], axis: str, values: Sequence[str], device: str) -> None:
    """Check that every value of an axis is taken by a backend, and that every backend takes a value."""
    shown = _OPTIONS.get(axis, axis)
    on = f" on device {device!r}" if axis == "dtype" else ""
    taken = {name: BACKENDS[name].list_values(axis, device) for name in backends}
    for value in values:
        if not any(value in each for each in taken.values()):
            able = [each.name for each in BACKENDS.values() if value in each.list_values(axis, device)]
            instead = (
                f"backends that support it: {', '.join(able)}" if able else f"no backend supports it{on}"
            )
            raise UsageError(
                f"{shown} {value!r} is not supported by backend {' or '.join(map(repr, backends))}{on}; "
                f"{instead}"
            )
    for name, known in taken.items():
        if not set(values) & set(known):
            raise UsageError(
                f"backend {name!r} does not support {shown} {' or '.join(map(repr, values))}{on}; "
                f"it supports: {', '.join(known)}"
            )
