"""The pytest plugin: what it costs a project that does not use it, and what cost_gate says."""

import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from resflops.integrations.testing import CostGate, write_locked

CONV = nn.Conv2d(3, 8, 3, padding=1)
SHAPE = (1, 3, 8, 8)
MACS = 8 * 8 * 8 * 27


class Failed(Exception):
    """What the test would have failed with."""


def fail(message: str):
    raise Failed(message)


def gate(path: Path, *, updates=None) -> CostGate:
    return CostGate(path=path, updates=updates, fail=fail)


def test_an_unused_plugin_loads_nothing_of_resflops_and_nothing_heavy() -> None:
    program = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport resflops.integrations.pytest_plugin\n"
        "print(sorted(name for name in set(sys.modules) - before if name.partition('.')[0] != 'importlib'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "['resflops', 'resflops._version', 'resflops.integrations', 'resflops.integrations.pytest_plugin']"
    )


def test_a_limit_is_the_most_that_passes(tmp_path: Path) -> None:
    held = gate(tmp_path / "none.lock")
    assert held(CONV, SHAPE, macs=f"<={MACS}").macs == MACS
    held(CONV, SHAPE, macs=MACS, params="<=1k", buffers=0, total="0.1M")
    with pytest.raises(Failed, match=rf"Conv2d: MACs are {MACS:,}; the budget is {MACS - 1:,}"):
        held(CONV, SHAPE, macs=f"<{MACS}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "no limit is given"),
        ({"macs": "4.2Q"}, "unknown unit 'Q'"),
        ({"macs": ">=1"}, "not an upper limit"),
        (
            {"lock": "net"},
            "'net' is not locked: there is no .*none.lock; run `pytest --resflops-lock` and commit the file",
        ),
        ({"macs": 1, "convention": "flop"}, "closest: flops"),
        ({"macs": 1, "tolerance": {"mac": 1}}, "tolerance 'mac': there is no such metric; closest: macs"),
        (
            {"flops": 1},
            "unexpected argument 'flops'; flops is a convention; limit total, with convention = 'flops'",
        ),
        ({"parameters": 1}, "unexpected argument 'parameters'; there is no such metric; closest: params"),
        ({"macs": 1, "convntion": "macs"}, "unexpected argument 'convntion'; closest: convention"),
        ({"macs": 1, "mask": 1}, r"goes into keyword_inputs=\{'mask'"),
    ],
)
def test_a_mistake_fails_the_test_with_one_message(tmp_path: Path, arguments: dict, says: str) -> None:
    with pytest.raises(Failed, match=f"^cost_gate: .*{says}"):
        gate(tmp_path / "none.lock")(CONV, SHAPE, **arguments)


def test_a_broken_limit_names_the_most_expensive_layers(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 1))
    with pytest.raises(Failed) as failed:
        gate(tmp_path / "none.lock")(net, SHAPE, macs="<=10k")
    assert str(failed.value).splitlines() == [
        "Sequential: MACs are 15,872; the budget is 10,000",
        "most expensive: 0: 3×3×3→8 at 8×8, 13,824 MACs (87.1 %)",
        "most expensive: 1: 1×1×8→4 at 8×8, 2,048 MACs (12.9 %)",
        "over budget: make the model cheaper, or raise the limit in the test",
    ]


def test_another_input_is_told_to_need_a_new_lock(tmp_path: Path) -> None:
    path, updates = tmp_path / "tests.lock", {}
    gate(path, updates=updates)(CONV, SHAPE, lock="net")
    write_locked(path, updates)
    with pytest.raises(
        Failed, match=r"net: its input 1×3×8×8 became 1×3×4×4, so .*\nto accept the new cost, run"
    ):
        gate(path)(CONV, (1, 3, 4, 4), lock="net")
    with pytest.raises(Failed, match="its convention macs became flops"):
        gate(path)(CONV, SHAPE, lock="net", convention="flops")


def test_a_model_may_be_given_by_its_spec(tmp_path: Path) -> None:
    assert gate(tmp_path / "none.lock")("resnet20", macs="<=41M").model == "resnet20"


def test_what_is_locked_is_held(tmp_path: Path) -> None:
    path, updates = tmp_path / "tests.lock", {}
    gate(path, updates=updates)(CONV, SHAPE, lock="net")
    assert write_locked(path, updates)
    held = gate(path)
    held(CONV, SHAPE, lock="net")
    wider = nn.Conv2d(3, 9, 3, padding=1)
    with pytest.raises(Failed, match=f"the model itself: 3×3×3→8 became 3×3×3→9, \\+{8 * 8 * 27:,} MACs"):
        held(wider, SHAPE, lock="net")
    held(wider, SHAPE, lock="net", tolerance={"macs": "+12.5%", "params": "+28"})
    with pytest.raises(Failed, match=r"'nte' is not locked in .*; closest: net"):
        held(CONV, SHAPE, lock="nte")


def test_locking_keeps_what_other_tests_have_locked(tmp_path: Path) -> None:
    path, first, second = tmp_path / "tests.lock", {}, {}
    gate(path, updates=first)(CONV, SHAPE, lock="first")
    write_locked(path, first)
    gate(path, updates=second)(CONV, SHAPE, lock="second")
    assert write_locked(path, second)
    assert not write_locked(path, second)
    gate(path)(CONV, SHAPE, lock="first")


def test_two_models_under_one_name_are_refused(tmp_path: Path) -> None:
    held = gate(tmp_path / "tests.lock", updates={})
    held(CONV, SHAPE, lock="net")
    held(CONV, SHAPE, lock="net")
    with pytest.raises(Failed, match="two models are locked as 'net'"):
        held(CONV, (1, 3, 9, 9), lock="net")


def test_what_breaks_a_limit_is_not_locked(tmp_path: Path) -> None:
    updates: dict = {}
    with pytest.raises(Failed):
        gate(tmp_path / "tests.lock", updates=updates)(CONV, SHAPE, lock="net", macs=1)
    assert not updates


def test_a_damaged_lock_is_told_before_it_would_be_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "tests.lock"
    path.write_text("<<<<<<< HEAD\n", encoding="utf-8")
    with pytest.raises(Failed, match="is in the middle of a merge"):
        gate(path, updates={})(CONV, SHAPE, lock="net")


def test_arguments_by_keyword_reach_the_model(tmp_path: Path) -> None:
    class Keyword(nn.Module):
        def forward(self, x, *, twice=False):
            return x @ x @ x if twice else x @ x

    held = gate(tmp_path / "none.lock")
    assert held(Keyword(), (4, 4), macs="1k").macs == 64
    assert held(Keyword(), (4, 4), keyword_inputs={"twice": True}, macs="1k").macs == 128


def test_memory_is_held_to_a_limit_and_the_layers_that_hold_it_are_named(tmp_path: Path) -> None:
    held = gate(tmp_path / "none.lock")
    size = 4 * (3 * 64 + 8 * 27 + 8 + 8 * 64)  # the input, weight and bias, and the output
    held(CONV, SHAPE, peak_memory=size, training_memory="<=1MiB")
    with pytest.raises(
        Failed, match=r"Conv2d: peak memory \(bytes\) is 3,712; the budget is 3,711 \(<3712\)"
    ) as failed:
        held(CONV, SHAPE, peak_memory=f"<{size}")
    assert "most memory: the model itself holds 3,712 bytes at the peak (100.0 %)" in str(failed.value)
    with pytest.raises(Failed, match="the limit must be a size such as 24G"):
        held(CONV, SHAPE, peak_memory="lots")


def test_locked_memory_is_blamed_on_the_layer_that_grew(tmp_path: Path) -> None:
    path, updates = tmp_path / "tests.lock", {}
    small, wide = (nn.Sequential(nn.Conv2d(3, width, 3), nn.Conv2d(width, 4, 1)) for width in (8, 16))
    gate(path, updates=updates)(small, SHAPE, lock="net", tolerance={"peak_memory": "+1%"})
    write_locked(path, updates)
    with pytest.raises(Failed, match=r"0 held \d[\d,]* bytes at the peak and now"):
        gate(path)(wide, SHAPE, lock="net")
