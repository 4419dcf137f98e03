"""Exported programs as modules: the layers of the graph, and what each of its nodes calls."""

from resflops.sources.programs.loading import load_program
from resflops.sources.programs.module import ProgramModel, make_module

__all__ = ["ProgramModel", "load_program", "make_module"]
