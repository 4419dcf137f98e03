"""The commits of a range: the main line after its start, or every one after its parents."""

import pytest

from resflops.errors import RevisionError
from resflops.gate.history.commits import list_commits


@pytest.fixture
def forked(make_repository):
    """A main line with a merged branch, and a release that branched off from it."""
    made = make_repository()
    for subject in ("one", "two"):
        made.commit(subject, {})
    made.git("switch", "-q", "-c", "release", "HEAD~1")
    made.commit("release only", {})
    made.git("tag", "v1.0")
    made.git("switch", "-q", "-c", "branch", "main")
    made.commit("on the branch", {})
    made.git("switch", "-q", "main")
    made.commit("three", {})
    made.git("merge", "-q", "--no-ff", "-m", "merge", "branch")
    return made


def list_subjects(text, made, **settings):
    return [commit.subject for commit in list_commits(text, made.folder, **settings)]


def test_a_merge_is_one_commit_of_the_main_line(forked) -> None:
    assert list_subjects("HEAD~2..HEAD", forked) == ["two", "three", "merge"]
    assert list_subjects("HEAD~2", forked) == ["two", "three", "merge"]


def test_a_range_from_another_branch_begins_where_the_line_leaves_it(forked) -> None:
    assert list_subjects("v1.0..main", forked) == ["one", "two", "three", "merge"]
    assert list_subjects("v1.0...main", forked) == ["one", "two", "three", "merge"]


def test_every_commit_comes_after_its_parents(forked) -> None:
    commits = list_commits("HEAD~2..HEAD", forked.folder, every=True)
    assert {commit.subject for commit in commits} == {"two", "three", "on the branch", "merge"}
    seen = set()
    for commit in commits[1:]:
        seen.add(commits[commits.index(commit) - 1].hash)
        assert set(commit.parents) <= seen


def test_the_first_commit_has_nothing_before_it(make_repository) -> None:
    made = make_repository()
    made.commit("one", {})
    made.git("switch", "-q", "--orphan", "other")
    made.commit("another beginning", {})
    assert list_subjects("main..other", made) == ["another beginning"]


def test_a_commit_is_read_whole(make_repository) -> None:
    made = make_repository()
    made.commit("one", {})
    subject = 'a "subject", with\tsigns – and, commas'
    made.commit(subject, {"a file.py": ""})
    made.git("tag", "v2.0")
    made.git("tag", "also")
    before, commit = list_commits("HEAD~1", made.folder)
    assert commit.hash == made.git("rev-parse", "HEAD")
    assert commit.tree == made.git("rev-parse", "HEAD^{tree}")
    assert commit.parents == (before.hash,)
    assert (commit.subject, commit.author, set(commit.tags)) == (subject, "Ada", {"v2.0", "also"})


def test_an_empty_range_says_which_is_older(forked) -> None:
    with pytest.raises(
        RevisionError, match=r"there is no commit in HEAD\.\.HEAD~2: .* is before .*; give the older"
    ):
        list_commits("HEAD..HEAD~2", forked.folder)
