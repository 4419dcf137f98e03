"""Arrange the words of a command line so that argparse reads them as people mean them.

argparse lets an option of several values take every word up to the next option, takes positional arguments
from one place only, and silently keeps the last value of an option that is given twice.
"""

import re
from argparse import Action
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from resflops.errors import UsageError

__all__ = ["Values", "arrange_words", "keep_word"]

# What argparse itself takes for a value, too.
_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


def keep_word(text: str) -> list[str]:
    """Keep a word as one value."""
    return [text]


class Values(Struct, frozen=True, kw_only=True):
    """Which words are values of an option that takes several."""

    belong: Callable[[str], bool]
    """Tells whether a further word is a value of it, rather than a model."""
    split: Callable[[str], list[str]] = keep_word
    """Splits a word into several values, such as ``1,8,32``."""
    dashed: bool = False
    """Whether a value may begin with one dash, as in ``--sort -macs``."""


def arrange_words(
    words: Sequence[str],
    *,
    options: Mapping[str, Action],
    positional: frozenset[str],
    values: Callable[[Action], Values],
) -> list[str]:
    """Put positional arguments first, and give each value of an option the option's name.

    Args:
        words: the arguments after the command.
        options: the actions of the command, by their option strings.
        positional: the destinations of options whose values count as positional arguments.
        values: tells which words are values of an option that takes several.

    Raises:
        UsageError: an option that takes one value is given two different ones.
    """
    left = deque(words)
    first: list[str] = []
    arranged: list[str] = []
    given: dict[str, str] = {}
    while left:
        word = left.popleft()
        if word == "--":
            first += left
            break
        if not _is_option(word):
            first.append(word)
            continue
        name, attached = _split_option(word, options)
        action = options.get(name)
        # What is unknown, and what is wrong with a value, argparse says.
        if action is None or (action.nargs == 0 and attached is None):
            arranged.append(word)
            continue
        found = _take_values(left, action, attached, values(action))
        if not found:
            arranged.append(name)
        elif action.dest in positional:
            first += found
        else:
            if action.nargs is None and not _accumulates(action):
                _refuse_second(name, found[0], given.setdefault(action.dest, found[0]))
            arranged += [f"{name}={each}" if name.startswith("--") else f"{name}{each}" for each in found]
    # A positional argument that begins with a dash can only follow "--".
    return [*arranged, "--", *first] if any(map(_is_option, first)) else [*first, *arranged]


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-" and not _NEGATIVE_NUMBER.fullmatch(word)


def _split_option(word: str, options: Mapping[str, Action]) -> tuple[str, str | None]:
    """Split ``--out=x.md`` and ``-ox.md`` into name and value."""
    if word in options:
        return word, None
    if not word.startswith("--") and word[:2] in options and options[word[:2]].nargs != 0:
        return word[:2], word[2:].removeprefix("=")
    name, equals, value = word.partition("=")
    return name, value if equals else None


def _take_values(left: deque[str], action: Action, attached: str | None, values: Values) -> list[str]:
    if attached is not None:
        return values.split(attached) if action.nargs in {"+", "*"} else [attached]
    if action.nargs is None:
        return [left.popleft()] if left and _may_be_value(left[0], values) else []
    found: list[str] = []
    # The first word after an option that needs one is a value of it, whatever it looks like.
    needed = action.nargs == "+"
    while left and _may_be_value(left[0], values) and ((needed and not found) or values.belong(left[0])):
        found += values.split(left.popleft())
    return found


def _may_be_value(word: str, values: Values) -> bool:
    # Options of one letter stay options; what is called by one letter is no column.
    return not _is_option(word) or (values.dashed and not word.startswith("--") and len(word) > 2)


def _accumulates(action: Action) -> bool:
    # argparse has no public name for the class of action="append".
    return type(action).__name__ == "_AppendAction"


def _refuse_second(name: str, value: str, earlier: str) -> None:
    if value != earlier:
        raise UsageError(f"{name} is given twice, with {earlier!r} and {value!r}; give it once")
