"""The page about the memory of a pass, driven in a real browser as a reader drives it."""

import json
import re

import pytest
from msgspec.structs import replace

import resflops
from resflops.peak_memory.records import KINDS, Block, Memory, Step
from resflops.peak_memory.sizes import format_size
from resflops.report.memory_page import render_memory_page
from resflops.tables.memory import HEADINGS
from resflops.tables.memory_notes import describe_step


@pytest.fixture(scope="module")
def memory():
    return resflops.memory("resnet34", (4, 3, 64, 64), training=True, optimizer="adamw")


def cells(page, table, part="tbody"):
    return page.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} ${arguments[1]} tr`)]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))",
        table,
        part,
    )


def text(page, name):
    return page.find_element("id", name).text


def set_step(page, number):
    page.execute_script(
        "const slider = document.getElementById('step'); slider.value = arguments[0];"
        "slider.dispatchEvent(new Event('input'))",
        number,
    )


def test_it_opens_at_the_peak(opened_memory, memory):
    page = opened_memory(memory)
    assert text(page, "answer").startswith(f"{format_size(memory.peak)} at the peak, ")
    where = describe_step(memory, memory.peak_step)
    assert text(page, "chosen") == (
        f"Step {memory.peak_step + 1:,} of {len(memory.steps):,}, the peak: {format_size(memory.peak)} in use, "
        f"at {where}."
    )
    assert page.find_element("css selector", "[data-peak]").get_attribute("data-peak") == str(
        memory.peak_step
    )


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.999])
def test_the_parts_and_the_layers_of_every_step_are_those_of_the_memory(opened_memory, memory, place):
    page = opened_memory(memory)
    step = int(place * len(memory.steps))
    set_step(page, step + 1)
    split = memory.split(step)
    used = [kind for kind in KINDS if any(block.kind == kind for block in memory.blocks)]
    assert [(row[0], row[2]) for row in cells(page, "parts")] == [
        (HEADINGS[kind], f"{split[kind]:,}") for kind in used
    ]
    assert cells(page, "parts", "tfoot")[0][2] == f"{memory.curve[step]:,}"
    holders = memory.holders(step)
    shown = cells(page, "holders")
    assert len(shown) == min(len(holders), 50)
    assert [(row[0], row[2]) for row in shown] == [
        (holder.layer or "(the model itself)", f"{holder.size:,}") for holder in holders[:50]
    ]
    assert text(page, "found") == f"{len(holders):,} layers"


def test_sizes_are_written_as_everywhere_else(opened_memory):
    sizes = (1, 999, 1000, 1023, 1024, 9_996, 99_951, 999_499, 999_500, 2**20, 24 * 2**30, 10**15)
    steps = tuple(Step(op="relu", layer=f"l{size}") for size in sizes)
    blocks = tuple(
        Block(size=size, kind="temporary", layer=f"l{size}", name="relu", born=n, died=n + 1)
        for n, size in enumerate(sizes)
    )
    page = opened_memory(Memory(model="Net", inputs=(), steps=steps, blocks=blocks))
    for number, size in enumerate(sizes, start=1):
        set_step(page, number)
        assert f": {format_size(size)} in use" in text(page, "chosen")


def test_pointing_at_the_picture_tells_of_a_step_and_a_click_chooses_it(opened_memory, memory):
    from selenium.webdriver import ActionChains

    page = opened_memory(memory)
    chart = page.find_element("css selector", "#chart svg")
    ActionChains(page.driver).move_to_element(chart).perform()
    tip = page.find_element("id", "tip").text
    number = int(re.match(r"Step ([\d,]+):", tip)[1].replace(",", ""))
    assert format_size(memory.curve[number - 1]) in tip
    assert describe_step(memory, number - 1) in " ".join(tip.split())
    chart.click()
    assert text(page, "chosen").startswith(f"Step {number} of ")
    assert page.execute_script("return location.hash") == f"#step={number}"


def test_the_slider_and_the_buttons_go_by_keyboard(opened_memory, memory):
    page = opened_memory(memory)
    peak = memory.peak_step + 1
    slider = page.find_element("id", "step")
    assert (slider.aria_role, slider.accessible_name) == ("slider", "Step")
    slider.send_keys("\ue014")
    assert text(page, "step-shown").startswith(f"Step {peak + 1} of")
    page.find_element("id", "before").send_keys("\ue007")
    page.find_element("id", "before").send_keys("\ue007")
    assert text(page, "step-shown").startswith(f"Step {peak - 1} of")
    assert page.execute_script("return document.getElementById('said').textContent").startswith(
        f"Step {peak - 1} of"
    )
    page.find_element("id", "to-peak").click()
    assert text(page, "step-shown").startswith(f"Step {peak} of")
    for control in page.find_elements("css selector", "select, input, button"):
        if control.is_displayed():
            assert control.accessible_name


def test_an_address_leads_to_a_step_and_a_wrong_one_to_the_peak(opened_memory, memory):
    assert text(opened_memory(memory, "#step=7"), "step-shown").startswith("Step 7 of")
    assert text(opened_memory(memory, "#step=999999"), "step-shown").startswith(
        f"Step {len(memory.steps)} of"
    )
    assert text(opened_memory(memory, "#step=x"), "step-shown").startswith(f"Step {memory.peak_step + 1} of")


def test_layers_are_summed_by_module_and_searched(opened_memory, memory):
    page = opened_memory(memory)
    page.choose("grouping", "modules, depth 1")
    sums = {}
    for holder in memory.holders():
        module = holder.layer.partition(".")[0] or "(the model itself)"
        sums[module] = sums.get(module, 0) + holder.size
    assert {row[0]: row[2] for row in cells(page, "holders")} == {
        name: f"{size:,}" for name, size in sums.items()
    }
    page.choose("grouping", "each layer")
    page.find_element("id", "search").send_keys("layer3 bn1")
    found = [
        holder.layer for holder in memory.holders() if "layer3" in holder.layer and "bn1" in holder.layer
    ]
    assert [row[0] for row in cells(page, "holders")] == found
    assert text(page, "found") == f"{len(found)} of {len(memory.holders())} layers"


def test_every_block_is_listed_with_when_it_is_there(opened_memory, memory):
    page = opened_memory(memory)
    page.choose("grouping", "each block of memory")
    page.find_element("id", "more").click()
    alive = memory.alive(memory.peak_step)
    shown = cells(page, "holders")
    assert len(shown) == len(alive)
    assert sorted((row[1], row[5 - 1], row[6], row[7]) for row in shown) == sorted(
        (
            block.name,
            f"{block.size:,}",
            "before the pass" if block.born < 0 else f"{block.born + 1:,}",
            "the end" if block.died is None else f"{block.died:,}",
        )
        for block in alive
    )


def test_a_kind_can_be_left_out_of_the_picture(opened_memory, memory):
    page = opened_memory(memory)
    areas = "return [...document.querySelectorAll('[data-area]')].map((area) => area.dataset.area)"
    whole = page.execute_script(areas)
    for kind in ("parameters", "optimizer"):
        page.find_element("css selector", f"[data-kind={kind}]").click()
    assert page.execute_script(areas) == [kind for kind in whole if kind not in {"parameters", "optimizer"}]
    without = [
        memory.curve[n] - memory.split(n)["parameters"] - memory.split(n)["optimizer"]
        for n in range(len(memory.steps))
    ]
    peak = page.find_element("css selector", "[data-peak]").get_attribute("data-peak")
    assert without[int(peak)] == max(without)


def test_the_parts_of_the_pass_are_named(opened_memory, memory):
    page = opened_memory(memory)
    names = page.execute_script(
        "return [...document.querySelectorAll('[data-part]')].map((part) => part.dataset.part)"
    )
    assert names == ["forward", "backward", "optimiser"]


def test_a_picture_is_saved(opened_memory, memory, browser):
    page = opened_memory(memory)
    page.find_element("id", "save-svg").click()
    page.find_element("id", "save-png").click()
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page.driver, 10).until(
        lambda _: (
            {"resnet34-memory.svg", "resnet34-memory.png"}
            <= {file.name for file in browser.downloads.iterdir()}
        )
    )


def test_hostile_names_stay_text(opened_memory, hostile_names):
    steps = tuple(Step(op=name, layer=name) for name in hostile_names)
    blocks = tuple(
        Block(size=10**6, kind="temporary", layer=name, name=name, born=n)
        for n, name in enumerate(hostile_names)
    )
    page = opened_memory(Memory(model=hostile_names[0], inputs=(), steps=steps, blocks=blocks))
    page.choose("grouping", "each block of memory")
    assert page.execute_script("return document.querySelectorAll('img, #holders script').length") == 0
    assert any("<script>alert(1)</script>" in row[0] for row in cells(page, "holders"))


def test_a_net_without_ops_has_a_page(opened_memory):
    blocks = (Block(size=12, kind="input", layer="", name="input", born=-1),)
    page = opened_memory(Memory(model="Identity", inputs=(), steps=(), blocks=blocks))
    assert text(page, "chosen") == "Step 1 of 1, the peak: 12 B in use, at no op."
    assert cells(page, "parts") == [["input", "12 B", "12", "100.0 %"]]


def test_a_pass_of_many_steps_is_drawn_fast(opened_memory):
    steps = tuple(Step(op="relu", layer=f"l{n}") for n in range(20_000))
    blocks = tuple(
        Block(size=1000 + n, kind="temporary", layer=f"l{n}", name="relu", born=n, died=min(n + 50, 20_000))
        for n in range(20_000)
    )
    page = opened_memory(Memory(model="Net", inputs=(), steps=steps, blocks=blocks))
    assert (
        page.execute_script(
            "const from = performance.now(); document.getElementById('after').click(); return performance.now() - from"
        )
        < 1000
    )
    assert (
        len(page.execute_script("return document.querySelector('[data-area]').getAttribute('d')")) < 100_000
    )


def test_the_page_needs_no_other_file_and_says_what_is_included(memory):
    page = render_memory_page(replace(memory, device="cuda"))
    assert "default-src 'none'" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert "the CUDA context" in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert data["blocks"]["size"] == [block.size for block in memory.blocks]
