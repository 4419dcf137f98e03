"""Exported programs as modules: the layers of the graph, and what each of its nodes calls."""

from resflops.sources.programs.loading import load_program
from resflops.sources.programs.module import ProgramModel, make_module
from resflops.sources.programs.torch_classes import hide_classes, restore_classes

__all__ = ["ProgramModel", "hide_classes", "load_program", "make_module", "restore_classes"]
