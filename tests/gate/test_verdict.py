"""Verdicts: what passes, what fails, and what lock and configuration must agree on."""

from pathlib import Path

import pytest

from resflops.errors import SchemaError
from resflops.gate.config import Budget, Config, ModelConfig
from resflops.gate.limits import read_tolerance
from resflops.gate.lockfile import Lock
from resflops.gate.snapshot import Snapshot, SnapshotInput, SnapshotLine
from resflops.gate.verdict import check_lock_names, judge


def snapshot(
    macs: int,
    params: int = 10,
    *,
    convention: str = "macs",
    uncounted: str = "",
    size: int = 8,
    dtype: str = "float32",
) -> Snapshot:
    lines = [SnapshotLine(layer="conv", op="conv2d", macs=macs, params=params, total=macs)]
    if uncounted:
        lines.append(SnapshotLine(layer="odd", op=uncounted, calls=2, counted=False))
    inputs = (SnapshotInput((1, 3, size, size), dtype),)
    return Snapshot(model="net", spec="net", inputs=inputs, convention=convention, lines=tuple(lines))


@pytest.mark.parametrize(
    ("now", "tolerance", "budget", "standing", "passed"),
    [
        (1000, None, None, "as locked", True),
        (1001, None, None, "over lock", False),
        (999, None, None, "cheaper", True),
        (1010, "+1%", None, "within tolerance", True),
        (1011, "+1%", None, "over lock", False),
        (1000, None, 1000, "as locked", True),
        (1000, None, 999, "over budget", False),
        (1001, None, 999, "over lock and budget", False),
        (999, None, 998, "over budget", False),
    ],
)
def test_a_figure_is_held_to_lock_and_budget(now, tolerance, budget, standing, passed) -> None:
    verdict = judge(
        snapshot(now),
        locked=snapshot(1000),
        budgets={} if budget is None else {"macs": Budget(limit=budget, text=str(budget), line=1)},
        tolerances={} if tolerance is None else {"macs": read_tolerance(tolerance)},
    )
    macs, params, buffers = verdict.findings
    assert (macs.standing, macs.passed, verdict.passed) == (standing, passed, passed)
    assert params.standing == buffers.standing == "as locked"


def test_every_metric_is_held_to_the_lock() -> None:
    verdict = judge(snapshot(1000, params=11), locked=snapshot(1000), budgets={}, tolerances={})
    assert not verdict.passed
    assert [finding.metric for finding in verdict.findings if not finding.passed] == ["params"]


def test_under_another_convention_the_total_is_held_too() -> None:
    verdict = judge(
        snapshot(5, convention="flops"), locked=snapshot(4, convention="flops"), budgets={}, tolerances={}
    )
    assert [finding.metric for finding in verdict.findings if not finding.passed] == ["macs", "total"]


def test_a_cheaper_model_that_has_more_parameters_is_no_improvement() -> None:
    verdict = judge(snapshot(999, params=11), locked=snapshot(1000), budgets={}, tolerances={})
    assert (verdict.passed, verdict.cheaper) == (False, False)


def test_budgets_alone_need_no_lock() -> None:
    verdict = judge(
        snapshot(5), locked=None, budgets={"macs": Budget(limit=5, text="5", line=1)}, tolerances={}
    )
    assert verdict.passed
    assert verdict.diff is None
    assert [finding.standing for finding in verdict.findings] == ["within budget"]


def test_an_uncounted_op_fails_unless_it_is_allowed_by_name() -> None:
    same = snapshot(5, uncounted="my.op")
    for allowed, passed in (((), False), (("other.op",), False), (("my.op",), True)):
        verdict = judge(same, locked=same, budgets={}, tolerances={}, allowed=frozenset(allowed))
        assert verdict.passed == passed


@pytest.mark.parametrize("macs", [999, 1000, 1001])
@pytest.mark.parametrize(
    ("other", "standing"),
    [
        ({"size": 4}, "input changed"),
        ({"dtype": "bfloat16"}, "dtype changed"),
        ({"convention": "flops"}, "convention changed"),
        ({"size": 4, "dtype": "bfloat16"}, "input changed"),
    ],
)
def test_under_another_input_type_or_convention_nothing_is_compared(macs, other, standing) -> None:
    verdict = judge(snapshot(macs, **other), locked=snapshot(1000), budgets={}, tolerances={})
    assert (verdict.passed, verdict.cheaper, verdict.over_lock) == (False, False, False)
    found = {finding.metric: finding for finding in verdict.findings}
    assert (found["macs"].standing, found["macs"].change, found["macs"].share) == (standing, None, None)
    # What a model holds does not depend on its input.
    assert found["params"].standing == "as locked"


def test_a_budget_holds_whatever_the_input() -> None:
    budgets = {"macs": Budget(limit=5, text="5", line=1)}
    verdict = judge(snapshot(6, size=4), locked=snapshot(1000), budgets=budgets, tolerances={})
    assert verdict.findings[0].standing == "over budget"
    assert (verdict.over_budget, verdict.changed) == (True, ("input",))


@pytest.mark.parametrize(
    ("now", "locked", "standing", "passed"),
    [
        (snapshot(999, uncounted="my.op"), snapshot(1000), "incomplete", True),
        (snapshot(1000, uncounted="my.op"), snapshot(1000), "incomplete", True),
        (snapshot(1001, uncounted="my.op"), snapshot(1000), "over lock", False),
        (snapshot(1000, uncounted="my.op"), snapshot(1000, uncounted="my.op"), "as locked", True),
        (snapshot(999, uncounted="my.op"), snapshot(1000, uncounted="my.op"), "incomplete", True),
        (snapshot(999), snapshot(1000, uncounted="my.op"), "cheaper", True),
    ],
)
def test_a_lower_bound_is_never_cheaper(now, locked, standing, passed) -> None:
    verdict = judge(now, locked=locked, budgets={}, tolerances={}, allowed=frozenset(["my.op"]))
    macs, params, buffers = verdict.findings
    assert (macs.standing, macs.passed) == (standing, passed)
    assert verdict.cheaper == (standing == "cheaper")
    # Parameters are counted whether or not an op has a rule.
    assert params.standing == buffers.standing == "as locked"


@pytest.mark.parametrize(
    ("locked", "says"),
    [
        ({"net": snapshot(1), "nut": snapshot(1)}, "has the model 'nut', but .* does not; closest: net"),
        ({}, "p.toml:7: the model 'net' is not locked yet"),
    ],
)
def test_lock_and_configuration_are_about_the_same(locked, says) -> None:
    model = ModelConfig(name="net", spec="net", line=7)
    config = Config(path=Path("p.toml"), lock=Path("r.lock"), models={"net": model})
    with pytest.raises(SchemaError, match=says):
        check_lock_names(config, Lock(snapshots=locked), (model,))
