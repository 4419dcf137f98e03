"""Which layers are checkpointed: those that were named, by path or pattern, or the blocks that repeat."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from resflops.errors import UsageError, suggest
from resflops.peak_memory.blocks import find_blocks
from resflops.peak_memory.options import BLOCKS
from resflops.records import ModuleRecord

__all__ = ["select_checkpointed"]


def select_checkpointed(modules: Sequence[ModuleRecord], patterns: Sequence[str]) -> tuple[str, ...]:
    """Select the layers that patterns name, in the model's order; of nested ones the outermost.

    Raises:
        UsageError: a pattern names no layer, or the model repeats no blocks.
    """
    paths = [module.path for module in modules if module.path]
    chosen: set[str] = set()
    for pattern in patterns:
        if pattern == BLOCKS or (pattern == "blocks" and pattern not in paths):
            found = set(find_blocks(modules))
            if not found:
                raise UsageError(
                    f"checkpointing: no blocks that repeat were found in {modules[0].cls}; "
                    f"name layers, as in {paths[0] if paths else 'layer1.*'}"
                )
        else:
            found = {path for path in paths if fnmatchcase(path, pattern)}
            if not found:
                raise UsageError(
                    f"checkpointing: no layer of {modules[0].cls} is called {pattern!r}"
                    f"{suggest(pattern, paths)}"
                )
        chosen |= {part for path in found for part in _expand(path, modules)}
    return tuple(path for path in paths if path in chosen and not _has_parent(path, chosen))


def _expand(path: str, modules: Sequence[ModuleRecord]) -> list[str]:
    """Give the parts of a list or dict of modules, which is never called itself; other layers as they are."""
    cls = next(module.cls for module in modules if module.path == path)
    if cls not in ("ModuleList", "ModuleDict"):
        return [path]
    children = [module.path for module in modules if module.path.rpartition(".")[0] == path]
    return [part for child in children for part in _expand(child, modules)]


def _has_parent(path: str, chosen: set[str]) -> bool:
    while path := path.rpartition(".")[0]:
        if path in chosen:
            return True
    return False
