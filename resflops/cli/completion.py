"""``resflops completion``: print what makes a shell complete commands, options and models."""

import argparse

from resflops.cli.parser import Command, Parser
from resflops.cli.status import DONE
from resflops.cli.streams import write_output
from resflops.errors import UsageError, suggest

__all__ = ["COMMAND"]

SHELLS = ("bash", "zsh", "fish")


def _read_shell(name: str) -> str:
    if name.lower() not in SHELLS:
        raise UsageError(f"no completion for {name!r}{suggest(name, SHELLS)}; available: {', '.join(SHELLS)}")
    return name.lower()


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("shell", metavar="SHELL", type=_read_shell, help=f"one of {', '.join(SHELLS)}")


def _run(args: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    write_output(shellcode(["resflops"], shell=args.shell))
    return DONE


COMMAND = Command(
    description="Prints what makes a shell complete commands, options, models, conventions and formats with "
    'the Tab key. For bash, add this line to ~/.bashrc: eval "$(resflops completion bash)". '
    'For zsh, to ~/.zshrc: eval "$(resflops completion zsh)". '
    "For fish, to ~/.config/fish/config.fish: resflops completion fish | source.",
    add_arguments=_add_arguments,
    run=_run,
)
