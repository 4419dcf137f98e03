"""Whether ``resflops history`` finds every change of cost that was planted in a repository, and no other.

    python tests/benchmarks/history.py [--commits 200] [--seed 1] [--keep FOLDER]

It makes a repository of so many commits with git: four models that share modules, changes of known layers by
known numbers of multiply-accumulates and parameters, changes taken back, refactorings that change no cost
(files renamed, layers renamed, code rewritten), merges, and commits that cannot be built, some of which hide a
change. What each commit costs is computed here in closed form, layer by layer, without resflops. Then a run
of resflops history is killed, the next goes on, and all that it names is compared with what was planted.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SIDE, CHANNELS, FEATURES = 16, 8, 32
IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
Costs = dict[str, tuple[int, int]]
"""The multiply-accumulates and the parameters of each layer."""


@dataclass
class Project:
    """The state that the files of the project are written from."""

    kernel: int = 3
    """The kernel of the block that two models share."""
    shared: str = "blocks"
    """The name of the shared module."""
    kernels: dict[str, list[int]] = field(default_factory=lambda: {"vision": [3, 3, 3], "detector": [3, 5]})
    extra: dict[str, int] = field(default_factory=lambda: {"vision": 0, "detector": 0})
    """How many convolutions of 1×1 follow."""
    widths: list[int] = field(default_factory=lambda: [48, 64, 48])
    """The hidden widths of the perceptron."""
    words: int = 100
    """The words of the tagger's vocabulary, which cost parameters alone."""
    outputs: int = 10
    prefix: str = "stage"
    """How the layers of the vision models are called."""
    style: int = 0
    """How the code is written, which changes nothing."""
    notes: int = 0
    """Lines of documentation, and of comments."""
    broken: str = ""
    """The module that has a mistake in it."""

    def list_costs(self) -> dict[str, Costs]:
        """List what every layer of every model costs, in closed form."""
        return {
            "vision": self._list_vision("vision"),
            "detector": self._list_vision("detector"),
            "perceptron": self._list_perceptron(),
            "tagger": {
                "embedding": (0, self.words * FEATURES),
                "tag": (FEATURES * self.outputs, FEATURES * self.outputs),
            },
        }

    def _list_vision(self, name: str) -> Costs:
        points = SIDE * SIDE
        costs: Costs = {"stem": (points * 3 * CHANNELS * 9, 3 * CHANNELS * 9)}
        for number, kernel in enumerate(self.kernels[name]):
            costs[f"{self.prefix}{number}"] = (points * (CHANNELS * kernel) ** 2, (CHANNELS * kernel) ** 2)
        costs["shared.conv"] = (points * (CHANNELS * self.kernel) ** 2, (CHANNELS * self.kernel) ** 2)
        for number in range(self.extra[name]):
            costs[f"extra{number}"] = (points * CHANNELS**2, CHANNELS**2)
        return costs

    def _list_perceptron(self) -> Costs:
        costs: Costs = {}
        for number, width in enumerate(self.widths):
            costs[f"wide{number}.up"] = costs[f"wide{number}.down"] = (FEATURES * width, FEATURES * width)
        return costs

    def write(self, folder: Path) -> None:
        """Write the files of the project, and remove those of an earlier state."""
        for path in (folder / "zoo").glob("*.py"):
            path.unlink()
        files = {
            "__init__": "",
            self.shared: self._write_shared(),
            "vision": self._write_vision("vision"),
            "detector": self._write_vision("detector"),
            "perceptron": self._write_perceptron(),
            "tagger": self._write_tagger(),
        }
        (folder / "zoo").mkdir(exist_ok=True)
        for name, text in files.items():
            ending = "def broken(:\n" if name == self.broken else ""
            (folder / "zoo" / f"{name}.py").write_text(text + ending, encoding="utf-8")
        (folder / "README.md").write_text("documentation\n" * self.notes, encoding="utf-8")

    def _write_shared(self) -> str:
        return f"""# {self.notes}
from torch import nn
KERNEL = {self.kernel}
def conv(before, after, kernel):
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
class Shared(nn.Module):
    def __init__(self, channels, kernel=KERNEL):
        super().__init__()
        self.conv = conv(channels, channels, kernel)
    def forward(self, x):
        return self.conv(x).relu()
"""

    def _write_vision(self, name: str) -> str:
        kernels, extra = self.kernels[name], self.extra[name]
        if self.style % 2:
            stages = f"""
        for number, kernel in enumerate({kernels}):
            self.add_module(f"{self.prefix}{{number}}", conv({CHANNELS}, {CHANNELS}, kernel))"""
        else:
            stages = "".join(
                f"\n        self.{self.prefix}{number} = conv({CHANNELS}, {CHANNELS}, {kernel})"
                for number, kernel in enumerate(kernels)
            )
        extras = "".join(
            f"\n        self.extra{number} = conv({CHANNELS}, {CHANNELS}, 1)" for number in range(extra)
        )
        return f"""from torch import nn
from .{self.shared} import Shared, conv
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv(3, {CHANNELS}, 3){stages}
        self.shared = Shared({CHANNELS}){extras}
    def forward(self, image):
        for layer in self.children():
            image = layer(image)
        return image
"""

    def _write_perceptron(self) -> str:
        # By a name that is computed, as registries of models do it.
        tagger = "importlib.import_module('.tagger', __package__)" if self.style % 3 == 2 else "None"
        return f"""import importlib
from torch import nn
unused = {tagger}
class Wide(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear({FEATURES}, width, bias=False)
        self.down = nn.Linear(width, {FEATURES}, bias=False)
    def forward(self, x):
        return x + self.down(self.up(x).relu())
class Net(nn.Sequential):
    def __init__(self):
        super().__init__()
        for number, width in enumerate({self.widths}):
            self.add_module(f"wide{{number}}", Wide(width))
"""

    def _write_tagger(self) -> str:
        return f"""from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding({self.words}, {FEATURES})
        self.tag = nn.Linear({FEATURES}, {self.outputs}, bias=False)
    def forward(self, x):
        return self.tag(self.embedding((x * 0).long()).mean(1))
"""


CONFIG = f"""
[models.vision]
spec = "zoo.vision:Net"
input = "1x3x{SIDE}x{SIDE}"
[models.detector]
spec = "zoo.detector:Net"
input = "1x3x{SIDE}x{SIDE}"
[models.perceptron]
spec = "zoo.perceptron:Net"
input = "1x{FEATURES}"
[models.tagger]
spec = "zoo.tagger:Net"
input = "1x1"
"""
MODULES = {"vision": "vision", "detector": "detector", "perceptron": "perceptron", "tagger": "tagger"}


KINDS = ["kernel", "kernel", "shared", "extra", "width", "words", "outputs"]


def plant(project: Project, draw: random.Random, kinds: list[str] = KINDS) -> str:
    """Change what one layer or one shared block costs, and say how."""
    kind = draw.choice(kinds)
    if kind == "kernel":
        kernels = project.kernels[draw.choice(["vision", "detector"])]
        place = draw.randrange(len(kernels))
        kernels[place] = draw.choice([kernel for kernel in (1, 3, 5, 7) if kernel != kernels[place]])
    elif kind == "shared":
        project.kernel = draw.choice([kernel for kernel in (1, 3, 5) if kernel != project.kernel])
    elif kind == "extra":
        name = draw.choice(["vision", "detector"])
        project.extra[name] = draw.choice([count for count in range(3) if count != project.extra[name]])
    elif kind == "width":
        place = draw.randrange(len(project.widths))
        project.widths[place] += draw.choice([-16, 16, 24]) if project.widths[place] > 16 else 16
    elif kind == "words":
        project.words += draw.randrange(1, 50)
    else:
        project.outputs += draw.randrange(1, 5)
    return f"plant: {kind}"


WAYS = ["notes", "notes", "style", "shared", "prefix"]


def refactor(project: Project, draw: random.Random, ways: list[str] = WAYS) -> str:
    """Change how the project is written and not what it costs, and say how."""
    kind = draw.choice(ways)
    if kind == "notes":
        project.notes += 1
    elif kind == "style":
        project.style += 1
    elif kind == "shared":
        project.shared = draw.choice(
            [name for name in ("blocks", "layers", "parts") if name != project.shared]
        )
    else:
        project.prefix = draw.choice([name for name in ("stage", "block", "level") if name != project.prefix])
    return f"refactor: {kind}"


class Repository:
    """The repository, with what each commit of its main line costs."""

    def __init__(self, folder: Path, draw: random.Random) -> None:
        self.folder = folder
        self.draw = draw
        self.project = Project()
        self.earlier: list[Project] = []
        self.costs: dict[str, dict[str, Costs | None]] = {}
        """By commit and model, what the layers cost; None where the model cannot be built."""
        self.count = 0
        self.planted = 0
        self.git("init", "-q", "-b", "main")
        (folder / "resflops.toml").write_text(CONFIG, encoding="utf-8")
        self.commit("first")

    def git(self, *words: str) -> str:
        """Run git."""
        when = f"{1_700_000_000 + self.count * 3600} +0000"
        done = subprocess.run(
            ["git", *IDENTITY, *words],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when},
        )
        return done.stdout.strip()

    def commit(self, subject: str) -> None:
        """Commit the project as it is now."""
        self.project.write(self.folder)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        self.count += 1
        self.note_costs()

    def note_costs(self) -> None:
        """Note what the models cost at the newest commit."""
        broken = self.project.broken
        uses = {name: {module, self.project.shared} for name, module in MODULES.items()}
        uses["perceptron"] = {"perceptron"} | ({"tagger"} if self.project.style % 3 == 2 else set())
        uses["tagger"] = {"tagger"}
        self.costs[self.git("rev-parse", "HEAD")] = {
            name: None if broken in uses[name] else costs for name, costs in self.project.list_costs().items()
        }

    def change(self) -> None:
        """Make one commit, or a branch of several that is merged."""
        kind = self.draw.choices(["plant", "revert", "refactor", "broken", "merge"], [30, 15, 35, 10, 10])[0]
        if kind == "plant":
            self.plant()
        elif kind == "revert" and self.earlier:
            self.revert()
        elif kind == "broken":
            self.break_and_repair()
        elif kind == "merge":
            self.merge()
        else:
            self.commit(refactor(self.project, self.draw))

    def plant(self) -> None:
        """Commit a change of cost."""
        self.earlier.append(deepcopy(self.project))
        self.planted += 1
        self.commit(plant(self.project, self.draw))

    def revert(self) -> None:
        """Take back a planted change and those of costs that followed it; what was refactored stays so."""
        self.planted += 1
        now, self.project = self.project, self.earlier.pop()
        for name in ("prefix", "style", "shared", "notes"):
            setattr(self.project, name, getattr(now, name))
        self.commit("revert")

    def break_and_repair(self) -> None:
        """Commit code that cannot be built, for a commit or two, and sometimes change a cost meanwhile."""
        self.project.broken = self.draw.choice([*MODULES.values(), self.project.shared])
        self.commit("broken")
        if self.draw.random() < 0.5:
            self.plant_unseen()
        self.project.broken = ""
        self.commit("repaired")

    def plant_unseen(self) -> None:
        """Commit a change of a model that cannot be built."""
        lacking = [name for name, costs in self.costs[self.git("rev-parse", "HEAD")].items() if costs is None]
        before, started = self.project.list_costs(), deepcopy(self.project)
        subject = ""
        while all(self.project.list_costs()[name] == before[name] for name in lacking):
            self.project = deepcopy(started)
            subject = plant(self.project, self.draw)
        self.planted += 1
        self.commit(subject)

    def merge(self) -> None:
        """Merge a branch of one to three commits; the main line may change another model meanwhile."""
        self.git("switch", "-q", "-c", f"branch{self.count}")
        name, start = self.git("rev-parse", "--abbrev-ref", "HEAD"), deepcopy(self.project)
        for _ in range(self.draw.randrange(1, 4)):
            if self.draw.random() < 0.6:
                self.planted += 1
                self.commit(plant(self.project, self.draw, ["kernel", "shared", "extra", "width"]))
            else:
                # No layer is renamed: which one it was is not told by a merge that changes it as well.
                self.commit(refactor(self.project, self.draw, ["notes", "style", "shared"]))
        self.git("switch", "-q", "main")
        if self.draw.random() < 0.5:
            branch, self.project = self.project, start
            self.planted += 1
            self.commit(plant(self.project, self.draw, ["words", "outputs"]))
            branch.words, branch.outputs = self.project.words, self.project.outputs
            self.project = branch
        self.git("merge", "-q", "--no-ff", "-m", f"merge {name}", name)
        self.count += 1
        self.note_costs()


@dataclass(frozen=True)
class Step:
    """A change of what a model costs at a commit."""

    model: str
    commit: str
    since: str
    """The last commit before at which the model can be built."""
    macs: int
    params: int
    layers: frozenset[tuple[str, int, int]]
    """The layers with their changes of both."""


def expect_steps(repository: Repository) -> Iterator[Step]:
    """What was planted, along the main line."""
    line = repository.git("rev-list", "--first-parent", "--reverse", "HEAD").split()
    for model in MODULES:
        before: tuple[str, Costs] | None = None
        for commit in line:
            costs = repository.costs[commit][model]
            if costs is None:
                continue
            if before and sum_costs(before[1]) != sum_costs(costs):
                yield make_step(model, before, (commit, costs))
            before = commit, costs


def expect_every_step(repository: Repository) -> Iterator[Step]:
    """What was planted, by the commit itself: a merge only brings together what its sides have."""
    listed = repository.git("rev-list", "--parents", "HEAD").splitlines()
    parents = {commit: rest for commit, *rest in map(str.split, listed)}
    for model in MODULES:
        for commit, own in parents.items():
            costs = repository.costs[commit][model]
            before = own[0] if len(own) == 1 else ""
            while before and repository.costs[before][model] is None:
                before = next(iter(parents[before]), "")
            was = repository.costs[before][model] if before else None
            if costs and was and sum_costs(was) != sum_costs(costs):
                yield make_step(model, (before, was), (commit, costs))


def make_step(model: str, before: tuple[str, Costs], after: tuple[str, Costs]) -> Step:
    """The step between two commits, each with its costs."""
    was, now = sum_costs(before[1]), sum_costs(after[1])
    return Step(
        model=model,
        commit=after[0],
        since=before[0],
        macs=now[0] - was[0],
        params=now[1] - was[1],
        layers=compare_layers(before[1], after[1]),
    )


def sum_costs(costs: Costs) -> tuple[int, int]:
    """What all layers cost together."""
    return sum(macs for macs, _ in costs.values()), sum(params for _, params in costs.values())


def compare_layers(before: Costs, after: Costs) -> frozenset[tuple[str, int, int]]:
    """Which layers changed and by how much, whatever the layers are called that changed nothing else."""
    renamed = {strip_prefix(name): cost for name, cost in before.items()}
    now = {strip_prefix(name): (name, cost) for name, cost in after.items()}
    old = {strip_prefix(name): name for name in before}
    changes = set()
    for key in {*renamed, *now}:
        was = renamed.get(key, (0, 0))
        name, cost = now.get(key, (old.get(key, ""), (0, 0)))
        if cost != was:
            changes.add((name, cost[0] - was[0], cost[1] - was[1]))
    return frozenset(changes)


def strip_prefix(name: str) -> str:
    """Strip what a refactoring calls the stages by."""
    for prefix in ("stage", "block", "level"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def read_steps(document: dict[str, Any]) -> Iterator[Step]:
    """What resflops history found."""
    layers: dict[tuple[str, str], set[tuple[str, int, int]]] = {}
    for row in document.get("changes", []):
        if row["macs"] or row["params"]:
            key = (row["model"], row["hash"])
            layers.setdefault(key, set()).add((row["new_name"] or row["layer"], row["macs"], row["params"]))
    for row in document["rows"]:
        if row["event"] == "step":
            yield Step(
                model=row["model"],
                commit=row["hash"],
                since=row["since"],
                macs=row["macs_change"],
                params=row["params_change"],
                layers=frozenset(layers[row["model"], row["hash"]]),
            )


def run_history(
    folder: Path, cache: Path, *options: str, output: int = subprocess.PIPE
) -> "subprocess.Popen[str]":
    """Start resflops history over all commits."""
    first = subprocess.run(
        ["git", "rev-list", "--max-parents=0", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "resflops",
            "history",
            f"{first}..HEAD",
            "--format=json",
            *options,
        ],
        cwd=folder,
        stdout=output,
        text=True,
        env={**os.environ, "RESFLOPS_CACHE": str(cache)},
    )


def take(start: Callable[[], "subprocess.Popen[str]"]) -> tuple[dict[str, Any], float]:
    """Run resflops history, and how many seconds it takes."""
    began = time.perf_counter()
    process = start()
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"resflops history ended with {process.returncode}")
    document: dict[str, Any] = json.loads(output)
    return document, time.perf_counter() - began


def kill_history(folder: Path, cache: Path, *options: str, after: int) -> int:
    """Kill resflops history with SIGKILL when so many figures are kept, and say how many there are."""
    process = run_history(folder, cache, *options, output=subprocess.DEVNULL)
    while process.poll() is None and len(list_kept(cache)) < after:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return len(list_kept(cache))


def list_kept(cache: Path) -> list[Path]:
    """List the entries of a cache."""
    return [path for path in cache.glob("traces/??/*") if len(path.name) == 62]


def main() -> None:
    """Make the repository, run the command, and compare."""
    parser = argparse.ArgumentParser(description="What resflops history finds of what was planted.")
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="make the repository here, and leave it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary) / "repository"
        folder.mkdir(parents=True)
        repository = Repository(folder, random.Random(args.seed))
        while repository.count < args.commits:
            repository.change()
        line = repository.git("rev-list", "--first-parent", "HEAD").split()
        merges = repository.git("rev-list", "--merges", "HEAD").split()
        unbuilt = sum(None in costs.values() for costs in repository.costs.values())
        print(
            f"{repository.count} commits, {len(line)} on the main line, {len(merges)} merges, {unbuilt} broken"
        )

        cache, workers = Path(temporary) / "cache", f"--workers={args.workers}"
        kept = [
            kill_history(folder, cache, workers, after=args.commits * number // 4) for number in range(1, 4)
        ]
        resumed, seconds = take(lambda: run_history(folder, cache, workers))
        print(
            f"killed with {', '.join(map(str, kept))} figures kept, "
            f"then {resumed['counted']} counted in {seconds:.1f} s"
        )
        again, seconds = take(lambda: run_history(folder, cache, workers))
        print(f"once more from the cache: {again['counted']} counted in {seconds:.1f} s")
        whole, seconds = take(lambda: run_history(folder, Path(temporary) / "other", workers))
        print(f"in one run without a cache: {whole['counted']} counted in {seconds:.1f} s")
        same = resumed["rows"] == again["rows"] == whole["rows"]
        print(f"all three runs say the same: {'yes' if same else 'NO'}")
        every, seconds = take(lambda: run_history(folder, cache, workers, "--every-commit"))
        print(f"every commit: {every['counted']} more counted in {seconds:.1f} s")
        print(f"{repository.planted} commits were planted or taken back")
        right = [
            report("along the main line", set(expect_steps(repository)), whole, repository),
            report("every commit", set(expect_every_step(repository)), every, repository),
        ]
        if not (same and all(right)):
            sys.exit(1)


def report(name: str, expected: set[Step], document: dict[str, Any], repository: Repository) -> bool:
    """Print what was found of what was expected, and say whether it is that and nothing else."""
    found = set(read_steps(document))
    hidden = sum(repository.git("rev-parse", f"{step.commit}^") != step.since for step in expected)
    print(
        f"{name}: {len(expected)} steps of a model, {hidden} of them hidden by commits that cannot be built; "
        f"found to commit, layers and MACs: {len(expected & found)}, missed: {len(expected - found)}, "
        f"false: {len(found - expected)}"
    )
    for kind, steps in (("missed", expected - found), ("false", found - expected)):
        for step in sorted(steps, key=lambda step: (step.model, step.commit)):
            print(f"  {kind}: {step}")
    return expected == found


if __name__ == "__main__":
    main()
