"""Control flow that is an operator of torch's own runs what a real run runs, in its layers."""

import pytest
import torch
from torch import nn
from torch._higher_order_ops.associative_scan import associative_scan
from torch._higher_order_ops.map import map as map_over
from torch._higher_order_ops.scan import scan
from torch._higher_order_ops.while_loop import while_loop

import resflops

WIDTH, ROWS = 6, 4
EACH = ROWS * WIDTH * WIDTH


class Model(nn.Module):
    """Two layers, and a forward that is given as a function."""

    def __init__(self, does):
        super().__init__()
        self.first, self.second, self.does = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), does

    def forward(self, *inputs):
        return self.does(self, *inputs)


def branch(model, x):
    return torch.cond(x.sum() > 0, lambda y: model.first(model.first(y)), lambda y: model.second(y), (x,))


def repeat(model, x):
    return while_loop(
        lambda step, y: step < 3, lambda step, y: (step + 1, model.first(y)), (torch.tensor(0), x)
    )


def map_rows(model, x):
    return map_over(lambda row, y: model.second(row + y), x, x[0])


def step_along(model, x):
    def step(carry, row):
        new = torch.tanh(model.first(carry) + model.second(row))
        return new, new.clone()

    return scan(step, torch.zeros(ROWS, WIDTH), x, dim=0)


@pytest.mark.parametrize(
    ("does", "x", "layers", "execution"),
    [
        pytest.param(branch, torch.ones(ROWS, WIDTH), ["first"] * 2, "real", id="cond"),
        pytest.param(branch, -torch.ones(ROWS, WIDTH), ["second"], "real", id="the other branch"),
        pytest.param(repeat, torch.ones(ROWS, WIDTH), ["first"] * 3, "real", id="while_loop"),
        pytest.param(map_rows, torch.ones(5, ROWS, WIDTH), ["second"] * 5, "meta", id="map"),
        pytest.param(step_along, torch.ones(5, ROWS, WIDTH), ["first", "second"] * 5, "meta", id="scan"),
    ],
)
def test_control_flow_runs_what_a_real_run_runs(does, x, layers, execution):
    cost = resflops.count(Model(does), x)
    assert [op.layer for op in cost.trace.ops if op.op == "linear"] == layers
    assert (cost.macs, cost.trace.execution) == (len(layers) * EACH, execution)
    assert cost.complete
    assert bool(cost.trace.notes) == (execution == "real")


def test_a_scan_backwards_and_along_another_dimension_has_the_shapes_that_torch_gives():
    def step(carry, row):
        return carry + row, carry * row

    def along(model, x):
        carry, out = scan(step, torch.zeros(ROWS, WIDTH), x, dim=1, reverse=True)
        # Torch 2.6 stacks what the body gives along the first dimension, whichever it scans.
        stacked = (5, ROWS, WIDTH) if torch.__version__.startswith("2.6.") else (ROWS, 5, WIDTH)
        assert (carry.shape, out.shape) == ((ROWS, WIDTH), stacked)
        return model.first(out)

    assert resflops.count(Model(along), torch.ones(ROWS, 5, WIDTH)).macs == 5 * EACH


def add(left, right):
    return left + right


def compose(left, right):
    """Two maps y = a·x + b, one after the other."""
    return left[0] * right[0], left[1] * right[0] + right[1]


@pytest.mark.parametrize(
    ("combine", "make", "options", "sums"),
    [
        # Of five rows the first four are added in two pairs, these in one, and then the third and the fifth
        # row to the sums before them.
        pytest.param(add, lambda x: x, {"dim": 0, "combine_mode": "generic"}, 5 * 6, id="sums"),
        pytest.param(add, lambda x: x, {"dim": 0}, 5 * 6, id="sums in one kernel"),
        pytest.param(
            compose, lambda x: (x, x), {"dim": 0, "combine_mode": "generic"}, 3 * 5 * 6, id="linear maps"
        ),
        # Of six columns three pairs, of these one pair and the third to its sum, and two columns to the sums
        # before them: seven times five rows.
        pytest.param(
            add, lambda x: x, {"dim": 1, "reverse": True, "combine_mode": "generic"}, 7 * 5, id="backwards"
        ),
    ],
)
def test_an_associative_scan_does_the_sums_of_its_pairs(combine, make, options, sums):
    def along(model, x):
        return associative_scan(combine, make(x), **options)

    cost = resflops.count(Model(along), torch.ones(5, 6), convention="flops")
    assert (cost.total, cost.trace.execution, cost.uncounted) == (sums, "meta", ())


def test_a_model_goes_on_with_what_an_associative_scan_gives():
    def along(model, x):
        return model.first(associative_scan(add, x, 0, combine_mode="generic"))

    assert resflops.count(Model(along), torch.ones(ROWS, WIDTH)).macs == EACH
    assert resflops.count(resflops.trace(Model(along), torch.ones(ROWS, WIDTH), real=True)).macs == EACH


def test_an_exported_branch_is_counted():
    exported = torch.export.export(Model(branch).eval(), (torch.ones(ROWS, WIDTH),)).module()
    assert resflops.count(exported, torch.ones(ROWS, WIDTH)).macs == 2 * EACH
    assert resflops.count(exported, -torch.ones(ROWS, WIDTH)).macs == EACH


def test_torch_is_as_before():
    compile_before = torch.compile
    resflops.count(Model(step_along), torch.ones(2, ROWS, WIDTH))
    assert torch.compile is compile_before
