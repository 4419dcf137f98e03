"""Find out which file and line to look at where the gate could not check the models."""

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from resflops.gate.paths import shorten_path

__all__ = ["Problem", "list_problems"]


class Problem(Struct, frozen=True, kw_only=True):
    """One reason why the gate could not check the models."""

    message: str
    path: Path
    """The file to look at."""
    line: int = 1


def list_problems(
    message: str, *, config: Path, lock: Path | None = None, model_lines: Mapping[str, int] | None = None
) -> list[Problem]:
    """List what an error message names, each mistake with its place; what names none is about the whole file.

    Args:
        message: the message of the error that stopped the check.
        config: the configuration, which need not be there.
        lock: the lock file, if the configuration could be read.
        model_lines: the lines of the configuration that name the models, if it could be read.
    """
    placed = re.findall(rf"(?m)^\s*{re.escape(shorten_path(config))}:(\d+): (.+)$", message)
    if placed:
        return [Problem(message=text, path=config, line=int(line)) for line, text in placed]
    problems: list[Problem] = []
    for line in message.split("\n"):
        # What a model raised may have several lines, of which the first alone names the model.
        named = re.match(r"model '(.+?)': ", line)
        if named or not problems:
            place = (model_lines or {}).get(named[1], 1) if named else _find_line(line)
            is_of_lock = lock is not None and line.startswith(shorten_path(lock))
            path = lock if lock is not None and is_of_lock else config
            problems.append(Problem(message=line, path=path, line=place))
        else:
            last = problems.pop()
            problems.append(Problem(message=f"{last.message}\n{line}", path=last.path, line=last.line))
    return problems


def _find_line(text: str) -> int:
    """Find the line that a parser of TOML or the reader of the lock file names."""
    found = re.search(r"\b(?:at|in) line (\d+)", text)
    return int(found[1]) if found else 1
