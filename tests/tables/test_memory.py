"""The memory of models as a table: the peak and its parts, where it is, what fits, and what is left out."""

import csv
import io
import json

import pytest
from msgspec.structs import replace

from resflops.errors import UsageError
from resflops.peak_memory.fitting import Fit
from resflops.peak_memory.records import BEFORE, KINDS, Block, Memory, Step
from resflops.records import InputRecord
from resflops.render import Screen, find_renderer
from resflops.render.formats import format_cells, format_heading, format_note
from resflops.tables.arrangement import arrange_table, parse_units
from resflops.tables.memory import COLUMN_NAMES, MemoryEntry, build_holder_table, build_memory_table
from resflops.tables.memory_notes import describe_way

MIB = 2**20
STEPS = (
    Step(op="convolution", layer="conv"),
    Step(op="relu", layer="act"),
    Step(op="convolution_backward", layer="conv", phase="backward"),
    Step(op="_foreach_add_", layer="", phase="optimizer"),
)
TRAINED = Memory(
    model="Net",
    inputs=(InputRecord(name="x", shape=(2, 3, 8, 8), dtype="float32"),),
    training=True,
    optimizer="adamw",
    steps=STEPS,
    blocks=(
        Block(size=8 * MIB, kind="parameters", layer="conv", name="weight", born=BEFORE),
        Block(size=512, kind="buffers", layer="conv", name="mean", born=BEFORE),
        Block(size=16 * MIB, kind="optimizer", layer="conv", name="exp_avg", born=BEFORE),
        Block(size=1536, kind="input", layer="", name="input", born=BEFORE),
        Block(size=3 * MIB, kind="activations", layer="conv", name="convolution", born=0, died=3),
        Block(size=2 * MIB, kind="temporary", layer="act", name="relu", born=1, died=2),
        Block(size=8 * MIB, kind="gradients", layer="conv", name="convolution_backward", born=2),
    ),
)
INFERRED = replace(
    TRAINED, training=False, optimizer="", steps=STEPS[:2],
    blocks=(*TRAINED.blocks[:2], TRAINED.blocks[3], replace(TRAINED.blocks[5], died=None)),
)  # fmt: skip


def build(*memories, **more):
    return build_memory_table([MemoryEntry(model=each.model, memory=each) for each in memories], **more)


def said(table):
    return "\n".join(format_note(note) for note in table.notes)


def headings(table):
    return [column.heading for column in table.columns if column.audience in {"all", "people"}]


def test_one_model_is_shown_with_its_peak_and_the_layers_that_hold_it():
    assert (
        str(build(TRAINED))
        == """\
Memory at the peak: a training step, with adamw, float32, kernels of the CPU

                                                                 optimiser                       activations
model  input    peak in all  above weights  parameters  buffers      state     input  gradients         kept
────────────────────────────────────────────────────────────────────────────────────────────────────────────
Net    2×3×8×8     35.0 MiB       27.0 MiB    8.00 MiB    512 B   16.0 MiB  1.50 KiB   8.00 MiB     3.00 MiB

Net needs 36.7 MB (35.0 MiB) at its peak, 28.3 MB (27.0 MiB) of it above its weights. The peak is at convolution_backward of conv in the backward pass, op 3 of 4 that take memory.
KiB, MiB and GiB go in steps of 1024, KB, MB and GB in steps of 1000.
Exact by tensor, from a pass on shapes in which nothing was computed.
Activations kept are what the forward pass has made and the backward pass needs; temporary is what is made and released again, such as the gradients of activations.
Included: each tensor as it is, not rounded. Not included: what kernels take for themselves, such as oneDNN's reordered copies of a convolution's input and weight.

Layers that hold the most at the peak

                                                            optimiser                       activations
layer                   held    share  parameters  buffers      state     input  gradients         kept
───────────────────────────────────────────────────────────────────────────────────────────────────────
conv                35.0 MiB  100.0 %    8.00 MiB    512 B   16.0 MiB       0 B   8.00 MiB     3.00 MiB
(the model itself)  1.50 KiB   <0.1 %         0 B      0 B        0 B  1.50 KiB        0 B          0 B"""
    )


@pytest.mark.parametrize("memory", [TRAINED, INFERRED], ids=["training", "inference"])
def test_the_parts_of_a_row_add_up_to_its_peak(memory):
    table = build(memory)
    (row,) = table.rows
    assert sum(row[f"{kind}_bytes"] for kind in KINDS) == row["peak_bytes"] == memory.peak
    assert row["above_weights_bytes"] == memory.peak - row["parameters_bytes"] - row["buffers_bytes"]
    (layers,) = table.below
    assert sum(each["held_bytes"] for each in layers.rows) == memory.peak
    for kind in KINDS:
        assert sum(each[f"{kind}_bytes"] for each in layers.rows) == row[f"{kind}_bytes"]


def test_people_see_the_parts_that_are_there_and_programs_all():
    table = build(INFERRED)
    assert headings(table) == [
        "model", "input", "peak in all", "above weights", "parameters", "buffers", "input", "temporary",
    ]  # fmt: skip
    assert {f"{kind}_bytes" for kind in KINDS} <= set(json.loads(table.to_json())["memory"][0])


def test_several_models_have_a_row_each_and_the_layers_of_none():
    table = build(TRAINED, replace(TRAINED, model="Other"))
    assert [row["model"] for row in table.rows] == ["Net", "Other"]
    assert table.below == ()
    assert "at its peak" not in said(table)


def test_the_rows_of_one_model_are_told_apart_by_their_input_on_a_narrow_screen():
    larger = replace(INFERRED, inputs=(InputRecord(name="x", shape=(4, 3, 8, 8), dtype="float32"),))
    text = find_renderer("terminal").render(build(INFERRED, larger), on=Screen(width=60))
    assert [line.split()[:2] for line in text.splitlines() if line.startswith("Net")] == [
        ["Net", "2×3×8×8"], ["Net", "4×3×8×8"],
    ]  # fmt: skip


def test_programs_get_bytes_and_what_holds_for_all_rows():
    document = json.loads(build(TRAINED).to_json())
    assert document["training"] is True
    assert (document["optimizer"], document["dtype"], document["device"]) == ("adamw", "float32", "cpu")
    (row,) = document["memory"]
    assert row["peak_bytes"] == 35 * MIB + 512 + 1536
    assert (row["peak_op"], row["peak_layer"], row["peak_phase"], row["peak_step"]) == (
        "convolution_backward", "conv", "backward", 2,
    )  # fmt: skip
    assert (row["batch"], row["steps"], row["method"]) == (2, 4, "shapes")
    assert [each["held_bytes"] for each in document["layers"]] == [35 * MIB + 512, 1536]
    assert not any("steps of 1024" in note for note in document["notes"])
    (line,) = csv.DictReader(io.StringIO(build(TRAINED).to_csv()))
    assert (line["model"], line["peak_bytes"], line["allocated_bytes"]) == ("Net", "36702208", "")


def test_on_a_gpu_what_its_allocator_makes_of_it_stands_beside():
    on_gpu = replace(INFERRED, device="cuda")
    (row,) = build(on_gpu).rows
    # 1,536 bytes of input and 512 of buffers are whole blocks already.
    assert row["allocated_bytes"] == on_gpu.peak
    assert row["reserved_bytes"] % (2 * MIB) == 0
    assert row["reserved_bytes"] >= row["allocated_bytes"]
    assert headings(build(on_gpu))[-2:] == ["allocated", "reserved"]
    assert "cuDNN" in said(build(on_gpu))
    assert headings(build(INFERRED))[-1] == "temporary"
    assert "oneDNN" in said(build(INFERRED))


def test_on_a_gpu_what_cublas_keeps_is_estimated_beside_the_exact_figures():
    steps = (*STEPS[:2], Step(op="addmm", layer="fc"))
    (row,) = build(replace(INFERRED, device="cuda", steps=steps)).rows
    assert row["cublas_bytes"] == 33 * MIB
    assert row["allocated_bytes"] == INFERRED.peak
    assert "cuBLAS keeps, estimated" in headings(build(replace(INFERRED, device="cuda", steps=steps)))
    assert build(replace(INFERRED, device="cuda")).rows[0]["cublas_bytes"] == 0
    assert build(replace(INFERRED, steps=steps)).rows[0]["cublas_bytes"] is None


def make_fit(batch, **more):
    return Fit(
        batch=batch,
        limit=24 * 10**9,
        memory=TRAINED,
        needs=TRAINED.peak,
        next_needs=25 * 10**9,
        passes=4,
        **more,
    )


def test_the_largest_batch_that_fits_stands_beside_what_one_more_would_need():
    table = build_memory_table(
        [MemoryEntry(model="Net", memory=TRAINED, fit=make_fit(260))], limit=24 * 10**9
    )
    (row,) = table.rows
    assert (row["batch"], row["next_batch_bytes"], table.facts["limit_bytes"]) == (
        260,
        25 * 10**9,
        24 * 10**9,
    )
    assert "largest batch" in headings(table)
    assert (
        "Net: a batch of 260 fits into 24.0 GB (22.4 GiB) and leaves 24.0 GB (22.3 GiB); one of 261 would need "
        "1.00 GB (954 MiB) more than that."
    ) in said(table)
    assert "What must fit" not in said(table)


def test_on_a_gpu_it_says_which_figure_must_fit():
    on_gpu = MemoryEntry(model="Net", memory=replace(TRAINED, device="cuda"), fit=make_fit(260))
    assert "What must fit is what is allocated." in said(build_memory_table([on_gpu], limit=24 * 10**9))
    assert "What must fit" not in said(build_memory_table([on_gpu]))


def test_a_model_of_which_no_batch_fits_has_a_batch_of_zero_and_a_note():
    fit = replace(make_fit(0), limit=30 * MIB)
    table = build_memory_table([MemoryEntry(model="Net", memory=TRAINED, fit=fit)], limit=30 * MIB)
    assert table.rows[0]["batch"] == 0
    assert (
        "Net: not even a batch of 1 fits into 31.5 MB (30.0 MiB), since it needs 5.24 MB (5.00 MiB) more than that."
        in said(table)
    )


def test_a_model_that_could_not_be_run_is_a_row_with_the_reason():
    entries = [MemoryEntry(model="Net", memory=TRAINED), MemoryEntry(model="broken", reason="it broke")]
    table = build_memory_table(entries)
    assert [row["failure"] for row in table.rows] == ["", "it broke"]
    assert set(COLUMN_NAMES) <= set(table.rows[1])
    assert headings(table)[-1] == "could not be run"
    assert table.below == ()
    assert "it broke" in str(table)


def test_it_says_what_was_assumed():
    memory = replace(
        TRAINED, dtype="bfloat16", autocast=True, attention="flash", device="cuda",
        checkpointing=tuple(f"block{n}" for n in range(8)), notes=("made up weights",),
    )  # fmt: skip
    assert describe_way(memory) == (
        "a training step, with adamw, bfloat16 by autocast, checkpointing, flash attention, kernels of a GPU"
    )
    text = said(build(memory))
    assert "Checkpointed: block0, block1, block2, block3, block4, block5 and 2 more." in text
    assert "Made up weights." in text


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("shapes", "Exact by tensor, from a pass on shapes"),
        ("real", "Exact by tensor, from a pass that was run on the CPU"),
        ("trace", "Estimated by rules from a trace"),
    ],
)
def test_it_says_how_the_figures_were_found(method, words):
    assert words in said(build(replace(TRAINED, method=method)))


def test_what_is_said_of_two_models_is_said_once():
    assert said(build(TRAINED, TRAINED)).count("Exact by tensor") == 1


def test_a_model_that_was_not_run_any_more_is_told():
    assert "Interrupted: 1 more model was not run." in said(build(TRAINED, left=1))
    assert "Interrupted: 3 more models were not run." in said(build(TRAINED, left=3))


def test_a_model_without_ops_has_no_place_of_the_peak():
    empty = replace(INFERRED, steps=(), blocks=INFERRED.blocks[:2])
    assert "no op of it takes memory" in said(build(empty))
    assert build(empty).rows[0]["peak_op"] is None


def test_only_the_layers_that_hold_the_most_are_shown_to_people():
    blocks = tuple(
        Block(size=100 - n, kind="temporary", layer=f"l{n}", name="relu", born=0) for n in range(30)
    )
    memory = replace(INFERRED, blocks=blocks)
    (layers,) = build(memory, top=3).below
    assert [row["layer"] for row in layers.list_shown_rows()] == ["l0", "l1", "l2"]
    assert len(layers.rows) == 30
    assert "27 more layers hold 2.21 KiB; --top N shows more" in said(layers)
    assert len(build(memory).below[0].list_shown_rows()) == 10
    assert build(memory, top=30).below[0].notes == ()


def test_the_layers_of_another_step_are_those_of_that_step():
    table = build_holder_table(TRAINED, step=1)
    assert {row["layer"]: row["temporary_bytes"] for row in table.rows}["act"] == 2 * MIB
    assert sum(row["held_bytes"] for row in table.rows) == TRAINED.curve[1]


@pytest.mark.parametrize(
    ("units", "heading", "peak", "layer"),
    [
        ("MiB", "peak in all (MiB)", "35.00", "35.00"),
        ("mb", "peak in all (MB)", "36.70", "36.70"),
        ("GiB", "peak in all (GiB)", "0.03", "0.03"),
        # A letter alone is what it is to --fits.
        ("M", "peak in all (MiB)", "35.00", "35.00"),
        ("none", "peak in all", "35.0 MiB", "35.0 MiB"),
        ("auto", "peak in all", "35.0 MiB", "35.0 MiB"),
    ],
)
def test_all_sizes_can_be_in_one_unit(units, heading, peak, layer):
    table = arrange_table(build(TRAINED), parse_units(units))
    (column,) = [column for column in table.columns if column.key == "peak_bytes"]
    assert format_heading(column) == heading
    assert format_cells(table, [column]) == [[peak]]
    (below,) = table.below
    assert format_cells(below, [column for column in below.columns if column.key == "held_bytes"])[0] == [
        layer
    ]


def test_programs_get_the_unit_with_the_figure():
    table = arrange_table(build(TRAINED), parse_units("peak_bytes=GiB"))
    document = json.loads(table.to_json())
    assert document["units"] == {"peak_bytes": "GiB"}
    assert document["memory"][0]["peak_bytes"] == TRAINED.peak / 2**30
    assert "peak_bytes_GiB,above_weights_bytes," in table.to_csv()
    with pytest.raises(
        UsageError, match="--units: the column 'steps' is not of bytes; its unit is K, M, G or T"
    ):
        arrange_table(build(TRAINED), parse_units("steps=MiB"))
