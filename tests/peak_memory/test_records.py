"""What follows from steps and blocks: the peak, its parts, and the layers that hold it."""

from resflops.peak_memory.records import BEFORE, Block, Holder, Memory, Step

STEPS = (
    Step(op="convolution", layer="conv"),
    Step(op="relu", layer="act"),
    Step(op="convolution_backward", layer="conv", phase="backward"),
)
MEMORY = Memory(
    model="Net",
    inputs=(),
    training=True,
    steps=STEPS,
    blocks=(
        Block(size=100, kind="parameters", layer="conv", name="weight", born=BEFORE),
        Block(size=4, kind="buffers", layer="conv", name="mean", born=BEFORE),
        Block(size=10, kind="input", layer="", name="input", born=BEFORE),
        Block(size=30, kind="activations", layer="conv", name="convolution", born=0),
        Block(size=20, kind="temporary", layer="act", name="relu", born=1, died=2),
        Block(size=100, kind="gradients", layer="conv", name="convolution_backward", born=2),
    ),
)  # fmt: skip


def test_the_curve_counts_what_is_there_during_each_step():
    assert MEMORY.curve == (144, 164, 244)


def test_the_peak_is_in_all_and_above_the_weights():
    assert (MEMORY.peak, MEMORY.peak_step, MEMORY.weights, MEMORY.above_weights) == (244, 2, 104, 140)


def test_the_parts_add_up_to_the_peak():
    assert MEMORY.split() == {
        "parameters": 100, "buffers": 4, "optimizer": 0, "input": 10,
        "gradients": 100, "activations": 30, "temporary": 0,
    }  # fmt: skip
    assert sum(MEMORY.split(1).values()) == MEMORY.curve[1]


def test_the_layers_that_hold_the_most_come_first():
    by_kind = {"parameters": 100, "buffers": 4, "activations": 30, "gradients": 100}
    assert MEMORY.holders() == (
        Holder(layer="conv", size=234, by_kind=by_kind),
        Holder(layer="", size=10, by_kind={"input": 10}),
    )


def test_a_pass_without_ops_holds_what_was_there_before():
    empty = Memory(model="Identity", inputs=(), steps=(), blocks=MEMORY.blocks[:3])
    assert (empty.peak, empty.curve) == (114, (114,))
    assert empty.split()["parameters"] == 100


def test_a_memory_goes_to_a_file_and_back(tmp_path):
    MEMORY.save(tmp_path / "memory.json")
    assert Memory.load(tmp_path / "memory.json") == MEMORY
