"""Which models a change of some files can change: those that are made of them."""

from pathlib import Path

import pytest

from resflops.gate.affected import select_affected
from resflops.gate.config import read_config

FILES = {
    "resflops.toml": """
[models]
built-in = "resnet34"
installed = "torchvision/resnet50"
file = "nets.py:net"
package = "lib.models:net"
source = "core.nets:net"
config = "hf/bert/config.json"
""",
    "nets.py": "from layers import block\nimport torch\n",
    "layers.py": "def block(): ...\n",
    "other.py": "",
    "lib/__init__.py": "",
    "lib/models.py": "from . import parts\nfrom .deep.blocks import net\n",
    "lib/parts.py": "",
    "lib/unused.py": "",
    "lib/deep/__init__.py": "",
    "lib/deep/blocks.py": "import layers\n",
    "src/core/__init__.py": "",
    "src/core/nets.py": "raise RuntimeError('it must not be run')\n",
    "bert/config.json": "{}",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


ALL = ["built-in", "installed", "file", "package", "source", "config"]


@pytest.mark.parametrize(
    ("changed", "affected"),
    [
        (["resflops.toml"], ALL),
        (["resflops.lock"], ALL),
        (["nets.py"], ["file"]),
        (["layers.py"], ["file", "package"]),
        (["lib/parts.py"], ["package"]),
        (["lib/deep/blocks.py", "other.py"], ["package"]),
        (["lib/__init__.py"], ["package"]),
        (["lib/unused.py"], []),
        (["src/core/nets.py"], ["source"]),
        (["bert/config.json"], ["config"]),
        (["other.py", "setup.py"], []),
        (["nets.py", "lib/models.py"], ["file", "package"]),
    ],
    ids=lambda value: ",".join(value) or "none",
)
def test_a_model_is_affected_by_what_it_is_made_of(
    project: Path, changed: list[str], affected: list[str]
) -> None:
    config = read_config(project / "resflops.toml")
    assert [model.name for model in select_affected(config.choose([]), config, changed)] == affected


def test_a_file_that_does_not_parse_is_the_one_that_changed(project: Path) -> None:
    config = read_config(project / "resflops.toml")
    for name, model in (("nets.py", "file"), ("lib/models.py", "package")):
        (project / name).write_text("def (:\n", encoding="utf-8")
        assert [each.name for each in select_affected(config.choose([]), config, [name])] == [model]
