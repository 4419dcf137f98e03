"""The command line. Only ``main`` turns an error into an exit status."""

import os
import sys
import traceback
from collections.abc import Sequence

from resflops.cli.status import CLOSED_PIPE, COULD_NOT_RUN, INTERRUPTED
from resflops.errors import ResflopsError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the arguments after ``resflops``; those of the process if not given.

    Returns:
        The exit status: 0 if it is done, 1 if a check failed, 2 if it could not run, 130 if it was
        interrupted, and 141 if the reader of the output has gone.
    """
    try:
        # Here and not above, so that Ctrl-C ends the imports quietly too.
        from resflops.cli.commands import run

        status = run(sys.argv[1:] if arguments is None else arguments)
        # Here, where a full disk or a closed pipe is still caught: at exit Python would flush too late.
        if sys.stdout is not None:
            sys.stdout.flush()
    except ResflopsError as error:
        return _report_failure(f"resflops: {error}\n")
    except BrokenPipeError:
        _discard_output()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # Files are read and written in storage.py, which raises FileError: this is stdout.
        _discard_output()
        return _report_failure(f"resflops: could not write the output: {error.strerror or error}\n")
    except Exception:  # noqa: BLE001 - status 1 would say that a check failed
        return _report_failure(
            f"{traceback.format_exc()}resflops: this is a bug in resflops, please report it\n"
        )
    return status


def _report_failure(message: str) -> int:
    # None where the process was started without one, as by pythonw or a daemon.
    if sys.stderr is not None:
        sys.stderr.write(message)
    return COULD_NOT_RUN


def _discard_output() -> None:
    """Discard what could not be written, because Python would try again at exit and complain."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
