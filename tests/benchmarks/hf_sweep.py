"""Every config type of transformers, made small and counted, one after the other in one process at a time.

    python tests/benchmarks/hf_sweep.py [TYPE ...] [--again REGEX] [--store]

Goes on where it was stopped: what became of each type is in a file in the temporary folder. ``--again`` tries those
again whose outcome matches. ``--store`` writes tests/sources/hf_configs.json, which a test takes a sample of.
"""

import argparse
import collections
import contextlib
import importlib
import json
import logging
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from hf_small import LEVELS, make_small_config

from resflops.cost.convention import find_convention
from resflops.errors import ResflopsError, SpecError
from resflops.sources import find
from resflops.sources.counting import CountRequest, count_models

STORED = Path(__file__).parent.parent / "sources" / "hf_configs.json"
CHUNK, SECONDS, MEMORY = 60, 60, 8 * 2**30

KEPT = ("level", "architecture", "params", "macs", "execution", "uncounted", "failure")

Outcome = dict[str, Any]


def count_small(name: str, level: str, folder: Path) -> Outcome:
    """What one type's small config costs, by way of a file, as a user would count it."""
    from transformers import CONFIG_MAPPING

    file = folder / f"{name}.json"
    config = make_small_config(CONFIG_MAPPING[name], level)
    file.write_text(json.dumps(config, default=str))
    request = CountRequest(spec=f"hf/{file}", convention=find_convention("macs"))
    (counted,) = count_models([request], say=lambda _: None)
    if isinstance(counted, ResflopsError):
        raise counted
    cost = counted.cost
    return {
        "level": level,
        "architecture": counted.found.variant,
        "inputs": {each.name: list(each.shape) for each in cost.trace.inputs},
        "params": cost.params,
        "macs": cost.macs,
        "execution": cost.trace.execution,
        "uncounted": sorted({each.op for each in cost.uncounted}),
        "notes": [re.sub(r"\S*/tmp\S*", name, note) for note in cost.trace.notes],
    }


def attempt(name: str, folder: Path) -> Outcome:
    """What became of a type at the smallest size at which it can be counted, or why it cannot."""
    failure: Outcome = {}
    # An import that is cut off leaves half a module to all who import it after.
    with contextlib.suppress(Exception):
        find(f"hf/{name}")
    for level in LEVELS:
        signal.alarm(SECONDS)
        try:
            return count_small(name, level, folder)
        except (Exception, SystemExit) as error:
            text = re.sub(r"hf/\S*/(\w[\w.-]*)\.json", r"hf/\1", str(error).strip().partition("\n")[0])
            failure[level] = f"{type(error).__name__}: {text[:400]}"
            if isinstance(error, SpecError):
                break
        finally:
            signal.alarm(0)
    # The one of a config as it is says most of the model, and least of how it was made small.
    return {"failure": list(failure.values())[-1], "narrow": failure[LEVELS[0]]}


def run_chunk(names: list[str], log: Path) -> None:
    """Count some types in this process, a line each as soon as it is known."""
    importlib.import_module("torch._dynamo")
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _stop)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            start = time.perf_counter()
            outcome = attempt(name, Path(folder))
            outcome["seconds"] = round(time.perf_counter() - start, 2)
            with log.open("a") as file:
                print(json.dumps({"type": name, **outcome}), file=file)


def _stop(*_: object) -> None:
    raise TimeoutError(f"took longer than {SECONDS} s")


def read(log: Path) -> dict[str, Outcome]:
    """What is known of each type by now, the last line of each."""
    if not log.exists():
        return {}
    outcomes = {}
    for line in log.read_text().splitlines():
        outcome = json.loads(line)
        outcomes[outcome.pop("type")] = outcome
    return outcomes


def run_all(names: list[str], log: Path) -> None:
    """Run chunk by chunk; a type that takes its process down is a failure like others."""
    while names:
        chunk, names = names[:CHUNK], names[CHUNK:]
        before = len(log.read_text().splitlines()) if log.exists() else 0
        ended = subprocess.run([sys.executable, __file__, "--chunk", "--log", str(log), *chunk], check=False)
        done = (len(log.read_text().splitlines()) if log.exists() else 0) - before
        if done < len(chunk):
            with log.open("a") as file:
                print(
                    json.dumps({"type": chunk[done], "failure": f"exited with {ended.returncode}"}), file=file
                )
            names = chunk[done + 1 :] + names
        print(f"{len(names)} to go", file=sys.stderr)


def summarize(outcomes: dict[str, Outcome]) -> str:
    """How many were counted, and the reasons of the others by how often each stands."""
    counted = {name: each for name, each in outcomes.items() if "macs" in each}
    incomplete = {name: each["uncounted"] for name, each in counted.items() if each["uncounted"]}
    reasons = collections.Counter(each["failure"] for each in outcomes.values() if "failure" in each)
    lines = [
        f"{len(outcomes)} types, {len(counted)} counted: "
        f"{sum(each['execution'] == 'meta' for each in counted.values())} on shapes, "
        f"{len(incomplete)} incomplete, {sum(each['macs'] == 0 for each in counted.values())} without MACs",
        *(f"incomplete: {name}: {', '.join(ops)}" for name, ops in incomplete.items()),
        *(f"{number:4} {reason}" for reason, number in reasons.most_common()),
    ]
    return "\n".join(lines)


def main() -> None:
    """Sweep, sum up, and store if asked to."""
    parser = argparse.ArgumentParser(description="Every config type of transformers, made small and counted.")
    parser.add_argument("types", nargs="*", metavar="TYPE")
    parser.add_argument("--again", metavar="REGEX", help="try those again whose outcome matches")
    parser.add_argument("--log", type=Path, default=Path(tempfile.gettempdir()) / "hf_sweep.jsonl")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--chunk", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.chunk:
        run_chunk(options.types, options.log)
        return
    from transformers import CONFIG_MAPPING, __version__

    known = read(options.log)
    again = {
        name for name, each in known.items() if options.again and re.search(options.again, json.dumps(each))
    }
    names = options.types or [name for name in CONFIG_MAPPING if name not in known or name in again]
    run_all(names, options.log)
    outcomes = read(options.log)
    print(summarize(outcomes))
    if options.store:
        STORED.write_text(format_list(outcomes, __version__))


def format_list(outcomes: dict[str, Outcome], version: str) -> str:
    """The list as it is stored, a line a type."""
    rows = [
        f"  {json.dumps(name)}: {json.dumps({key: each[key] for key in KEPT if key in each}, ensure_ascii=False)}"
        for name, each in sorted(outcomes.items())
    ]
    types = ",\n".join(rows)
    return f'{{"transformers": "{version}",\n "torch": "{torch.__version__}",\n "types": {{\n{types}\n}}}}\n'


if __name__ == "__main__":
    main()
