"""Running a model under a recorder, and saying what went wrong."""

import reprlib
from typing import Any

from torch import nn

from resflops.errors import DataDependentError, InputError, ResflopsError, TraceError, describe_error
from resflops.records import is_shape
from resflops.tracing.call_forms import suggest_input
from resflops.tracing.failures import UndecidedError, describe_shape, needs_values, refuses_sizes
from resflops.tracing.lazy_results import complete_results
from resflops.tracing.meta import find_tensors
from resflops.tracing.recorder import Recorder

__all__ = ["run_model"]


def run_model(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder) -> Any:
    """Call a model under a recorder.

    Raises:
        DataDependentError: it needs values, and the pass has only shapes.
        UndecidedError: the pass on shapes failed; only a real run can tell whether the model itself did.
        TraceError: the model failed.
        InputError: it was given no tensor, and failed.
    """
    try:
        with recorder:
            out = complete_results(model(*args, **kwargs), (args, kwargs))
        if recorder.failure is None:
            return out
        # The model has caught it, and would have taken another way with values.
        raise recorder.failure  # noqa: TRY301 - it is described below, like those that the model lets through
    except TraceError as error:
        raise _place(error, model, args, kwargs) from error.__cause__
    except ResflopsError:
        raise
    # A forward pass may raise anything, and may call exit().
    except (Exception, SystemExit) as error:
        if recorder.failure is not None:
            raise _place(recorder.failure, model, args, kwargs) from error
        if recorder.complaint and recorder.complaint[0] is error:
            raise _place(recorder.complaint[1], model, args, kwargs) from error
        if needs_values(error):
            raise DataDependentError(
                f"{describe_call(model, args, kwargs)} raised {describe_error(error)}"
            ) from error
        if (args or kwargs) and next(find_tensors((args, kwargs)), None) is None:
            raise _make_input_error(model, [*args, *kwargs.values()], error) from error
        decided = recorder.real or isinstance(error, SystemExit) or refuses_sizes(error)
        kind = TraceError if decided else UndecidedError
        raise kind(f"{describe_call(model, args, kwargs)} raised {describe_error(error)}") from error


def _place(error: TraceError, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TraceError:
    """Say in an op's error which model and inputs it is about."""
    return type(error)(f"{describe_call(model, args, kwargs)}: {error}")


def _make_input_error(model: nn.Module, given: list[Any], error: BaseException) -> InputError:
    """Build the error for inputs without a tensor, most likely a shape that was not given as a tuple.

    It is raised only after the pass has failed, since a model may take such inputs.
    """
    # Torch's message then lists all signatures that it would accept.
    reason = describe_error(error).partition(", but expected one of")[0]
    sizes = tuple(given[0]) if isinstance(given[0], list) else tuple(given)
    if is_shape(sizes) and len(sizes) > 1:
        remedy = f"give a shape as a tuple of ints, as in {sizes}, or as resflops.shape{sizes}"
    else:
        remedy = f"give a shape as a tuple of ints, as in {suggest_input(model)}"
    return InputError(
        f"{type(model).__name__} was given {', '.join(reprlib.repr(item) for item in given)}, which is "
        f"neither a tensor nor a shape, and raised {reason}; {remedy}"
    )


def describe_call(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    shapes = ", ".join(describe_shape(tensor) for tensor in find_tensors((args, kwargs)))
    return f"{type(model).__name__} on input {shapes or '()'}"
