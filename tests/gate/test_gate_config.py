"""What a project says about its models, and how its mistakes are told."""

from pathlib import Path

import pytest

from resflops.errors import ConfigError, FileError, UsageError
from resflops.gate.config import ModelConfig, find_config, read_config
from resflops.gate.limits import read_tolerance
from resflops.gate.toml_lines import TomlLines

WHOLE = """
[project]
name = "x"

[tool.resflops]
lock = "costs/all.lock"
convention = "flops"
tolerance = { params = "+1%" }
allow-uncounted = ["my.op"]

[tool.resflops.models]
small = "resnet18,num_classes=10"

[tool.resflops.models."a.b"]
spec = "nets.py:net"
input = "1x3x32x32"
dtype = "float16"
convention = "macs"
allow-uncounted = []

[tool.resflops.models."a.b".budget]
macs = "4.2G"
params = 26_000_000

[tool.resflops.models."a.b".tolerance]
macs = "+5M"
"""


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(WHOLE, encoding="utf-8")
    config = read_config(path)
    assert config.lock == tmp_path / "costs/all.lock"
    small, other = config.models.values()
    assert small == ModelConfig(
        name="small",
        spec="resnet18,num_classes=10",
        convention="flops",
        tolerances={"params": read_tolerance("+1%")},
        allowed=frozenset({"my.op"}),
        line=12,
    )
    assert (other.name, other.spec, other.input, other.dtype) == (
        "a.b",
        "nets.py:net",
        (1, 3, 32, 32),
        "float16",
    )
    assert (other.convention, other.allowed, other.line) == ("macs", frozenset(), 14)
    assert {metric: (budget.limit, budget.line) for metric, budget in other.budgets.items()} == {
        "macs": (4_200_000_000, 22),
        "params": (26_000_000, 23),
    }
    assert other.tolerances == {"params": read_tolerance("+1%"), "macs": read_tolerance("+5M")}


def test_mistakes_are_told_together_with_line_key_and_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "resflops.toml"
    path.write_text(
        'lok = "x"\n'
        'convention = "flop"\n'
        "[models]\n"
        "number = 3\n"
        "[models.net]\n"
        'spec = "resnet18,"\n'
        'input = "3x0x4"\n'
        'budget = { mac = 3, params = "4.2Q" }\n'
        'dtype = "floot16"\n'
        'tolerance.total = "-1%"\n'
        "budgets = 3\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as error:
        read_config(path)
    head, *messages = str(error.value).splitlines()
    assert head.endswith("resflops.toml has 10 mistakes:")
    for line, part in zip(
        messages,
        [
            ":1: lok: there is no such key; closest: lock;",
            ":2: convention: no convention named 'flop'; closest: flops",
            ":4: models.number: must be a spec or a table, got 3",
            ":6: models.net.spec: 'resnet18,': '' is not an option",
            ":7: models.net.input: input '3x0x4': a size is 0",
            ":8: models.net.budget.mac: there is no such key; closest: macs",
            ":8: models.net.budget.params: '4.2Q': unknown unit 'Q'",
            ":9: models.net.dtype: dtype 'floot16' is unknown; closest: float16",
            ":10: models.net.tolerance.total: '-1%' is not a tolerance",
            ":11: models.net.budgets: there is no such key; closest: budget",
        ],
        strict=True,
    ):
        assert part in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "models: names no model"),
        ("models = 3", "models: must be a table"),
        ("[models]", "models: names no model"),
        ('lock = ""\n[models]\na = "vgg19"', "lock: must be a non-empty text, got ''"),
        ('[models]\na = ""', "models.a.spec: must be a non-empty text"),
        ('[models.a]\nallow-uncounted = "x"', "must be a list of op names"),
        ('[models.a]\nbudget = "4G"', "models.a.budget: must be a table"),
        ("[models", "is not valid TOML"),
    ],
)
def test_one_mistake_is_told_alone(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "resflops.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert says in str(error.value)


def test_a_model_without_a_spec_is_its_name(tmp_path: Path) -> None:
    path = tmp_path / "resflops.toml"
    path.write_text('[models.vgg19]\ninput = "3x64x64"', encoding="utf-8")
    assert read_config(path).models["vgg19"].spec == "vgg19"


def test_the_nearest_configuration_is_found_and_its_own_file_comes_first(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(WHOLE, encoding="utf-8")
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert find_config(inner) == tmp_path / "pyproject.toml"
    (tmp_path / "resflops.toml").write_text("", encoding="utf-8")
    assert find_config(inner) == tmp_path / "resflops.toml"


def test_what_is_missing_is_told_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)no models are configured.*tool\.resflops\.models"):
        find_config(tmp_path)
    with pytest.raises(FileError, match="No such file"):
        read_config(tmp_path / "none.toml")


def test_a_model_that_is_not_configured_is_told_its_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(WHOLE, encoding="utf-8")
    config = read_config(path)
    assert [model.name for model in config.choose([])] == ["small", "a.b"]
    with pytest.raises(UsageError, match="has no model 'smal'; closest: small; it has small, "):
        config.choose(["smal"])


def test_keys_are_found_on_their_lines() -> None:
    lines = TomlLines(
        "top = 1\n"
        "# [not.a.table]\n"
        '[ "quoted.one" . two ] # a table\n'
        "key = [\n"
        '  "a = b",\n'
        "]\n"
        '"odd = key".sub = 2\n'
        "inline = { inner = 3 }\n"
        "[[many]]\n"
        "x = 1\n"
    )
    assert lines.find("top") == 1
    assert lines.find("quoted.one", "two") == 3
    assert lines.find("quoted.one", "two", "key") == 4
    assert lines.find("quoted.one", "two", "odd = key", "sub") == 7
    assert lines.find("quoted.one", "two", "inline", "inner") == 8
    assert lines.find("many", "x") == 10
    assert lines.find("nowhere") == 1
