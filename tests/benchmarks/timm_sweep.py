"""The whole of timm, one row a model: what it costs, whether the count is complete, how long it took.

    python tests/benchmarks/timm_sweep.py [PATTERN ...] [--part I/N]

Any pattern of any source works, such as 'torchvision/*' or 'hf/*'; nothing stops the run. A
model that cannot be built or counted is a row that says why.
"""

import argparse
import collections
import logging
import time
import warnings

import resflops
from resflops.cost import Cost
from resflops.sources import expand, open_model


def counted(spec: str) -> tuple[Cost, tuple[str, ...]]:
    """A model's cost on its usual input, and what there is to say of it."""
    opened = open_model(spec)
    cost = resflops.count(opened.module, *opened.args, **opened.kwargs)
    return cost, (*opened.notes, *cost.trace.notes)


def row(spec: str, uncounted: collections.Counter[str], states: collections.Counter[str]) -> str:
    """One model's line, whatever happens."""
    start = time.perf_counter()
    try:
        cost, notes = counted(spec)
    except (Exception, SystemExit) as error:
        states["failed"] += 1
        return f"{spec:<60} failed: {type(error).__name__}: {str(error).splitlines()[0][:300]}"
    seconds = time.perf_counter() - start
    lacking = [each.op for each in cost.uncounted]
    uncounted.update(lacking)
    states["incomplete" if lacking else "complete"] += 1
    states["run for real"] += cost.trace.execution == "real"
    states["built for real"] += any(note.startswith("built for real") for note in notes)
    said = f"≥ lacks {', '.join(lacking)}" if lacking else ""
    return f"{spec:<60} {cost.macs:>18,} {cost.params:>15,} {seconds:7.2f} s  {said} {'; '.join(notes)[:200]}"


def main() -> None:
    """Count model by model and sum up."""
    parser = argparse.ArgumentParser(description="Every model of a source, one row each.")
    parser.add_argument("patterns", nargs="*", default=["timm/*"], metavar="PATTERN")
    parser.add_argument("--part", default="0/1", metavar="I/N", help="each Nth model, from the Ith on")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    first, _, step = options.part.partition("/")
    specs = [spec for pattern in options.patterns for spec in expand(pattern)][int(first) :: int(step)]
    uncounted: collections.Counter[str] = collections.Counter()
    states: collections.Counter[str] = collections.Counter()
    start = time.perf_counter()
    for spec in specs:
        print(row(spec, uncounted, states), flush=True)
    print(f"\n{len(specs)} models in {time.perf_counter() - start:.0f} s: {dict(states)}")
    print("uncounted, by models:", dict(uncounted.most_common()))


if __name__ == "__main__":
    main()
