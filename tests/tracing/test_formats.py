"""Tensors that are no plain arrays: sparse, nested, quantised, and of classes of their own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.bias import CausalBias, causal_lower_right, causal_upper_left

import resflops

IN, OUT = 6, 5
NODES, EDGES = 12, 17


class Model(nn.Module):
    """A linear layer, and a forward that is given as a function."""

    def __init__(self, does, **held):
        super().__init__()
        self.layer, self.does = nn.Linear(IN, OUT), does
        for name, value in held.items():
            setattr(self, name, value)

    def forward(self, *inputs):
        return self.does(self, *inputs)


def edges():
    """Seventeen different places of a matrix."""
    places = torch.arange(EDGES) * 7 % (NODES * NODES)
    return torch.stack([places // NODES, places % NODES])


def coo():
    return torch.sparse_coo_tensor(edges(), torch.ones(EDGES), (NODES, NODES)).coalesce()


def bsr():
    return torch.block_diag(*[torch.ones(2, 3)] * 4).to_sparse_bsr((2, 3))


def features():
    return torch.ones(NODES, IN)


FORMATS = [
    pytest.param(coo, EDGES, id="COO"),
    pytest.param(lambda: coo().to_sparse_csr(), EDGES, id="CSR"),
    pytest.param(lambda: coo().to_sparse_csc(), EDGES, id="CSC"),
    pytest.param(lambda: torch.eye(NODES).to_sparse_bsr((3, 3)), 9 * NODES // 3, id="BSR, with the zeros of its blocks"),
    pytest.param(lambda: torch.eye(NODES), NODES * NODES, id="dense"),
]  # fmt: skip
LAYER = NODES * IN * OUT


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(("make", "stored"), FORMATS)
@pytest.mark.parametrize("place", ["input", "buffer", "attribute", "parameter"])
def test_a_sparse_factor_takes_a_mac_per_stored_element_and_column(make, stored, place):
    def apply(matrix, x, model):
        return model.layer(matrix @ x)

    if place == "input":
        cost = resflops.count(Model(lambda model, a, x: apply(a, x, model)), make(), features())
    else:
        model = Model(lambda model, x: apply(model.matrix, x, model))
        if place == "buffer":
            model.register_buffer("matrix", make())
        else:
            model.matrix = nn.Parameter(make()) if place == "parameter" else make()
        cost = resflops.count(model, features())
    assert (cost.macs, cost.complete) == (stored * IN + LAYER, True)


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    ("does", "macs"),
    [
        pytest.param(lambda model, e, x: torch.sparse_coo_tensor(e, torch.ones(EDGES), (NODES, NODES)) @ x, EDGES * IN, id="made inside"),
        pytest.param(lambda model, e, x: torch.sparse.mm(coo(), x), EDGES * IN, id="sparse.mm"),
        pytest.param(lambda model, e, x: torch.sparse.addmm(x, coo(), x), EDGES * IN, id="sparse.addmm"),
        pytest.param(lambda model, e, x: x.T @ coo().to_sparse_csr(), EDGES * IN, id="on the right"),
        pytest.param(lambda model, e, x: coo().mv(x[:, 0]), EDGES, id="a vector"),
        pytest.param(lambda model, e, x: torch.bmm(torch.stack([coo(), coo()]), torch.stack([x, x])), 2 * EDGES * IN, id="a batch"),
        pytest.param(lambda model, e, x: F.linear(x.T, coo().to_sparse_csr()), EDGES * IN, id="a sparse weight"),
        pytest.param(lambda model, e, x: torch.sparse.sampled_addmm(coo().to_sparse_csr(), x, x.T), EDGES * IN, id="sampled"),
        pytest.param(lambda model, e, x: torch.sparse.mm(torch.eye(NODES).to_sparse(), coo()), EDGES, id="two sparse factors"),
        pytest.param(lambda model, e, x: (coo() * 2).relu().to_dense() @ x, NODES * NODES * IN, id="made dense"),
        pytest.param(lambda model, e, x: (x @ x.T).to_sparse().T @ x, 2 * NODES * NODES * IN, id="a product made sparse"),
    ],
)  # fmt: skip
def test_each_product_with_a_sparse_factor_is_counted(does, macs):
    cost = resflops.count(Model(does), edges(), features())
    assert (cost.macs, cost.complete) == (macs, True)


def test_an_elementwise_function_works_on_what_a_sparse_tensor_stores():
    model = Model(lambda model, x: torch.relu(model.matrix * 2) @ x, matrix=coo())
    cost = resflops.count(model, features(), convention="flops")
    assert cost.total == EDGES + EDGES + 2 * EDGES * IN


def test_what_is_not_known_of_a_sparse_tensor_is_not_counted_as_if_it_were_dense():
    cost = resflops.count(Model(lambda model, x: torch.sparse.softmax(coo(), 1) @ x), features())
    assert (cost.macs, cost.complete) == (EDGES * IN, False)


def test_the_gradient_of_a_sparse_product_takes_as_many_macs():
    model = Model(lambda model, x: coo() @ model.layer(x))
    cost = resflops.count(model, features(), backward=True)
    assert cost.backward.input_macs + cost.backward.weight_macs == EDGES * OUT + LAYER


ROWS = (3, 7)


def jagged():
    return torch.nested.nested_tensor([torch.ones(rows, IN) for rows in ROWS], layout=torch.jagged)


def strided():
    return torch.nested.nested_tensor([torch.ones(rows, IN) for rows in ROWS])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("make", [jagged, strided])
def test_a_nested_tensor_costs_what_its_components_cost(make):
    model = Model(lambda model, x: model.layer(x))
    cost = resflops.count(model, make(), convention="flops")
    assert cost.macs == sum(ROWS) * IN * OUT
    assert cost.total == 2 * cost.macs + sum(ROWS) * OUT
    assert cost.complete
    inside = Model(lambda model, x: model.layer(make() + 0))
    assert resflops.count(inside, features()).macs == cost.macs


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("make", [jagged, strided])
def test_a_chain_of_layers_on_a_nested_tensor_has_a_backward_pass(make):
    second = nn.Linear(OUT, IN)
    cost = resflops.count(
        Model(lambda model, x: second(torch.relu(model.layer(x))), second=second), make(), backward=True
    )
    both = sum(ROWS) * IN * OUT
    assert (cost.macs, cost.backward.weight_macs, cost.backward.input_macs) == (2 * both, 2 * both, both)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_a_quantised_input_is_run_for_real():
    x = torch.quantize_per_tensor(torch.ones(4, IN), 0.1, 0, torch.qint8)
    cost = resflops.count(Model(lambda model, x: model.layer(x.dequantize())), x)
    assert (cost.macs, cost.trace.execution) == (4 * IN * OUT, "real")


class Own(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda x: Own(4, IN), id="sizes"),
        pytest.param(lambda x: Own([[1.0] * IN] * 4), id="numbers"),
        pytest.param(lambda x: Own(x + 1), id="a tensor"),
        pytest.param(lambda x: (x + 1).as_subclass(Own), id="as_subclass"),
        pytest.param(lambda x: torch.Tensor._make_subclass(Own, x + 1), id="_make_subclass"),
    ],
)
def test_tensors_of_a_class_of_the_models_own_are_traced(make):
    new = "__new__" in vars(torch.Tensor)
    cost = resflops.count(Model(lambda model, x: model.layer(make(x))), torch.ones(4, IN))
    assert (cost.macs, cost.trace.execution) == (4 * IN * OUT, "meta")
    assert ("__new__" in vars(torch.Tensor)) == new
    assert type(Own(2)) is Own


@pytest.mark.parametrize("make_bias", [causal_lower_right, causal_upper_left])
@pytest.mark.parametrize("real", [False, True])
def test_a_causal_bias_counts_as_a_mask(make_bias, real):
    def attend(model, x):
        q = x.view(1, 1, 4, IN)
        return F.scaled_dot_product_attention(q, q, q, attn_mask=make_bias(4, 4))

    before = CausalBias.__dict__["__torch_function__"]
    assert resflops.count(resflops.trace(Model(attend), torch.ones(4, IN), real=real)).macs == 2 * 4 * 4 * IN
    assert CausalBias.__dict__["__torch_function__"] is before
