"""The steps of the GitHub action, run as written, against a server that stands in for GitHub."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github/actions/cost-gate"

NET = """
from torch import nn

def net(width={width}):
    return nn.Conv2d(3, width, 3, padding=1)
"""

CONFIG = """
[project]
name = "project"

[tool.resflops.models.net]
spec = "{spec}"
input = "{shape}"
"""

MACS = 8 * 8 * 27
"""MACs of one output channel."""

PAGE = 2
"""Comments a page, few enough for a handful to have several pages."""

# gh api as far as the action uses it: graphql with pages, and REST with a body from standard input.
GH = """
import json, os, sys, urllib.request

def ask(path, method, body):
    request = urllib.request.Request(os.environ["GITHUB"] + path, json.dumps(body).encode(), method=method)
    request.add_header("Authorization", "token " + os.environ["GH_TOKEN"])
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"gh: HTTP {error.code}")

assert sys.argv[1] == "api"
path, *rest = sys.argv[2:]
if path == "graphql":
    assert rest.pop(0) == "--paginate"
    fields = {}
    while rest:
        kind, text, *rest = rest
        name, _, value = text.partition("=")
        fields[name] = int(value) if kind == "-F" else value
    query, cursor = fields.pop("query"), None
    while True:
        answer = ask("/graphql", "POST", {"query": query, "variables": fields | {"endCursor": cursor}})
        print(json.dumps(answer), end="")
        page = answer["data"]["repository"]["pullRequest"]["comments"]["pageInfo"]
        if not page["hasNextPage"]:
            break
        cursor = page["endCursor"]
else:
    assert (rest[0], rest[2:]) == ("--method", ["--input", "-"])
    print(json.dumps(ask("/" + path, rest[1], json.load(sys.stdin))))
"""


class GitHub:
    """One pull request with its comments, behind the parts of GitHub's interface that the action uses."""

    def __init__(self) -> None:
        self.comments: list[dict] = []
        self.forbidden = False

    def add(self, author: str, body: str) -> int:
        number = 1001 + len(self.comments)
        self.comments.append({"id": number, "author": author, "body": body})
        return number

    def answer(self, method: str, path: str, token: str, given: dict) -> dict | None:
        if path == "/graphql":
            variables = given["variables"]
            assert (variables["owner"], variables["name"], variables["number"]) == ("octo", "net", 7)
            start = int(variables["endCursor"] or 0)
            nodes = [
                {"databaseId": each["id"], "body": each["body"], "viewerDidAuthor": each["author"] == token}
                for each in self.comments[start : start + PAGE]
            ]
            more = start + PAGE < len(self.comments)
            found = {"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": str(start + PAGE)}}
            return {"data": {"repository": {"pullRequest": {"comments": found}}}}
        if self.forbidden:
            return None
        if (method, path) == ("POST", "/repos/octo/net/issues/7/comments"):
            return {"id": self.add(token, given["body"])}
        edited = re.fullmatch(r"/repos/octo/net/issues/comments/(\d+)", path)
        assert edited, path
        assert method == "PATCH"
        (comment,) = (each for each in self.comments if each["id"] == int(edited[1]))
        comment["body"] = given["body"]
        return {"id": comment["id"]}


@pytest.fixture
def github() -> Iterator[GitHub]:
    state = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            token = self.headers["Authorization"].removeprefix("token ")
            answer = state.answer(self.command, self.path, token, given)
            self.send_response(403 if answer is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_POST = do_PATCH = answer

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs that the action runs, and a locked project in ``repository/code``.

    Its model is built in, and counted without torch, which takes seconds to import.
    """
    top = tmp_path_factory.mktemp("locked")
    (top / "repository" / "code").mkdir(parents=True)
    (top / "bin").mkdir()
    (top / "gh.py").write_text(GH, encoding="utf-8")
    for name, program in (
        ("resflops", f'exec {sys.executable} -m resflops "$@"'),
        ("gh", f'exec {sys.executable} "$RUNNER_TEMP/gh.py" "$@"'),
        ("python", f'exec {sys.executable} "$@"'),
    ):
        (top / "bin" / name).write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
        (top / "bin" / name).chmod(0o755)
    configure(top / "repository" / "code", "resnet20", "1x3x32x32")
    return top


@pytest.fixture
def project(locked: Path, tmp_path: Path) -> Path:
    """A locked project in the folder ``code`` of a repository."""
    shutil.copytree(locked, tmp_path, dirs_exist_ok=True)
    return tmp_path / "repository" / "code"


def configure(project: Path, spec: str, shape: str) -> None:
    """Configure the model of a project, and lock it."""
    (project / "pyproject.toml").write_text(CONFIG.format(spec=spec, shape=shape), encoding="utf-8")
    done = run_shell("resflops lock", project=project)
    assert done.returncode == 0, done.stderr


def run_shell(script: str, *, project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as the runner does, in the folder of the project."""
    tmp_path = project.parents[1]
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
        cwd=project, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
             "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8",
             "GITHUB_WORKSPACE": str(project.parent), "GITHUB_ACTION_PATH": str(ACTION), "RUNNER_TEMP": str(tmp_path),
             "GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), **environment},
    )  # fmt: skip


def run_action(
    project: Path, github: GitHub | None = None, **inputs: str
) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run the steps of the action one after the other, and give what each said."""
    for name in ("summary", "output"):
        (project.parents[1] / name).unlink(missing_ok=True)
    action = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
    given = {name: one["default"] for name, one in action["inputs"].items()}
    values = {
        f"inputs.{name}": text for name, text in (given | {"package": "none", "token": "us"} | inputs).items()
    }
    values |= {"github.repository": "octo/net", "github.event.pull_request.number": "7"}
    done = {}
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"], "what comes from outside must not become a command"
        environment = {name: fill_in(value, values) for name, value in step.get("env", {}).items()}
        if github is not None:
            environment["GITHUB"] = github.url
        if github is not None or step["name"] != "Comment":
            done[step["name"]] = run_shell(step["run"], project=project, **environment)
    return done


def fill_in(value: str, values: dict[str, str]) -> str:
    """An expression as the runner fills it in."""
    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: values[found[1]], value)


def name_model(project: Path, spec: str) -> None:
    """Name another model in the configuration, and lock nothing."""
    config = project / "pyproject.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("resnet20", spec), encoding="utf-8")


def break_import(project: Path) -> None:
    (project / "net.py").write_text("import trch\n", encoding="utf-8")
    name_model(project, "net.py:net")


def test_what_passes_is_said_in_the_summary(project: Path) -> None:
    assert run_action(project)["Check"].returncode == 0
    assert "**Cost gate: net passes**" in (project.parents[1] / "summary").read_text(encoding="utf-8")


def test_what_fails_is_annotated_at_the_line_of_its_model(project: Path) -> None:
    (project / "net.py").write_text(NET.format(width=8), encoding="utf-8")
    configure(project, "net.py:net", "1x3x8x8")
    (project / "net.py").write_text(NET.format(width=9), encoding="utf-8")
    check = run_action(project)["Check"]
    assert check.returncode == 1
    line = (project / "pyproject.toml").read_text(encoding="utf-8").splitlines().index(
        "[tool.resflops.models.net]"
    ) + 1
    assert (
        f"::error file=code/pyproject.toml,line={line},title=net%3A MACs::net: MACs went from" in check.stdout
    )
    assert f"3×3×3→8 became 3×3×3→9, +{MACS:,} MACs" in check.stdout
    summary = (project.parents[1] / "summary").read_text(encoding="utf-8")
    assert "**Cost gate: net failed**" in summary
    assert f"| changed | (the model itself) | 3×3×3→8 | 3×3×3→9 | +{MACS:,} | +28 |" in summary
    report = (project.parents[1] / "output").read_text(encoding="utf-8").strip().removeprefix("report=")
    assert Path(report).read_text(encoding="utf-8") == summary


@pytest.mark.parametrize(
    ("spoil", "says", "place"),
    [
        (lambda folder: (folder / "resflops.lock").unlink(), "there is no lock file", "code/pyproject.toml,line=1"),
        (lambda folder: (folder / "pyproject.toml").write_text("[tool.resflops\n"), "is not valid TOML", "code/pyproject.toml,line=1"),
        (break_import, "No module named 'trch'", "code/pyproject.toml,line=5"),
    ],
    ids=["no-lock", "bad-toml", "import-error"],
)  # fmt: skip
def test_where_the_check_could_not_run_everyone_is_told(
    project: Path, github: GitHub, spoil, says: str, place: str
) -> None:
    spoil(project)
    done = run_action(project, github)
    assert (done["Check"].returncode, done["Comment"].returncode) == (2, 0)
    assert f"::error file={place},title=resflops check%3A could not run::" in done["Check"].stdout
    assert says in done["Check"].stdout
    assert says in done["Check"].stderr
    assert says in (project.parents[1] / "summary").read_text(encoding="utf-8")
    (comment,) = github.comments
    assert "**Cost gate: could not run**" in comment["body"]
    assert says in comment["body"]


def test_the_comment_is_written_once_and_then_edited(project: Path, github: GitHub) -> None:
    github.add("human", "Looks good")
    name_model(project, "resnet32")
    assert run_action(project, github)["Comment"].returncode == 0
    assert [each["author"] for each in github.comments] == ["human", "us"]
    assert "net failed" in github.comments[1]["body"]
    assert github.comments[1]["body"].startswith("<!-- resflops cost gate: . -->\n**Cost gate")
    # Another workflow of the same token comments after it, and so do enough people for several pages.
    github.add("us", "Coverage is 93 %")
    for _ in range(3 * PAGE):
        github.add("human", "<!-- resflops cost gate: . -->\nI quote the marker.")
    others = [each["body"] for each in github.comments if each is not github.comments[1]]
    assert run_shell("resflops lock", project=project).returncode == 0
    run_action(project, github)
    assert "net passes" in github.comments[1]["body"]
    assert [each["body"] for each in github.comments if each is not github.comments[1]] == others


def test_it_finds_its_comment_behind_pages_of_others(project: Path, github: GitHub) -> None:
    for _ in range(3 * PAGE + 1):
        github.add("us", "a preview is deployed")
    own = github.add("us", "<!-- resflops cost gate: . -->\nearlier")
    run_action(project, github)
    assert len(github.comments) == 3 * PAGE + 2
    assert "net passes" in next(each["body"] for each in github.comments if each["id"] == own)


def test_two_gates_have_a_comment_each(project: Path, github: GitHub) -> None:
    run_action(project, github)
    run_action(project, github, **{"working-directory": "../code"})
    assert [each["body"].partition("\n")[0] for each in github.comments] == [
        "<!-- resflops cost gate: . -->",
        "<!-- resflops cost gate: ../code -->",
    ]


def test_without_the_permission_to_comment_the_verdict_stands(project: Path, github: GitHub) -> None:
    github.forbidden = True
    done = run_action(project, github)
    assert (done["Check"].returncode, done["Comment"].returncode) == (0, 0)
    assert "::warning::the verdict could not be written as a comment" in done["Comment"].stdout
    assert "HTTP 403" in done["Comment"].stderr
