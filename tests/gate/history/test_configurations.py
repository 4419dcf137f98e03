"""Which models are counted at which commits, and how: as the configuration of each commit says."""

import pytest

from resflops.errors import ConfigError, UsageError
from resflops.gate.history.commits import list_commits
from resflops.gate.history.configurations import plan_models
from resflops.gate.history.file_tree import FileTree, open_folders


@pytest.fixture
def made(make_repository):
    return make_repository()


def plan(made, *names, config="resflops.toml", **settings):
    commits = list_commits(f"{made.git('rev-list', '--max-parents=0', 'HEAD')}..HEAD", made.folder)
    with open_folders(made.folder) as folders:
        plans = plan_models(
            [FileTree(commit.tree, folders) for commit in commits],
            repository=made.folder,
            config=made.folder / config,
            names=names,
            **settings,
        )
    return {each.name: each for each in plans}


def list_specs(plan):
    return [
        subject.spec if subject else reason
        for subject, reason in zip(plan.subjects, plan.reasons, strict=True)
    ]


def test_each_commit_is_counted_as_it_was_configured_there(made) -> None:
    made.commit("one", {"resflops.toml": '[models]\na = "nets.py:A"\n'})
    made.commit("two", {"resflops.toml": '[models]\na = "lib/nets.py:A"\nb = "nets.py:B"\n'})
    made.commit("three", {"resflops.toml": '[models.b]\nspec = "nets.py:B"\ninput = "1x8"\n'})
    plans = plan(made)
    assert list_specs(plans["a"]) == ["nets.py:A", "lib/nets.py:A", "not configured"]
    assert list_specs(plans["b"]) == ["not configured", "nets.py:B", "nets.py:B"]
    assert [subject and subject.input for subject in plans["b"].subjects] == [None, None, (1, 8)]
    # The models of the newest configuration come first.
    assert list(plans) == ["b", "a"]


def test_before_there_was_a_configuration_the_first_one_holds(made) -> None:
    made.commit("one", {"nets.py": ""})
    made.commit("two", {"pyproject.toml": "[project]\nname = 'x'\n"})
    made.commit("three", {"pyproject.toml": '[tool.resflops.models]\na = "nets.py:A"\n'})
    assert list_specs(plan(made, config="pyproject.toml")["a"]) == ["nets.py:A"] * 3


def test_a_configuration_that_is_not_committed_holds_where_there_is_none(made) -> None:
    made.commit("one", {"nets.py": ""})
    made.commit("two", {"nets.py": "a = 1\n"})
    (made.folder / "resflops.toml").write_text('[models]\na = "nets.py:A"\n', encoding="utf-8")
    assert list_specs(plan(made)["a"]) == ["nets.py:A"] * 2


def test_a_configuration_may_move_between_its_two_files(made) -> None:
    made.commit("one", {"pyproject.toml": '[tool.resflops.models]\na = "nets.py:A"\n'})
    made.commit("two", {"pyproject.toml": None, "resflops.toml": '[models]\na = "nets.py:B"\n'})
    assert list_specs(plan(made)["a"]) == ["nets.py:A", "nets.py:B"]


def test_a_mistake_in_a_configuration_is_said_of_its_commit(made) -> None:
    made.commit("one", {"resflops.toml": '[models]\na = "nets.py:A"\n'})
    made.commit("two", {"resflops.toml": '[models.a]\nspec = "nets.py:A"\ninputs = "1x8"\n'})
    made.commit("three", {"resflops.toml": "[models\n"})
    made.commit("four", {"resflops.toml": '[models]\na = "nets.py:A"\n'})
    one, two, three, four = list_specs(plan(made)["a"])
    assert one == four == "nets.py:A"
    assert two.startswith(
        "resflops.toml has a mistake:\n  resflops.toml:3: models.a.inputs: there is no such key"
    )
    assert three.startswith("resflops.toml is not valid TOML")


def test_a_model_is_under_one_convention_all_along(made) -> None:
    made.commit("one", {"resflops.toml": '[models]\na = "nets.py:A"\n'})
    made.commit("two", {"resflops.toml": 'convention = "flops"\n[models]\na = "nets.py:A"\n'})
    assert [subject.convention for subject in plan(made)["a"].subjects] == ["flops", "flops"]


def test_models_may_be_given_by_their_specs(made) -> None:
    made.commit("one", {"nets.py": ""})
    made.commit("two", {"resflops.toml": '[models]\na = "nets.py:A"\n'})
    plans = plan(made, "nets.py:B", "a", input_shape=(1, 8), convention="formula")
    assert list(plans) == ["nets.py:B", "a"]
    (subject,) = set(plans["nets.py:B"].subjects)
    assert (subject.spec, subject.input, subject.convention) == ("nets.py:B", (1, 8), "formula")
    assert plans["a"].subjects[0].convention == "macs"


def test_a_name_that_no_commit_configures_is_told_with_near_ones(made) -> None:
    made.commit("one", {"resflops.toml": '[models]\ndetector = "nets.py:A"\n'})
    made.commit("two", {})
    with pytest.raises(
        UsageError, match=r"configures a model 'detectr'; closest: detector; configured: detector$"
    ):
        plan(made, "detectr")


def test_without_a_configuration_and_models_there_is_nothing_to_count(made) -> None:
    made.commit("one", {"nets.py": ""})
    made.commit("two", {})
    with pytest.raises(
        ConfigError, match=r"no commit of the range has a .*resflops\.toml that names models; give"
    ):
        plan(made)
