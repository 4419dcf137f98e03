"""What went wrong with one configuration, as part of the result: the others are still measured."""

from typing import Literal

from msgspec import Struct

__all__ = [
    "CaptureError",
    "DeviceLostError",
    "ExportError",
    "Failure",
    "FailureKind",
    "classify_failure",
    "is_out_of_memory",
    "may_be_memory",
]

FailureKind = Literal[
    "out of memory",
    "dtype not supported",
    "could not be compiled",
    "could not be captured",
    "could not be exported",
    "failed",
]

LONGEST = 300
"""Characters of a message; torch's own may fill pages."""


class CaptureError(RuntimeError):
    """The kernels of a step could not be captured as a CUDA graph; the cause is what torch raised."""


class ExportError(RuntimeError):
    """The model could not be exported for a backend."""


class DeviceLostError(RuntimeError):
    """The device answers no more calls of this process, so nothing more can be measured by it."""


class Failure(Struct, frozen=True, kw_only=True):
    """Why a configuration has no figure."""

    kind: FailureKind
    message: str

    def describe(self) -> str:
        """Describe the failure in one line."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


def classify_failure(error: BaseException) -> Failure:
    """Turn an exception into a failure of a kind.

    >>> classify_failure(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")).kind
    'out of memory'
    """
    # What an exit is given is a number at most, which says nothing by itself.
    text = f"it called exit({error})" if isinstance(error, SystemExit) else str(error)
    first_line = text.strip().partition("\n")[0] or type(error).__name__
    return Failure(kind=_find_kind(error), message=first_line[:LONGEST])


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, the device's or the host's.

    Decided by name and text, since torch has several types for it, and none for the host's.
    """
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(words in text for words in _OUT_OF_MEMORY)
    )


def may_be_memory(error: BaseException) -> bool:
    """Tell whether memory may have run out, so that a second attempt with the device to itself is worth it.

    Where memory runs out in a capture, torch may tell of an invalid capture and not of memory
    (pytorch issue 159594); libraries that get none for their work space tell of other things.
    """
    text = str(error).lower()
    return (
        is_out_of_memory(error) or isinstance(error, CaptureError) or any(each in text for each in _NO_SPACE)
    )


_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    # onnxruntime's, and C++'s own.
    "failed to allocate memory",
    "is smaller than requested bytes",
    "bad_alloc",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)
_NO_SPACE = ("cublas_status_not_initialized", "unable to find an engine", "cudnn_status_internal_error")
"""What cuBLAS and cuDNN say where they get no work space, among other causes."""


def _find_kind(error: BaseException) -> FailureKind:
    text = str(error)
    if is_out_of_memory(error):
        return "out of memory"
    if isinstance(error, CaptureError):
        return "could not be captured"
    if isinstance(error, ExportError):
        return "could not be exported"
    # The compiler's own exceptions quote the model's, whose text would decide below.
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return "could not be compiled"
    if "not implemented for" in text or ("dtype" in text.lower() and "support" in text.lower()):
        return "dtype not supported"
    return "failed"
