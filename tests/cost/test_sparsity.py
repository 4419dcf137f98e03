"""Non-zero MACs of pruned models, against the products that are really formed with what is left."""

import json

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import resflops
from resflops.cli import main
from resflops.errors import UsageError
from resflops.ops import CLASSES, OPS


def count_nonzero(model, *inputs, **how):
    return resflops.count(model, *inputs, nonzero=True, **how).nonzero_macs


def zero_some(model):
    """Every parameter with about half of its values made zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(torch.rand_like(parameter) > 0.5)
    return model


@settings(max_examples=25)
@given(st.data(), st.integers(1, 3), st.integers(1, 2), st.booleans())
def test_a_convolution_counts_the_taps_whose_weight_is_not_zero(data, spatial, groups, transposed):
    sizes = st.integers(1, 3)
    kernel, stride, dilation, batch = (data.draw(sizes) for _ in range(4))
    padding = 0 if transposed else data.draw(st.integers(0, 2))
    kind = getattr(nn, f"Conv{'Transpose' * transposed}{spatial}d")
    model = zero_some(kind(2 * groups, 3 * groups, kernel, stride, padding, dilation=dilation, groups=groups))
    shape = (batch, 2 * groups, *[7] * spatial)
    # Ones for every input, those of the padding too, and for every weight that is there.
    call = getattr(F, f"conv{'_transpose' * transposed}{spatial}d")
    image = F.pad(torch.ones(shape, dtype=torch.double), (padding,) * (2 * spatial), value=1)
    there = (model.weight != 0).double()
    products = call(image, there, stride=stride, dilation=dilation, groups=groups).sum().item()
    assert count_nonzero(model, shape) == products


class Functional(nn.Module):
    """Products in other words, with a weight of its own."""

    def __init__(self, call, *size):
        super().__init__()
        self.weight, self.call = nn.Parameter(torch.rand(size)), call

    def forward(self, x):
        return self.call(x, self.weight)


def count_left(model):
    return int(model.weight.count_nonzero())


CASES = {
    "linear": (lambda: nn.Linear(4, 5), (2, 7, 4), lambda m: 14 * count_left(m)),
    "matmul": (lambda: Functional(torch.matmul, 4, 5), (2, 7, 4), lambda m: 14 * count_left(m)),
    "from the left": (lambda: Functional(lambda x, w: w @ x, 5, 4), (2, 4, 7), lambda m: 14 * count_left(m)),
    "batched": (lambda: Functional(torch.matmul, 2, 4, 5), (2, 7, 4), lambda m: 7 * count_left(m)),
    "addmm": (lambda: Functional(lambda x, w: torch.addmm(w[0], x, w), 4, 5), (7, 4), lambda m: 7 * count_left(m)),
    "transposed": (lambda: Functional(lambda x, w: x @ w.T.mT.t(), 5, 4), (7, 4), lambda m: 7 * count_left(m)),
    "einsum": (lambda: Functional(lambda x, w: torch.einsum("bi,ioh->bho", x, w), 4, 5, 2), (7, 4),
               lambda m: 7 * count_left(m)),
    "half": (lambda: Functional(lambda x, w: F.linear(x, w.chunk(2)[1]), 6, 4), (7, 4),
             lambda m: 7 * int(m.weight[3:].count_nonzero())),
    "recurrent": (lambda: nn.GRU(3, 4, 2, bidirectional=True), (5, 2, 3),
                  lambda m: 10 * sum(int(p.count_nonzero()) for n, p in m.named_parameters() if n.startswith("weight"))),
    "frozen": (lambda: nn.Linear(4, 5).requires_grad_(False), (7, 4), lambda m: 7 * count_left(m)),
    "embedding": (lambda: nn.Embedding(9, 4), torch.zeros(1, 3, dtype=torch.long), lambda m: 0),
    "used twice": (lambda: nn.Sequential(*[nn.Linear(4, 4)] * 2), (7, 4), lambda m: 14 * count_left(m[0])),
}  # fmt: skip


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
@pytest.mark.parametrize("name", CASES)
def test_every_element_of_a_weight_counts_as_often_as_it_is_applied(name, real):
    make, shape, expected = CASES[name]
    model = zero_some(make())
    inputs = shape if isinstance(shape, torch.Tensor) else torch.rand(shape).bernoulli(0.5)
    trace = resflops.trace(model, inputs, real=real, nonzero=True)
    cost = resflops.count(trace)
    assert (cost.nonzero_macs, cost.nonzero_unknown) == (expected(model), ())


def test_an_input_of_zeros_and_a_product_of_activations_count_whole():
    model = nn.MultiheadAttention(4, 2, batch_first=True, bias=False).eval()
    with torch.no_grad():
        model.in_proj_weight[:4] = 0
    x = torch.zeros(1, 3, 4)
    whole = 3 * 4 * 16 + 2 * 3 * 3 * 4
    assert resflops.count(model, x, x, x).macs == whole
    assert count_nonzero(model, x, x, x) == whole - 3 * 16
    # Projections that are cut out of the one weight.
    assert count_nonzero(model, x, torch.zeros(1, 3, 4), torch.zeros(1, 3, 4)) == whole - 3 * 16


def test_a_bilinear_layers_second_product_is_of_activations():
    model = zero_some(nn.Bilinear(3, 4, 5))
    assert count_nonzero(model, (2, 3), (2, 4)) == 2 * count_left(model) + 2 * 5 * 4


PRUNED = {
    "unstructured": lambda layer: prune.random_unstructured(layer, "weight", 0.5),
    "structured": lambda layer: prune.ln_structured(layer, "weight", 0.5, n=2, dim=0),
    "twice": lambda layer: prune.l1_unstructured(prune.random_unstructured(layer, "weight", 3), "weight", 4),
    "for good": lambda layer: prune.remove(prune.l1_unstructured(layer, "weight", 0.5), "weight"),
}


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
@pytest.mark.parametrize("name", PRUNED)
def test_masks_of_torchs_pruning_are_zeros(name, real):
    layer = nn.Conv2d(4, 6, 3)
    PRUNED[name](layer)
    kept = int(layer.weight.count_nonzero())
    assert 0 < kept < layer.weight.numel()
    cost = resflops.count(resflops.trace(layer, (1, 4, 5, 5), nonzero=True, real=real))
    assert (cost.macs, cost.nonzero_macs, cost.nonzero_unknown) == (9 * 216, 9 * kept, ())


def test_a_zero_under_the_mask_and_one_beside_it_are_both_zeros():
    layer = nn.Linear(2, 2, bias=False)
    prune.custom_from_mask(layer, "weight", torch.tensor([[1, 1], [0, 1]]))
    with torch.no_grad():
        layer.weight_orig.copy_(torch.tensor([[0.0, 2.0], [3.0, 4.0]]))
    assert count_nonzero(layer, (1, 2)) == 2


def test_a_mask_as_a_parametrisation_is_followed():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.eye(4))

        def forward(self, weight):
            return weight * self.mask

    layer = nn.Linear(4, 4)
    parametrize.register_parametrization(layer, "weight", Masked())
    assert count_nonzero(layer, (7, 4)) == 7 * 4


def test_a_weight_that_is_computed_is_taken_as_dense_and_said_so():
    model = nn.Sequential(zero_some(nn.Linear(4, 5)), parametrizations.weight_norm(nn.Linear(5, 6)))
    cost = resflops.count(model, (7, 4), nonzero=True)
    assert cost.nonzero_macs == 7 * count_left(model[0]) + 7 * 30
    assert cost.nonzero_unknown == ("1",)


def test_a_product_of_two_weights_and_one_by_groups_are_taken_as_dense_and_said_so():
    adapted = Functional(lambda x, w: x @ (w @ w), 4, 4)
    cost = resflops.count(zero_some(adapted), (7, 4), nonzero=True)
    assert (cost.nonzero_macs, cost.nonzero_unknown) == (cost.macs, ("",))


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_weight_counts_what_is_not_zero():
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        pytest.skip("this build of torch has no quantised kernels")
    layer = nn.Linear(4, 5)
    with torch.no_grad():
        layer.weight[:3] = 0
        layer.weight[3:] = 1
    layer.qconfig = torch.ao.quantization.default_dynamic_qconfig
    model = torch.ao.nn.quantized.dynamic.Linear.from_float(layer)
    cost = resflops.count(resflops.trace(model, torch.rand(7, 4), real=True, nonzero=True))
    assert (cost.macs, cost.nonzero_macs, cost.nonzero_unknown) == (7 * 20, 7 * 8, ())


def test_rows_of_layers_add_up_and_a_stored_cost_knows_them(tmp_path):
    model = zero_some(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6)))
    cost = resflops.count(model, (7, 4), nonzero=True)
    assert [row.nonzero_macs for row in cost.layers] == [
        7 * count_left(model[0]),
        0,
        7 * count_left(model[2]),
    ]
    cost.save(tmp_path / "cost.json")
    stored = resflops.Cost.load(tmp_path / "cost.json")
    assert stored.nonzero_macs == cost.nonzero_macs == stored.under("flops").nonzero_macs
    assert resflops.count(model, (7, 4)).nonzero_macs is None


def test_the_layers_of_a_class_with_a_rule_keep_their_places():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x):
            return self.inner(x)

    resflops.rule(Idle)(lambda record: resflops.Work(macs=3))
    try:
        model = zero_some(nn.Sequential(Idle(), nn.Linear(4, 5)))
        cost = resflops.count(model, (7, 4), nonzero=True)
        assert (cost.nonzero_macs, cost.nonzero_unknown) == (3 + 7 * count_left(model[1]), ("0",))
    finally:
        del OPS[CLASSES.pop(Idle)]


def test_a_model_that_looks_into_its_tokens_is_weighed_too():
    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.inner = nn.Embedding(9, 4), nn.Linear(4, 4)

        def forward(self, tokens):
            return self.inner(self.embed(tokens)) if (tokens == 0).any() else tokens

    model = zero_some(Looking())
    cost = resflops.count(model, torch.zeros(1, 3, dtype=torch.long), nonzero=True)
    assert (cost.trace.execution, cost.nonzero_macs) == ("meta", 3 * count_left(model.inner))


def test_weights_without_values_are_refused():
    with pytest.raises(UsageError, match="on the meta device, where weights have no values"):
        resflops.count(nn.Linear(4, 5).to("meta"), (7, 4), nonzero=True)
    with pytest.raises(UsageError, match="with nonzero=True"):
        resflops.count(resflops.trace(nn.Linear(4, 5), (7, 4)), nonzero=True)


FACTORY = """
import torch
from torch import nn

def half():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    with torch.no_grad():
        model[0].weight[:3] = 0
    return model, (torch.zeros(7, 4),)
"""


@pytest.mark.parametrize("command", [["table", "--models"], ["layers"]], ids=lambda given: given[0])
def test_tables_show_them_beside_the_dense_ones_when_asked(command, tmp_path, capsys):
    (tmp_path / "pruned.py").write_text(FACTORY)
    spec = f"{tmp_path / 'pruned.py'}:half"
    assert main([*command, spec, "--nonzero"]) == 0
    shown = capsys.readouterr().out
    assert "non-zero MACs" in shown
    assert f"{7 * (12 + 12)}" in shown
    assert main([*command, spec, "--nonzero", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["nonzero_macs"] for row in rows] == ([168] if command[0] == "table" else [84, 84])
    assert main([*command, spec]) == 0
    assert "non-zero" not in capsys.readouterr().out
