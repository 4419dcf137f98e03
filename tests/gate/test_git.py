"""Commits are checked out beside the user's files, which stay as they are."""

import subprocess
from pathlib import Path

import pytest

from resflops.errors import RevisionError
from resflops.gate.git import name_commit, open_checkout, resolve_commit

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *IDENTITY, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for subject, files in {
        "one": {"nets.py": "1", "old.py": "", ".gitignore": "*.cache\n"},
        "two": {"nets.py": "2", "lib/new.py": ""},
    }.items():
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        if subject == "two":
            (folder / "old.py").unlink()
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", subject)
    git(folder, "tag", "v1.0")
    return folder


def list_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


ONE = {"nets.py": "1", "old.py": "", ".gitignore": "*.cache\n"}
TWO = {"nets.py": "2", "lib/new.py": "", ".gitignore": "*.cache\n"}


def test_a_checkout_has_the_files_of_one_commit_after_another(repository) -> None:
    with open_checkout(repository) as checkout:
        for revision, files in (("HEAD~1", ONE), ("HEAD", TWO), ("HEAD~1", ONE)):
            checkout.move_to(git(repository, "rev-parse", revision))
            assert list_files(checkout.folder) == files
        folder = checkout.folder
    assert not folder.exists()


def test_what_a_model_writes_is_gone_after_the_next_move(repository) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    with open_checkout(repository) as checkout:
        checkout.move_to(commit)
        (checkout.folder / "nets.py").write_text("3", encoding="utf-8")
        (checkout.folder / "lib" / "new.py").unlink()
        (checkout.folder / "left.cache").write_text("", encoding="utf-8")
        (checkout.folder / "more").mkdir()
        (checkout.folder / "more" / "left.py").write_text("", encoding="utf-8")
        checkout.move_to(commit)
        assert list_files(checkout.folder) == TWO


def test_the_repository_stays_as_it_is(repository) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {repository}/ran\n", encoding="utf-8")
    hook.chmod(0o755)
    (repository / "nets.py").write_text("work in progress", encoding="utf-8")
    git(repository, "add", "nets.py")
    (repository / "untracked").write_text("", encoding="utf-8")

    def describe() -> list[str]:
        told = [
            git(repository, "status", "--short"),
            git(repository, "worktree", "list"),
            git(repository, "show-ref"),
        ]
        return [*told, *sorted(str(path) for path in (repository / ".git").iterdir())]

    before = describe()
    with open_checkout(repository) as checkout:
        checkout.move_to(git(repository, "rev-parse", "HEAD~1"))
    assert describe() == before
    assert not (repository / "ran").exists()


def test_a_checkout_is_removed_after_an_error(repository) -> None:
    places = []

    def fail() -> None:
        with open_checkout(repository) as checkout:
            checkout.move_to(git(repository, "rev-parse", "HEAD"))
            places.append(checkout.folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [place.parent.exists() for place in places] == [False]


def test_a_name_of_a_commit_is_resolved_or_told_with_near_ones(repository) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert resolve_commit("v1.0", repository) == resolve_commit("main", repository) == commit
    assert name_commit(commit, repository) == f"{git(repository, 'rev-parse', '--short', 'HEAD')} (two)"
    with pytest.raises(
        RevisionError, match=r"does not know the revision 'v1\.00' here; closest: v1\.0; in a shallow"
    ):
        resolve_commit("v1.00", repository)
    with pytest.raises(RevisionError, match="does not know the revision '--all' here; in a shallow clone"):
        resolve_commit("--all", repository)
