"""What the reports were made with."""

import platform
from importlib.metadata import version

from msgspec import Struct

from resflops._version import __version__

__all__ = ["Environment", "environment"]


class Environment(Struct, frozen=True, kw_only=True):
    """Versions."""

    resflops: str
    python: str
    torch: str
    matplotlib: str


def environment() -> Environment:
    """That of this process; nothing is imported for it."""
    return Environment(
        resflops=__version__,
        python=platform.python_version(),
        torch=version("torch"),
        matplotlib=version("matplotlib"),
    )
