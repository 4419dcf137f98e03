"""The page that explores costs, driven in a real browser as a reader drives it, and its data."""

import json
import shutil
from fractions import Fraction

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import resflops
from resflops.cost.convention import CONVENTIONS
from resflops.errors import UsageError
from resflops.report.explorer import render_explorer

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--window-size=1300,1600",
)  # fmt: skip


@pytest.fixture(scope="module")
def costs():
    return [resflops.count(resflops.load(name), (1, 3, 224, 224)) for name in ("resnet34", "vgg19")]


@pytest.fixture(scope="module")
def named(costs):
    return [
        replace(cost, trace=replace(cost.trace, model=name))
        for cost, name in zip(costs, ("resnet34", "vgg19"), strict=True)
    ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if found is None or driver is None:
        pytest.skip("no Chromium with its chromedriver is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield running
    running.quit()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page about costs; what it complains of or asks for is an error."""

    def open_page(costs):
        file = tmp_path / "page.html"
        file.write_text(render_explorer(costs), encoding="utf-8")
        browser.get(file.as_uri())
        wait(browser, "return document.querySelectorAll('#layers [role=row]').length > 1")
        return browser

    yield open_page
    assert browser.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    page = (tmp_path / "page.html").as_uri()
    assert {
        each["params"]["request"]["url"]
        for each in asked
        if each["method"] == "Network.requestWillBeSent" and each["params"]["documentURL"] == page
    } == {page}


def wait(browser, script, seconds=10):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, seconds, poll_frequency=0.05).until(lambda _: browser.execute_script(script))


def choose(browser, control, text):
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("id", control)).select_by_visible_text(text)


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
    choose(page, "convention", name)
    one, two = (cost.under(name) for cost in named)
    _, total, params, buffers, activations = cells(page, "totals")
    assert total[1:] == [f"{one.total:,}", f"{two.total:,}", f"{two.total / one.total:.2f}×"]
    assert params[1:3] == [f"{one.params:,}", f"{two.params:,}"]
    assert buffers[1:3] == [f"{one.buffers:,}", f"{two.buffers:,}"]
    assert activations[1] == f"{sum(row.activations for row in one.layers):,}"
    wait(
        page,
        f"return document.querySelector('[tabulator-field=total] button').textContent.includes('({name})')",
    )
    shown = column(page, "total")
    assert shown == [f"{row.total:,}" for row in one.layers[: len(shown)]]
    assert column(page, "formula") == [row.formula for row in one.layers[: len(shown)]]


def test_a_click_on_a_heading_sorts_and_the_keyboard_does_too(opened, named):
    page = opened(named)
    heading = page.find_element("id", "by-params")
    heading.click()
    wait(
        page,
        "return document.querySelector('[role=columnheader][tabulator-field=params]').ariaSort === 'descending'",
    )
    params = sorted((row.params for row in named[0].layers), reverse=True)
    shown = column(page, "params")
    assert shown == [f"{count:,}" for count in params[: len(shown)]]
    assert "sorted by parameters, descending" in page.find_element("id", "said").get_attribute("textContent")
    page.find_element("id", "by-params").send_keys("\ue007")
    wait(
        page,
        "return document.querySelector('[role=columnheader][tabulator-field=params]').ariaSort === 'ascending'",
    )
    assert column(page, "params")[0] == "0"


def test_a_search_leaves_the_rows_with_all_its_words(opened, named):
    page = opened(named)
    page.find_element("id", "search").send_keys("layer3 CONV2D")
    found = [row.name for row in named[0].layers if row.name.startswith("layer3") and row.op == "conv2d"]
    wait(page, f"return document.getElementById('found').textContent.startsWith('{len(found)} of')")
    shown = column(page, "name")
    assert shown == found[: len(shown)]
    page.find_element("id", "search").clear()
    page.find_element("id", "search").send_keys("1·1·64")
    wait(page, "return document.getElementById('found').textContent.startsWith('1 of')")
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
    choose(page, "grouping", "op")
    choose(page, "measure", "parameters")
    by_op = {row[0]: row for row in cells(page, "compared")}
    assert by_op["linear"][1] == f"{sum(row.params for row in named[0].layers if row.op == 'linear'):,}"
    choose(page, "other", "nothing")
    assert not page.find_element("id", "comparison").is_displayed()
    assert len(page.find_elements("css selector", ".chart")) == 1


def test_the_tree_opens_by_keyboard_and_the_table_follows(opened, named):
    page = opened(named)
    button = next(
        b for b in page.find_elements("css selector", "#tree-0 .inside button") if "layer2" in b.text
    )
    button.send_keys("\ue007")
    rows = [row for row in named[0].layers if row.name.startswith("layer2.")]
    wait(page, f"return document.getElementById('found').textContent.startsWith('{len(rows)} of')")
    share = sum(row.total for row in rows) / named[0].total
    assert f"{share:.1%}".replace("%", " %") in page.find_element("css selector", "#tree-0 h3").text
    assert page.switch_to.active_element.text == "layer2"
    page.find_element("css selector", "#tree-0 .path button").send_keys(" ")
    wait(page, "return document.getElementById('found').textContent.startsWith('108 of')")


def test_a_click_into_the_picture_opens_the_module_under_it(opened, named):
    page = opened(named)
    from selenium.webdriver import ActionChains

    page.execute_script("document.querySelector('#tree-0 .chart').scrollIntoView({block: 'center'})")
    chart = page.find_element("css selector", "#tree-0 .chart canvas")
    size = chart.size
    # The dearest module stands at the top left, under its name.
    ActionChains(page).move_to_element_with_offset(
        chart, -size["width"] // 2 + 40, -size["height"] // 2 + 12
    ).click().perform()
    wait(page, "return document.querySelector('#tree-0 h3').textContent.includes('layer3')")


def test_everything_has_a_name_and_a_role(opened, named):
    page = opened(named)
    for control in page.find_elements("css selector", "select, input"):
        assert control.accessible_name
    assert page.find_element("id", "layers").aria_role == "grid"
    assert page.find_element("id", "layers").accessible_name == "Layers of resnet34"
    chart = page.find_element("css selector", ".chart")
    assert (chart.aria_role, "layer3 36.5 %" in chart.accessible_name) in {("img", True), ("image", True)}
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
    wait(page, "return document.getElementById('found').textContent.startsWith('1 of')")
    assert column(page, "name") == ["layer4321.0"]


def test_hostile_names_are_shown_and_do_nothing(opened, hostile_cost, hostile_names):
    page = opened([hostile_cost])
    shown = {"".join(sign if sign.isprintable() else "?" for sign in name) for name in hostile_names}
    names = {name.removesuffix(".0") for name in column(page, "name")}
    assert names
    assert names <= shown
    assert page.find_element("tag name", "h1").text.startswith("What <script>|=cmd()`%")
    assert page.find_elements("tag name", "img") == []


def test_the_page_is_dark_where_the_reader_is(opened, named, browser):
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
        wait(page, "return document.documentElement.scrollWidth <= 400")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_longest_heading_is_read_whole(opened, named):
    page = opened(named)
    choose(page, "convention", max(CONVENTIONS, key=len))
    wait(
        page,
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
