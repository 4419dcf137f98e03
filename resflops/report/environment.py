"""What the reports were made with."""

import platform
from importlib.metadata import version

from msgspec import Struct

from resflops._version import __version__

__all__ = ["Versions", "read_versions"]


class Versions(Struct, frozen=True, kw_only=True):
    """Versions."""

    resflops: str
    python: str
    torch: str
    matplotlib: str


def read_versions() -> Versions:
    """That of this process; nothing is imported for it."""
    return Versions(
        resflops=__version__,
        python=platform.python_version(),
        torch=version("torch"),
        matplotlib=version("matplotlib"),
    )
