"""A status means what it says, whatever becomes of the streams; nothing that is shown moves a cursor."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from resflops.cli import main

COMMAND = [sys.executable, "-m", "resflops"]


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locked")
    (folder / "resflops.toml").write_text('[models]\na = "resnet20"\n')
    (folder / "loud.py").write_text(
        "import sys\nfrom torch import nn\nclass Loud(nn.Conv2d):\n    def forward(self, x):\n"
        "        print('loud')\n        print('louder', file=sys.stderr, flush=True)\n        return super().forward(x)\n"
        "def net(): return Loud(3, 3, 1)\ndef leave(): sys.exit(1)\n"
        "class Odd(BaseException): pass\ndef odd(): raise Odd\n"
    )
    subprocess.run([*COMMAND, "lock"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def project(locked, tmp_path):
    shutil.copytree(locked, tmp_path, dirs_exist_ok=True)
    return tmp_path


STREAMS = {
    "closed": lambda: {"preexec_fn": lambda: os.close(2)},
    "full": lambda: {"stderr": _open_full()},
    "a pipe without a reader": lambda: {"stderr": _open_broken_pipe()},
}


def _open_full():
    return os.open("/dev/full", os.O_WRONLY)


def _open_broken_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["ops"], 0), (["check"], 0), (["check", "b"], 2), (["nonsense"], 2), (["lock", "--check"], 0),
     (["table", "--models", "loud.py:net", "--input", "3x4x4"], 0),
     (["table", "--models", "loud.py:leave", "--input", "3x4x4"], 2),
     (["table", "--models", "loud.py:odd", "--input", "3x4x4"], 2)],
    ids=lambda value: value if isinstance(value, int) else " ".join(value),
)  # fmt: skip
def test_a_status_does_not_depend_on_standard_error(project, stream, arguments, status):
    done = subprocess.run(
        [*COMMAND, *arguments], check=False, cwd=project, stdout=subprocess.DEVNULL, **STREAMS[stream]()
    )
    assert done.returncode == status


def test_a_failed_check_is_one_although_nobody_hears(project):
    lock = project / "resflops.toml"
    lock.write_text('[models.a]\nspec = "resnet20"\nbudget = { macs = 1 }\n')
    for stream in STREAMS.values():
        done = subprocess.run(
            [*COMMAND, "check"], check=False, cwd=project, stdout=subprocess.DEVNULL, **stream()
        )
        assert done.returncode == 1


@pytest.mark.parametrize(("stdout", "status"), [("/dev/full", 2), ("", 141)])
def test_output_that_cannot_be_written_is_no_failed_check(project, stdout, status):
    stream = _open_full() if stdout else _open_broken_pipe()
    done = subprocess.run(
        [*COMMAND, "check", "--all"], check=False, cwd=project, stdout=stream, stderr=subprocess.DEVNULL
    )
    assert done.returncode == status


def test_sigterm_ends_quietly_and_leaves_nothing(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\ndef net():\n    print('here', flush=True)\n    time.sleep(60)\n"
    )
    command = [*COMMAND, "table", "--models", "slow.py:net", "--input", "3x4x4", "--out", "x.md"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "here\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.stderr.read() == ""
    assert process.returncode == 143
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"slow.py"}


SIGNS = ("\x1b", "\x9b", "\x7f", "\u202e", "\u2028")


@pytest.mark.parametrize(
    "format_name", ["terminal", "markdown", "csv", "json", "html", "latex", "github", "junit"]
)
def test_a_name_with_control_characters_is_shown_escaped(tmp_path, monkeypatch, capsys, format_name):
    name = "".join(f"\\u{ord(sign):04x}" for sign in SIGNS)
    (tmp_path / "resflops.toml").write_text(
        f'[models."{name}red"]\nspec = "resnet20"\nbudget = {{ macs = 1 }}\n'
    )
    monkeypatch.chdir(tmp_path)
    assert main(["lock"]) == 0
    assert main(["check", "--format", format_name]) == 1
    shown = "".join(capsys.readouterr())
    assert not set(SIGNS) & set(shown)
    assert "red" in shown


@pytest.mark.parametrize(
    "arguments",
    [["diff", "x" * 300, "resnet20"], ["table", "--models", f"{'y' * 300}.py:net"], ["check", "--config", "z" * 300],
     ["table", "--models", f"hf/{'w' * 300}/config.json"]],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_a_name_that_is_too_long_could_not_be_read(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "write" not in said
    assert said.count("\n") == 1


def test_a_long_value_is_cut(capsys):
    assert main(["table", "--models", "resnet20," + "x" * 50_000]) == 2
    assert len(capsys.readouterr().err) < 2000
