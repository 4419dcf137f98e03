"""The treemap and the graph of the page about costs, driven in a real browser as a reader drives them."""

import csv
import io
import time
import urllib.parse
import xml.etree.ElementTree as ET

import pytest
import torch
from torch import nn

import resflops
from resflops.report.explorer import render_explorer

ENTER, ESCAPE, DOWN, UP, LEFT, RIGHT = "\ue007", "\ue00c", "\ue015", "\ue013", "\ue012", "\ue014"


def blocks(page, place=0):
    """Key, text and spoken text of every block of a picture, in order."""
    return page.execute_script(
        "return [...document.querySelectorAll(`#tree-${arguments[0]} [data-block]`)].map((block) => [block.dataset.block,"
        " [...block.children].filter((part) => part.tagName === 'text').map((part) => part.textContent).join(' | '),"
        " block.getAttribute('aria-label')])",
        place,
    )


def block(page, key, place=0):
    return page.find_element("css selector", f'#tree-{place} [data-block="{key}"]')


def click(page, key, place=0):
    # An SVG element has no click() of its own, and its middle may be covered by what is in it.
    page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click'))", block(page, key, place))


def press(page, *keys):
    for key in keys:
        page.switch_to.active_element.send_keys(key)


def facts(page):
    return dict(
        page.execute_script(
            "return [...document.querySelectorAll('#details dt')].map((name) =>"
            " [name.textContent, name.nextElementSibling.textContent.trim()])"
        )
    )


def boxes(page, place):
    return page.execute_script(
        "return [...document.querySelectorAll(`#tree-${arguments[0]} .chart svg > [data-block]`)]"
        ".map((block) => block.querySelector('rect').getBBox())"
        ".map(({x, y, width, height}) => [x, y, x + width, y + height])",
        place,
    )


def area(page, place):
    """The area that all blocks of a picture fill together."""
    left, top, right, bottom = zip(*boxes(page, place), strict=True)
    return (max(right) - min(left)) * (max(bottom) - min(top))


def downloaded(page, name):
    file = page.downloads / name
    until = time.monotonic() + 10
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.05)
    content = file.read_bytes()
    file.unlink()
    return content


def press_button(page, text, place=0):
    for button in page.find_elements("css selector", f"#tree-{place} .buttons button"):
        if button.text == text:
            button.click()
            return
    raise AssertionError(text)


class Nested(nn.Module):
    """Nearly all of it is in one module inside another, as in a vision transformer."""

    def __init__(self):
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(3)]
        self.encoder = nn.Sequential(nn.Sequential(*layers))
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        return self.head(self.encoder(x))


# ---- the treemap ----


def test_a_module_that_holds_nearly_all_is_opened(opened, named):
    page = opened([resflops.count(Nested(), (1, 8, 16, 16))])
    assert [what.split(" | ")[0] for _, what, _ in blocks(page)][:3] == ["conv 3×3, 8→8"] * 3
    assert [said.split("; ")[:2] for _, _, said in blocks(page)][-1] == ["head", "conv 1×1, 8→1"]
    page = opened([named[1]])
    shown = blocks(page)
    # 99.4 % of VGG-19 is in `features`: its sixteen convolutions stand beside the classifier.
    assert len([key for key, *_ in shown]) >= 17
    assert [said.split("; ")[0] for _, _, said in shown[:2]] == ["features.0", "features.2"]
    assert "conv 3×3, 64→64" in shown[1][2]


def test_blocks_stand_in_forward_order_and_say_what_they_are(opened, named):
    page = opened(named)
    page.choose("other", "nothing")
    shown = blocks(page)
    assert [key for key, *_ in shown if "." not in key] == [
        "conv1", "layer1", "layer2", "layer3", "layer4", "fc",
    ]  # fmt: skip
    inner = [what for key, what, _ in shown if key.startswith("layer3.") and key.count(".") == 1]
    assert [what[:12] for what in inner] == [f"BasicBlock {n}" for n in range(6)]


def test_colours_are_those_of_the_kinds_of_ops_in_every_model(opened, named):
    page = opened(named)
    page.choose("convention", "flops")
    colours = page.execute_script(
        "const found = {};"
        "for (const block of document.querySelectorAll('.chart [data-block]')) {"
        " const what = /; (conv [2-9]|batch norm|linear)/.exec(block.getAttribute('aria-label'));"
        " if (what && !block.querySelector('[data-block]'))"
        " (found[what[1].slice(0, 5)] ??= {})[block.querySelector('rect').getAttribute('fill')] = 1; }"
        "return Object.fromEntries(Object.entries(found).map(([name, fills]) => [name, Object.keys(fills)]))"
    )
    assert all(len(fills) == 1 for fills in colours.values())
    assert len({fills[0] for fills in colours.values()}) == len(colours) >= 2
    assert "convolution" in page.find_element("css selector", "#tree-0 .legend").text


def test_on_a_common_scale_areas_are_as_the_costs(opened, named):
    page = opened(named)
    assert area(page, 1) / area(page, 0) == pytest.approx(named[1].total / named[0].total, rel=0.02)
    page.choose("measure", "parameters")
    assert area(page, 1) / area(page, 0) == pytest.approx(named[1].params / named[0].params, rel=0.02)
    page.choose("scale", "each its own")
    assert area(page, 1) / area(page, 0) == pytest.approx(1, rel=0.02)


def test_a_tooltip_has_share_op_shapes_parameters_and_formula(opened, named):
    from selenium.webdriver import ActionChains

    page = opened([named[1]])
    target = page.find_elements("css selector", "#tree-0 [data-block]")[3]
    ActionChains(page.driver).move_to_element(target).perform()
    page.wait("return !document.getElementById('tip').hidden")
    said = page.find_element("id", "tip").text.split("\n")
    row = next(row for row in named[1].layers if row.name == said[0])
    assert said[1] == f"conv 3×3, {row.input_shape[1]}→{row.output_shape[1]}"
    assert said[2].startswith(f"{row.total:,} ")
    assert said[2].endswith(f"{row.share:.1%} of vgg19".replace("%", " %"))
    assert said[3] == " → ".join("×".join(map(str, shape)) for shape in (row.input_shape, row.output_shape))
    assert said[4:] == [f"{row.params:,} parameters", row.formula]


def test_the_arrow_keys_go_from_block_to_block(opened, named):
    page = opened([named[0]])
    page.execute_script("document.querySelector('#tree-0 [data-block]').focus()")
    assert page.switch_to.active_element.get_attribute("data-block") == "conv1"
    press(page, RIGHT)
    assert page.switch_to.active_element.get_attribute("data-block") == "layer1"
    press(page, DOWN)
    assert page.switch_to.active_element.get_attribute("data-block") == "layer1.0"
    press(page, UP, ENTER)
    page.wait("return document.querySelector('#tree-0 h3').textContent.includes('resnet34: layer1')")
    press(page, ESCAPE)
    page.wait("return !document.querySelector('#tree-0 h3').textContent.includes('layer1')")
    # One stop of Tab for the whole picture.
    assert len(page.find_elements("css selector", "#tree-0 .chart [tabindex='0']")) == 1


# ---- a block and its row ----


def test_a_block_leads_to_its_row_and_back(opened, named):
    page = opened(named)
    click(page, "conv1")
    said = facts(page)
    row = named[0].layers[0]
    assert said["formula"] == row.formula
    assert said["class"] == "Conv2d"
    assert said["attributes"] == ("kernel 7×7, stride 2×2, padding 3×3, dilation 1×1, groups 1, bias no")
    page.find_element("id", "to-row").click()
    page.wait("return document.activeElement.textContent === 'conv1'")
    assert "chosen-row" in page.execute_script(
        "return document.activeElement.closest('.tabulator-row').className"
    )
    assert page.execute_script(
        "const box = document.activeElement.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight"
    )
    press(page, ENTER)
    page.wait("return document.activeElement.dataset.block === 'conv1'")


def test_a_row_of_the_second_model_is_reached_too(opened, named):
    page = opened(named)
    key = blocks(page, 1)[2][0]
    click(page, key, 1)
    assert facts(page)["model"] == "vgg19"
    page.find_element("id", "to-row").click()
    page.wait("return document.getElementById('layers-of').textContent === 'vgg19'")
    page.wait("return document.activeElement.textContent.startsWith('features.')")


def test_a_search_outside_the_module_offers_the_way_out(opened, named):
    page = opened(named)
    click(page, "layer1")
    page.find_element("id", "search").send_keys("layer4.1")
    page.wait("return !document.getElementById('elsewhere').hidden")
    found = len([row for row in named[0].layers if "layer4.1" in row.name])
    assert page.find_element("id", "found").text.startswith("0 of ")
    out = page.find_element("id", "elsewhere")
    assert out.text == f"{found} more in the rest of resnet34: search all of it"
    out.click()
    page.wait(f"return document.getElementById('found').textContent.startsWith('{found} of')")
    assert not out.is_displayed()


# ---- the graph ----


def graph(opened, costs, more=""):
    return opened(costs, f"#view=graph{more}")


def test_the_graph_opens_with_modules_folded_and_one_of_each_open(opened, named):
    page = graph(opened, named)
    keys = [what for _, what, _ in blocks(page)]
    assert len(keys) < 60
    assert any(what.startswith("▸ BasicBlock 1") for what in keys)
    assert any(what.startswith("▾ BasicBlock 0") for what in keys)
    folded = next(said for _, what, said in blocks(page) if what.startswith("▸ BasicBlock 1"))
    assert "7 ops" in folded


def test_every_shortcut_of_resnet34_is_a_line_of_its_own(opened, named):
    page = graph(opened, named)
    press_button(page, "Open all")
    page.wait("return document.querySelectorAll('#tree-0 .shortcut').length === 16")
    press_button(page, "Fold all")
    page.wait("return document.querySelectorAll('#tree-0 .shortcut').length === 0")
    assert [what.split(" | ")[0] for _, what, _ in blocks(page)] == [
        "conv1: conv 7×7 /2, 3→64", "bn1: batch norm", "relu", "maxpool: max pool 3×3 /2",
        "▸ layer1", "▸ layer2", "▸ layer3", "▸ layer4", "avgpool: adaptive avg pool", "fc: linear, 512→1000",
    ]  # fmt: skip
    assert "3 shortcuts" in blocks(page)[4][1]


def test_a_click_opens_a_module_and_shows_the_attributes_of_an_op(opened, named):
    page = graph(opened, named)
    press_button(page, "Fold all")
    key = next(key for key, what, _ in blocks(page) if "layer2" in what)
    click(page, key)
    page.wait(f"return document.querySelector('#tree-0 [data-block=\"{key}\"]').ariaExpanded === 'true'")
    inner = next(key for key, what, _ in blocks(page) if "BasicBlock 0" in what)
    click(page, inner)
    click(page, next(key for key, what, _ in blocks(page) if "downsample" in what))
    op = next(key for key, _, said in blocks(page) if said.startswith("layer2.0.downsample.0;"))
    click(page, op)
    said = facts(page)
    assert said["attributes"].startswith("kernel 1×1, stride 2×2")
    assert said["input"] == "1×64×56×56, 128×64×1×1"
    assert said["output"] == "1×128×28×28"
    assert said["feeds"] == "layer2.0.downsample.1 (batch_norm)"


def test_the_keyboard_follows_the_lines_of_the_graph(opened, named):
    page = graph(opened, named)
    page.execute_script("document.querySelector('#tree-0 [data-block]').focus()")
    press(page, DOWN, DOWN, DOWN, DOWN)
    assert page.switch_to.active_element.accessible_name.startswith("layer1.0.conv1;")
    press(page, UP)
    assert page.switch_to.active_element.accessible_name.startswith("maxpool;")
    press(page, DOWN, ENTER)
    assert facts(page)["fed by"] == "maxpool (max_pool2d)"
    assert page.switch_to.active_element.accessible_name.startswith("layer1.0.conv1;")
    press(page, ESCAPE)
    page.wait("return document.activeElement.getAttribute('aria-label').startsWith('layer1.0;')")
    assert page.switch_to.active_element.get_attribute("aria-expanded") == "false"
    press(page, ENTER)
    page.wait("return document.activeElement.getAttribute('aria-expanded') === 'true'")


def test_the_graph_of_a_module_shows_what_comes_in_and_goes_out(opened, named):
    page = graph(opened, named, "&zoom=layer2.0")
    ends = page.execute_script(
        "return [...document.querySelectorAll('#tree-0 .end')].map((end) => end.textContent)"
    )
    assert ends == ["from the ops before", "to the ops after"]
    assert len(blocks(page)) == 9 + 1


def test_a_graph_of_thousands_of_ops_opens_folded(opened, cost_of_a_chain):
    page = graph(opened, [cost_of_a_chain(5000)])
    assert len(blocks(page)) < 150
    press_button(page, "Open all")
    assert "more than can be laid out at once" in page.find_element("id", "told").text
    click(page, blocks(page)[0][0])
    page.wait("return document.querySelector('#tree-0 [aria-expanded=true]') !== null")


def test_an_op_that_is_called_twice_feeds_itself_no_loop(opened):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

        def forward(self, x):
            return self.block(torch.tanh(self.block(x)))

    page = graph(opened, [resflops.count(Twice(), (1, 4))])
    press_button(page, "Fold all")
    assert [what.split(" | ")[0] for _, what, _ in blocks(page)] == ["▸ block", "tanh", "▸ block"]
    edges = page.execute_script(
        "return document.querySelector('#tree-0 svg').edges.map(({from, to}) => `${from}>${to}`)"
    )
    assert len(edges) == len(set(edges)) == 4


def test_an_op_without_a_row_is_shown_and_reached_from_what_it_feeds(opened):
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(torch.cat([x, self.stem(x)], 1))

    page = graph(opened, [resflops.count(Joined(), (1, 4))])
    click(page, "o4")
    assert facts(page)["fed by"] == "cat"
    page.find_element("css selector", "#details .link").click()
    page.wait("return document.querySelector('#details h3').textContent === 'Joined'")
    assert (facts(page)["op"], facts(page)["input"], facts(page)["output"]) == ("cat", "1×4, 1×4", "1×8")
    assert facts(page)["feeds"] == "head (linear)"
    assert len(page.find_elements("css selector", "#tree-0 .chosen")) == 1
    assert page.find_elements("id", "to-row") == []


@pytest.mark.parametrize(
    ("model", "treemap", "graph_shows"),
    [
        pytest.param(nn.ReLU(), "There is nothing to show: no MACs.", ["relu"], id="nothing-to-count"),
        pytest.param(nn.Identity(), "There is nothing to show: no MACs.", [], id="no-op"),
        pytest.param(nn.Linear(4, 4), "linear, 4→4", ["linear, 4→4"], id="one-op"),
    ],
)
def test_a_model_of_next_to_nothing_has_its_pictures(opened, model, treemap, graph_shows):
    page = opened([resflops.count(model, (1, 4))])
    assert page.find_element("css selector", "#tree-0 .chart text").text == treemap
    page.choose("view", "graph")
    assert [what.split(" | ")[0] for _, what, _ in blocks(page)] == graph_shows
    if not graph_shows:
        assert page.find_element("css selector", ".chart").text == "There is no graph: no ops ran here."


def test_hostile_names_stand_in_the_graph_as_text(opened, hostile_cost):
    page = graph(opened, [hostile_cost])
    press_button(page, "Open all")
    assert page.find_elements("css selector", ".chart script, .chart img, .chart foreignObject") == []
    assert any("<script>alert(1)</script>" in said for _, _, said in blocks(page))
    for key in ("o0", "o1", "o2"):
        click(page, key)
    page.choose("view", "treemap")
    for key, *_ in blocks(page):
        click(page, key.replace("\\", "\\\\").replace('"', '\\"'))
        assert facts(page)["op"].startswith("conv2d: conv 1×1, 2→2")


def test_a_block_around_a_single_module_bears_the_name_that_says_more(opened):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1))

        def forward(self, x):
            return self.conv(x)

    page = opened([resflops.count(nn.Sequential(Block(), Block(), nn.Conv2d(4, 4, 3)), (1, 4, 16, 16))])
    names = [what for key, what, _ in blocks(page) if key.count(".") < 2]
    assert names[0].startswith("Block 0")


def test_the_keyboard_reaches_everything_in_few_stops(opened, named):
    from selenium.webdriver import ActionChains

    page = graph(opened, named)
    stops = []
    while "summary" not in stops and len(stops) < 80:
        ActionChains(page.driver).send_keys("\ue004").perform()
        focused = page.switch_to.active_element
        if focused.get_attribute("data-block"):
            stops.append("a block")
        else:
            stops.append(focused.get_attribute("id") or focused.tag_name)
    assert len(stops) < 65
    assert stops.count("a block") == 2
    controls = [
        "model",
        "other",
        "convention",
        "measure",
        "view",
        "search",
        "save-csv",
        "by-total",
        "summary",
    ]
    assert [stop for stop in stops if stop in controls] == controls
    holder = page.find_element("css selector", "#layers .tabulator-tableholder")
    page.execute_script("arguments[0].focus()", holder)
    press(page, ENTER, DOWN, DOWN)
    assert page.switch_to.active_element.text == "relu"
    press(page, UP, ENTER)
    page.wait("return document.activeElement.getAttribute('aria-label')?.startsWith('bn1;')")


# ---- what a reader takes away ----


def test_a_link_shows_the_same_again(opened, named):
    page = opened(named)
    page.choose("convention", "thop")
    page.choose("measure", "parameters")
    page.choose("scale", "each its own")
    click(page, "layer3")
    page.find_element("id", "by-params").click()
    page.find_element("id", "search").send_keys("conv2")
    page.wait("return location.hash.includes('search=conv2') && location.hash.includes('sort=params')")
    link = page.current_url
    asked = urllib.parse.parse_qs(urllib.parse.urlparse(link).fragment)
    assert asked == {
        "convention": ["thop"], "areas": ["params"], "scale": ["own"], "zoom": ["layer3"],
        "search": ["conv2"], "sort": ["params.desc"],
    }  # fmt: skip
    page.go(link)
    page.wait("return document.getElementById('found').textContent.endsWith('in layer3')")
    for control, value in (("convention", "thop"), ("measure", "parameters"), ("scale", "each its own")):
        chosen = f"return document.getElementById('{control}').selectedOptions[0].textContent"
        assert page.execute_script(chosen) == value
    assert page.find_element("id", "search").get_attribute("value") == "conv2"
    page.wait(
        "return document.querySelector('[role=columnheader][tabulator-field=params]').ariaSort === 'descending'"
    )


def test_the_graph_is_in_the_link_and_the_way_back_works(opened, named):
    page = opened(named)
    page.choose("view", "graph")
    press_button(page, "Fold all")
    folded = len(blocks(page))
    page.go(page.current_url)
    assert len(blocks(page)) == folded
    click(page, blocks(page)[4][0])
    assert len(blocks(page)) > folded
    page.back()
    page.wait(f"return document.querySelectorAll('#tree-0 [data-block]').length === {folded}")


def test_a_link_that_means_nothing_shows_the_page_as_it_opens(opened, named):
    page = opened(named, "#convention=none&zoom=no.such&row=99999&sort=nothing.asc&view=x&open=q")
    assert page.find_element("id", "found").text == "108 of 108 rows"
    assert page.find_element("id", "view").get_attribute("value") == "treemap"


def test_the_rows_in_view_are_saved_as_csv(opened, named):
    page = opened(named)
    click(page, "layer1")
    page.find_element("id", "search").send_keys("conv2d")
    wanted = [row for row in named[0].layers if row.name.startswith("layer1.") and row.op == "conv2d"]
    page.wait(f"return document.getElementById('found').textContent.startsWith('{len(wanted)} of')")
    page.find_element("id", "save-csv").click()
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "resnet34-layers.csv").decode())))
    assert [(row["name"], int(row["total"]), row["formula"]) for row in rows] == [
        (row.name, row.total, row.formula) for row in wanted
    ]
    assert {row["convention"] for row in rows} == {"macs"}


def test_a_saved_table_starts_no_cell_like_a_formula(opened, hostile_cost, hostile_names):
    page = opened([hostile_cost])
    page.find_element("id", "save-csv").click()
    name = page.execute_script("return Figures.models[0].name.replace(/[^\\w.-]+/g, '_').slice(0, 60)")
    rows = list(csv.reader(io.StringIO(downloaded(page, f"{name}-layers.csv").decode(), newline="")))
    assert len(rows) == len(hostile_names) + 1
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]


@pytest.mark.parametrize("view", ["treemap", "graph"])
def test_a_picture_is_saved_as_svg_and_png(opened, named, view):
    page = opened(named, f"#view={view}")
    press_button(page, "Save SVG")
    root = ET.fromstring(downloaded(page, f"resnet34-{view}.svg"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("layer3" in text for text in texts)
    assert not [
        each
        for each in root.iter()
        if "tabindex" in each.attrib or ("class" in each.attrib and "block" in each.get("class"))
    ]
    press_button(page, "Save PNG")
    png = downloaded(page, f"resnet34-{view}.png")
    assert png.startswith(b"\x89PNG")
    width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))
    assert width / height == pytest.approx(float(root.get("width")) / float(root.get("height")), rel=0.01)
    assert width == pytest.approx(2 * float(root.get("width")), abs=2)


# ---- the page around ----


@pytest.mark.parametrize("view", ["treemap", "graph"])
def test_nothing_is_cut_on_a_phone(opened, named, view):
    page = opened(named)
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page.go(page.current_url + f"#view={view}")
        page.wait("return document.documentElement.scrollWidth <= 390")
        cut = page.execute_script(
            "return [...document.querySelectorAll('button, select, input, td, th, .tabulator-cell, h1, h2, h3')]"
            ".filter((each) => each.checkVisibility() && !each.closest('thead, .scroller svg'))"
            ".filter((each) => { const box = each.getBoundingClientRect();"
            " return box.width > 1 && (box.left < -1 || box.right > 391); })"
            ".map((each) => each.outerHTML.slice(0, 120))"
        )
        assert cut == []
        page.execute_script("document.querySelector('#layers button.link').click()")
        assert facts(page)["formula"] == named[0].layers[0].formula
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_treemap_begins_in_the_upper_half_of_a_wide_screen(opened, named):
    page = opened(named)
    wide = {"width": 1400, "height": 1100, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", wide)
    try:
        page.go(page.current_url)
        top = page.execute_script("return document.querySelector('.chart').getBoundingClientRect().top")
        assert top < 1100 / 2
        totals, parts = (
            page.execute_script(
                "return document.getElementById(arguments[0]).getBoundingClientRect().left", each
            )
            for each in ("totals", "compared")
        )
        assert parts > totals + 500
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_formula_is_in_view_without_scrolling(opened, named):
    page = opened(named)
    assert page.execute_script(
        "const box = document.querySelector('#layers [tabulator-field=formula]').getBoundingClientRect();"
        "return box.right <= document.getElementById('layers').getBoundingClientRect().right"
    )


def test_the_conventions_are_folded_up(opened, named):
    page = opened(named)
    assert not page.find_element("css selector", "footer dl").is_displayed()
    page.find_element("css selector", "footer summary").click()
    assert page.find_element("css selector", "footer dl").is_displayed()


def test_the_page_is_titled_in_english_and_of_a_reasonable_size(named):
    text = render_explorer(named)
    assert "<title>What resnet34 and vgg19 cost</title>" in text
    assert "<title>What resnet34 costs</title>" in render_explorer(named[:1])
    assert len(text) < 1_000_000
