"""What the tests of a repository's history share."""

import subprocess
from pathlib import Path

import pytest

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")


class Repository:
    """A git repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *IDENTITY, *words],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        return done.stdout.strip()

    def commit(self, subject: str, files: dict[str, str | None]) -> str:
        """Commit files, or remove those without a text, and give the hash of the commit."""
        for name, text in files.items():
            path = self.folder / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def make_repository(tmp_path: Path):
    return lambda name="repository": Repository(tmp_path / name)


@pytest.fixture(scope="session")
def repository_type():
    return Repository
