"""JUnit's XML, which every CI server reads."""

from typing import TYPE_CHECKING

from resflops.errors import escape_control_characters
from resflops.render.formats import format_note
from resflops.render.registry import Screen, renderer
from resflops.tables import Check, Table

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["render_junit"]


@renderer("junit", ".xml", of_checks=True)
def render_junit(table: Table, screen: Screen) -> str:
    """Write a test case for each check, with what failed in it."""
    # Here, because every format is imported, whichever is written.
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    del screen
    counts = {
        "tests": str(len(table.checks)),
        "failures": str(sum(check.outcome == "failed" for check in table.checks)),
        "errors": str(sum(check.outcome == "error" for check in table.checks)),
    }
    root = Element("testsuites", counts)
    suite = SubElement(root, "testsuite", {"name": "resflops", **counts})
    for check in table.checks:
        _add_case(suite, check)
    if stored := [escape_control_characters(format_note(note)) for note in table.notes if note.of_checks]:
        SubElement(suite, "system-out").text = "\n".join(stored)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _add_case(suite: "Element", check: Check) -> None:
    from xml.etree.ElementTree import SubElement

    case = SubElement(
        suite,
        "testcase",
        {
            "classname": f"resflops.{escape_control_characters(check.subject)}",
            "name": escape_control_characters(check.name),
        },
    )
    if check.path:
        case.set("file", escape_control_characters(check.path))
        case.set("line", str(check.line))
    if not check.notes:
        return
    first, *rest = (escape_control_characters(format_note(note)) for note in check.notes)
    if check.outcome in {"failed", "error"}:
        kind = "failure" if check.outcome == "failed" else "error"
        problem = SubElement(case, kind, {"message": first, "type": check.reason or "over the limit"})
        problem.text = "\n".join([first, *rest])
    else:
        SubElement(case, "system-out").text = "\n".join([first, *rest])
