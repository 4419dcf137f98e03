"""Find the line of a key in a TOML file, which tomllib does not tell."""

import tomllib
from typing import Any

__all__ = ["TomlLines"]

KeyPath = tuple[str, ...]


class TomlLines:
    """The line numbers of the tables and keys of one file.

    A key inside an inline table or a list has the line of the key that holds it.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[KeyPath, int] = {}
        table: KeyPath = ()
        for number, line in enumerate(text.splitlines(), start=1):
            # Line by line, so a line of a multi-line string may be taken for a key. It does little harm: the
            # keys themselves come from tomllib, and at worst a message names a wrong line.
            code = line.lstrip()
            if code.startswith("["):
                table = _parse_path(code) or table
                self._lines.setdefault(table, number)
            elif path := _parse_key(code):
                for length in range(1, len(path) + 1):
                    self._lines.setdefault((*table, *path[:length]), number)

    def find(self, *path: str) -> int:
        """Find the line of a key, or else of the nearest key or table around it; 1 if there is none."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def _parse_key(line: str) -> KeyPath:
    """Parse the path before the equals sign."""
    # An equals sign may be part of a quoted key, so each is tried until what is before it is a key.
    place = line.find("=")
    while place != -1:
        if path := _parse_path(f"{line[:place]} = 0"):
            return path
        place = line.find("=", place + 1)
    return ()


def _parse_path(line: str) -> KeyPath:
    """Parse the path that a whole line of TOML names; tomllib itself reads the quotes and dots."""
    try:
        value: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(value, dict) and value:
        ((key, value),) = value.items()
        path.append(key)
        # [[many]] holds its table in a list.
        while isinstance(value, list) and value:
            value = value[0]
    return tuple(path)
