"""The versions that the reports were made with."""

import platform
from importlib.metadata import version

from msgspec import Struct

from resflops._version import __version__

__all__ = ["Versions", "read_versions"]


class Versions(Struct, frozen=True, kw_only=True):
    """The versions that decide what a report looks like."""

    resflops: str
    python: str
    torch: str
    matplotlib: str


def read_versions() -> Versions:
    """Read the versions of this process, without importing the packages."""
    return Versions(
        resflops=__version__,
        python=platform.python_version(),
        torch=version("torch"),
        matplotlib=version("matplotlib"),
    )
