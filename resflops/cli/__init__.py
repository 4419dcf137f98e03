"""The command line. Only ``main`` turns an error into an exit status."""

import os
import sys
import traceback
from collections.abc import Sequence

from resflops._version import __version__
from resflops.cli.status import CLOSED_PIPE, COULD_NOT_RUN, DONE, INTERRUPTED, TERMINATED
from resflops.cli.streams import (
    OutputError,
    Terminated,
    discard_output,
    raise_when_terminated,
    tolerate_stderr,
    warn,
    write_output,
)
from resflops.errors import ResflopsError, describe_error
from resflops.process.own_process import claim_process

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the arguments after ``resflops``; those of the process if not given.

    Returns:
        The exit status: 0 if it is done, 1 if a check failed, 2 if it could not run, 130 if it was
        interrupted, 143 if it was terminated, and 141 if the reader of the output has gone.
    """
    if arguments is None:
        claim_process()
    try:
        with tolerate_stderr(), raise_when_terminated():
            return _run(sys.argv[1:] if arguments is None else arguments)
    # Before or after the command itself.
    except Terminated:
        return TERMINATED
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one for each way to end
    try:
        status = _run_command(arguments)
        _flush_output()
    except ResflopsError as error:
        return _report_failure(str(error))
    except OutputError as error:
        discard_output(sys.stdout)
        return CLOSED_PIPE if error.closed else _report_failure(f"could not write the output: {error}")
    except Terminated:
        return TERMINATED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return _report_failure(_describe_os_error(error))
    # Status 1 would say that a check failed, and 0 that all is done.
    except SystemExit as error:
        return _report_failure(f"a model's own code ended the program, with {error.code!r}; build it without")
    except BaseException as error:  # noqa: BLE001 - user code may raise classes of its own that are no Exception
        sys.stderr.write(traceback.format_exc())
        return _report_failure(f"this is a bug in resflops, please report it: {describe_error(error)}")
    return status


def _run_command(arguments: Sequence[str]) -> int:
    # Without a parser: tools ask for the version before they do anything else.
    if list(arguments) == ["--version"]:
        write_output(f"resflops {__version__}\n")
        return DONE
    # Set by the shell, which asks for what completes the words so far.
    if "_ARGCOMPLETE" in os.environ:
        from resflops.cli.completing import complete

        complete()
    # Here and not above, so that Ctrl-C ends the imports quietly too.
    from resflops.cli.commands import run

    return run(arguments)


def _flush_output() -> None:
    # Here, where a full disk or a closed pipe is still caught: at exit Python would flush too late.
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError as error:
            raise OutputError(error) from error


def _describe_os_error(error: OSError) -> str:
    """Describe what the system refused, where nobody has expected it: writing is done in writing.py alone."""
    try:
        # Any use of the current folder fails without a name where somebody has removed it.
        os.getcwd()  # noqa: PTH109 - Path.cwd() is the same
    except OSError:
        return "could not read the current folder: it no longer exists; change to another one"
    name = "a file" if error.filename is None else os.fsdecode(error.filename)
    return f"could not read {name}: {error.strerror or error}"


def _report_failure(message: str) -> int:
    warn(message)
    return COULD_NOT_RUN
