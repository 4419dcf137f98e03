"""Commands that run a program of this resflops in another process, whatever else is there to be imported."""

import sys
from pathlib import Path

__all__ = ["build_command"]


def build_command(module: str) -> list[str]:
    """Build the command that runs the ``main`` of a module of resflops, and ends with what that returns.

    The folder that it runs in may have a resflops of its own. This one is put first, imported, and taken out
    again, so that the imports of other code find what they would find without it.

    Args:
        module: the dotted name of the module.
    """
    program = (
        f"import sys; sys.path.insert(0, sys.argv[1]); import {module} as program; "
        "del sys.path[0]; sys.exit(program.main())"
    )
    # -P: without it, Python would look for resflops and for the standard library in that folder first.
    return [sys.executable, "-P", "-c", program, str(Path(__file__).parents[2])]
