"""The page that explores costs, driven in a real browser as a reader drives it, and its data."""

import json
from fractions import Fraction

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import resflops
from resflops.cost.convention import CONVENTIONS, find_convention
from resflops.errors import UsageError
from resflops.report.explorer import name_apart, render_explorer
from resflops.tables.table import format_cost_heading


def cells(browser, table):
    return browser.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} tr`)]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))",
        table,
    )


def column(browser, field):
    """What a column of the table of layers shows, as far as it is in view, from the top."""
    return browser.execute_script(
        "return [...document.querySelectorAll(`#layers .tabulator-row [tabulator-field=${arguments[0]}]`)]"
        ".map((cell) => cell.textContent)",
        field,
    )


def text(browser, name):
    return browser.find_element("id", name).text


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_convention_switch_recomputes_every_figure(opened, named, name):
    page = opened(named)
    page.choose("convention", name)
    one, two = (cost.under(name) for cost in named)
    _, total, params, buffers, activations = cells(page, "totals")
    assert total[1:] == [f"{one.total:,}", f"{two.total:,}", f"{two.total / one.total:.2f}×"]
    assert params[1:3] == [f"{one.params:,}", f"{two.params:,}"]
    assert buffers[1:3] == [f"{one.buffers:,}", f"{two.buffers:,}"]
    assert activations[1] == f"{sum(row.activations for row in one.layers):,}"
    page.wait(
        "return document.querySelector('[tabulator-field=total] button').textContent === "
        f"{json.dumps(format_cost_heading(find_convention(name)))}",
    )
    shown = column(page, "total")
    assert shown == [f"{row.total:,}" for row in one.layers[: len(shown)]]
    assert column(page, "formula") == [row.formula for row in one.layers[: len(shown)]]


def test_a_click_on_a_heading_sorts_and_the_keyboard_does_too(opened, named):
    page = opened(named)
    heading = page.find_element("id", "by-params")
    heading.click()
    page.wait(
        "return document.querySelector('[role=columnheader][tabulator-field=params]').ariaSort === 'descending'",
    )
    params = sorted((row.params for row in named[0].layers), reverse=True)
    shown = column(page, "params")
    assert shown == [f"{count:,}" for count in params[: len(shown)]]
    assert "sorted by parameters, descending" in page.find_element("id", "said").get_attribute("textContent")
    page.find_element("id", "by-params").send_keys("\ue007")
    page.wait(
        "return document.querySelector('[role=columnheader][tabulator-field=params]').ariaSort === 'ascending'",
    )
    assert column(page, "params")[0] == "0"


def test_a_search_leaves_the_rows_with_all_its_words(opened, named):
    page = opened(named)
    page.find_element("id", "search").send_keys("layer3 CONV2D")
    found = [row.name for row in named[0].layers if row.name.startswith("layer3") and row.op == "conv2d"]
    page.wait(f"return document.getElementById('found').textContent.startsWith('{len(found)} of')")
    shown = column(page, "name")
    assert shown == found[: len(shown)]
    page.find_element("id", "search").clear()
    page.find_element("id", "search").send_keys("1·1·64")
    page.wait("return document.getElementById('found').textContent.startsWith('1 of')")
    assert column(page, "name") == ["layer2.0.downsample.0"]


def test_two_models_are_compared_row_by_row(opened, named):
    page = opened(named)
    _, *rows = cells(page, "compared")
    by_size = {row[0]: row for row in rows}
    assert by_size["all"][1::2] == [f"{named[0].total:,}", f"{named[1].total:,}", "5.36×"]
    row = by_size["56×56"]
    wanted = [
        sum(layer.total for layer in cost.layers if layer.output_shape[2:] == (56, 56)) for cost in named
    ]
    assert [row[1], row[3]] == [f"{count:,}" for count in wanted]
    assert row[5] == f"{float(Fraction(wanted[1], wanted[0])):.2f}×"
    page.choose("grouping", "op")
    page.choose("measure", "parameters")
    by_op = {row[0]: row for row in cells(page, "compared")}
    assert by_op["linear"][1] == f"{sum(row.params for row in named[0].layers if row.op == 'linear'):,}"
    page.choose("other", "nothing")
    assert [len(row) for row in cells(page, "compared")] == [3] * len(cells(page, "compared"))
    assert text(page, "comparison-heading") == "Part by part"
    assert len(page.find_elements("css selector", ".chart")) == 1


def test_the_tree_opens_by_keyboard_and_the_table_follows(opened, named):
    page = opened(named)
    button = next(
        b for b in page.find_elements("css selector", "#tree-0 .inside button") if "layer2" in b.text
    )
    button.send_keys("\ue007")
    rows = [row for row in named[0].layers if row.name.startswith("layer2.")]
    page.wait(f"return document.getElementById('found').textContent.startsWith('{len(rows)} of')")
    share = sum(row.total for row in rows) / named[0].total
    assert f"{share:.1%}".replace("%", " %") in page.find_element("css selector", "#tree-0 h3").text
    assert page.switch_to.active_element.text == "layer2"
    page.find_element("css selector", "#tree-0 .path button").send_keys(" ")
    page.wait("return document.getElementById('found').textContent.startsWith('108 of')")


def test_a_click_into_the_picture_opens_the_module_under_it(opened, named):
    page = opened(named)
    from selenium.webdriver import ActionChains

    page.choose("scale", "each its own")
    page.execute_script("document.querySelector('#tree-0 .chart').scrollIntoView({block: 'center'})")
    block = page.find_element("css selector", "#tree-0 [data-block=layer3]")
    size = block.size
    # An opened module bears its name above what is in it.
    ActionChains(page.driver).move_to_element_with_offset(
        block, -size["width"] // 2 + 20, -size["height"] // 2 + 8
    ).click().perform()
    page.wait("return document.querySelector('#tree-0 h3').textContent.includes('layer3')")


def test_everything_has_a_name_and_a_role(opened, named):
    page = opened(named)
    for control in page.find_elements("css selector", "select, input"):
        assert control.accessible_name
    assert page.find_element("id", "layers").aria_role == "grid"
    assert page.find_element("id", "layers").accessible_name == "Layers of resnet34"
    chart = page.find_element("css selector", ".chart svg")
    assert (chart.aria_role, "layer3 36.5 %" in chart.accessible_name) == ("group", True)
    for block in page.find_elements("css selector", "#tree-0 [data-block]"):
        assert (block.aria_role, " of resnet34" in block.accessible_name) == ("button", True)
    for table in ("totals", "compared"):
        heads = page.find_elements("css selector", f"#{table} th")
        assert {head.get_attribute("scope") for head in heads} == {"col", "row"}


def test_a_page_with_five_thousand_layers_keeps_few_in_the_document(opened, cost_of_a_chain):
    cost = cost_of_a_chain(5000)
    page = opened([cost])
    assert text(page, "found") == "5,000 of 5,000 rows"
    assert cells(page, "totals")[1][1] == f"{cost.total:,}"
    assert page.execute_script("return document.querySelectorAll('*').length") < 5000
    page.find_element("id", "search").send_keys("layer4321.")
    page.wait("return document.getElementById('found').textContent.startsWith('1 of')")
    assert column(page, "name") == ["layer4321.0"]


def test_hostile_names_are_shown_and_do_nothing(opened, hostile_cost, hostile_names):
    page = opened([hostile_cost])
    shown = {"".join(sign if sign.isprintable() else "?" for sign in name) for name in hostile_names}
    names = {name.removesuffix(".0") for name in column(page, "name")}
    assert names
    assert names <= shown
    assert page.find_element("tag name", "h1").text.startswith("What <script>|=cmd()`%")
    assert page.find_elements("tag name", "img") == []


def test_the_page_is_dark_where_the_reader_is(opened, named):
    page = opened(named)
    grounds = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        grounds.append(page.execute_script("return getComputedStyle(document.body).backgroundColor"))
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert grounds == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


def test_a_narrow_screen_never_scrolls_sideways(opened, named):
    page = opened(named)
    narrow = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    try:
        # Charts and tables follow a new width in a later frame.
        page.wait("return document.documentElement.scrollWidth <= 400")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_longest_heading_is_read_whole(opened, named):
    page = opened(named)
    page.choose("convention", max(CONVENTIONS, key=len))
    page.wait(
        "const inner = document.getElementById('by-total').getBoundingClientRect();"
        "const outer = document.querySelector('[role=columnheader][tabulator-field=total]')"
        ".getBoundingClientRect();"
        "const words = document.getElementById('by-total');"
        "return inner.bottom <= outer.bottom && inner.right <= outer.right"
        " && words.scrollWidth <= words.clientWidth",
    )


def test_a_figure_beyond_a_javascript_number_keeps_its_digits(opened):
    with torch.device("meta"):
        model = nn.Linear(10**6 + 3, 10**6 + 1)
    cost = resflops.count(model, (10**6 + 7, 10**6 + 3))
    assert cost.total > 2**53
    page = opened([cost])
    assert cells(page, "totals")[1][1] == f"{cost.total:,}"
    assert column(page, "total") == [f"{cost.total:,}"]


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_models_must_be_told_apart(costs, names):
    given = [replace(costs[0], trace=replace(costs[0].trace, model=name)) for name in names]
    with pytest.raises(UsageError, match="at least one model, all with different names"):
        render_explorer(given)


def test_one_model_on_two_inputs_is_told_apart_by_them(costs):
    other = resflops.count(resflops.load("resnet34"), (1, 3, 64, 64))
    given = [replace(cost, trace=replace(cost.trace, model="resnet34")) for cost in (costs[0], other)]
    assert [cost.model for cost in name_apart(given)] == ["resnet34 (1x3x224x224)", "resnet34 (1x3x64x64)"]
    assert name_apart(costs) == list(costs)
