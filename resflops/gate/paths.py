"""Write paths for messages."""

import os
from pathlib import Path

__all__ = ["shorten_path"]


def shorten_path(path: str | os.PathLike[str]) -> str:
    """Shorten a path below the current folder to the part below it; any other stays as it is."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    # OSError and RuntimeError: links that lead to each other, a name that is too long, a folder that is gone.
    except (ValueError, OSError, RuntimeError):
        return os.fspath(path)
