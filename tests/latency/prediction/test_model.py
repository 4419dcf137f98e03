"""What is learned of one kind of op: the rule behind synthetic times, and a bound on what is beyond them."""

from itertools import product

import pytest

from resflops.latency.prediction import SizedOp
from resflops.latency.prediction.model import KindModel, compute_features


def linear(*sizes: int) -> SizedOp:
    return SizedOp("linear", (1, *sizes))


GRID = [linear(*sizes) for sizes in product((1, 16, 256), (64, 256, 1024), (64, 256, 1024))]


def test_a_power_law_is_found_and_holds_beyond_the_samples() -> None:
    def rule(op: SizedOp) -> float:
        return 1e-11 * op.sizes[1] * op.sizes[2] * op.sizes[3]

    model = KindModel(GRID, [rule(op) for op in GRID])
    for op in (linear(4, 128, 512), linear(16, 64, 256), linear(1024, 2048, 2048)):
        assert model.predict([op]) == pytest.approx([rule(op)], rel=0.02)


def test_where_a_rule_bends_the_neighbours_tell() -> None:
    def rule(op: SizedOp) -> float:
        return 5e-6 + 1e-10 * op.sizes[0]

    ops = [SizedOp("relu", (2**power,)) for power in range(4, 24)]
    model = KindModel(ops, [rule(op) for op in ops])
    for power in (6.5, 14.5, 20.5):
        op = SizedOp("relu", (round(2**power),))
        assert model.predict([op]) == pytest.approx([rule(op)], rel=0.05)


@pytest.mark.parametrize(
    "ops", [[SizedOp("view")], [SizedOp("relu", (8,))], [linear(1, 2, 3)]], ids=lambda ops: ops[0].kind
)
def test_one_sample_tells_its_own_time(ops) -> None:
    assert KindModel(ops, [3e-6]).predict([*ops, *ops]) == pytest.approx([3e-6, 3e-6])


def test_far_from_all_samples_a_time_is_finite_and_above_zero() -> None:
    model = KindModel(GRID, [1e-5 + 1e-9 * place for place in range(len(GRID))])
    (least, most) = model.predict([linear(1, 1, 1), linear(10**6, 10**6, 10**6)])
    assert 0 < least < 1
    assert 0 < most < 1


def test_an_empty_tensor_has_features() -> None:
    assert compute_features(SizedOp("relu", (0,))) == [0.0, 0.0]
