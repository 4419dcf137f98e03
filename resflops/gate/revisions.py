"""Count models at other git revisions, each in a clean checkout, or in the user's work tree, as it is.

Each is counted in a process of its own.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from resflops.cost.convention import DEFAULT_CONVENTION
from resflops.errors import RevisionError
from resflops.gate.git import name_commit, open_checkout, resolve_commit, run_git
from resflops.gate.lockfile import read_lock
from resflops.gate.snapshot import Snapshot
from resflops.process.own_program import build_command
from resflops.records import Shape

__all__ = ["WORK_TREE", "Request", "name_revision", "parse_revisions", "snapshot_revision"]


class Request(Struct, frozen=True, kw_only=True):
    """The request to the process that counts the models of one revision."""

    config: str
    """The path of the configuration, which the revision may not have."""
    result: str
    """The path of the lock file to write."""
    notes: str
    """The path of the file for what a lock file does not keep: the models' notes, and which were stored."""
    sources: tuple[str, ...]
    """The folders to import the project's code from, before anything that is installed."""
    models: tuple[str, ...]
    """Names in that configuration, or specs; if empty, all models of the configuration."""
    input: Shape | None
    """The shape of the input of models that are given by their specs; their usual one if None."""
    convention: str
    """The convention of models that are given by their specs."""
    batch: int | None = None
    """The batch of models that are given by their specs, in place of that of their input."""
    fresh: bool = False
    """Whether to trace models even if traces of them are stored."""
    memory: bool = False
    """Whether to work out the peaks of memory, too."""


WORK_TREE = ""
"""What stands for the files as they are, in place of a commit."""


def parse_revisions(text: str, repository: Path) -> tuple[str, str]:
    """Find the two commits of ``A..B``, or of ``A...B``, which begins where B branched off from A.

    A single ``A`` is compared with the work tree, as ``git diff A`` does.

    Raises:
        RevisionError: ``text`` names no revision, or git does not know one of them.
    """
    from_merge_base = "..." in text
    first, dots, second = text.partition("..." if from_merge_base else "..")
    if not text.strip():
        raise RevisionError(
            f"--rev {text!r} names no revision; give two to compare, as in main..HEAD, or one to compare the "
            "work tree with, as in HEAD~1"
        )
    if not dots:
        return resolve_commit(text, repository), WORK_TREE
    # As in git's own ranges, a missing name is HEAD.
    old, new = (resolve_commit(name or "HEAD", repository) for name in (first, second))
    if from_merge_base:
        old = run_git(
            repository, "merge-base", old, new, failure=f"{first} and {second} have no commit in common"
        )
    return old, new


def snapshot_revision(
    commit: str,
    *,
    repository: Path,
    config: Path,
    models: Sequence[str],
    input_shape: Shape | None = None,
    batch: int | None = None,
    convention: str = DEFAULT_CONVENTION,
    fresh: bool = False,
    memory: bool = False,
) -> dict[str, Snapshot]:
    """Count models at a commit, or in the work tree.

    Args:
        commit: a full hash, any other name that git resolves, or ``WORK_TREE``.
        repository: the top folder of the repository.
        config: the path of the configuration in the repository; it is read as it is at that commit.
        models: names in that configuration, or specs; if empty, all models of the configuration.
        input_shape: the shape of the input of models given by their specs; their usual one if None.
        batch: the batch of models given by their specs, in place of that of their input.
        convention: the convention of models given by their specs.
        fresh: whether to trace models even if traces of them are stored.
        memory: whether to work out the peaks of memory, too.

    Raises:
        RevisionError: the commit cannot be checked out, or its models cannot be counted.
    """
    checked_out = nullcontext(repository) if commit == WORK_TREE else _check_out(repository, commit)
    with checked_out as folder, tempfile.TemporaryDirectory() as out:
        request = Request(
            config=str(folder / config.resolve().relative_to(repository.resolve())),
            result=str(Path(out) / "resflops.lock"),
            notes=str(Path(out) / "notes.json"),
            # Both layouts of a project; the one that the revision does not have harms nothing.
            sources=(str(folder), str(folder / "src")),
            models=tuple(models),
            input=input_shape,
            batch=batch,
            convention=convention,
            fresh=fresh,
            memory=memory,
        )
        process = _count_in_process(request, folder)
        if process.returncode:
            name = name_revision(commit, repository)
            # The path of the worktree means nothing to the user: it is removed when this block ends.
            message = process.stderr.strip().replace(str(folder), name)
            place = "in" if commit == WORK_TREE else "at"
            raise RevisionError(f"{place} {name}: {message.removeprefix('resflops: ')}")
        notes = msgspec.json.decode(
            Path(request.notes).read_bytes(), type=dict[str, tuple[tuple[str, ...], str]]
        )
        return {
            name: replace(snapshot, notes=notes[name][0], stored=notes[name][1])
            for name, snapshot in read_lock(request.result).snapshots.items()
        }


def _count_in_process(request: Request, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this installation of resflops on the code in a folder."""
    return subprocess.run(  # noqa: S603 - our own program
        build_command("resflops.gate.at_revision"),
        input=msgspec.json.encode(request).decode(),
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
    )


@contextmanager
def _check_out(repository: Path, commit: str) -> Iterator[Path]:
    """Check out a commit into a temporary folder, which leaves the user's own files as they are."""
    with open_checkout(repository) as checkout:
        checkout.move_to(commit)
        yield checkout.folder


def name_revision(commit: str, repository: Path) -> str:
    """Name a commit as people know it: ``c4495ea (its subject)``, or the work tree."""
    return "the work tree" if commit == WORK_TREE else name_commit(commit, repository)
