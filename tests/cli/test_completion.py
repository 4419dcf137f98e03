"""Completion, driven as people drive it: in a bash on a terminal, with the Tab key."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from resflops.cli import main
from resflops.models.installed_names import list_installed_names
from resflops.sources import names

READY = "ready> "


class Bash:
    """A bash on a terminal, with completion of a command ``resflops`` that runs this package."""

    def __init__(self, folder):
        script = folder / "bin" / "resflops"
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m resflops "$@"\n')
        script.chmod(0o755)
        self.ours, theirs = pty.openpty()
        self.running = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder,
            start_new_session=True, env={**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}",
                                         "PS1": READY, "TERM": "dumb", "INPUTRC": "/dev/null", "COLUMNS": "200"},
        )  # fmt: skip
        os.close(theirs)
        self.run(
            "bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'; bind 'set page-completions off'"
        )
        self.run('eval "$(resflops completion bash)"; stty cols 200')

    def run(self, text):
        """What is written from now on until a command has run that follows a text."""
        # The terminal shows the command itself as well, but not the sum.
        os.write(self.ours, f"{text}\necho DONE$((40 + 2))\n".encode())
        shown, end = "", time.monotonic() + 60
        # The prompt after it, too: before it, bash does not listen to Tab yet.
        while READY not in shown.partition("DONE42")[2] and time.monotonic() < end:
            if select.select([self.ours], [], [], 1)[0]:
                shown += os.read(self.ours, 1 << 16).decode("utf-8", "replace")
        return re.sub(r"\x1b\[[\d;?]*\w|[\r\x07\x08]", "", shown)

    def complete(self, line):
        """What stands on the terminal after a line and Tab; the line is then erased with Ctrl-U."""
        return self.run(f"{line}\t\x15")

    def close(self):
        self.running.kill()
        self.running.wait()
        os.close(self.ours)


@pytest.fixture(scope="module")
def bash(tmp_path_factory):
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    folder = tmp_path_factory.mktemp("completion")
    (folder / "my_nets.py").write_text("")
    (folder / "resflops.toml").write_text('[models]\nbackbone = "resnet20"\nhead = "resnet32"\n')
    opened = Bash(folder)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("line", "shows"),
    [
        ("resflops lay", ["ers "]),
        ("resflops resnet15", ["2 "]),
        ("resflops table resnet3", ["resnet32", "resnet34"]),
        ("resflops table --models vgg19 resnet3", ["resnet32", "resnet34"]),
        ("resflops table vgg19 --convention macs resnet3", ["resnet32", "resnet34"]),
        ("resflops resnet34 vgg1", ["vgg11", "vgg13", "vgg16", "vgg19"]),
        ("resflops table resnet34,short", ["cut="]),
        ("resflops table torchv", ["ision/"]),
        ("resflops layers torchvision/vit_b", ["torchvision/vit_b_16", "torchvision/vit_b_32"]),
        ("resflops table timm/vit_tiny_patch16_2", ["24 "]),
        ("resflops table my_n", ["ets.py "]),
        ("resflops table resnet34 --convention Fl", ["opCounterMode "]),
        ("resflops table --conv", ["ention "]),
        ("resflops table resnet34 --format mark", ["down "]),
        ("resflops bench resnet34 --dtype bflo", ["at16 "]),
        ("resflops crosscheck resnet34 --peers fvcore torchi", ["nfo "]),
        ("resflops check back", ["bone "]),
        ("resflops conventions form", ["ula "]),
        ("resflops help cros", ["scheck "]),
        ("resflops help other-c", ["ounters "]),
        ("resflops completion z", ["sh "]),
        ("resflops mem", ["ory "]),
        ("resflops memory resnet34 --training --optimizer rad", ["am "]),
        ("resflops memory resnet34 --attention fl", ["ash "]),
        ("resflops memory resnet34 --dtype bflo", ["at16 "]),
        ("resflops memory --training --checkpointing resnet3", ["resnet32", "resnet34"]),
    ],
)  # fmt: skip
def test_tab_completes_in_bash(bash, line, shows):
    found = bash.complete(line)
    for each in shows:
        assert each in found, found


def test_a_completion_needs_neither_torch_nor_a_package_of_models(tmp_path):
    program = (
        "import os, sys, atexit\nos._exit = lambda code: print('loaded:', [name for name in "
        "('torch', 'torchvision', 'timm', 'transformers', 'numpy', 'rich.console') if name in sys.modules]) or sys.exit(code)\n"
        "from resflops.cli import main\nmain([])\n"
    )
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        env={**os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": "resflops table timm/resnet5", "COMP_POINT": "27",
             "_ARGCOMPLETE_STDOUT_FILENAME": str(out), "_ARGCOMPLETE_IFS": "\n"},
    )  # fmt: skip
    assert "timm/resnet50" in out.read_text().split()
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "Bash"])
def test_there_is_a_script_for_each_shell(capsys, shell):
    assert main(["completion", shell]) == 0
    assert "resflops" in capsys.readouterr().out


def test_an_unknown_shell_is_refused(capsys):
    assert main(["completion", "zhs"]) == 2
    assert "no completion for 'zhs'; closest: zsh; available: bash, zsh, fish" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["torchvision", "timm", "hf"])
def test_the_names_that_are_read_from_files_are_the_packages_own(prefix):
    assert list_installed_names(prefix) == sorted(name.partition("/")[2] for name in names(prefix))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("table vit_b_16", "no built-in model named 'vit_b_16'; another source has it: torchvision/vit_b_16"),
        ("table bert", "another source has it: hf/bert"),
        ("table mobilenet_v2", "it: torchvision/mobilenet_v2"),
        ("table RegNetY_002", "another source has it: timm/regnety_002"),
        ("efficientnet_b0", "no command 'efficientnet_b0'; a model of that name is torchvision/efficientnet_b0 or timm/"),
    ],
)  # fmt: skip
def test_a_name_that_another_source_has_is_answered_with_its_spec(capsys, line, says):
    assert main(line.split()) == 2
    assert says in capsys.readouterr().err
