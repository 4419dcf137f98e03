"""What people read is plain English: no message or sentence of a page is cast in a mould that reads as translated."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import resflops

PACKAGE = Path(resflops.__file__).parent
TEMPLATES = sorted((PACKAGE / "report" / "templates").glob("*.jinja"))

MOULDS = {
    "'x' is no option": r"(?<!there )(?<!There )\bis no (?!longer|more)\w",
    "and 'x' is none": r"\b(is|are) none\b(?! of)",
    "from 1 on": r"\bfrom \d+ on\b",
    "one argument too many": r"\bargument too many\b",
    "the dearest model": r"\btoo dear\b|\bdear(er|est)? \w",
    "what there is": r"\bwhat (there is|is there)\b",
    "there are: a, b": r"\bthere are: ",
    "to make it by hand": r"\b[Bb]y hand\b",
    "time by the roof": r"\b[Bb]y the roof\b",
    "cannot be gone on with": r"\bgone? on with\b",
    "cannot be called so": r"\bcalled so\b",
    "nothing is known of it": r"\bis known of\b",
    "could not be had": r"\bbe had\b",
    "times as much": r"\btimes as much\b",
    "the answer hangs little on it": r"\bhangs little\b",
    "as to how": r"\b[Aa]s to how\b",
    "elements of buffers": r"\belements of buffers\b",
    "fused attention not": r"(?<!does)(?<!is)(?<!do)(?<!are) not(;|$)",
}
"""Turns of phrase that a native speaker would not write in a message, each by an example."""


def list_texts(path: Path) -> Iterator[str]:
    """List the texts of a module that somebody may read: its strings, without those that document code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    expressions = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    documenting = {node for node in expressions if isinstance(node, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documenting:
            yield node.value


@cache
def read_package() -> dict[str, tuple[str, ...]]:
    """All that somebody may read, by the file that it stands in."""
    code = {str(path.relative_to(PACKAGE)): tuple(list_texts(path)) for path in sorted(PACKAGE.rglob("*.py"))}
    return code | {path.name: tuple(path.read_text(encoding="utf-8").splitlines()) for path in TEMPLATES}


@pytest.mark.parametrize("pattern", MOULDS.values(), ids=MOULDS)
def test_no_text_is_cast_in_the_mould(pattern: str) -> None:
    mould = re.compile(pattern)
    found = [
        f"{name}: {text}" for name, texts in read_package().items() for text in texts if mould.search(text)
    ]
    assert found == []


@pytest.mark.parametrize(("example", "pattern"), MOULDS.items(), ids=MOULDS)
def test_each_mould_finds_its_example(example: str, pattern: str) -> None:
    assert re.search(pattern, example)
