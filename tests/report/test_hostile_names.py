"""Names from models are names in every format: no markup, no formula, no broken row."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from resflops.render import RENDERERS, find_renderer
from resflops.report.explorer import LIBRARIES, OWN_SCRIPTS, render_explorer
from resflops.report.explorer_data import build_page_data
from resflops.report.markdown import Markdown, _format_markdown
from resflops.report.pictures import profile, stages
from resflops.report.style import LIGHT, image
from resflops.tables.breakdown import build_breakdown
from resflops.tables.comparison import Entry, build_comparison

TABLES = {
    "layers": build_breakdown,
    "modules": lambda cost: build_breakdown(cost, depth=1),
    "comparison": lambda cost: build_comparison([Entry(cost=cost, variant=cost.model)]),
}


@pytest.fixture(params=TABLES)
def table(request, hostile_cost):
    return TABLES[request.param](hostile_cost)


@pytest.fixture
def layers(hostile_cost):
    return build_breakdown(hostile_cost)


class Reader(HTMLParser):
    """The tags of a document, and the texts of its cells and scripts."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.inside = [], {"td": [], "th": [], "script": []}, ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in self.texts:
            self.inside = tag
            self.texts[tag].append("")

    def handle_endtag(self, tag):
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, text):
        if self.inside:
            self.texts[self.inside][-1] += text


def read(html):
    reader = Reader()
    reader.feed(html)
    return reader


def shown(name):
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)


@pytest.mark.parametrize("name", list(RENDERERS))
def test_every_format_writes_hostile_names(name, table):
    assert find_renderer(name).render(table).endswith("\n")


@pytest.mark.parametrize("name", ["markdown", "html"])
def test_markup_has_only_the_tags_of_a_table(name, table):
    text = find_renderer(name).render(table)
    if name == "markdown":
        text = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    assert set(read(text).tags) <= {
        "html", "head", "meta", "title", "style", "body", "p", "small", "strong", "ul", "li", "br",
        "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["markdown", "html"])
def test_markup_shows_the_names_as_they_are(name, layers, hostile_names):
    text = find_renderer(name).render(layers)
    if name == "markdown":
        text = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    cells = read(text).texts["td"]
    assert {f"{shown(each)}.0" for each in hostile_names} <= set(cells)
    assert {f"stage {shown(each)}" for each in hostile_names} <= set(cells)


def test_a_row_of_markdown_keeps_its_columns(layers):
    text = find_renderer("markdown").render(layers)
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
    assert len(set(widths)) == 2, "one width for the layers and one for the stages"


def test_csv_starts_no_cell_like_a_formula_and_keeps_its_columns(table):
    head, *rows = csv.reader(io.StringIO(find_renderer("csv").render(table), newline=""))
    assert rows
    assert all(len(row) == len(head) for row in rows)
    assert not [cell for row in rows for cell in row if re.match(r"[=+\-@\t\r\n]", cell)]


def test_json_has_the_names_to_the_letter(layers, hostile_names):
    rows = json.loads(find_renderer("json").render(layers))["rows"]
    assert [row["name"] for row in rows] == [f"{name}.0" for name in hostile_names]


def test_the_terminal_gets_no_control_character_and_one_line_a_row(layers, hostile_names):
    text = find_renderer("terminal").render(layers)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    for name in hostile_names:
        (_,) = (line for line in text.splitlines() if line.startswith(f"{shown(name)}.0 "))


def test_latex_obeys_no_name(table):
    text = find_renderer("latex").render(table)
    assert text.isascii()
    assert all(len(line) < 2000 for line in text.splitlines())
    text = re.sub("(?m)^% .*$", "", text)
    assert "\\alpha" not in text
    assert not re.search(r"(?<!\\)[%#~^]|`|--", text)
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0


def test_a_row_of_latex_keeps_its_columns(layers):
    text = find_renderer("latex").render(layers)
    widths = {len(re.findall(r"(?<!\\)&", line)) for line in text.splitlines() if line.endswith(r"\\")}
    assert len(widths) == 2, "one width for the layers and one for the stages"


def test_the_page_runs_no_script_but_its_own(hostile_cost):
    reader = read(render_explorer([hostile_cost]))
    data, *scripts = reader.texts["script"]
    assert json.loads(data) == json.loads(json.dumps(build_page_data([hostile_cost])))
    assert len(scripts) == len(LIBRARIES + OWN_SCRIPTS)
    assert "alert(1)" not in "".join(scripts)
    assert "img" not in reader.tags


def test_pictures_are_drawn_with_them(hostile_cost):
    along = profile.profile_of(hostile_cost, unit=hostile_cost.model, given=hostile_cost.model)
    by_size = stages.stages_of([hostile_cost], unit=hostile_cost.model)
    for figure in (profile.draw(along, LIGHT), stages.draw(by_size, LIGHT)):
        assert b"<script" not in image(figure)


def test_a_report_escapes_every_text_that_is_not_markdown():
    assert _format_markdown("<b>|") == r"\<b\>\|"
    assert _format_markdown(Markdown("<b>")) == "<b>"
    with pytest.raises(TypeError, match="needs a filter in the template"):
        _format_markdown(0.5)
