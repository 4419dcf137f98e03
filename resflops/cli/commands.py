"""List all commands, and run the one that the arguments name."""

from collections.abc import Sequence
from importlib import import_module

from resflops._version import __version__
from resflops.cli.command_line import read_command_line
from resflops.cli.guides import list_guides
from resflops.cli.parser import Command, Parser, add_no_progress, check_output

__all__ = ["COMMANDS", "build_parsers", "load_command", "run"]

# Here and not in the modules of the commands, of which only the one that is asked for is imported.
COMMANDS: dict[str, str] = {
    "table": "compare models side by side",
    "layers": "show one model layer by layer, with the formula of every figure",
    "sweep": "count many models on many inputs into one file, resumable and in parallel",
    "crosscheck": "run other counters on models, and explain every difference",
    "memory": "say what memory models need at their peak, which layers hold it, and what batch fits",
    "curve": "show how cost grows with resolution, batch, length, width or depth, and by which law",
    "bench": "measure how long models take",
    "lock": "write a lock file of what the configured models cost now",
    "check": "fail if a configured model costs more than is locked, and name the layers responsible",
    "diff": "show which layers two models, lock files, traces or git revisions differ in",
    "history": "show what the configured models cost at each commit of a range, and which changed it",
    "report": "rebuild the reports and their pictures, or write one page to explore models in",
    "cache": "show where traces are stored that answer without a new count, or clear the cache of them",
    "models": "list the built-in networks, or search all that are installed",
    "conventions": "list the conventions, or explain one op by op",
    "ops": "list the ops that have a rule, and those that are free",
    "peers": "list the other counters: what is installed, how each counts, its known defects",
    "help": "explain a command, or show a guide",
    "completion": "print what makes bash, zsh or fish complete commands and models with the Tab key",
}
"""The line about each command, in the order of the help. To add a command, add a module of its name to this
package, with the constant ``COMMAND``, and its line here."""


def load_command(name: str) -> Command:
    """Import the module of a command, and give the command."""
    command: Command = import_module(f"resflops.cli.{name}").COMMAND
    return command


def run(arguments: Sequence[str]) -> int:
    """Parse arguments and run the command that they name.

    Raises:
        UsageError: there is no such command, or it does not take these arguments.
        ResflopsError: the command raised it.
    """
    given = read_command_line(arguments, COMMANDS)
    command = load_command(given.command) if given.command else None
    parser, subparser = build_parsers(given.command, command)
    try:
        # The known ones alone, because argparse would reject the others without suggesting a similar name.
        args, unknown = subparser.parse_known_args(subparser.arrange(given.words))
    except SystemExit as ending:
        # --help and --version have printed what was asked for; errors raise UsageError.
        return int(ending.code or 0)
    if unknown:
        raise subparser.describe_unknown(unknown[0])
    if command is None:
        parser.print_help()
        return 0
    check_output(args)
    return command.run(args)


def build_parsers(name: str, command: Command | None) -> tuple[Parser, Parser]:
    """Build the parser of all arguments and the one of a command; the first twice if there is none.

    The parsers of the other commands are empty: they only have a line each in the help.
    """
    parser = Parser(
        prog="resflops",
        description="What a neural network costs, and the proof: "
        "every operation counted under a named convention.",
        epilog="resflops help COMMAND explains a command; resflops resnet34 vgg19 compares these models. "
        f"resflops help TOPIC shows a guide: {', '.join(list_guides())}. "
        "Exit status: 0 if it is done, 1 if a check failed or some models did, 2 if it could not run.",
    )
    parser.add_argument("-V", "--version", action="version", version=f"resflops {__version__}")
    add_no_progress(parser)
    # With prog given, argparse need not format a usage.
    adder = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog="resflops")
    subparsers = {each: adder.add_parser(each, help=summary) for each, summary in COMMANDS.items()}
    if command is None:
        return parser, parser
    subparser = subparsers[name]
    subparser.description = command.description
    command.add_arguments(subparser)
    add_no_progress(subparser)
    return parser, subparser
