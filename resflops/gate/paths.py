"""How a path is named to people."""

import os
from pathlib import Path

__all__ = ["shorten_path"]


def shorten_path(path: str | os.PathLike[str]) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return os.fspath(path)
