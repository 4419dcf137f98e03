"""Do the tests notice a wrong formula? Small mistakes, one at a time, and which of them no test fails for.

    python tests/benchmarks/mutants.py --draw 200 --seed 1 --jobs 2 [--minutes 30] [--again] [--near]

Draws places in ``resflops/ops``, ``resflops/cost`` and ``resflops/gate``: an integer one larger, an arithmetic
operator or a comparison turned into another. Each mistake is made in a copy of the project, where the tests
that concern the module run until one fails, and after them the wider set. What was found is kept in
``--results``, and a run with the same seed goes on from there; ``--again`` runs what lived once more. A
mistake that changes nothing that can be observed belongs in ``equivalent_mutants.toml``, with the reason.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

PROJECT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")

FOLDERS = ("resflops/ops", "resflops/cost", "resflops/gate")

OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
}
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}

# By hand-derived and stored counts a wrong formula is found first; that all calling styles cost the same cannot tell.
BY_HAND = (
    "tests/ops/test_families.py",
    "tests/ops/test_more_families.py",
    "tests/ops/test_gradients.py",
    "tests/ops/test_linalg_gradients.py",
    "tests/ops/test_stored_work.py",
    "tests/ops/test_arguments.py",
    "tests/ops/test_defaults.py",
    "tests/ops/test_mismatch.py",
    "tests/tracing/test_described.py",
)
CONCERNED = {
    "resflops/ops": BY_HAND,
    "resflops/cost": ("tests/cost", "tests/test_design_numbers.py"),
    "resflops/gate": ("tests/gate",),
}
WIDER = {
    "resflops/ops": ("tests/ops", "tests/cost", "tests/test_design_numbers.py", "tests/tracing"),
    "resflops/cost": (
        "tests/counters", "tests/tables", "tests/ops", "tests/tracing", "tests/crosschecking", "tests/test_records.py",
    ),
    "resflops/gate": ("tests/tables", "tests/cli", "tests/integrations", "tests/render"),
}  # fmt: skip

TIMEOUT = 900
"""Seconds after which a mistake counts as noticed: it made a loop endless."""


@dataclass(frozen=True)
class Mutant:
    """A place in a module, and what stands there instead."""

    file: str
    line: int
    place: int
    """Which of the module's mistakes it is, in the order of its syntax tree."""
    source: str
    """The line's text, by which equivalents are listed, since an integer alone says too little."""
    before: str
    after: str

    @property
    def name(self) -> str:
        """What the results know it by."""
        return f"{self.file}:{self.line}:{self.place}: {self.before} -> {self.after}"


def mistaken(node: ast.AST) -> ast.expr | None:
    """An expression with a mistake in it, or None where none is made."""
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return ast.Constant(value + 1)
        case ast.BinOp(op=operator) if type(operator) in OPERATORS:
            return ast.BinOp(node.left, OPERATORS[type(operator)](), node.right)
        case ast.Compare(ops=[comparison]) if type(comparison) in COMPARISONS:
            return ast.Compare(node.left, [COMPARISONS[type(comparison)]()], node.comparators)
    return None


def find_places(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Every expression of a module that a mistake can be made in, and what it becomes."""
    for node in ast.walk(tree):
        other = mistaken(node)
        if isinstance(node, ast.expr) and other is not None:
            yield node, other


def find_mutants() -> list[Mutant]:
    """All of the package's, module by module."""
    found = []
    for folder in FOLDERS:
        for path in sorted((PROJECT / folder).glob("*.py")):
            text = path.read_text()
            name, lines = str(path.relative_to(PROJECT)), text.splitlines()
            for place, (node, other) in enumerate(find_places(ast.parse(text))):
                line = lines[node.lineno - 1].strip()
                found.append(Mutant(name, node.lineno, place, line, ast.unparse(node), ast.unparse(other)))
    return found


class Replace(ast.NodeTransformer):
    """Puts an expression in the place of another one."""

    def __init__(self, node: ast.expr, other: ast.expr) -> None:
        self.node, self.other = node, other

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the one, and visit what is inside of every other."""
        return self.other if node is self.node else self.generic_visit(node)


def write_mistake(source: str, mutant: Mutant) -> str:
    """The module's source with the mistake in it."""
    tree = ast.parse(source)
    node, other = list(find_places(tree))[mutant.place]
    return ast.unparse(ast.fix_missing_locations(Replace(node, deepcopy(other)).visit(tree)))


def run_tests(copy: Path, paths: tuple[str, ...]) -> bool:
    """Whether the tests pass in a copy of the project."""
    there = [path for path in paths if (copy / path).exists()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *there]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(
            command, cwd=copy, env=environment, timeout=TIMEOUT, capture_output=True, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


def lives(copy: Path, mutant: Mutant, *, near_only: bool) -> bool:
    """Whether no test fails for a mistake."""
    path = copy / mutant.file
    source = path.read_text()
    folder = str(Path(mutant.file).parent)
    own = f"tests/{Path(folder).name}/test_{path.stem.lstrip('_')}.py"
    path.write_text(write_mistake(source, mutant))
    try:
        # What is closest comes first, since the first failure ends a run.
        near = dict.fromkeys((mutant.file, own, *CONCERNED[folder]))
        return run_tests(copy, tuple(near)) and (near_only or run_tests(copy, WIDER[folder]))
    finally:
        path.write_text(source)


def copy_project(into: Path) -> Path:
    """What git tracks, and what it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, into / name)
    return into


def read_equivalent() -> set[tuple[str, str, str, str]]:
    """Mistakes that change nothing: module, the line of source that they are made in, and what turns into what."""
    listed = tomllib.loads(EQUIVALENT.read_text())["mutant"]
    assert all(each["reason"] for each in listed)
    return {(each["file"], each["source"], each["before"], each["after"]) for each in listed}


def try_mutants(
    mutants: list[Mutant],
    *,
    jobs: int,
    until: float,
    near_only: bool,
    found: dict[str, bool],
    results: Path,
) -> None:
    """Run the tests against each of them that nothing is known of, and keep what was found."""
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for job in range(jobs):
            copies.put(copy_project(Path(folder) / str(job)))

        def attempt(mutant: Mutant) -> None:
            if time.monotonic() > until:
                return
            copy = copies.get()
            try:
                found[mutant.name] = lives(copy, mutant, near_only=near_only)
            finally:
                copies.put(copy)
            print("lived " if found[mutant.name] else "killed", mutant.name, flush=True)
            results.write_text(json.dumps(dict(sorted(found.items())), indent=1))

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(attempt, (each for each in mutants if each.name not in found)))


def main() -> None:
    """Draw, try, and print which lived."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draw", type=int, default=200, help="how many mistakes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no other after so long")
    parser.add_argument("--again", action="store_true", help="try those again that lived")
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "resflops-mutants.json")
    parser.add_argument(
        "--near", action="store_true", help="leave the wider set of tests out: what lives may not"
    )
    parser.add_argument("--only", default="", help="only modules whose path starts so")
    given = parser.parse_args()
    # Shuffled and cut, so that a longer draw begins with a shorter one.
    drawn = find_mutants()
    random.Random(given.seed).shuffle(drawn)
    drawn = drawn[: given.draw]
    equivalent = read_equivalent()
    drawn = [each for each in drawn if each.file.startswith(given.only)]
    wanted = [each for each in drawn if (each.file, each.source, each.before, each.after) not in equivalent]
    found: dict[str, bool] = json.loads(given.results.read_text()) if given.results.exists() else {}
    if given.again:
        found = {name: lived for name, lived in found.items() if not lived}
    until = time.monotonic() + given.minutes * 60
    try_mutants(
        wanted, jobs=given.jobs, until=until, near_only=given.near, found=found, results=given.results
    )
    tried = [each for each in wanted if each.name in found]
    alive = [each for each in tried if found[each.name]]
    for each in alive:
        print(f"{each.file}:{each.line}\n  - {each.before}\n  + {each.after}")
    print(f"{len(drawn)} drawn, {len(drawn) - len(wanted)} equivalent, {len(tried)} tried, "
          f"{len(tried) - len(alive)} killed, {len(alive)} alive")  # fmt: skip


if __name__ == "__main__":
    main()
