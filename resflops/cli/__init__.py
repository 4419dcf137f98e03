"""The command line. Nothing but ``main`` turns an error into an exit status."""

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
        arguments: what stands after ``resflops``; the process's own if not given.

    Returns:
        The exit status: 0 done, 1 a check failed, 2 could not run, 130 interrupted, and
        141 if the reader of the output has gone.
    """
    try:
        # Here and not above, so that Ctrl-C ends the imports quietly too.
        from resflops.cli.commands import run

        status = run(sys.argv[1:] if arguments is None else arguments)
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
            f"{traceback.format_exc()}resflops: this is a defect of resflops, please report it\n"
        )
    return status


def _report_failure(message: str) -> int:
    if sys.stderr is not None:
        sys.stderr.write(message)
    return COULD_NOT_RUN


def _discard_output() -> None:
    """Let what could not be written go nowhere, else Python tries again at exit and complains."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
