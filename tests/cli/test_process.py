"""The command as a process: imports, streams, signals, terminals."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from resflops.cli.commands import COMMANDS

COMMAND = [sys.executable, "-m", "resflops"]
HEAVY = ("torch", "pandas", "matplotlib", "numpy", "onnx", "onnxruntime", "onnxscript", "openvino")


def run_process(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **settings},
    )


def run_on_terminal(
    *arguments: str, settings: Mapping[str, str], interrupt_at: str = ""
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a process that has a terminal for each."""
    streams = [pty.openpty(), pty.openpty()]
    texts = ["", ""]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=streams[0][1],
        stderr=streams[1][1],
        env={**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **settings},
        # A shell lets what it runs in the background ignore Ctrl-C, and so would these tests' processes.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it does nothing else
    ) as running:
        for _, theirs in streams:
            os.close(theirs)
        # Standard error first: it is short, and its end tells that the process has ended or writes its table.
        for place in (1, 0):
            while chunk := _read(streams[place][0]):
                texts[place] += chunk
                if interrupt_at and interrupt_at in texts[place]:
                    running.send_signal(signal.SIGINT)
                    interrupt_at = ""
            os.close(streams[place][0])
    return running.returncode, texts[0], texts[1]


def _read(descriptor: int) -> str:
    try:
        return os.read(descriptor, 1 << 16).decode("utf-8", "replace")
    except OSError:  # Linux: the other side of a terminal is closed
        return ""


@pytest.mark.parametrize(
    "arguments",
    # Beside the commands of the next test, which tells all that they load.
    [["report", "--help"], ["models"], ["conventions", "flops"], ["ops"], ["bench", "--help"], ["bench", "resnet43", "--backend", "onnxruntime"], ["table", "--models", "resnet43"], ["table", "--models", "resnet34", "--out", "/nonexistent/x"]],
    ids=" ".join,
)  # fmt: skip
def test_nothing_heavy_is_loaded_without_need(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom resflops.cli import main\n"
        f"main({arguments!r})\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def list_loaded(arguments: list[str]) -> set[str]:
    """What a command loads: modules of the command line, our other packages, and others' packages."""
    program = (
        f"import sys\nfrom resflops.cli import main\nmain({arguments!r})\nprint('loaded:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heading, *modules = done.stdout.splitlines()[-1].split()
    assert heading == "loaded:"
    ours = [name.split(".") for name in modules if name.startswith("resflops.")]
    return {
        *(".".join(parts[1:3]) for parts in ours if parts[1] == "cli"),
        *(parts[1] for parts in ours if parts[1] != "cli"),
        *(name for name in modules if "." not in name or name == "rich.console"),
    }


COMMAND_MODULES = {f"cli.{name}" for name in COMMANDS}
COUNTING = {"cost", "models", "ops", "records", "render", "sources", "storage", "tables"}
PARTS = {
    *COUNTING,
    "api",
    "counters",
    "crosschecking",
    "gate",
    "integrations",
    "latency",
    "report",
    "tracing",
}
SLOW = {
    *HEAVY,
    "email",
    "html",
    "jinja2",
    "logging",
    "rich.console",
    "rich_argparse",
    "subprocess",
    "tomllib",
    "xml",
}


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (["--version"], set()),
        (["--help"], set()),
        ([], set()),
        # To suggest names of models, too.
        (["tabel"], {"models", "records", "storage"}),
        (["help", "training"], {"cli.help"}),
        (["table", "--models", "resnet34", "--input", "3x0"], {"cli.table", *COUNTING}),
        (["table", "--help"], {"cli.table", *COUNTING, "counters"}),
        (["layers", "resnet34", "--input", "3x0"], {"cli.layers", *COUNTING}),
        (["check", "--config", "/nonexistent"], {"cli.check", *COUNTING, "gate", "tomllib"}),
        (["lock", "--config", "/nonexistent"], {"cli.lock", *COUNTING, "gate", "tomllib"}),
        (["diff", "resnet34"], {"cli.diff", *COUNTING, "gate", "tomllib", "subprocess"}),
        (["report", "resnet34"], {"cli.report", *COUNTING}),
        (["bench", "--models", "resnet43"], {"cli.bench", *COUNTING, "latency"}),
        (["crosscheck", "--models", "resnet43"], {"cli.crosscheck", *COUNTING, "counters", "crosschecking"}),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_command_loads_what_it_uses_and_no_other_command(arguments: list[str], loaded: set[str]) -> None:
    assert list_loaded(arguments) & (COMMAND_MODULES | PARTS | SLOW) == loaded


@pytest.mark.parametrize("command", ["models", "conventions", "ops", "peers", "layers resnet34"])
def test_a_pipe_gets_lines_that_fit_a_pager_and_no_colours(command: str) -> None:
    done = run_process(*command.split(), FORCE_COLOR="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert 80 <= max(map(len, done.stdout.splitlines())) <= 100


def test_a_pipe_is_as_wide_as_the_user_says() -> None:
    done = run_process("layers", "resnet34", COLUMNS="200")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("conv1 ") and "conv2d" in line]
    assert line.endswith("112·112·64·(7·7·3) = 118,013,952")


def test_results_go_to_stdout_and_messages_to_stderr() -> None:
    done = run_process("table", "--models", "resnet43")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("resflops: no model named 'resnet43'")


def test_a_terminal_gets_colours_and_its_width() -> None:
    status, out, _ = run_on_terminal("models", settings={"COLUMNS": "80", "NO_COLOR": ""})
    assert status == 0
    assert "\x1b[1m" in out
    plain = re.sub(r"\x1b\[[\d;]*m", "", out)
    assert max(map(len, plain.splitlines())) <= 80


def test_no_color_is_honoured() -> None:
    _, out, _ = run_on_terminal("models", settings={"NO_COLOR": "1"})
    assert "\x1b" not in out
    assert "resnet34" in out


def test_progress_is_shown_on_a_terminal_with_a_bar_where_work_is_long_and_cleared() -> None:
    # Loading torch alone takes longer than work that gets no bar.
    models = [f"resnet20,num_classes={number}" for number in range(2, 30)]
    status, out, err = run_on_terminal("table", *models, "--fresh", settings={"COLUMNS": "80"})
    assert status == 0
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", err)
    assert plain.index("loading torch") < plain.index("counting resnet20")
    lines = [line for line in plain.split("\r") if "counting" in line]
    assert max(map(len, lines)) <= 80
    # How much there is, the time that has passed, and the time that is left.
    assert re.search(r"[━╺╸] 27/28 0:0\d:\d\d left 0:0\d:\d\d", lines[-1])
    assert err.endswith("\r\x1b[K")
    assert "counting" not in out
    assert "━" not in "".join(line for line in out.splitlines() if "resnet" in line)


def test_quick_work_has_no_bar_and_imports_none() -> None:
    _, out, err = run_on_terminal("table", "resnet34", "vgg19", settings={"COLUMNS": "80"})
    assert "counting vgg19 (2 of 2)" in err
    assert err.endswith("\r\x1b[K")
    assert "counting" not in out
    assert "━" not in err


@pytest.mark.parametrize(("extra", "settings"), [(["--no-progress"], {}), ([], {"TERM": "dumb"})])
def test_progress_can_be_turned_off(extra: list[str], settings: dict[str, str]) -> None:
    _, out, err = run_on_terminal("table", "--models", "resnet20", *extra, settings=settings)
    assert err == ""
    assert "40,551,040" in out


def test_ctrl_c_ends_quietly_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "table.md"
    file.write_text("before", encoding="utf-8")
    many = [f"resnet1202,num_classes={number}" for number in range(1, 40)]
    status, out, err = run_on_terminal(
        "table", "--models", *many, "--out", str(file), settings={"COLUMNS": "200"}, interrupt_at="counting"
    )
    # Python ends by the signal itself if it arrived inside an exec(), of which torch has
    # some; a shell reports either as 130.
    assert status in {130, -signal.SIGINT}
    assert "Traceback" not in err + out
    assert file.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [file]


LOSING_AN_INTERRUPT = """
import os, signal
from torch import nn

class Going:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

def net():
    Going()
    return nn.Linear(2, 2)

def other():
    return nn.Linear(2, 3)
"""


@pytest.mark.parametrize("shown", [[], ["--no-progress"]], ids=["progress", "no progress"])
def test_a_ctrl_c_that_python_drops_is_heard_at_the_next_model(tmp_path: Path, shown: list[str]) -> None:
    (tmp_path / "losing.py").write_text(LOSING_AN_INTERRUPT, encoding="utf-8")
    status, out, err = run_on_terminal(
        "table", "--models", f"{tmp_path}/losing.py:net", f"{tmp_path}/losing.py:other", "--input", "1x2", *shown,
        settings={"COLUMNS": "200"},
    )  # fmt: skip
    assert "Exception ignored" in err
    assert (status, out) == (130, "")


def test_a_closed_pipe_ends_quietly() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            [*COMMAND, "ops"], stdout=theirs, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(theirs)
    assert done.stderr == ""
    assert done.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "ops"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "resflops: could not write the output: No space left on device\n"


def test_an_output_without_the_signs_gets_question_marks() -> None:
    done = run_process("models", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "3?224?224" in done.stdout


def test_the_result_can_be_read_back_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    done = run_process("table", "--models", "resnet20", "--out", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ",40551040," in file.read_text(encoding="utf-8")
