"""Find the command that a command line names, or means."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from resflops.errors import UsageError, suggest

__all__ = ["CommandLine", "looks_like_model", "read_command_line"]

GLOBAL_OPTIONS = frozenset({"-h", "--help", "-V", "--version", "--no-progress"})
"""The options that may stand before a command; all of them are flags."""

OTHER_NAMES = {
    "summary": "layers",
    "info": "layers",
    "breakdown": "layers",
    "flops": "table",
    "macs": "table",
    "params": "table",
    "count": "table",
    "compare": "table",
    "benchmark": "bench",
    "latency": "bench",
    "time": "bench",
    "profile": "bench",
    "mem": "memory",
    "vram": "memory",
    "peak": "memory",
    "list": "models",
    "counters": "peers",
    "verify": "crosscheck",
    "completions": "completion",
}
"""What other tools call a command, and its name here."""


class CommandLine(Struct, frozen=True, kw_only=True):
    """A command and the words that it is given."""

    command: str
    """``""`` if the words are for resflops itself, such as ``--help``."""
    words: list[str]


def read_command_line(arguments: Sequence[str], commands: Iterable[str]) -> CommandLine:
    """Find the command among the arguments; models alone mean ``table``.

    Raises:
        UsageError: there is no such command.
    """
    known = tuple(commands)
    places = [place for place, word in enumerate(arguments) if not word.startswith("-")]
    if not places:
        return CommandLine(command="", words=list(arguments))
    if any(word in {"-V", "--version"} for word in arguments[: places[0]]):
        return CommandLine(command="", words=["--version"])
    # The word after an option that is no flag may be its value, as in --format json table resnet34.
    only_flags = GLOBAL_OPTIONS.issuperset(arguments[: places[0]])
    candidates = places[:1] if only_flags else places
    for place in candidates:
        if arguments[place].lower() in known:
            rest = [*arguments[:place], *arguments[place + 1 :]]
            return CommandLine(command=arguments[place].lower(), words=rest)
    first = arguments[places[0]]
    if first.lower() == "version":
        return CommandLine(command="", words=["--version"])
    if any(looks_like_model(arguments[place]) for place in candidates):
        return CommandLine(command="table", words=list(arguments))
    raise _make_unknown_command_error(first, arguments[places[0] + 1 :], known)


def looks_like_model(word: str) -> bool:
    """Tell whether a word is a model's name, a spec, a pattern or a file, from its text alone.

    >>> [looks_like_model(word) for word in ("ResNet34,shortcut=A", "timm/vit*", "nets.py:Net", "tabel")]
    [True, True, True, False]
    """
    from resflops.models.catalog import NETWORKS
    from resflops.storage.writing import is_file

    names = (word.partition(",")[0], word.partition("=")[2].partition(",")[0])
    return any(
        name.lower() in NETWORKS
        or any(mark in name for mark in "/:*?[")
        # As in Python, mypackage.nets.Net, to be answered as a model and not as a command.
        or ("." in name and name.replace(".", "").isidentifier())
        or is_file(name)
        for name in names
    )


def _make_unknown_command_error(name: str, after: Sequence[str], known: tuple[str, ...]) -> UsageError:
    from resflops.models.catalog import NETWORKS

    if meant := OTHER_NAMES.get(name.lower()):
        example = " ".join(["resflops", meant, *after])
        return UsageError(f"no command {name!r}; here it is called {meant}: {example}")
    from resflops.models.installed_names import suggest_sources

    if elsewhere := suggest_sources(name):
        return UsageError(f"no command {name!r}; a model of that name is {' or '.join(elsewhere)}")
    return UsageError(
        f"no command {name!r}{suggest(name, [*known, *NETWORKS])}; available: {', '.join(known)}; "
        "`resflops models` lists the models"
    )
