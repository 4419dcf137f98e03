"""What a forge and package indexes read of the project agrees with pyproject.toml and with itself."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import resflops

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Repository"]


def list_texts():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    names = [
        name
        for name in listed.stdout.splitlines()
        if not name.startswith(("reports/", "resflops/report/assets/"))
    ]
    for name in names:
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


def test_no_owner_is_left_to_fill_in():
    blank = re.compile(r"\b(OWNER|YOUR[-_]?(NAME|ORG|USER))/|github\.com/(OWNER|ORG|USER)\b")
    assert [name for name, text in list_texts() if blank.search(text)] == []


def test_the_address_of_the_repository_is_the_same_everywhere():
    assert re.fullmatch(r"https://github\.com/[\w-]+/resflops", ADDRESS)
    place = ADDRESS.removeprefix("https://github.com/")
    spelled = re.compile(r"(?:github\.com/|uses: )([\w.-]+/resflops)\b")
    found = {name: set(spelled.findall(text)) - {place} for name, text in list_texts()}
    assert {name: others for name, others in found.items() if others} == {}
    assert all(url.startswith(ADDRESS) for url in PROJECT["urls"].values())


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((GITHUB / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == resflops.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == ADDRESS
    assert citation["title"].startswith("resflops: ")
    assert {"cff-version", "message", "authors"} <= set(citation)


def test_the_licence_is_the_whole_apache_licence():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text
    assert [f"   {number}. " in text for number in range(1, 10)] == [True] * 9
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_has_the_headings_of_keep_a_changelog():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert re.fullmatch(r"\[?Unreleased\]?", versions[0])
    assert all(re.match(r"\[?\d+\.\d+\.\d+\]? - \d{4}-\d\d-\d\d$", version) for version in versions[1:])
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_contributing_names_the_layers_of_the_package():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    names = "\n".join(layer.replace("resflops.", "") for layer in layers["layers"])
    assert f"```\n{names}\n```" in (GITHUB / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_architecture_names_files_that_are_there():
    text = (GITHUB / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = re.search(r"```\nresflops/\n(.*?)```", text, re.DOTALL)[1]
    folder, missing = ROOT / "resflops", []
    for line in tree.splitlines():
        entry = re.match(r"(?P<indent> *)(?P<name>[\w./]+)", line)
        if entry["indent"] == "":
            missing += [] if (ROOT / entry["name"]).exists() else [entry["name"]]
        elif len(entry["indent"]) == 2:
            folder = ROOT / "resflops" / entry["name"]
            missing += [] if folder.exists() else [entry["name"]]
        elif len(entry["indent"]) == 4 and not (folder / entry["name"]).exists():
            missing.append(f"{folder.name}/{entry['name']}")
    assert missing == []


@pytest.mark.parametrize("path", sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml")), ids=lambda path: path.name)
def test_an_issue_form_is_valid(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        assert form == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= set(form)
    identities = [field["id"] for field in form["body"]]
    assert len(set(identities)) == len(identities)
    assert {field["type"] for field in form["body"]} <= {
        "textarea",
        "input",
        "dropdown",
        "markdown",
        "checkboxes",
    }


@pytest.mark.parametrize("path", sorted(GITHUB.glob("workflows/*.yml")), ids=lambda path: path.name)
def test_a_workflow_names_versions_of_actions_and_asks_for_few_permissions(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert "permissions" in workflow
    steps = [step for job in workflow["jobs"].values() for step in job.get("steps", ())]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(name.startswith("./") or re.search(r"@(v\d+|release/v\d+)$", name) for name in used)
    # What comes from outside must not become part of a script.
    assert not any("${{ github.event" in step.get("run", "") for step in steps)


def test_a_release_needs_the_tests():
    release = yaml.safe_load((GITHUB / "workflows" / "release.yml").read_text(encoding="utf-8"))
    assert release["jobs"]["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert release["jobs"]["build"]["needs"] == "tests"
    assert release["jobs"]["publish"]["needs"] == "build"
    tests = (GITHUB / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert "- run: .ci/run" in tests


def test_the_hooks_before_a_commit_are_the_checks_of_the_tests():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0][
        "hooks"
    ]
    assert [hook["entry"].split()[0] for hook in hooks] == ["ruff", "ruff", "lint-imports", "mypy"]
