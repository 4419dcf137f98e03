"""The import graph of the package: what stands at its root, which part imports which, and circles.

python tests/quality/import_graph.py
"""

import sys
from collections import Counter

import grimp

PACKAGE = "resflops"


def find_arrows(graph: grimp.ImportGraph) -> Counter[tuple[str, str]]:
    """How many imports there are from one entry of the root to another."""

    def entry(module: str) -> str:
        return ".".join(module.split(".")[:2])

    return Counter(
        (entry(importer), entry(imported))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if entry(importer) != entry(imported)
    )


def find_imports(graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """Every import of one module by another."""
    return {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }


def find_circle(arrows: set[tuple[str, str]]) -> list[str]:
    """Entries that import each other around a circle; empty if there are none."""
    reached = {start: {end for first, end in arrows if first == start} for start, _ in arrows}
    path: list[str] = []
    done: set[str] = set()

    def walk(entry: str) -> list[str]:
        if entry in path:
            return [*path[path.index(entry) :], entry]
        if entry not in done:
            path.append(entry)
            for following in sorted(reached.get(entry, ())):
                if circle := walk(following):
                    return circle
            done.add(path.pop())
        return []

    return next((circle for entry in sorted(reached) if (circle := walk(entry))), [])


def build_graph() -> grimp.ImportGraph:
    """The graph, without what is imported for type checkers alone."""
    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


def main() -> None:
    """Print it."""
    graph = build_graph()
    root = sorted(name.removeprefix(f"{PACKAGE}.") for name in graph.find_children(PACKAGE))
    arrows = find_arrows(graph)
    print(f"root: {len(root)} entries: {', '.join(root)}")
    print(f"modules: {len(graph.modules)}; arrows between entries of the root: {len(arrows)}")
    for (importer, imported), count in sorted(arrows.items()):
        print(
            f"  {importer.partition('.')[2] or importer} -> {imported.partition('.')[2] or imported}: {count}"
        )
    circle, between_modules = find_circle(set(arrows)), find_circle(find_imports(graph))
    print(f"circle of entries: {' -> '.join(circle) or 'none'}")
    print(f"circle of modules: {' -> '.join(between_modules) or 'none'}")
    sys.exit(bool(circle or between_modules))


if __name__ == "__main__":
    main()
