"""Gradients that a forward takes itself count with the products that they run, and leave the model as it was."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

import resflops

# Ten points through 3 to 5, and through 5 to 1.
FIRST, SECOND = 10 * 3 * 5, 10 * 5 * 1
FORWARD = FIRST + SECOND


class Field(nn.Module):
    """An energy of points, and what is done with it."""

    def __init__(self, function):
        super().__init__()
        self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 1)
        self.function = function

    def energy(self, x):
        return self.second(self.first(x).square()).sum()

    def forward(self, x):
        return self.function(self, x)


def take_force(model, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(model.energy(x), x)[0]


def take_force_with_graph(model, x):
    with torch.set_grad_enabled(True):
        x.requires_grad_(True)
        energy = model.energy(x)
        return energy, torch.autograd.grad(energy, x, create_graph=True)[0]


def go_back(model, x):
    model.energy(x).backward()
    return [parameter.grad + 1 for parameter in model.parameters() if parameter.grad is not None]


def go_back_by_function(model, x):
    torch.autograd.backward([model.energy(x)], inputs=[model.second.weight])
    return model.second.weight.grad


def take_curvature(model, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (force,) = torch.autograd.grad(model.energy(x), x, create_graph=True)
        return torch.autograd.grad(force.square().sum(), x)[0]


def adapt(model, x):
    """Two steps of an inner loop with gradients through them, as MAML makes, and the model as it is then."""
    held = dict(model.first.named_parameters())
    for _ in range(2):
        loss = functional_call(model.first, held, (x,)).square().mean()
        slopes = torch.autograd.grad(loss, held.values(), create_graph=True)
        held = {name: value - slope for (name, value), slope in zip(held.items(), slopes, strict=True)}
    return functional_call(model.first, held, (x,))


def train(model, x):
    model.zero_grad()
    model.energy(x).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad)
    return model.energy(x)


def go_back_through_checkpoint(model, x, *, reentrant):
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        checkpoint(model.energy, x, use_reentrant=reentrant).backward()
        return x.grad


def hide_failure(model, x):
    try:
        return take_force(model, x)
    except (RuntimeError, ValueError, TypeError):
        return x


def carry_tangent(model, x):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(model.first(forward_ad.make_dual(x, torch.ones_like(x)))).tangent


def hook(model, x):
    y = model.first(x)
    y.register_hook(lambda slope: slope * 2)
    y.retain_grad()
    return model.second(y)


def look_and_take_force(model, x):
    return take_force(model, x) if model.energy(x).item() < 1e9 else x


CASES = [
    # The two transposed products that lead to the points.
    pytest.param(take_force, 2 * FORWARD, id="grad"),
    pytest.param(take_force_with_graph, 2 * FORWARD, id="grad with its graph"),
    pytest.param(hide_failure, 2 * FORWARD, id="grad, and failures caught"),
    pytest.param(look_and_take_force, 3 * FORWARD, id="grad, and a look at values"),
    # To both weights, and to the input of the second layer.
    pytest.param(go_back, FORWARD + FORWARD + SECOND, id="backward"),
    pytest.param(train, FORWARD + FORWARD + SECOND + FORWARD, id="a training step"),
    pytest.param(go_back_by_function, FORWARD + SECOND, id="backward to one weight"),
    # The second gradient goes back through the product with the first weight twice.
    pytest.param(take_curvature, 2 * FORWARD + 2 * FIRST, id="gradient of a gradient"),
    pytest.param(adapt, 2 * (FIRST + FIRST) + FIRST, id="an inner loop"),
    pytest.param(
        lambda m, x: torch.autograd.functional.vjp(m.energy, x)[1], 2 * FORWARD, id="autograd.functional"
    ),
    # The first layer is run again, since the second's output is not needed; the gradients are the points' and
    # both weights'.
    pytest.param(
        lambda m, x: go_back_through_checkpoint(m, x, reentrant=False),
        FORWARD + FIRST + 2 * FORWARD,
        id="through a checkpoint",
    ),
    pytest.param(
        lambda m, x: go_back_through_checkpoint(m, x, reentrant=True),
        2 * FORWARD + 2 * FORWARD,
        id="through a reentrant checkpoint",
    ),
    # The points, their tangent, and the zero tangent of the weight, which torch multiplies as well.
    pytest.param(carry_tangent, 3 * FIRST, id="a tangent"),
    pytest.param(hook, FORWARD, id="a hook on a gradient"),
]


@pytest.mark.parametrize(("function", "macs"), CASES)
def test_gradients_count_with_what_they_run(function, macs):
    points = torch.randn(10, 3)
    for training in (False, True):
        cost = resflops.count(Field(function).train(training), points)
        assert (cost.macs, cost.uncounted) == (macs, ())
    real = resflops.count(resflops.trace(Field(function), points, real=True))
    assert (real.macs, real.uncounted) == (macs, ())


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
@pytest.mark.parametrize("function", [take_force, go_back, train, hide_failure])
def test_parameters_and_their_gradients_are_as_before(function, real):
    model, points = Field(function), torch.randn(10, 3)
    model.energy(points).backward()
    model.second.bias.grad, model.first.bias.requires_grad = None, False
    before = [
        (held, held.clone(), held.grad, None if held.grad is None else held.grad.clone(), held.requires_grad)
        for held in model.parameters()
    ]
    resflops.trace(model, points, real=real)
    for (held, value, slope, slope_value, required), now in zip(before, model.parameters(), strict=True):
        assert now is held
        assert torch.equal(now, value)
        assert now.grad is slope
        assert slope is None or torch.equal(slope, slope_value)
        assert now.requires_grad == required
    assert points.grad is None


def test_an_input_requires_a_gradient_as_the_callers_does():
    model = Field(lambda m, x: torch.autograd.grad(m.energy(x), x)[0])
    points = torch.randn(10, 3, requires_grad=True)
    assert resflops.count(model, points).macs == 2 * FORWARD
    assert points.grad is None


def test_a_caller_without_autograd_gets_the_same_count():
    model, points = Field(take_force), torch.randn(10, 3)
    with torch.no_grad():
        assert resflops.count(model, points).macs == 2 * FORWARD
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert resflops.count(model, torch.randn(10, 3)).macs == 2 * FORWARD
        assert torch.is_inference_mode_enabled()


def test_ops_of_a_gradient_without_a_graph_have_no_gradient_of_their_own():
    points = torch.randn(10, 3)

    def count_recorded(function):
        ops = resflops.trace(Field(function), points).ops
        return [op.records_gradient for op in ops if op.op == "mm"]

    assert count_recorded(take_force) == [False, False]
    assert count_recorded(take_force_with_graph) == [True, True]


def test_a_model_that_takes_no_gradient_is_traced_without_autograd():
    # Described functions are one op each; through the dispatcher a linear layer would be t and addmm.
    trace = resflops.trace(Field(lambda m, x: m.energy(x)), torch.randn(10, 3))
    assert [op.op for op in trace.ops] == ["linear", "square", "linear", "sum"]


def test_the_functional_module_is_as_before():
    own = torch.autograd._engine_run_backward
    resflops.count(Field(take_force), torch.randn(10, 3))
    assert torch.autograd._engine_run_backward is own


def test_an_error_of_the_forwards_own_is_still_told():
    model = Field(lambda m, x: torch.autograd.grad(F.relu(x.detach()).sum(), m.first.weight))
    with pytest.raises(resflops.errors.TraceError, match="grad on a scalar"):
        resflops.count(model, torch.randn(10, 3))


class Guarded(nn.Module):
    """A model that takes a gradient only if told that there is one."""

    def __init__(self, ask, take=torch.Tensor.backward):
        super().__init__()
        self.layer, self.ask, self.take = nn.Linear(4, 3), ask, take

    def forward(self, x):
        loss = self.layer(x).sum()
        if self.ask(loss):
            self.take(loss)
        return loss


QUESTIONS = {
    "requires a gradient": lambda loss: loss.requires_grad,
    "has a function": lambda loss: loss.grad_fn is not None,
    "is no leaf": lambda loss: not loss.is_leaf,
}


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_a_gradient_that_is_taken_only_if_there_is_one_counts(ask, real):
    model = Guarded(ask)
    cost = resflops.count(resflops.trace(model, torch.rand(2, 4), real=real))
    # The layer's product, and that for the gradient of its weight.
    assert cost.macs == 2 * (2 * 4 * 3)
    assert [parameter.grad for parameter in model.parameters()] == [None, None]


def test_a_model_that_insists_on_a_gradient_is_traced_with_autograd():
    def insist(loss):
        if not loss.requires_grad:
            raise ValueError("call it with autograd on")
        return True

    assert resflops.count(Guarded(insist), (2, 4)).macs == 2 * (2 * 4 * 3)


def test_a_model_that_only_asks_is_traced_as_before():
    asking, silent = Guarded(QUESTIONS["requires a gradient"], take=lambda loss: loss * 1), Guarded(bool)
    silent.ask = lambda loss: False
    trace = resflops.trace(asking, (2, 4))
    assert trace.ops == resflops.trace(silent, (2, 4)).ops


@pytest.mark.parametrize("real", [False, True])
def test_what_is_asked_of_a_parameter_or_within_no_grad_changes_nothing(real):
    class Asking(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            answers.append(self.layer.weight.requires_grad)
            with torch.no_grad():
                answers.append(self.layer(x).requires_grad)
            return self.layer(x)

    model, answers = Asking(), []
    assert resflops.count(resflops.trace(model, torch.rand(2, 4), real=real)).macs == 2 * (2 * 4 * 3)
    assert answers == [True, False]
