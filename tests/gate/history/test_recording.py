"""What a process reads of a folder is recorded, in whatever way it reads it."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from resflops.gate.history.reads import Recorded

PROGRAM = """
import os, sys
from pathlib import Path
import msgspec
from resflops.gate.history.recording import Recorder
root = Path(sys.argv[1])
os.chdir(root)
sys.path.insert(0, str(root))
recorder = Recorder(root, installed=[sys.prefix, sys.base_prefix])
recorder.start()
{code}
sys.stdout.write(msgspec.json.encode(recorder.finish()).decode())
"""


@pytest.fixture
def record(tmp_path: Path):
    root = (tmp_path / "tree").resolve()
    for name in ("nets.py", "lib/__init__.py", "lib/blocks.py", "data/sizes.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("1" if name.endswith(".json") else "", encoding="utf-8")
    (root / "linked").symlink_to("data")

    def run(code: str) -> Recorded:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.replace("{code}", code), str(root)],
            capture_output=True,
            check=True,
            text=True,
            # As the processes that count are started: the source is read, and not what was made of it.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        return msgspec.json.decode(done.stdout, type=Recorded)

    return run


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("import nets", {"nets.py"}),
        ("__import__('lib.bl' + 'ocks')", {"lib/__init__.py", "lib/blocks.py"}),
        ("open('data/sizes.json').read()", {"data/sizes.json"}),
        ("Path('data/../data/sizes.json').read_text()", {"data/sizes.json"}),
        ("open('linked/sizes.json')", {"linked", "linked/sizes.json", "data/sizes.json"}),
        ("Path('local.json').exists()", {"local.json"}),
        ("os.path.isdir('other')", {"other"}),
        ("os.path.isfile('other')", {"other"}),
        ("os.access(root / 'other', os.R_OK)", {"other"}),
    ],
)
def test_a_file_is_recorded(record, code, files) -> None:
    recorded = record(code)
    # Python looks for compiled modules as well, and at the folders.
    assert {file for file in recorded.files if "__pycache__" not in file} - {".", "lib", "data"} == files
    assert recorded.unknown == ""


@pytest.mark.parametrize(
    "code",
    ["os.listdir('data')", "list(Path('data').glob('*'))", "list(os.walk('data'))", "os.listdir(b'data')"],
)
def test_a_folder_that_is_listed_is_recorded(record, code) -> None:
    assert "data" in record(code).folders


def test_names_of_modules_are_recorded_with_the_folders_that_were_looked_in(record) -> None:
    recorded = record("import lib.blocks, colorsys\ntry: import nothing\nexcept ImportError: pass")
    assert {(".", "lib"), ("lib", "blocks"), (".", "colorsys"), (".", "nothing")} <= set(recorded.modules)
    # To find them, Python lists the folders, which is no question of the model's.
    assert recorded.folders == ()


def test_a_program_that_is_started_may_read_anything(record, tmp_path) -> None:
    code = "import subprocess; subprocess.run([sys.executable, '-c', ''])"
    assert record(code).unknown == ""
    (tmp_path / "tree" / "nets.py").write_text(
        code.replace("import subprocess", "import subprocess, sys"), encoding="utf-8"
    )
    assert record("import nets").unknown == "it runs another program (subprocess.Popen)"


def test_a_file_elsewhere_is_recorded_by_its_path(record, tmp_path) -> None:
    (tmp_path / "sizes.json").write_text("1", encoding="utf-8")
    recorded = record("open('../sizes.json'); open('../written.json', 'w')")
    assert recorded.outside == (str(tmp_path.resolve() / "sizes.json"),)
