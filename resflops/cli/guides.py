"""The guides: Markdown files in ``resflops/guide``, which ``resflops help`` shows and the README links to."""

import os
import shutil
import sys
from pathlib import Path

from resflops.cli.streams import write_output

__all__ = ["find_guide", "list_guides", "show_guide"]

FOLDER = Path(__file__).parents[1] / "guide"
WIDEST = 100
"""How wide a guide is set at most: longer lines of prose are hard to read."""


def list_guides() -> tuple[str, ...]:
    """List the names of the guides."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md")))


def find_guide(topic: str) -> str | None:
    """Find the guide that a topic names, in whole or by words of its name that no other guide has.

    >>> find_guide("Any model"), find_guide("gate"), find_guide("c"), find_guide("poetry")
    ('any-model', 'cost-gate', None, None)
    """
    guides = list_guides()
    words = topic.lower().replace("_", "-").replace(" ", "-").removesuffix(".md").removeprefix("the-")
    if words in guides:
        return words
    named = [guide for guide in guides if f"-{words}-" in f"-{guide}-"]
    return named[0] if len(named) == 1 else None


def show_guide(guide: str) -> None:
    """Show a guide: set by rich on a terminal, as it is written elsewhere."""
    text = (FOLDER / f"{guide}.md").read_text(encoding="utf-8")
    write_output(_set_for_terminal(text) if sys.stdout is not None and sys.stdout.isatty() else text)


def _set_for_terminal(text: str) -> str:
    from rich.console import Console
    from rich.markdown import Markdown

    width = min(shutil.get_terminal_size().columns, WIDEST)
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    console = Console(width=width, force_terminal=True, no_color=plain)
    with console.capture() as capture:
        console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))
    return capture.get()
