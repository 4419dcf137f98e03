"""The commits of a range."""

from pathlib import Path

from msgspec import Struct

from resflops.errors import RevisionError
from resflops.gate.git import name_commit, run_git
from resflops.gate.revisions import parse_revisions

__all__ = ["Commit", "list_commits"]

FIELDS = ("%H", "%T", "%P", "%h", "%ct", "%cs", "%an", "%D", "%s")
"""What git tells of a commit: the fields of ``Commit``, in its order."""


class Commit(Struct, frozen=True, kw_only=True):
    """One commit of the range, or the one that it is compared with."""

    hash: str
    tree: str
    """The hash of all its files."""
    parents: tuple[str, ...]
    short: str
    time: int
    """When it was committed, in seconds since 1970."""
    date: str
    author: str
    tags: tuple[str, ...]
    subject: str


def list_commits(text: str, repository: Path, *, every: bool = False) -> tuple[Commit, ...]:
    """List the commits of a range, the oldest first, after the one that it begins from.

    Args:
        text: ``A..B``, ``A...B``, which begins where B branched off from A, or ``A`` for ``A..HEAD``.
        repository: the top folder of the repository.
        every: whether to list the commits of merged branches as well, each after its parents. Otherwise a
            merge is one commit, which brings all that its branch changed.

    Returns:
        The commits. The first is the parent of the oldest one in the range, if that has one; with all
        branches, there may be several that these begin from.

    Raises:
        RevisionError: the range names no revision, git does not know one of them, or it has no commit.
    """
    if not text.strip():
        raise RevisionError(f"the range {text!r} names no revision; give one as in v1.0..HEAD")
    old, new = parse_revisions(text if ".." in text else f"{text}..HEAD", repository)
    line = () if every else ("--first-parent",)
    commits = _read_log(repository, *line, "--topo-order", "--reverse", f"{old}..{new}")
    if not commits:
        names = [name_commit(commit, repository) for commit in (old, new)]
        what = "both are" if old == new else f"{names[1]} is before"
        raise RevisionError(f"there is no commit in {text}: {what} {names[0]}; give the older revision first")
    # Not the revision that the range begins at, which may lie on another branch with changes of its own.
    listed = {commit.hash for commit in commits}
    before = [parent for commit in commits for parent in commit.parents] if every else commits[0].parents[:1]
    begins = [parent for parent in dict.fromkeys(before) if parent not in listed]
    return (*(_read_log(repository, "--no-walk=unsorted", *begins) if begins else ()), *commits)


def _read_log(repository: Path, *arguments: str) -> tuple[Commit, ...]:
    listed = run_git(
        repository,
        "log",
        "--no-color",
        "--decorate-refs=refs/tags/",
        "--decorate=short",
        # A null character is the one sign that no name and no subject has.
        f"--format={''.join(f'{field}%x00' for field in FIELDS)}",
        *arguments,
        failure="git could not list the commits",
    )
    values = listed.split("\0")[:-1]
    return tuple(
        _read_commit(values[start : start + len(FIELDS)]) for start in range(0, len(values), len(FIELDS))
    )


def _read_commit(fields: list[str]) -> Commit:
    commit, tree, parents, short, time, date, author, names, subject = fields
    return Commit(
        # Between two commits is the end of a line.
        hash=commit.lstrip(),
        tree=tree,
        parents=tuple(parents.split()),
        short=short,
        time=int(time),
        date=date,
        author=author,
        tags=tuple(name.removeprefix("tag: ") for name in names.split(", ") if name.startswith("tag: ")),
        subject=subject,
    )
