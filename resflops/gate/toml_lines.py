"""On which line of a TOML file a key stands: what tomllib does not tell."""

import tomllib
from typing import Any

__all__ = ["TomlLines"]

KeyPath = tuple[str, ...]


class TomlLines:
    """The lines of the tables and keys of one file.

    A key inside an inline table or a list is found at the line of the key that holds it.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[KeyPath, int] = {}
        table: KeyPath = ()
        for number, line in enumerate(text.splitlines(), start=1):
            begin = line.lstrip()
            if begin.startswith("["):
                table = _parse_path(begin) or table
                self._lines.setdefault(table, number)
            elif path := _parse_key(begin):
                for length in range(1, len(path) + 1):
                    self._lines.setdefault((*table, *path[:length]), number)

    def find(self, *path: str) -> int:
        """The line of a key, or of the nearest one around it; 1 if there is none."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def _parse_key(line: str) -> KeyPath:
    """The path before the equals sign, which may itself stand inside a quoted key."""
    place = line.find("=")
    while place != -1:
        if path := _parse_path(f"{line[:place]} = 0"):
            return path
        place = line.find("=", place + 1)
    return ()


def _parse_path(line: str) -> KeyPath:
    """The path that a whole line of TOML names; tomllib itself reads the quotes and dots."""
    try:
        found: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(found, list) and found:
        found = found[0]
    while isinstance(found, dict) and found:
        ((key, found),) = found.items()
        path.append(key)
        while isinstance(found, list) and found:
            found = found[0]
    return tuple(path)
