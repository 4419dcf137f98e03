"""vmap and torch.func's gradients, over what the model holds: each mapped or transposed product counts."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap

import resflops


class Experts(nn.Module):
    """Three matrices, 6 by 4, in a parameter, a buffer and a plain attribute, and what is done with them."""

    def __init__(self, function):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 6, 4))
        self.register_buffer("fixed", torch.randn(3, 6, 4))
        self.held = [torch.randn(3, 6, 4)]
        self.layer = nn.Linear(6, 4)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def check(model, x, macs):
    """Count on shapes, and compare with the ops that run for real."""
    cost = resflops.count(model, x)
    assert (cost.macs, cost.uncounted) == (macs, ())
    real = resflops.trace(model, x, real=True)
    assert resflops.count(real).macs == macs
    return cost


# One matrix on an input of 2 by 6.
ONE = 2 * 6 * 4


@pytest.mark.parametrize(
    ("function", "macs"),
    [
        pytest.param(lambda m, x: vmap(lambda w: x @ w)(m.weight), 3 * ONE, id="a parameter"),
        pytest.param(lambda m, x: vmap(lambda w: x @ w)(m.fixed), 3 * ONE, id="a buffer"),
        pytest.param(lambda m, x: vmap(lambda w: x @ w)(m.held[0]), 3 * ONE, id="a plain attribute"),
        pytest.param(lambda m, x: vmap(torch.mm, in_dims=(None, 0))(x, m.weight), 3 * ONE, id="the second of two"),
        pytest.param(
            lambda m, x: vmap(lambda w: x[:, :3] @ w, in_dims=1, out_dims=2)(m.weight),
            6 * 2 * 3 * 4,
            id="another dimension",
        ),
        pytest.param(
            lambda m, x: vmap(lambda held, y: y @ held["w"], in_dims=({"w": 0}, None))({"w": m.weight}, x),
            3 * ONE,
            id="in a dict",
        ),
        pytest.param(lambda m, x: vmap(lambda w: x @ w, chunk_size=2)(m.weight), 3 * ONE, id="in chunks"),
        pytest.param(
            lambda m, x: vmap(vmap(lambda w: x @ w))(torch.stack([m.weight, m.fixed])), 6 * ONE, id="nested, made"
        ),
        pytest.param(
            lambda m, x: vmap(vmap(lambda w: x[0] @ w, in_dims=1, out_dims=0))(m.weight[:, :, None].expand(3, 6, 5, 4)),
            3 * 5 * 6 * 4,
            id="nested, held",
        ),
        pytest.param(
            lambda m, x: vmap(lambda w: F.dropout(x @ w, 0.5, True), randomness="different")(m.weight),
            3 * ONE,
            id="with dropout",
        ),
        pytest.param(
            lambda m, x: vmap(lambda w: F.scaled_dot_product_attention(w, w, w))(m.weight),
            3 * 2 * 6 * 6 * 4,
            id="attention",
        ),
    ],
)  # fmt: skip
def test_each_mapped_matrix_is_multiplied(function, macs):
    check(Experts(function), torch.randn(2, 6), macs)


def run_ensemble(model, x):
    parameters, buffers = stack_module_state([*model.members])
    base = copy.deepcopy(model.members[0]).to("meta")
    run = vmap(lambda *state: functional_call(base, state, (x,)))
    return run(parameters, buffers)


def test_every_member_of_a_stacked_ensemble_counts():
    model = Experts(run_ensemble)
    model.members = nn.ModuleList(
        nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 16, 2)).eval()
        for _ in range(3)
    )  # fmt: skip
    check(model, torch.randn(2, 3, 6, 6), 3 * 2 * (4 * 4 * 5 * 27 + 5 * 16 * 2))


def take_step(model, x):
    """One step of gradient descent on the layer's own parameters, and the layer as it is then."""
    held = dict(model.layer.named_parameters())
    slopes = grad(lambda state: functional_call(model.layer, state, (x,)).sum())(held)
    return functional_call(model.layer, {name: held[name] - slopes[name] for name in held}, (x,))


@pytest.mark.parametrize(
    ("function", "macs"),
    [
        # The layer before and after the step, and the transposed product for its weight.
        pytest.param(take_step, 3 * ONE, id="a step of an inner loop"),
        pytest.param(
            lambda m, x: vmap(grad(lambda w, y: F.linear(y[None], w).sum()), in_dims=(None, 0))(m.layer.weight, x),
            2 * ONE,
            id="the gradient of each sample",
        ),
        pytest.param(lambda m, x: vjp(m.layer, x)[1](m.layer(x)), 3 * ONE, id="vjp"),
        # One product with the matrix for each of the four outputs.
        pytest.param(lambda m, x: jacrev(m.layer)(x[0]), 6 * 4 + 4 * 6 * 4, id="jacrev"),
        pytest.param(lambda m, x: jacrev(lambda w: F.linear(x[:1], w))(m.layer.weight), 6 * 4 + 4 * 6 * 4, id="jacrev of a weight"),
        pytest.param(lambda m, x: jvp(lambda y: y * 2, (x,), (m.held[0][0, :2, :4].new_ones(2, 6),)), 0, id="jvp"),
    ],
)  # fmt: skip
def test_gradients_count_with_the_products_that_they_run(function, macs):
    check(Experts(function), torch.randn(2, 6), macs)


def test_a_tangent_goes_through_the_layer_with_it():
    # torch multiplies the zero tangent of the weight, too: three products.
    check(Experts(lambda m, x: jvp(m.layer, (x,), (torch.ones_like(x),))), torch.randn(2, 6), 3 * ONE)
    # The input, its six tangents, and once the weight's zero tangent, which depends on none of the six.
    check(Experts(lambda m, x: jacfwd(m.layer)(x[0])), torch.randn(2, 6), (1 + 6 + 1) * 6 * 4)


def test_a_weight_is_as_before_after_its_gradient_was_taken():
    model = Experts(take_step)
    before = {name: (id(held), held.clone()) for name, held in model.named_parameters()}
    resflops.count(model, torch.randn(2, 6))
    assert all(
        id(held) == before[name][0] and torch.equal(held, before[name][1])
        for name, held in model.named_parameters()
    )
    assert all(held.grad is None for held in model.parameters())


def test_a_transform_works_for_others_during_and_after_a_trace():
    own = torch._functorch.vmap._add_batch_dim
    seen = []

    def run(model, x):
        seen.append(torch._functorch.vmap._add_batch_dim is not own)
        with torch._C.DisableTorchFunction():
            return x

    resflops.count(Experts(run), torch.randn(2, 6))
    assert seen == [True]
    assert torch._functorch.vmap._add_batch_dim is own
    weight = torch.randn(3, 6, 4)
    assert torch.equal(vmap(lambda w: w * 2)(weight), weight * 2)
