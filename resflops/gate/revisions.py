"""What models cost at another git revision: in a clean worktree, in a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from resflops.cost.convention import DEFAULT_CONVENTION
from resflops.errors import RevisionError
from resflops.gate.lockfile import read_lock
from resflops.gate.snapshot import Snapshot
from resflops.records import Shape

__all__ = ["Request", "find_repository", "name_commit", "parse_revisions", "snapshot_revision"]


class Request(Struct, frozen=True, kw_only=True):
    """What the process of one revision is asked."""

    config: str
    """Path of the configuration, if there is one at that revision."""
    result: str
    """Path of the lock file to write."""
    sources: tuple[str, ...]
    """Folders to import the project's code from, before any installed."""
    models: tuple[str, ...]
    """Names in that configuration, or specs; all that it names if empty."""
    input: Shape | None
    """Of the models named by specs; their usual ones if None."""
    convention: str
    """Of the models named by specs."""


def parse_revisions(text: str, repository: Path) -> tuple[str, str]:
    """The two commits of ``A..B``, or of ``A...B``, which is from where B left A.

    Raises:
        RevisionError: it is no such pair, or git knows no such commit.
    """
    three = "..." in text
    first, dots, second = text.partition("..." if three else "..")
    if not text.strip():
        raise RevisionError(f"--rev {text!r} names no revision; give the two to compare, as in main..HEAD")
    if not dots:
        raise RevisionError(f"--rev {text!r} names one revision, and two are compared, as in main..HEAD")
    old, new = (_resolve_commit(name or "HEAD", repository) for name in (first, second))
    if three:
        old = _run_git(
            repository, "merge-base", old, new, says=f"{first} and {second} have nothing in common"
        )
    return old, new


def find_repository(folder: Path) -> Path:
    """The top folder of the git repository that a folder lies in.

    Raises:
        RevisionError: it lies in none, or there is no git.
    """
    return Path(_run_git(folder, "rev-parse", "--show-toplevel", says=f"{folder} is in no git repository"))


def snapshot_revision(
    commit: str,
    *,
    repository: Path,
    config: Path,
    models: Sequence[str],
    input_shape: Shape | None = None,
    convention: str = DEFAULT_CONVENTION,
) -> dict[str, Snapshot]:
    """What models cost at a commit.

    Args:
        commit: a full hash, or anything that git resolves.
        repository: its top folder.
        config: path of the configuration, in the repository; the one at that commit is read.
        models: names in that configuration, or specs; all that it names if empty.
        input_shape: of the models named by specs; their usual ones if None.
        convention: of the models named by specs.

    Raises:
        RevisionError: the commit cannot be checked out, or its models cannot be counted.
    """
    with _check_out(repository, commit) as folder, tempfile.TemporaryDirectory() as out:
        request = Request(
            config=str(folder / config.resolve().relative_to(repository.resolve())),
            result=str(Path(out) / "resflops.lock"),
            sources=(str(folder), str(folder / "src")),
            models=tuple(models),
            input=input_shape,
            convention=convention,
        )
        done = _count_in_process(request, folder)
        if done.returncode:
            name = name_commit(commit, repository)
            said = done.stderr.strip().replace(str(folder), name)
            raise RevisionError(f"at {name}: {said.removeprefix('resflops: ')}")
        return dict(read_lock(request.result).snapshots)


def _count_in_process(request: Request, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this very resflops on the code in a folder."""
    home = str(Path(__file__).parents[2])
    command = (
        "import sys; sys.path.insert(0, sys.argv[1]); import resflops.gate.at_revision as at; "
        "del sys.path[0]; sys.exit(at.main())"
    )
    # -P: what lies in the worktree must not be taken for resflops itself or for the standard library.
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
    """A checkout of a commit beside the user's own, which is left as it is."""
    with tempfile.TemporaryDirectory(prefix="resflops-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary).resolve() / "tree"
        # No hook: a worktree is none of the events that a project's hooks are for.
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
        _run_git(repository, *add, says=f"{name_commit(commit, repository)} could not be checked out")
        try:
            yield folder
        finally:
            _run_git(
                repository, "worktree", "remove", "--force", str(folder), says="a worktree stayed behind"
            )


def _resolve_commit(name: str, repository: Path) -> str:
    return _run_git(
        repository,
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}",
        says=f"git knows no revision {name!r} here; in a shallow clone fetch it first, as with "
        "fetch-depth: 0 of actions/checkout",
    )  # fmt: skip


def name_commit(commit: str, repository: Path) -> str:
    """A commit as people know it: ``c4495ea (its subject)``."""
    return _run_git(repository, "log", "-1", "--format=%h (%s)", commit, says=f"git knows no commit {commit}")


def _run_git(folder: Path, *arguments: str, says: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whatever git the user has
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            # In English, so that what it says twice is known.
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise RevisionError(f"git could not be run: {error.strerror}; --rev needs it") from error
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        said = not reason or ("no git repository" in says and "not a git repository" in reason)
        raise RevisionError(says if said else f"{says}: {reason}")
    return done.stdout.strip()
