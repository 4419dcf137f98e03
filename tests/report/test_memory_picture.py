"""What a pass holds along its steps, as a picture: exact areas, the parts of the pass, and the peak with its op."""

import pytest

import resflops
from resflops.peak_memory.records import BEFORE, Block, Memory, Step
from resflops.report.pictures.memory import AREAS, MOST_PLACES, draw, draw_file, timeline_of
from resflops.report.style import LIGHT

MIB = 2**20
STEPS = (
    Step(op="convolution", layer="conv"),
    Step(op="relu", layer="act"),
    Step(op="convolution_backward", layer="conv", phase="backward"),
    Step(op="add", layer="", phase="optimizer"),
)
MEMORY = Memory(
    model="Net",
    inputs=(),
    training=True,
    steps=STEPS,
    blocks=(
        Block(size=8 * MIB, kind="parameters", layer="conv", name="weight", born=BEFORE),
        Block(size=MIB, kind="buffers", layer="conv", name="mean", born=BEFORE),
        Block(size=3 * MIB, kind="activations", layer="conv", name="convolution", born=0, died=3),
        Block(size=2 * MIB, kind="temporary", layer="act", name="relu", born=1, died=2),
        Block(size=8 * MIB, kind="gradients", layer="conv", name="convolution_backward", born=2),
    ),
)


def find_texts(figure):
    return [text.get_text() for text in figure.findobj() if hasattr(text, "get_text")]


def test_the_areas_are_the_bytes_in_use_at_each_step():
    timeline = timeline_of(MEMORY, way="a training step")
    assert {area.name: area.sizes for area in timeline.areas} == {
        "weights": (9 * MIB,) * 4,
        "gradients": (0, 0, 8 * MIB, 8 * MIB),
        "activations kept": (3 * MIB, 3 * MIB, 3 * MIB, 0),
        "temporary": (0, 2 * MIB, 0, 0),
    }
    assert tuple(map(sum, zip(*(area.sizes for area in timeline.areas), strict=True))) == MEMORY.curve
    assert sum(area.at_peak for area in timeline.areas) == MEMORY.peak == timeline.peak
    assert [(part.name, part.steps) for part in timeline.parts] == [
        ("forward", 2),
        ("backward", 1),
        ("optimiser", 1),
    ]


def test_it_names_the_peak_its_op_its_layer_and_the_parts():
    texts = find_texts(draw(timeline_of(MEMORY, way="a training step"), LIGHT))
    for wanted in (
        "Net: 21.0 MB (20.0 MiB) at the peak",
        "peak: convolution_backward of conv",
        "a training step",
        "MiB in use",
        "forward",
        "backward",
        "optimiser",
        "activations kept\n3.00 MiB",
        "weights\n9.00 MiB",
    ):
        assert wanted in texts


@pytest.mark.parametrize(("size", "unit"), [(3, "bytes"), (2**10, "KiB"), (2**30, "GiB")])
def test_the_axis_has_the_unit_that_suits_the_peak(size, unit):
    blocks = (Block(size=size, kind="temporary", layer="", name="relu", born=0),)
    memory = Memory(model="Net", inputs=(), steps=STEPS[:1], blocks=blocks)
    assert f"{unit} in use" in find_texts(draw(timeline_of(memory, way=""), LIGHT))


def test_a_kind_has_the_same_colour_in_every_picture():
    def find_colours(memory):
        axes = draw(timeline_of(memory, way=""), LIGHT).axes[0]
        legend = axes.get_legend()
        names = [text.get_text().partition("\n")[0] for text in legend.get_texts()]
        return dict(zip(names, [tuple(patch.get_facecolor()) for patch in legend.get_patches()], strict=True))

    whole = find_colours(MEMORY)
    without = Memory(model="Net", inputs=(), steps=STEPS[:2], blocks=MEMORY.blocks[3:4])
    assert find_colours(without)["temporary"] == whole["temporary"]
    assert len(set(whole.values())) == len(whole)
    assert len(AREAS) <= len(LIGHT.series)


def test_a_long_pass_is_drawn_with_its_peak():
    steps = tuple(Step(op="relu", layer=f"l{n}") for n in range(10 * MOST_PLACES + 3))
    blocks = (
        *(
            Block(size=10, kind="temporary", layer="", name="relu", born=n, died=n + 1)
            for n in range(len(steps))
        ),
        Block(size=5, kind="temporary", layer="", name="relu", born=4567, died=4568),
    )
    timeline = timeline_of(Memory(model="Net", inputs=(), steps=steps, blocks=blocks), way="")
    assert len(timeline.places) <= MOST_PLACES
    assert timeline.places[timeline.areas[0].sizes.index(15)] == 4567 == timeline.peak_step
    draw(timeline, LIGHT)


@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_the_same_pass_gives_the_same_file(ending):
    assert draw_file(MEMORY, way="", ending=ending) == draw_file(MEMORY, way="", ending=ending)


def test_a_memory_draws_itself_in_light_and_dark():
    memory = resflops.memory("resnet20", (1, 3, 32, 32))
    light, dark = memory.plot(), memory.plot(dark=True)
    assert "resnet20: 1.42 MB (1.36 MiB) at the peak" in find_texts(light)
    assert light.get_facecolor() != dark.get_facecolor()


def test_hostile_names_are_drawn_as_text(hostile_names):
    for name in hostile_names:
        steps = (Step(op=name, layer=name),)
        blocks = (Block(size=10, kind="temporary", layer=name, name=name, born=0),)
        memory = Memory(model=name, inputs=(), steps=steps, blocks=blocks)
        assert b"<script" not in draw_file(memory, way=name, ending=".svg")
