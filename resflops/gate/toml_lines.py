"""Parse TOML, and find the line of a key, which tomllib does not tell."""

import reprlib
import tomllib
from typing import Any

__all__ = ["LARGEST_FILE", "TomlLines", "parse_toml", "show_value"]

LARGEST_FILE = 1 << 26
"""The most bytes of a TOML file: thousands of models, and little enough for tomllib, which is slow."""

KeyPath = tuple[str, ...]


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a text.

    Raises:
        ValueError: it is not TOML, or a number or the nesting in it is beyond Python. A TOMLDecodeError,
            which is a ValueError, tells the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError("arrays or tables are nested too deeply") from None
    except ValueError as error:
        # It speaks of sys.set_int_max_str_digits(), which nobody who reads the file can call.
        if "digits" in str(error):
            raise ValueError("a number has thousands of digits") from None
        raise


def show_value(value: object) -> str:
    """Show a value of a file in a message, cut where it is long or nested deeply."""
    # A number in hexadecimal may have any length, and Python does not write it in decimals.
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother, short.maxlong = 3, 120, 120, 100
    return short.repr(value)


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


MOST_TRIES = 20
LONGEST_LINE = 10_000


def _parse_key(line: str) -> KeyPath:
    """Parse the path before the equals sign."""
    # An equals sign may be part of a quoted key, so each is tried until what is before it is a key; but not
    # every one of thousands, since each try takes as long as the line before it.
    place = line.find("=")
    for _ in range(MOST_TRIES):
        if place == -1:
            break
        if path := _parse_path(f"{line[:place]} = 0"):
            return path
        place = line.find("=", place + 1)
    return ()


def _parse_path(line: str) -> KeyPath:
    """Parse the path that a whole line of TOML names; tomllib itself reads the quotes and dots."""
    try:
        value: Any = parse_toml(line) if len(line) <= LONGEST_LINE else {}
    except ValueError:
        return ()
    path: list[str] = []
    while isinstance(value, dict) and value:
        ((key, value),) = value.items()
        path.append(key)
        # [[many]] holds its table in a list.
        while isinstance(value, list) and value:
            value = value[0]
    return tuple(path)
