"""Complete words that a shell asks for: commands, options, models, conventions, formats and files.

The shell runs this program with every Tab, so that nothing here may import torch or a package of models.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from argcomplete.completers import FilesCompleter
from argcomplete.finders import CompletionFinder

from resflops.cli.command_line import CommandLine, read_command_line
from resflops.cli.commands import COMMANDS, build_parsers, load_command
from resflops.cli.parser import Parser
from resflops.errors import ResflopsError
from resflops.models.catalog import NETWORKS
from resflops.models.installed_names import INSTALLED_PREFIXES, list_installed_names

__all__ = ["complete", "list_models"]

Words = Callable[[str], list[str]]
"""Gives the words that may complete a beginning; others among them do no harm."""

_FILES = FilesCompleter(allowednames=("py", "pt2", "pt", "json"))
"""Files that can be counted, and the folders on the way to them."""


def complete() -> None:
    """Write what completes the words that the environment holds, and end the process."""
    line, point = os.environ.get("COMP_LINE", ""), int(os.environ.get("COMP_POINT") or 0)
    # The last word is the one to complete, unless a space follows it; the first is the program.
    words = line[:point].split()[1:]
    given = _read(words if line[:point].endswith(" ") else words[:-1])
    command = load_command(given.command) if given.command else None
    parser, subparser = build_parsers(given.command, command)
    for action in subparser._actions:  # noqa: SLF001 - argparse has no public list of them
        _set_completer(action, given.command)
    finder = _Finder()
    finder.words = [given.command, *_order(subparser, given.words)] if command else given.words
    finder(parser)


def list_models(prefix: str = "") -> list[str]:
    """List the words that complete the beginning of a model's spec."""
    before, comma, _ = prefix.rpartition(",")
    network = NETWORKS.get(before.partition(",")[0])
    if comma and network is not None:
        return [f"{before},{option}=" for option in network.options]
    source, slash, _ = prefix.partition("/")
    if slash and source in INSTALLED_PREFIXES:
        return [f"{source}/{name}" for name in list_installed_names(source)]
    return [*NETWORKS, *(f"{source}/" for source in INSTALLED_PREFIXES), *_FILES(prefix)]


def _read(words: Sequence[str]) -> CommandLine:
    try:
        return read_command_line(words, COMMANDS)
    except ResflopsError:
        return CommandLine(command="", words=list(words))


def _order(parser: Parser, words: list[str]) -> list[str]:
    """Put positional arguments last, where more may follow, or else the option whose value is being typed."""
    options = [place for place, word in enumerate(words) if word.startswith("-")]
    last = options[-1] if options else 0
    action = parser._option_string_actions.get(words[last]) if options else None  # noqa: SLF001
    if action is not None and (action.nargs == "+" or (action.nargs is None and last == len(words) - 1)):
        return [*_arrange(parser, words[:last]), *words[last:]]
    return _arrange(parser, words)


def _arrange(parser: Parser, words: list[str]) -> list[str]:
    try:
        arranged = parser.arrange(words)
    except ResflopsError:
        return words
    first = next((place for place, word in enumerate(arranged) if word.startswith("-")), len(arranged))
    return [*arranged[first:], *arranged[:first]]


class _Finder(CompletionFinder):
    """Completes the words that are set, and models where a command could stand."""

    words: Sequence[str] = ()

    def _get_completions(self, comp_words: list[str], *args: Any) -> list[str]:  # noqa: ANN401
        found: list[str] = super()._get_completions([comp_words[0], *self.words], *args)  # type: ignore[no-untyped-call]
        return found

    def _get_subparser_completions(self, parser: Any, cword_prefix: str) -> list[str]:  # noqa: ANN401
        commands: list[str] = super()._get_subparser_completions(parser, cword_prefix)  # type: ignore[no-untyped-call]
        return commands + [each for each in list_models(cword_prefix) if each.startswith(cword_prefix)]


def _set_completer(action: argparse.Action, command: str) -> None:
    """Set what completes an argument; of the others argcomplete completes files."""
    words = _COMPLETERS.get((command, action.dest)) or _COMPLETERS.get(("", action.dest))
    if words is None:
        return
    several = action.option_strings and action.nargs in {"+", "*"} and action.dest != "also_models"

    def complete_word(prefix: str, **_: object) -> list[str]:
        # After a value of several, a model may follow as well.
        return [*words(prefix), *(list_models(prefix) if several else ())]

    vars(action)["completer"] = complete_word


def _list_configured(prefix: str) -> list[str]:
    del prefix
    from resflops.gate.config import find_config, read_config

    try:
        return list(read_config(find_config(Path.cwd())).models)
    except (ResflopsError, OSError):
        return []


def _list_conventions(prefix: str) -> list[str]:
    del prefix
    from resflops.counters import CONVENTIONS

    return list(CONVENTIONS)


def _list_formats(prefix: str) -> list[str]:
    del prefix
    from resflops.render import list_formats

    return list(list_formats(of_checks=True))


def _list_topics(prefix: str) -> list[str]:
    del prefix
    from resflops.cli.guides import list_guides

    return [*COMMANDS, *list_guides()]


def _list_peers(prefix: str) -> list[str]:
    del prefix
    from resflops.counters import PEERS

    return list(PEERS)


def _list_choices(name: str) -> Words:
    def list_them(prefix: str) -> list[str]:
        del prefix
        from resflops.latency import configuration

        return list(getattr(configuration, name))

    return list_them


def _list_memory_options(name: str) -> Words:
    def list_them(prefix: str) -> list[str]:
        del prefix
        from resflops.peak_memory import options

        return list(getattr(options, name))

    return list_them


def _list_nothing(prefix: str) -> list[str]:
    del prefix
    return []


_COMPLETERS: dict[tuple[str, str], Words] = {
    ("", "model"): list_models,
    ("", "models"): list_models,
    ("", "also_models"): list_models,
    ("", "things"): lambda prefix: [*list_models(prefix), *FilesCompleter()(prefix)],
    ("lock", "models"): _list_configured,
    ("check", "models"): _list_configured,
    ("lock", "also_models"): _list_configured,
    ("check", "also_models"): _list_configured,
    ("models", "pattern"): list_models,
    ("", "convention"): _list_conventions,
    ("conventions", "name"): _list_conventions,
    ("", "format"): _list_formats,
    ("", "peers"): _list_peers,
    ("memory", "dtype"): _list_memory_options("DTYPES"),
    ("memory", "optimizer"): _list_memory_options("OPTIMIZERS"),
    ("memory", "attention"): _list_memory_options("ATTENTIONS"),
    ("memory", "loss"): _list_memory_options("LOSSES"),
    ("memory", "fits"): lambda _: ["8GiB", "16GiB", "24GiB", "40GiB", "80GiB"],
    ("memory", "checkpointing"): lambda _: ["blocks"],
    ("", "dtype"): _list_choices("DTYPES"),
    ("", "mode"): _list_choices("MODES"),
    ("", "backend"): _list_choices("BACKENDS"),
    ("", "memory_format"): _list_choices("MEMORY_FORMATS"),
    ("", "device"): lambda _: ["cpu", "cuda"],
    ("", "topic"): _list_topics,
    ("", "shell"): lambda _: ["bash", "fish", "zsh"],
    **dict.fromkeys(
        [("", name) for name in ("input", "batch", "depth", "top", "rounds", "seconds", "time_limit")],
        _list_nothing,
    ),
}
"""By command, or ``""`` for all, and destination."""
