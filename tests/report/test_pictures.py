"""Pictures: drawn from their data alone, in light and dark, with names that do not cover each other."""

from itertools import combinations

import matplotlib as mpl
import pytest
from matplotlib.colors import rgb_to_hsv
from matplotlib.text import Text
from msgspec.structs import replace

import resflops
from resflops.peak_memory.records import BEFORE, Block, Memory
from resflops.report.picture import Picture
from resflops.report.pictures import (
    kernels,
    memory,
    profile,
    ratios,
    resolution,
    roofline,
    scatter,
    stages,
    waterfall,
)
from resflops.report.pictures.labels import label
from resflops.report.style import DARK, LIGHT, THEMES, image
from resflops.tables.memory_notes import describe_way

UNIT = "MACs"


@pytest.fixture(scope="module")
def cost():
    return resflops.count(resflops.load("resnet34"), (1, 3, 224, 224))


def some_waterfall():
    return waterfall.Waterfall(
        model="a model",
        macs=1000,
        peers=(
            waterfall.Steps(peer="the same", figure=2000, times=2, steps=()),
            waterfall.Steps(
                peer="another",
                figure=900,
                steps=(waterfall.Step(name="more", amount=100), waterfall.Step(name="less", amount=-200)),
            ),
        ),
    )


def some_roofline():
    spots = tuple(
        roofline.Spot(
            model=model,
            family="a family",
            batch=batch,
            intensity=20.0 * batch,
            flops_per_second=1e12 * speed * batch,
        )
        for model, speed in (("small", 1), ("large", 1.1))
        for batch in (1, 8)
    )
    roof = roofline.Roof(
        dtype="float32",
        setting="float32, channels_last",
        peak=5e13,
        probe="3×3 convolution",
        bandwidth=4e12,
        spots=spots,
    )
    return roofline.Roofline(device="a device", roofs=(roof,))


def some_ratios():
    settings = (
        ratios.Setting(name="float32", batch=1, time=1.4, low=1.3, high=1.6, roof=1.1),
        ratios.Setting(name="float16", batch=32, time=4.0, low=3.9, high=4.2, stable=False),
    )
    return ratios.Ratios(smaller="small", larger="large", device="a device", macs=5.4, settings=settings)


def some_scatter():
    points = tuple(
        scatter.Point(model=f"network{n}", family="ab"[n % 2], params=10**6 * (20 + n), total=10**9 * (n + 3))
        for n in range(8)
    )
    return scatter.Scatter(unit=UNIT, points=points)


def measured_scatter():
    points = tuple(
        scatter.Point(
            model=f"network{n}", family="ab"[n % 2], params=10**6 * (20 + 3 * n), total=10**9 * (n + 3),
            seconds=0.01 * n if n > 2 else None,
        )
        for n in range(8)
    )  # fmt: skip
    return scatter.Scatter(unit=UNIT, points=points, measured="a device, batch 1, float32")


def some_resolutions():
    series = tuple(resolution.Series(model=f"m{n}", totals=(n, 4 * n, 16 * n + 10**9)) for n in (1, 2, 3))
    return resolution.Resolutions(unit=UNIT, sides=(64, 128, 256), usual=128, series=series)


def some_kernels():
    pairs = (
        kernels.Pair(channels="3 → 64", ratios=(8.02, 20.3, 69.6)),
        kernels.Pair(channels="256 → 256", ratios=(0.55, 1.65, 6.06)),
    )
    layers = (
        kernels.Layer(model="small", name="conv1", macs=118_013_952, field=(7, 7)),
        kernels.Layer(model="large", name="features.2", macs=1_849_688_064, field=(14, 14)),
    )
    return kernels.Kernels(unit=UNIT, strides=(1, 2, 4), pairs=pairs, layers=layers)


IDENTITY = Memory(
    model="Identity",
    inputs=(),
    steps=(),
    blocks=(Block(size=10, kind="input", layer="", name="input", born=BEFORE),),
)


def some_memory(*, training):
    measured = resflops.memory(
        "resnet34", (4, 3, 224, 224), training=training, optimizer="adamw" if training else None
    )
    return memory.timeline_of(measured, way=describe_way(measured))


DRAWN = {
    "kernels": (kernels, lambda cost: some_kernels()),
    "stages": (stages, lambda cost: stages.stages_of([cost], unit=UNIT)),
    "profile": (profile, lambda cost: profile.profile_of(cost, unit=UNIT, given="1×3×224×224")),
    "scatter": (scatter, lambda cost: some_scatter()),
    "scatter with latency": (scatter, lambda cost: measured_scatter()),
    "resolution": (resolution, lambda cost: some_resolutions()),
    "waterfall": (waterfall, lambda cost: some_waterfall()),
    "roofline": (roofline, lambda cost: some_roofline()),
    "ratios": (ratios, lambda cost: some_ratios()),
    "memory of inference": (memory, lambda cost: some_memory(training=False)),
    "memory of training": (memory, lambda cost: some_memory(training=True)),
    "memory of a net without ops": (memory, lambda cost: memory.timeline_of(IDENTITY, way="inference")),
}


def test_marks_above_the_roof_are_in_view_and_explained():
    calm = some_roofline()
    (roof,) = calm.roofs
    passed = replace(roof.spots[-1], flops_per_second=10 * roof.peak)
    figure = roofline.draw(replace(calm, roofs=(replace(roof, spots=(*roof.spots, passed)),)), LIGHT)
    assert figure.axes[0].get_ylim()[1] > passed.flops_per_second
    said = "above the line: faster than the 3×3 convolution"
    assert said in [text for text, _ in shown_texts(figure)]
    assert said not in [text for text, _ in shown_texts(roofline.draw(calm, LIGHT))]


@pytest.fixture(params=DRAWN)
def drawn(request, cost):
    module, data = DRAWN[request.param]
    return module, data(cost)


def shown_texts(figure):
    """Every text of a figure that is in view, with the box it fills."""
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    beyond = {
        label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in labels_beyond(axis)
    }
    return [(text.get_text(), text.get_window_extent()) for text in texts if text not in beyond]


def labels_beyond(axis):
    """The names of ticks outside the axis, which matplotlib keeps and does not draw."""
    low, high = sorted(axis.get_view_interval())
    slack = (high - low) * 1e-6
    for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
        if not low - slack <= tick.get_loc() <= high + slack:
            yield from (tick.label1, tick.label2)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_no_text_leaves_the_paper_or_covers_another(drawn, theme):
    module, data = drawn
    figure = module.draw(data, theme)
    texts = shown_texts(figure)
    width, height = figure.canvas.get_width_height()
    assert texts
    for text, box in texts:
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -1, text
    # Aslant, a text fills less than its box.
    slanted = {text.get_text() for text in figure.findobj(Text) if text.get_rotation() not in {0, 90}}
    upright = [(text, box) for text, box in texts if text not in slanted]
    for (one, first), (two, second) in combinations(upright, 2):
        overlap = (
            min(first.x1, second.x1) - max(first.x0, second.x0),
            min(first.y1, second.y1) - max(first.y0, second.y0),
        )
        assert min(overlap) <= 1.5, (one, two)


def test_a_picture_names_its_unit_and_convention(cost):
    for name in ("stages", "profile", "scatter", "resolution"):
        module, data = DRAWN[name]
        texts = " ".join(text for text, _ in shown_texts(module.draw(data(cost), LIGHT)))
        assert UNIT in texts, name
    for module, data in ((waterfall, some_waterfall()), (ratios, some_ratios())):
        assert "MACs" in " ".join(text for text, _ in shown_texts(module.draw(data, LIGHT)))


def test_the_same_data_give_the_same_bytes_and_other_colours_in_the_dark(cost):
    data = stages.stages_of([cost], unit=UNIT)
    light, again, dark = (image(stages.draw(data, theme)) for theme in (LIGHT, LIGHT, DARK))
    assert light == again
    assert light != dark
    assert b"Matplotlib" not in light
    assert b"<dc:date>" not in light


def test_the_users_own_settings_of_matplotlib_change_nothing():
    module, data = ratios, some_ratios()
    usual = image(module.draw(data, LIGHT))
    with mpl.rc_context(
        {"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "none", "savefig.bbox": "tight"}
    ):
        assert image(module.draw(data, LIGHT)) == usual


def test_the_digest_of_a_picture_tells_its_data(cost):
    one, two = (
        Picture(name="p", data=profile.profile_of(cost, unit=unit, given="x"), draw=profile.draw, alt="")
        for unit in ("MACs", "FLOPs")
    )
    assert one.digest != two.digest
    assert one.digest == Picture(name="q", data=one.data, draw=profile.draw, alt="other").digest


def test_the_steps_of_a_waterfall_lead_to_the_figure():
    figure = waterfall.draw(some_waterfall(), LIGHT)
    texts = [text for text, _ in shown_texts(figure)]
    assert {"+100 more", "−200 less", "No difference:\nthe same: 2.00 k, 2 per MAC", "another\n900"} <= set(
        texts
    )
    bars = [(bar.get_x(), bar.get_width()) for bar in figure.axes[0].patches]
    assert bars == [(0, 100), (100, -200)]


def test_counters_that_say_the_same_share_a_block_of_the_waterfall():
    one, other = some_waterfall().peers
    peers = (one, replace(one, peer="its twin"), other, replace(other, peer="another twin"))
    figure = waterfall.draw(replace(some_waterfall(), peers=peers), LIGHT)
    texts = [text for text, _ in shown_texts(figure)]
    assert "No difference:\nthe same, its twin: 2.00 k, 2 per MAC" in texts
    assert "another, another twin\n900" in texts
    assert len(figure.axes[0].patches) == 2


def test_the_roofline_shows_the_marks_and_one_colour_a_family():
    spots = tuple(
        roofline.Spot(
            model=f"{family}{n}",
            family=family,
            batch=batch,
            intensity=100 + 10 * n,
            flops_per_second=1e12 * (n + batch),
        )
        for family in ("small", "large")
        for n in (1, 2, 3)
        for batch in (1, 8)
    )
    roofs = tuple(
        roofline.Roof(
            dtype=dtype, setting=dtype, peak=5e13, probe="matrix product", bandwidth=4e12, spots=spots
        )
        for dtype in ("float32", "float16")
    )
    figure = roofline.draw(roofline.Roofline(device="a device", roofs=roofs), LIGHT)
    first, second = figure.axes
    assert (first.get_xlim()[0], first.get_xlim()[1]) == pytest.approx((110 / 1.5, 130 * 1.8))
    colours, again = (
        [tuple(marks.get_facecolor()[0]) for marks in axes.collections] for axes in (first, second)
    )
    assert colours == again
    hues = [rgb_to_hsv(colour[:3])[0] for colour in colours]
    assert max(hues[:3]) - min(hues[:3]) < 0.03
    assert max(hues[3:]) - min(hues[3:]) < 0.03
    assert abs(hues[0] - hues[3]) > 0.2
    assert len(set(colours)) == 6
    sizes = first.collections[0].get_sizes()
    assert sizes[0] < sizes[1]
    texts = [text for text, _ in shown_texts(figure)]
    assert {"batch 1", "batch 8", "small", "large"} <= set(texts)
    assert texts.count("small1") == texts.count("large3") == 2


def test_the_areas_of_the_scatter_have_a_key():
    texts = [text for text, _ in shown_texts(scatter.draw(measured_scatter(), LIGHT))]
    assert {"latency", "5 ms", "20 ms", "50 ms"} <= set(texts)
    plain = [text for text, _ in shown_texts(scatter.draw(some_scatter(), LIGHT))]
    assert "latency" not in plain


def test_unstable_times_are_said_once_and_the_axis_has_only_what_is_measured():
    settings = tuple(replace(each, stable=False) for each in some_ratios().settings)
    figure = ratios.draw(replace(some_ratios(), settings=settings), LIGHT)
    texts = [text for text, _ in shown_texts(figure)]
    assert "measured to no better than ±5 %" in texts
    assert "measured, with its interval" not in texts
    assert "time of large ÷ time of small" in texts
    low, high = figure.axes[0].get_xlim()
    assert 0.5 < low < 1.1
    assert high > 5.4


@pytest.mark.parametrize("name", ["resnet152", "resnet34", "resnet110", "vgg19"])
def test_the_names_of_stages_stand_upright_and_cover_nothing(name):
    cost = resflops.count(resflops.load(name), (1, 3, 224, 224))
    figure = profile.draw(profile.profile_of(cost, unit=UNIT, given="x"), LIGHT)
    stages_ = [(text, box) for text, box in shown_texts(figure) if text.startswith("conv") or text == "fc"]
    assert {text.get_rotation() for text in figure.findobj(Text) if text.get_text().startswith("conv")} == {0}
    for (_, one), (_, two) in combinations(stages_, 2):
        assert not one.overlaps(two)
    assert max(box.x1 for _, box in stages_) <= figure.canvas.get_width_height()[0]


def test_a_picture_is_a_file_for_light_and_one_for_dark(cost):
    data = profile.profile_of(cost, unit=UNIT, given="x")
    picture = Picture(name="p", data=data, draw=profile.draw, alt="")
    assert [path for path, _ in picture.list_files()] == ["pictures/p.svg", "pictures/p-dark.svg"]


def test_the_stages_of_a_network_add_up(cost):
    (network,) = stages.stages_of([cost], unit=UNIT).models
    assert sum(part.total for part in network.parts) == cost.total
    assert sum(part.layers for part in network.parts) == 37
    assert [part.size for part in network.parts][-1] == stages.FULLY_CONNECTED


def test_a_sign_that_the_font_lacks_is_a_question_mark():
    assert label("層\n✓") == "??✓"
