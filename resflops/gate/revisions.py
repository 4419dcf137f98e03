"""Count models at other git revisions, each in a clean worktree, or in the user's own, as it is.

Each is counted in a process of its own.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from resflops.cost.convention import DEFAULT_CONVENTION
from resflops.errors import RevisionError
from resflops.gate.lockfile import read_lock
from resflops.gate.snapshot import Snapshot
from resflops.records import Shape

__all__ = ["WORK_TREE", "Request", "find_repository", "name_commit", "parse_revisions", "snapshot_revision"]


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
        return _resolve_commit(text, repository), WORK_TREE
    # As in git's own ranges, a missing name is HEAD.
    old, new = (_resolve_commit(name or "HEAD", repository) for name in (first, second))
    if from_merge_base:
        old = _run_git(
            repository, "merge-base", old, new, failure=f"{first} and {second} have no commit in common"
        )
    return old, new


def find_repository(folder: Path) -> Path:
    """Find the top folder of the git repository that a folder lies in.

    Raises:
        RevisionError: the folder is in no git repository, or git cannot be run.
    """
    return Path(
        _run_git(folder, "rev-parse", "--show-toplevel", failure=f"{folder} is not in a git repository")
    )


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
            name = name_commit(commit, repository)
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
    # The revision may contain a resflops of its own. This one is put first, imported, and taken out again,
    # so that the project's imports find what they would find without it.
    home = str(Path(__file__).parents[2])
    command = (
        "import sys; sys.path.insert(0, sys.argv[1]); import resflops.gate.at_revision as at; "
        "del sys.path[0]; sys.exit(at.main())"
    )
    # -P: without it, Python would look for resflops and for the standard library in the worktree first.
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-P", "-c", command, home],
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
    """Check out a commit into a temporary worktree, which leaves the user's own files as they are."""
    with tempfile.TemporaryDirectory(prefix="resflops-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary).resolve() / "tree"
        # Without hooks: git runs post-checkout in a new worktree too, where a project's hook has no work.
        add = (
            "-c",
            "core.hooksPath=/dev/null",
            "worktree",
            "add",
            "--quiet",
            "--detach",
            str(folder),
            commit,
        )
        _run_git(repository, *add, failure=f"{name_commit(commit, repository)} could not be checked out")
        try:
            yield folder
        finally:
            _run_git(
                repository,
                "worktree",
                "remove",
                "--force",
                str(folder),
                failure="a worktree could not be removed",
            )


def _resolve_commit(name: str, repository: Path) -> str:
    return _run_git(
        repository,
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}",
        failure=f"git does not know the revision {name!r} here; "
        "in a shallow clone fetch it first, as with fetch-depth: 0 of actions/checkout",
    )  # fmt: skip


def name_commit(commit: str, repository: Path) -> str:
    """Name a commit as people know it: ``c4495ea (its subject)``, or the work tree."""
    if commit == WORK_TREE:
        return "the work tree"
    return _run_git(
        repository, "log", "-1", "--format=%h (%s)", commit, failure=f"git does not know the commit {commit}"
    )


def _run_git(folder: Path, *arguments: str, failure: str) -> str:
    """Run git and return what it prints.

    Args:
        folder: the folder to run it in.
        arguments: the arguments of the command.
        failure: the message if it fails, to which git's own reason is added.

    Raises:
        RevisionError: git failed, or cannot be run.
    """
    try:
        process = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whatever git the user has
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            # In English, because the reason is compared below.
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise RevisionError(f"git could not be run: {error.strerror}; install it to use --rev") from error
    if process.returncode:
        reason = process.stderr.strip().rpartition("\n")[2]
        # Git's reason is left out where the message says the same already.
        is_said = not reason or ("not in a git repository" in failure and "not a git repository" in reason)
        raise RevisionError(failure if is_said else f"{failure}: {reason}")
    return process.stdout.strip()
