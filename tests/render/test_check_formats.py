"""The formats in which other tools read what was checked, and that no text breaks out of them."""

from xml.etree import ElementTree as ET

import pytest

from resflops.errors import UsageError
from resflops.render import CHECK_RENDERERS, find_renderer
from resflops.tables import Check, Note, Table

AWKWARD = "a::b,c%\n::error::x <b> & ]]> \x1b[31m \x00 é"


def checked(outcome: str) -> Table:
    return Table(
        title=AWKWARD,
        columns=(),
        rows=(),
        checks=(
            Check(
                subject=AWKWARD, name="MACs", outcome=outcome, path="a:b,c.toml", line=3,
                notes=(Note(text="first"), Note(text=AWKWARD)),
            ),
            Check(subject="net", name="MACs", outcome="passed", notes=()),
        ),
    )  # fmt: skip


def test_an_annotation_is_one_line_whatever_is_in_it() -> None:
    first, title = find_renderer("github", of_checks=True).render(checked("failed")).splitlines()
    assert first.startswith("::error file=a%3Ab%2Cc.toml,line=3,title=a%3A%3Ab%2Cc%25%0A%3A%3Aerror")
    assert first.partition("::first%0A")[2].startswith("a::b,c%25")
    assert not title.startswith("::")


@pytest.mark.parametrize(("outcome", "failures"), [("failed", "1"), ("better", "0"), ("passed", "0")])
def test_junit_is_xml_whatever_is_in_it(outcome: str, failures: str) -> None:
    root = ET.fromstring(find_renderer("junit", of_checks=True).render(checked(outcome)))
    assert root.attrib == {"tests": "2", "failures": failures, "errors": "0"}
    case, other = root.iter("testcase")
    assert case.attrib["line"] == "3"
    assert "file" not in other.attrib
    text = "".join(case.itertext())
    assert "first" in text
    assert "<b> & ]]>" in text


@pytest.mark.parametrize("name", list(CHECK_RENDERERS))
def test_they_are_no_formats_of_other_tables(name: str) -> None:
    with pytest.raises(UsageError, match=f"no format named '{name}'"):
        find_renderer(name)
