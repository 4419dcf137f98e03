"""The memory that a GPU has used beside what resflops says that it would, with what explains the difference.

    python tests/benchmarks/gpu/memory_compare.py FILE

FILE is what peak_memory.py has brought. Each of its runs is predicted on shapes, for which no GPU is needed, and
the two rows of allocations are laid beside each other: what only the GPU has taken is workspace of kernels.
The comparison is printed and written to a file beside, whose name ends in ``-compared.json``.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import resflops
from resflops.peak_memory.allocator import AllocatorFigures, CachingAllocator, replay
from resflops.peak_memory.records import Block, Memory, Step
from resflops.peak_memory.workspaces import estimate_workspaces

SIDE, HOPPER = 224, 9
OPTIONS = ("training", "optimizer", "dtype", "autocast", "checkpointing", "loss")
FIGURES = ("requested", "allocated", "reserved")


def predict(result: dict[str, Any], capability: int) -> Memory:
    """Predict the memory of one run."""
    options = {name: result[name] for name in OPTIONS if result.get(name)}
    if result.get("dtype") and capability >= HOPPER:
        options["attention"] = "cudnn"  # what torch prefers there where it can
    return resflops.memory(
        f"torchvision/{result['network']}", (result["batch"], 3, SIDE, SIDE), device="cuda", **options
    )


def list_peaks(figures: AllocatorFigures) -> dict[str, int]:
    """List the three figures of an allocator."""
    return {name: getattr(figures, name) for name in FIGURES}


def replay_events(result: dict[str, Any]) -> list[dict[str, int]]:
    """Replay the events of a GPU to the allocator of resflops: the peaks of each step should be the same."""
    allocator, taken, begin = CachingAllocator(result.get("segments", ())), list[int](), 0
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


def align(memory: Memory, theirs: Sequence[int]) -> tuple[dict[int, Step], list[Block]]:
    """Lay what a pass takes beside what the GPU has taken, step by step.

    Returns:
        The numbers of what only the GPU has, each with the step during or after which it was taken; and the
        blocks that it has not.
    """
    only_theirs, missing, place = dict[int, Step](), list[Block](), 0
    for number, step in enumerate(memory.steps):
        blocks = [block for block in memory.blocks if block.born == number]
        seen, rest = place, Counter(block.size for block in blocks)
        while rest.total() and seen < len(theirs):
            rest -= Counter([theirs[seen]])
            seen += 1
        if rest.total():  # nowhere in all that follows
            missing += blocks
            continue
        rest = Counter(block.size for block in blocks)
        for each in range(place, seen):
            if rest[theirs[each]]:
                rest[theirs[each]] -= 1
            else:
                only_theirs[each] = step
        place = seen
    return only_theirs | dict.fromkeys(range(place, len(theirs)), memory.steps[-1]), missing


def explain(result: dict[str, Any], memory: Memory) -> dict[str, Any]:
    """Say which allocations of the second step only one of the two has, and what of them is in the peak."""
    begin, end = (step["events"] for step in result["steps"])
    changes = list(walk(result["events"][:end], begin))
    takes = [(number, size) for number, size in changes if size > 0]
    unmatched, missing = align(memory, [size for _, size in takes])
    only_gpu: dict[int, dict[str, Any]] = {
        takes[place][0]: {"size": takes[place][1], "op": step.op, "layer": step.layer, "phase": step.phase}
        for place, step in unmatched.items()
    }
    in_use, most, there, at_peak = 0, 0, set[int](), list[int]()
    for number, size in changes:
        in_use += size
        if number in only_gpu:
            there ^= {number}
        if in_use > most:
            most, at_peak = in_use, sorted(there)
    return {
        "only_gpu": sum(each["size"] for each in only_gpu.values()),
        "largest_only_gpu": sorted(only_gpu.values(), key=lambda each: -each["size"])[:5],
        "only_gpu_at_peak": [only_gpu[each] for each in at_peak],
        "only_resflops": [
            {"size": each.size, "name": each.name, "layer": each.layer} for each in missing[:20]
        ],
    }


def compare_one(result: dict[str, Any], capability: int) -> dict[str, Any]:
    """Compare one run with its prediction."""
    memory = predict(result, capability)
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
        compared = {**about, "predicted_with_torch": version("torch"), "results": rows}
        file.with_name(f"{file.stem}-compared.json").write_text(json.dumps(compared), encoding="utf-8")


if __name__ == "__main__":
    compare(Path(sys.argv[1]))
