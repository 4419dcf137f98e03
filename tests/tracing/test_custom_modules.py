"""A rule for a class: every call of such a module or autograd Function is one op."""

import re
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

import resflops
from resflops.cost.backward import count_gradients
from resflops.errors import DuplicateError, TraceError, UsageError
from resflops.ops import CLASSES, OPS
from resflops.records import MODEL_INPUT, PARAMETER, Work

GUIDE = Path(__file__).parents[2] / "resflops" / "guide" / "extending.md"


@pytest.fixture(autouse=True)
def _as_before():
    """Rules that a test registers are taken back."""
    tables = (OPS, CLASSES)
    before = [dict(table) for table in tables]
    yield
    for table, kept in zip(tables, before, strict=True):
        table.clear()
        table.update(kept)


class Block(nn.Module):
    def __init__(self, heads=2):
        super().__init__()
        self.heads, self.inner = heads, nn.Linear(4, 4)

    def forward(self, x, *, twice=False):
        y = self.inner(x).relu()
        return self.inner(y) if twice else y


class Net(nn.Module):
    def __init__(self, block=None):
        super().__init__()
        self.first, self.block, self.last = nn.Linear(4, 4), block or Block(), nn.Linear(4, 4)

    def forward(self, x):
        return self.last(self.block(self.first(x)))


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, times=2):
        return x * times + 0

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient, None


class InTwoParts(torch.autograd.Function):
    @staticmethod
    def forward(x, times):
        return x * times, x + 0

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass


class Applying(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.inner, self.function = nn.Linear(4, 4), function

    def forward(self, x):
        return self.inner(self.function(self.inner(x)))


def ops(trace):
    return [(op.op.rpartition(".")[2], op.layer, op.producers) for op in trace.ops]


def test_the_examples_of_the_guide_hold():
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    given = {"__name__": "mypackage"}
    for block in blocks:
        if "@resflops.rule(" in block:
            exec(block, given)
    mixer, sign = given["Mixer"](heads=2), given["Sign"]
    cost = resflops.count(nn.Sequential(mixer, nn.Linear(8, 8)), (5, 8), backward=True)
    assert (cost.macs, cost.uncounted) == (5 * 36 + 5 * 64, ())
    assert cost.layers[0].op == "mypackage.Mixer"
    assert [each.op for each in cost.backward.uncounted] == ["mypackage.Mixer"]
    cost = resflops.count(Applying(sign.apply), (5, 4), backward=True)
    assert (cost.work.comparisons, cost.backward.uncounted) == (20, ())


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
def test_a_module_with_a_rule_is_one_op_and_nothing_inside_is_counted_besides(real):
    resflops.rule(Block)(lambda record: Work(macs=7))
    trace = resflops.trace(Net(), (3, 4), real=real)
    assert ops(trace) == [
        ("linear", "first", (MODEL_INPUT, PARAMETER)),
        ("Block", "block", (0, PARAMETER - 2, PARAMETER - 3)),
        ("linear", "last", (1, PARAMETER - 4)),
    ]
    whole = trace.ops[1]
    assert whole.op == f"{Block.__module__}.Block"
    assert (whole.input_shapes, whole.output_shapes) == (((3, 4), (4, 4), (4,)), ((3, 4),))
    assert whole.attributes == {
        "heads": 2, "training": True, "twice": False, "inner.weight": (4, 4), "inner.bias": (4,),
    }  # fmt: skip
    assert (trace.outputs, resflops.count(trace).macs) == ((2,), 2 * 3 * 16 + 7)
    assert resflops.count(trace).params == 3 * 20


def test_a_call_by_forward_and_one_of_a_subclass_are_the_same_op():
    class Sub(Block):
        pass

    class Own(Block):
        def forward(self, x):
            return super().forward(x) + 1

    resflops.rule(Block)(lambda record: Work(macs=7))
    for block, inside in ((Sub(), ["Block"]), (Own(), ["Block", "add"])):
        model = Net(block)
        assert [op for op, _, _ in ops(resflops.trace(model, (3, 4)))] == ["linear", *inside, "linear"]
    model = Net()
    model.forward = lambda x: model.block.forward(x, twice=True)
    (whole,) = resflops.trace(model, (3, 4)).ops
    assert (whole.layer, whole.attributes["twice"]) == ("block", True)


def test_a_class_with_a_rule_inside_another_counts_with_the_outer_one():
    resflops.rule(Block)(lambda record: Work(macs=7))
    resflops.rule(Net)(lambda record: Work(macs=100))
    model = nn.Sequential(Net(), Block(), nn.ReLU())
    trace = resflops.trace(model, (3, 4))
    assert [op for op, _, _ in ops(trace)] == ["Net", "Block", "relu"]
    assert [op.producers[0] for op in trace.ops] == [MODEL_INPUT, 0, 1]
    assert resflops.count(trace).macs == 107


def test_what_comes_out_of_a_call_by_another_way_is_the_calls():
    resflops.rule(Block)(lambda record: Work(macs=7))
    model, seen = Net(), []
    model.block.inner.register_forward_hook(lambda module, args, out: seen.append(out))
    model.register_forward_hook(lambda module, args, out: out + seen[-1])
    trace = resflops.trace(model, (3, 4))
    assert ops(trace)[-1] == ("add", "", (2, 1))


def test_what_a_call_writes_into_was_made_before_it():
    class Writing(nn.Module):
        def forward(self, x):
            return x.relu_()

    resflops.rule(Writing)(lambda record: Work())
    assert ops(resflops.trace(nn.Sequential(nn.Linear(4, 4), Writing(), nn.Linear(4, 4)), (3, 4)))[1:] == [
        ("Writing", "1", (0,)),
        ("linear", "2", (1, PARAMETER - 2)),
    ]


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
@pytest.mark.parametrize("function", [Double, InTwoParts])
def test_an_autograd_function_with_a_rule_is_one_op(function, real):
    # Taken before there is a rule, as user code does at import.
    apply = function.apply
    resflops.rule(function)(lambda record: Work(arithmetic=record.attributes["times"]))
    model = Applying(lambda x: apply(x, 3) if function is Double else apply(x, 3)[0])
    trace = resflops.trace(model, (3, 4), real=real)
    assert ops(trace)[1] == (function.__name__, "", (0,))
    assert [op for op, _, _ in ops(trace)] == ["linear", function.__name__, "linear"]
    assert resflops.count(trace).work.arithmetic == 3


def test_an_autograd_function_without_a_rule_is_what_its_forward_runs():
    trace = resflops.trace(Applying(Double.apply), (3, 4))
    assert [op for op, _, _ in ops(trace)] == ["linear", "mul", "add", "linear"]


def test_the_gradient_of_a_class_is_uncounted_until_it_has_a_rule():
    resflops.rule(Double)(lambda record: Work(arithmetic=12))
    trace = resflops.trace(Applying(Double.apply), (3, 4))
    assert count_gradients(trace)[1] is None
    resflops.gradient_rule(Double)(lambda record, operand: Work(arithmetic=5))
    assert count_gradients(trace)[1].inputs == Work(arithmetic=5)
    with pytest.raises(DuplicateError, match="Double' has a gradient rule already"):
        resflops.gradient_rule(Double)(lambda record, operand: Work())


def test_a_stored_trace_is_priced_by_the_name_of_the_class(tmp_path):
    resflops.rule(Block)(lambda record: Work(macs=7))
    resflops.trace(Net(), (3, 4)).save(tmp_path / "trace.json")
    name = CLASSES.pop(Block)
    del OPS[name]
    trace = resflops.Trace.load(tmp_path / "trace.json")
    assert [each.op for each in resflops.count(trace).uncounted] == [name]
    resflops.rule(name)(lambda record: Work(macs=9))
    assert resflops.count(trace).macs == 2 * 3 * 16 + 9


def test_classes_are_as_before_also_when_the_forward_raises():
    class Sub(Block):
        pass

    resflops.rule(Block, Sub, Double)(lambda record: Work())
    before = [dict(vars(cls)) for cls in (Block, Sub, Double)]
    resflops.trace(Net(), (3, 4))
    with pytest.raises(TraceError):
        resflops.trace(Net(Sub()), (3, 5))
    assert [dict(vars(cls)) for cls in (Block, Sub, Double)] == before
    assert Net()(torch.ones(3, 4)).shape == (3, 4)


def test_threads_that_run_and_trace_such_a_class_do_not_see_each_other():
    resflops.rule(Block)(lambda record: Work(macs=7))
    model, wrong = Net(), []
    expected, forward = model(torch.ones(3, 4)), Block.forward

    def count():
        wrong.extend(macs for _ in range(20) if (macs := resflops.count(model, (3, 4)).macs) != 103)

    def run():
        wrong.extend("output" for _ in range(100) if not torch.equal(model(torch.ones(3, 4)), expected))

    threads = [threading.Thread(target=each) for each in (count, run, count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert Block.forward is forward


def test_a_mapped_call_is_recorded_op_by_op():
    class Mapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()

        def forward(self, x):
            return torch.vmap(self.block)(x)

    resflops.rule(Block)(lambda record: Work(macs=7))
    assert resflops.count(Mapped(), (3, 4)).macs == 3 * 16


def test_a_second_rule_and_a_class_that_is_no_op_are_errors():
    resflops.rule(Block)(lambda record: Work())
    with pytest.raises(DuplicateError, match="Block' has a rule already"):
        resflops.rule(Block)(lambda record: Work())
    for wrong in (Path, nn.Module, 3):
        with pytest.raises(UsageError, match=r"subclass of torch\.nn\.Module or torch\.autograd\.Function"):
            resflops.rule(wrong)
