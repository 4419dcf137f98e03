"""A picture as a value: what it shows, how it is drawn, and the files that it becomes."""

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

from matplotlib.figure import Figure
from msgspec import Struct, json

from resflops.report import style
from resflops.report.pictures import labels, scales
from resflops.report.style import DARK, LIGHT, Theme

__all__ = ["FOLDER", "Picture"]

FOLDER = "pictures"
"""The folder of the pictures, in the folder of the reports."""


class Picture(Struct, frozen=True, kw_only=True):
    """One picture of a report."""

    name: str
    """The name that its files are called after."""
    data: Struct
    """Everything that is drawn; nothing else may decide how the picture looks."""
    draw: Callable[[Any, Theme], Figure]
    alt: str
    """What it shows, for those who do not see it."""

    @property
    def digest(self) -> str:
        """A digest that changes with the data and the code that draws them, but not with matplotlib."""
        # The whole source of these modules: any edit, of a comment even, makes all their pictures stale.
        drawn_by = (sys.modules[self.draw.__module__], labels, scales, style)
        code = "".join(inspect.getsource(module) for module in drawn_by)
        return hashlib.sha256(json.encode(self.data) + code.encode()).hexdigest()

    def list_files(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """List the paths of its files in the folder of the reports, with what makes their bytes.

        As SVG alone: every page shows that, it is sharp at any size, and git stores what changed in it.
        """
        yield f"{FOLDER}/{self.name}.svg", lambda: style.image(self.draw(self.data, LIGHT))
        yield f"{FOLDER}/{self.name}-dark.svg", lambda: style.image(self.draw(self.data, DARK))
