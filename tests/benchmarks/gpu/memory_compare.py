"""The memory that a GPU has used beside what resflops says that it would, with what explains the difference.

    python tests/benchmarks/gpu/memory_compare.py FILE

FILE is what peak_memory.py has brought. Each of its runs is predicted on shapes, for which no GPU is needed, and
the two rows of allocations are laid beside each other: what only the GPU has taken is workspace of kernels.
The comparison is printed and written to a file beside, whose name ends in ``-compared.json``.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import resflops
from resflops.peak_memory.allocator import AllocatorFigures, CachingAllocator, replay
from resflops.peak_memory.records import Memory
from resflops.peak_memory.workspaces import estimate_workspaces

SIDE = 224
OPTIONS = ("training", "optimizer", "dtype", "autocast", "checkpointing", "loss")
FIGURES = ("requested", "allocated", "reserved")


def predict(result: dict[str, Any]) -> Memory:
    """Predict the memory of one run."""
    options = {name: result[name] for name in OPTIONS if result.get(name)}
    return resflops.memory(
        f"torchvision/{result['network']}", (result["batch"], 3, SIDE, SIDE), device="cuda", **options
    )


def list_peaks(figures: AllocatorFigures) -> dict[str, int]:
    """List the three figures of an allocator."""
    return {name: getattr(figures, name) for name in FIGURES}


def replay_events(result: dict[str, Any]) -> list[dict[str, int]]:
    """Replay the events of a GPU to the allocator of resflops: the peaks of each step should be the same."""
    allocator, taken, begin = CachingAllocator(), list[int](), 0
    peaks = []
    for end in (result["setup"]["events"], *(step["events"] for step in result["steps"])):
        allocator.reset_peaks()
        for event in result["events"][begin:end]:
            if event > 0:
                taken.append(allocator.take(event))
            else:
                allocator.release(taken[-1 - event])
        peaks.append(list_peaks(allocator.peaks))
        begin = end
    return peaks[1:]


def walk(events: Sequence[int], begin: int) -> Iterator[tuple[int, int]]:
    """Give for each event from one on the number of the allocation, and the bytes that it takes or releases."""
    sizes = list[int]()
    for place, event in enumerate(events):
        if event > 0:
            sizes.append(event)
        number = len(sizes) - 1 if event > 0 else -1 - event
        if place >= begin:
            yield number, event if event > 0 else -sizes[number]


def align(ours: Sequence[int], theirs: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """Lay two rows of sizes beside each other, and give the places where one has what the other has not."""
    places, place = list[int](), 0
    for size in ours:
        while place < len(theirs) and theirs[place] != size:
            place += 1
        places.append(place)
        place += 1
    if place <= len(theirs):  # theirs has all of ours, in the same order
        begin = 0
        for number, place in enumerate([*places, len(theirs)]):
            if place > begin:
                yield number, number, begin, place
            begin = place + 1
        return
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    yield from (opcode[1:] for opcode in matcher.get_opcodes() if opcode[0] != "equal")


def explain(result: dict[str, Any], memory: Memory) -> dict[str, Any]:
    """Say which allocations of the second step only one of the two has, and what of them is in the peak."""
    begin, end = (step["events"] for step in result["steps"])
    changes = list(walk(result["events"][:end], begin))
    takes = [(number, size) for number, size in changes if size > 0]
    passing = [block for block in memory.blocks if block.born >= 0]
    only_gpu, missing = dict[int, dict[str, Any]](), list[dict[str, Any]]()
    for low, high, first, last in align([b.size for b in passing], [size for _, size in takes]):
        near = memory.steps[passing[max(low - 1, 0)].born]
        about = {"after": near.op, "layer": near.layer, "phase": near.phase}
        only_gpu |= {number: {"size": size, **about} for number, size in takes[first:last]}
        missing += [
            {"size": block.size, "name": block.name, "layer": block.layer} for block in passing[low:high]
        ]
    in_use, most = dict[int, int](), -1
    at_peak = list[int]()
    for number, size in changes:
        if size > 0:
            in_use[number] = size
        else:
            in_use.pop(number, None)
        # What was there before the step and is released in it is no part of the sum, for both alike.
        if (now := sum(in_use.values())) > most:
            most, at_peak = now, [each for each in in_use if each in only_gpu]
    return {
        "only_gpu": sum(each["size"] for each in only_gpu.values()),
        "largest_only_gpu": sorted(only_gpu.values(), key=lambda each: -each["size"])[:5],
        "only_gpu_at_peak": [only_gpu[each] for each in at_peak],
        "only_resflops": missing[:20],
    }


def compare_one(result: dict[str, Any], capability: int) -> dict[str, Any]:
    """Compare one run with its prediction."""
    memory = predict(result)
    workspaces = estimate_workspaces(memory, capability=capability)
    gpu = [{name: step["peak"][name] for name in FIGURES} for step in result["steps"]]
    return {
        **{key: result[key] for key in ("network", "batch", *OPTIONS) if key in result},
        "gpu": gpu,
        "events_replayed": replay_events(result),
        "resflops": list_peaks(replay(memory)),
        "workspaces": {f"{each.library}, {each.phase}": each.size for each in workspaces},
        "with_workspaces": [
            list_peaks(replay(memory, passes=passes, workspaces=workspaces)) for passes in (1, 2)
        ],
        **explain(result, memory),
    }


def tell(row: dict[str, Any]) -> str:
    """Tell a comparison in one line: the GPU's figures of the second step, and ours less these."""
    gpu, ours = row["gpu"][-1], row["with_workspaces"][-1]
    way = " ".join(str(row[key]) for key in ("network", "batch", "optimizer", "dtype", "loss") if key in row)
    flags = " ".join(key for key in ("training", "autocast", "checkpointing") if row.get(key))
    differences = "  ".join(
        f"{name} {gpu[name]:,} {ours[name] - gpu[name]:+,} ({ours[name] / gpu[name] - 1:+.2%})"
        for name in FIGURES
    )
    replayed = "exact" if row["events_replayed"] == row["gpu"] else f"{row['events_replayed']}"
    peak = sum(each["size"] for each in row["only_gpu_at_peak"])
    missing = len(row["only_resflops"])
    return (
        f"{way} {flags}: {differences}; replay {replayed}; workspace at peak {peak:,}; ours alone {missing}"
    )


def compare(file: Path) -> None:
    """Compare all runs of a file, and write after each what there is."""
    measured = json.loads(file.read_text(encoding="utf-8"))
    about = {key: value for key, value in measured.items() if key != "results"}
    rows = list[dict[str, Any]]()
    for result in measured["results"]:
        if "error" in result:
            print(f"{result['network']}: {result['error']}", flush=True)
            continue
        rows.append(compare_one(result, measured["capability"][0]))
        print(tell(rows[-1]), flush=True)
        compared = {**about, "predicted_with": resflops.__version__, "results": rows}
        file.with_name(f"{file.stem}-compared.json").write_text(json.dumps(compared), encoding="utf-8")


if __name__ == "__main__":
    compare(Path(sys.argv[1]))
