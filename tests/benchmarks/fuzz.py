"""Damage every kind of file that resflops reads, and the command line, and see how each command ends.

    python tests/benchmarks/fuzz.py                   # 10,000 inputs, on all cores but one
    python tests/benchmarks/fuzz.py --inputs 500 --seed 7

Each input must end within a limit, without a traceback, and with a status that it can have: 0, 1 where a
check compares what is locked, or 2. What does not is printed with its seed, by which it is made again.
"""

import argparse
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

LIMIT = 5.0
"""Seconds that one input may take."""


class Target(NamedTuple):
    """A kind of file, and the command that reads it."""

    file: str
    command: tuple[str, ...]
    statuses: tuple[int, ...] = (0, 2)


TARGETS = {
    "config": Target("resflops.toml", ("check",), (0, 1, 2)),
    "lock": Target("resflops.lock", ("check",), (0, 1, 2)),
    "trace": Target("trace.json", ("diff", "trace.json", "sound.json")),
    "cost": Target("cost.json", ("diff", "cost.json", "sound.json", "--convention", "thop")),
    "measurements": Target("times.json", ("bench", "--show", "times.json", "--format", "json")),
    "hf": Target("config.json", ("table", "--models", "hf/config.json")),
    "command": Target("", ("table", "--models", "resnet20", "--input", "3x32x32", "--convention", "flops",
                           "--format", "csv")),
}  # fmt: skip

HF = {
    "model_type": "gpt2", "n_layer": 1, "n_embd": 32, "n_head": 2, "vocab_size": 50, "n_positions": 64,
    "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
}  # fmt: skip

MENACING: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**70, -(2**70), 10**25, 10**400, 0.0, -0.5, 1e308,
    "", "x", "\x1b[31mred", "\0", "\ud800", "../..", "a" * 3000, "9" * 5000, "hf-hub:x/y", "\u202e",
    [], [[]], [0], [-1], [1, 2, 3, 4, 5, 6, 7], {}, {"a": {}}, [None],
)  # fmt: skip

TEXTS = (
    b"\xff\xfe", b"\0", b"[" * 3000, b"{" * 3000, b"9" * 5000, b"1e999", b"NaN", b"\\ud800", b"\x1b[31m", b'"',
    b"]", b"}", b"=", b"\n", b"-", b"0x" + b"f" * 4000, b"inf", b"'''", b'[models."a"]\n', b"a.b.c.d = 1\n",
)  # fmt: skip

WORDS = (
    "table", "layers", "lock", "check", "diff", "report", "models", "conventions", "ops", "peers", "--models",
    "--input", "--format", "--out", "--convention", "--config", "--depth", "--all", "--check", "resnet20", "vgg1?",
    "3x32x32", "json", "github", "", "-", "--", "x" * 300, "\x1b[31m", "\udcff", "/dev/null", "/dev/zero", ".",
    "resnet20,num_classes=0x" + "f" * 4000, "resnet20,num_classes=" + "9" * 5000, "resnet20,shortcut=[[[[", "a:b",
    "hf/config.json,n_layer=10000000000", "1x" * 200, "9" * 30, "None", "nets.py:net", "timm/x,checkpoint_path=/x",
    "sound.json", "resflops.lock", "--rev", "..", "--show", "times.json", "--help", "--version", "--strict",
)  # fmt: skip


def write_sound_files(folder: Path) -> None:
    """Write one sound file of each kind."""
    from torch import nn

    import resflops

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5)
    )
    trace = resflops.trace(model, (1, 3, 8, 8))
    trace.save(folder / "trace.json")
    trace.save(folder / "sound.json")
    resflops.count(trace).save(folder / "cost.json")
    (folder / "config.json").write_text(json.dumps(HF))
    (folder / "resflops.toml").write_text(
        'convention = "flops"\ntolerance = { macs = "+1%" }\n[models.a]\nspec = "resnet20"\ninput = "3x32x32"\n'
        'budget = { macs = "4G", params = 300_000 }\nallow-uncounted = ["x"]\n'
    )
    for command in (
        ["lock"],
        ["bench", "--models", "resnet20", "--device", "cpu", "--rounds", "2", "--seconds", "0.02", "--warm-up",
         "0.01", "--layers", "--save", "times.json"],
    ):  # fmt: skip
        if (run_command(folder, command)).status:
            raise RuntimeError(f"{command} failed")


class Ending(NamedTuple):
    """How a command ended."""

    status: int | None
    """None for a hang."""
    said: str


def run_command(folder: Path, command: list[str], *, limit: float = 120.0) -> Ending:
    """Run a command in this process, which has torch loaded already."""
    from resflops.cli import main

    said = io.StringIO()

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit)
    begin = time.monotonic()
    try:
        with chdir(folder), redirect_stdout(io.StringIO()), redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status: int | None = main([*command, "--no-progress"])
    except TimeoutError:
        status = None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return Ending(None if time.monotonic() - begin >= limit else status, said.getvalue())


def list_places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the paths to all values inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*path, key)
        yield from list_places(each, (*path, key))


def damage_value(data: Any, draw: random.Random) -> Any:
    """Change one to three values of a document: another value, one less, a copy, or another place's."""
    for _ in range(draw.randint(1, 3)):
        places = list(list_places(data))
        if not places:
            return data
        *path, last = draw.choice(places)
        holder = data
        for key in path:
            holder = holder[key]
        how = draw.randrange(4)
        if how == 0:
            del holder[last]
        elif how == 1 and isinstance(holder, list):
            holder.insert(last, holder[last])
        elif how == 2 and isinstance(holder[last], int):
            holder[last] = holder[last] * draw.choice((-1, 2, 10**6, 10**20)) + draw.choice((-1, 0, 1))
        else:
            holder[last] = draw.choice(MENACING)
    return data


def damage_bytes(data: bytes, draw: random.Random) -> bytes:
    """Cut a file, or put something between its bytes or in place of some."""
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(data) + 1)
        end = min(at + draw.choice((0, 0, 1, 2, 10, 200)), len(data))
        what = draw.choice((*TEXTS, bytes([draw.randrange(256)]), data[at : at + 40]))
        data = data[:at] if draw.randrange(12) == 0 else data[:at] + what + data[end:]
    return data


def make_input(kind: str, sound: bytes, draw: random.Random) -> bytes:
    """Make one damaged file."""
    if kind in {"config", "lock"} or draw.randrange(3) == 0:
        return damage_bytes(sound, draw)
    try:
        sys.set_int_max_str_digits(0)
        return json.dumps(damage_value(json.loads(sound), draw)).encode()
    finally:
        sys.set_int_max_str_digits(4300)


def make_command(draw: random.Random) -> list[str]:
    """Make one damaged command line."""
    words = list(TARGETS["command"].command)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(words) + 1)
        words[at : at + draw.randrange(2)] = [draw.choice(WORDS)]
    # What measures or crosschecks takes its time, and is no reading of files.
    return [word for word in words if word not in {"bench", "crosscheck"}] or ["table"]


def try_input(kind: str, seed: int, folder: Path, *, limit: float = LIMIT) -> str:
    """Try one input; returns what is wrong, or an empty text."""
    draw, target = random.Random(seed), TARGETS[kind]
    command, sound = list(target.command), b""
    if kind == "command":
        command = make_command(draw)
    else:
        sound = (folder / target.file).read_bytes()
        (folder / target.file).write_bytes(make_input(kind, sound, draw))
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    try:
        ending = run_command(folder, command, limit=limit)
    finally:
        for path in folder.iterdir():
            if path not in kept and path.is_file():
                path.unlink()
        for path, content in kept.items():
            path.write_bytes(content)
        if sound:
            (folder / target.file).write_bytes(sound)
    statuses = (0, 1, 2) if kind == "command" else target.statuses
    if ending.status is None:
        return "hang"
    if "Traceback" in ending.said or "please report it" in ending.said:
        return f"traceback: {ending.said.strip().splitlines()[-1][:200]}"
    if ending.status not in statuses or (ending.status == 2 and not ending.said):
        return f"status {ending.status}: {ending.said[:200]}"
    return "control character" if not ending.said.replace("\n", "").isprintable() else ""


def try_inputs(kind: str, seeds: range) -> list[tuple[str, int, str]]:
    """Try inputs of one kind in a folder of their own."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sound_files(folder)
        # The first of a kind loads packages, which is not what the limit is about.
        run_command(folder, list(TARGETS[kind].command))
        run_command(folder, ["table", "--models", "timm/x"])
        return [(kind, seed, try_input(kind, seed, folder)) for seed in seeds]


def main() -> int:
    """Try all inputs and print how they ended."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=list(TARGETS))
    parser.add_argument("--workers", type=int, default=max((os.cpu_count() or 2) - 1, 1))
    args = parser.parse_args()
    each = -(-args.inputs // len(args.kinds))
    step = min(200, each)
    ranges = [
        (kind, range(begin, min(begin + step, args.seed + each)))
        for begin in range(args.seed, args.seed + each, step)
        for kind in args.kinds
    ]
    found: Counter[str] = Counter()
    begin, tried = time.monotonic(), 0
    with ProcessPoolExecutor(args.workers) as pool:
        function: Callable[..., list[tuple[str, int, str]]] = try_inputs
        for outcomes in pool.map(function, *zip(*ranges, strict=True)):
            for kind, seed, fault in outcomes:
                tried += 1
                if fault:
                    found[fault.partition(":")[0].split()[0]] += 1
                    print(f"{kind} {seed}: {fault}", flush=True)
    counts = ", ".join(f"{found[name]} {name}" for name in ("traceback", "hang", "status", "control"))
    print(f"{tried} inputs in {time.monotonic() - begin:.0f} s: {counts}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
