"""The blocks that a model repeats: what training with checkpointing usually runs again, one by one."""

from collections.abc import Sequence

from resflops.records import ModuleRecord

__all__ = ["find_blocks"]


def find_blocks(modules: Sequence[ModuleRecord]) -> tuple[str, ...]:
    """Find the outermost modules that have parts and, beside them, a sibling of their own class."""
    siblings: dict[tuple[str, str], list[str]] = {}
    for module in modules:
        if module.path and not module.leaf:
            siblings.setdefault((module.path.rpartition(".")[0], module.cls), []).append(module.path)
    containers = ("Sequential", "ModuleList", "ModuleDict")
    repeated = [
        path
        for (_, cls), paths in siblings.items()
        if len(paths) > 1 and cls not in containers
        for path in paths
    ]
    return tuple(repeated)
