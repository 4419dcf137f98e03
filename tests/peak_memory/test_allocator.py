"""What torch's allocator for CUDA makes of blocks: by its rules, and beside what an H200 has recorded."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import resflops
from resflops.peak_memory.allocator import (
    AllocatorFigures,
    CachingAllocator,
    describe_allocator,
    replay,
    round_block,
    round_segment,
)
from resflops.peak_memory.records import BEFORE, Block, Kind, Memory, Step
from resflops.peak_memory.workspaces import Workspace, estimate_workspaces

MIB = 1 << 20
RECORDED = Path(__file__).parents[2] / "reports" / "data" / "memory-nvidia-h200.json"


@pytest.mark.parametrize(
    ("size", "block"), [(1, 512), (512, 512), (513, 1024), (16_000, 16_384), (10 * MIB, 10 * MIB)]
)
def test_a_block_is_a_multiple_of_512_bytes(size, block):
    assert round_block(size) == block


@pytest.mark.parametrize(
    ("size", "segment"),
    [
        pytest.param(512, 2 * MIB, id="small"),
        pytest.param(MIB, 2 * MIB, id="largest-small"),
        pytest.param(MIB + 512, 20 * MIB, id="smallest-large"),
        pytest.param(10 * MIB - 512, 20 * MIB, id="largest-that-shares"),
        pytest.param(10 * MIB, 10 * MIB, id="its-own"),
        pytest.param(10 * MIB + 512, 12 * MIB, id="its-own-rounded-up"),
    ],
)
def test_a_segment_is_chosen_by_the_size_of_the_block(size, segment):
    assert round_segment(size) == segment
    allocator = CachingAllocator()
    allocator.take(size)
    assert allocator.reserved == segment


def test_the_rest_of_a_large_segment_is_part_of_the_block_up_to_a_mebibyte():
    for size, allocated in ((11 * MIB, 12 * MIB), (11 * MIB - 512, 11 * MIB - 512)):
        allocator = CachingAllocator()
        allocator.take(size)
        assert (allocator.allocated, allocator.reserved) == (allocated, 12 * MIB)


def test_the_smallest_free_part_is_taken_that_is_large_enough():
    allocator = CachingAllocator()
    large, small = allocator.take(14 * MIB), allocator.take(12 * MIB)
    allocator.release(large)
    allocator.release(small)
    assert allocator.take(12 * MIB) == small
    assert allocator.take(13 * MIB) == large
    assert (allocator.allocated, allocator.reserved) == (26 * MIB, 26 * MIB)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_free_neighbours_are_merged_in_whatever_order_they_are_released(order):
    allocator = CachingAllocator()
    blocks = [allocator.take(size) for size in (6 * MIB, 6 * MIB, 6 * MIB)]
    for number in order:
        allocator.release(blocks[number])
    assert (allocator.requested, allocator.allocated) == (0, 0)
    # Only the whole segment holds it.
    assert allocator.take(20 * MIB) == blocks[0]
    assert allocator.reserved == 20 * MIB


def test_segments_are_never_merged():
    allocator = CachingAllocator()
    for block in [allocator.take(10 * MIB), allocator.take(10 * MIB)]:
        allocator.release(block)
    allocator.take(20 * MIB)
    assert allocator.reserved == 40 * MIB


def test_small_blocks_do_not_lie_in_large_segments():
    allocator = CachingAllocator()
    allocator.release(allocator.take(10 * MIB))
    allocator.take(MIB)
    assert allocator.reserved == 12 * MIB


def test_of_free_parts_of_one_size_the_first_by_address_is_taken():
    for segments, first in (((), 0), ((40 * MIB, 0), 1)):
        allocator = CachingAllocator(segments)
        blocks = [allocator.take(12 * MIB), allocator.take(12 * MIB)]
        for block in blocks:
            allocator.release(block)
        assert allocator.take(12 * MIB) == blocks[first]


def make_memory(*blocks: tuple[int, Kind, int, int | None], phases: str = "fbo") -> Memory:
    names = {"f": "forward", "b": "backward", "o": "optimizer"}
    return Memory(
        model="Net",
        inputs=(),
        steps=tuple(Step(op="mm", layer="", phase=names[phase]) for phase in phases),
        blocks=tuple(
            Block(size=size, kind=kind, layer="", name="", born=born, died=died)
            for size, kind, born, died in blocks
        ),
        device="cuda",
    )


def test_what_is_requested_is_the_peak_of_the_pass():
    memory = make_memory(
        (1000, "parameters", BEFORE, None),
        (100, "optimizer", BEFORE, None),
        (2000, "activations", 0, 2),
        (1000, "gradients", 1, None),
        (10, "temporary", 2, 3),
    )
    figures = replay(memory)
    assert figures.requested == memory.peak == 4100
    assert figures.allocated == 1024 + 512 + 2048 + 1024
    assert figures.reserved == 2 * MIB


def test_the_state_of_the_optimiser_is_taken_after_the_first_backward_pass():
    memory = make_memory((12 * MIB, "optimizer", BEFORE, None), (12 * MIB, "activations", 0, 2))
    # It takes the place of the activations, which need one of their own from the second pass on.
    assert replay(memory, passes=1) == AllocatorFigures(
        requested=12 * MIB, allocated=12 * MIB, reserved=12 * MIB
    )
    assert replay(memory) == AllocatorFigures(requested=24 * MIB, allocated=24 * MIB, reserved=24 * MIB)


def test_gradients_make_room_as_the_next_pass_begins():
    memory = make_memory((12 * MIB, "gradients", 1, None))
    assert replay(memory, passes=3).reserved == 12 * MIB


def test_a_pass_without_steps_holds_what_was_there_before():
    memory = make_memory((10, "parameters", BEFORE, None), phases="")
    assert replay(memory) == AllocatorFigures(requested=10, allocated=512, reserved=2 * MIB)


@cache
def read_recorded() -> dict[str, Any]:
    """Read what tests/benchmarks/gpu/peak_memory.py has recorded, each run from an empty allocator."""
    recorded: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return recorded


def list_runs() -> list[Any]:
    return [
        pytest.param(run, id=" ".join(str(run[key]) for key in NAMES if key in run))
        for run in read_recorded()["results"]
    ]


NAMES = ("network", "batch", "training", "optimizer", "loss", "dtype", "autocast", "checkpointing")


def replay_recorded(run: dict[str, Any]) -> list[AllocatorFigures]:
    """Replay all that an H200 took and released, and read the peaks of both steps."""
    allocator, taken, begin, peaks = CachingAllocator(run["segments"]), list[int](), 0, []
    for end in (run["setup"]["events"], *(step["events"] for step in run["steps"])):
        allocator.reset_peaks()
        for event in run["events"][begin:end]:
            if event > 0:
                taken.append(allocator.take(event))
            else:
                allocator.release(taken[-1 - event])
        peaks.append(allocator.peaks)
        begin = end
    return peaks[1:]


def read_peaks(run: dict[str, Any]) -> list[AllocatorFigures]:
    return [AllocatorFigures(**step["peak"]) for step in run["steps"]]


@pytest.mark.parametrize("run", list_runs())
def test_the_figures_of_an_h200_are_met_to_the_byte_when_its_events_are_replayed(run):
    assert replay_recorded(run) == read_peaks(run)


def find_run(**options: Any) -> dict[str, Any]:
    """Find the run of ResNet-34 in batches of 4 that has been run so and in no other way."""
    (found,) = (
        run
        for run in read_recorded()["results"]
        if {key: run[key] for key in NAMES if key in run} == {"network": "resnet34", "batch": 4, **options}
    )
    return dict(found)


def test_requested_and_allocated_are_those_of_an_h200_without_a_gpu():
    """In the first pass: the peak is where cuBLAS takes its workspace, and cuDNN has released its own."""
    pytest.importorskip("torchvision")
    memory = resflops.memory("torchvision/resnet34", (4, 3, 224, 224), device="cuda")
    figures = replay(memory, passes=1, workspaces=estimate_workspaces(memory))
    recorded = read_peaks(find_run())[0]
    assert (figures.requested, figures.allocated) == (recorded.requested, recorded.allocated)
    assert figures.reserved < recorded.reserved  # by what cuDNN had in between


@pytest.mark.parametrize(
    ("capability", "size"), [pytest.param(9, 32 * MIB, id="hopper"), pytest.param(8, 8_519_680, id="ampere")]
)
def test_each_thread_that_multiplies_has_a_workspace_of_cublas(capability, size):
    steps = [("convolution", "forward"), ("addmm", "forward"), ("addmm", "forward"), ("mm", "backward")]
    memory = Memory(
        model="Net",
        inputs=(),
        steps=tuple(Step(op=op, layer="", phase=phase) for op, phase in steps),
        blocks=(),
    )
    assert estimate_workspaces(memory, capability=capability) == (
        Workspace(library="cuBLAS", phase="forward", step=1, size=size),
        Workspace(library="cuBLASLt", phase="forward", step=1, size=MIB),
        Workspace(library="cuBLAS", phase="backward", step=3, size=size),
    )


def test_a_pass_without_products_has_no_workspace_of_cublas():
    memory = Memory(model="Net", inputs=(), steps=(Step(op="convolution", layer=""),), blocks=())
    assert estimate_workspaces(memory) == ()


def test_a_workspace_stays_once_it_is_taken():
    memory = make_memory((512, "temporary", 0, 1))
    workspace = Workspace(library="cuBLAS", phase="backward", step=1, size=2 * MIB)
    assert replay(memory, passes=1, workspaces=(workspace,)).requested == 2 * MIB
    assert replay(memory, passes=3, workspaces=(workspace,)).requested == 2 * MIB + 512


def test_the_notes_say_what_is_included_and_what_is_not():
    for device in ("cpu", "cuda"):
        notes = " ".join(describe_allocator(device))
        assert "Not included" in notes
    assert "512 bytes" in notes
    assert "cuBLAS" in notes
    assert "cuDNN" in notes
