"""The same work is counted however a model is wrapped and however its ops are reached."""

import re
from collections import OrderedDict
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

import resflops
from resflops.errors import InputError, TraceError

SHAPE = (1, 3, 8, 8)
MACS = 8 * 6 * 6 * 27 + 4 * 8 * 36


def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4)).eval()


class Checkpointed(nn.Module):
    def __init__(self, *, reentrant):
        super().__init__()
        self.inner, self.reentrant = network(), reentrant

    def forward(self, x):
        return checkpoint(self.inner, x, use_reentrant=self.reentrant)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = network()

    def forward(self, x):
        kernel, weight = self.inner[0], self.inner[3]
        y = F.relu(F.conv2d(x, kernel.weight, kernel.bias)).flatten(1)
        return F.linear(y, weight.weight, weight.bias)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad:UserWarning")
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(network, id="plain"),
        pytest.param(lambda: network().half(), id="half"),
        pytest.param(lambda: network().to("meta"), id="on meta"),
        pytest.param(Functional, id="functions on raw parameters"),
        pytest.param(lambda: torch.compile(network()), id="compiled"),
        pytest.param(lambda: torch.jit.script(network()), id="scripted"),
        pytest.param(lambda: torch.jit.trace(network(), torch.zeros(SHAPE)), id="recorded by torch.jit"),
        pytest.param(lambda: Checkpointed(reentrant=False), id="checkpointed"),
        pytest.param(lambda: Checkpointed(reentrant=True), id="checkpointed, reentrant"),
        pytest.param(lambda: nn.DataParallel(network()), id="data parallel"),
        pytest.param(lambda: nn.Sequential(OrderedDict(one=network())), id="nested"),
    ],
)
def test_a_wrapped_model_costs_what_the_model_costs(make):
    assert resflops.count(make(), SHAPE).macs == MACS


def test_under_vmap_every_mapped_sample_counts():
    class Mapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 5)

        def forward(self, x):
            return torch.vmap(self.inner)(x)

    assert resflops.count(Mapped(), (7, 4)).macs == 7 * 4 * 5


def test_a_hook_that_computes_is_counted():
    model = nn.Sequential(nn.Linear(4, 4))
    model[0].register_forward_hook(lambda module, args, out: out @ torch.ones(4, 4))
    assert resflops.count(model, (7, 4)).macs == 2 * 7 * 4 * 4


def test_a_pruned_layer_costs_its_dense_macs():
    model = nn.Linear(4, 5)
    prune.l1_unstructured(model, "weight", 0.5)
    assert resflops.count(model, (7, 4)).macs == 7 * 4 * 5


def test_a_weight_normalised_layer_costs_its_product():
    assert resflops.count(parametrizations.weight_norm(nn.Linear(4, 5)), (7, 4)).macs == 7 * 4 * 5


def test_a_lazy_model_is_counted_and_stays_lazy():
    model = nn.Sequential(nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(4))
    cost = resflops.count(model, SHAPE)
    assert (cost.macs, cost.params) == (MACS, 8 * 27 + 8 + 16 + 4 * 8 * 36 + 4)
    assert isinstance(model[0], nn.LazyConv2d)
    assert model[0].has_uninitialized_params()


def test_an_alias_is_one_module_and_every_call_of_it_counts():
    model = nn.Sequential(nn.Linear(4, 4))
    model.append(model[0])
    cost = resflops.count(model, (1, 4))
    assert (cost.macs, cost.params) == (32, 20)


@dataclass
class Batch:
    image: torch.Tensor
    offset: torch.Tensor
    label: str = ""


def test_inputs_may_be_dataclasses():
    class Takes(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, batch):
            return self.inner(batch.image) + batch.offset

    batch = Batch(torch.zeros(2, 4), torch.zeros(2, 4))
    assert resflops.count(Takes(), batch).macs == 2 * 4 * 4
    assert batch.image.device.type == "cpu"


def test_autocast_around_a_count_changes_nothing_of_it():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert resflops.count(network(), SHAPE).macs == MACS


class Branching(nn.Module):
    """Runs its layer a second time where the first result says so."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        y = self.inner(x)
        return self.inner(y) if y.sum().item() > -1e9 else y


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_model_that_needs_values_runs_for_real_and_says_so(device):
    model = Branching().to(device)
    trace = resflops.trace(model, (7, 4))
    assert resflops.count(trace).macs == 2 * 7 * 4 * 4
    assert trace.execution == "real"
    assert "item on a scalar" in trace.notes[0]
    assert model.inner.weight.device.type == device


def test_a_boolean_mask_is_applied_for_real():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x):
            return self.inner(x[x.sum(1) > 0])

    image = torch.cat([torch.ones(3, 4), -torch.ones(5, 4)])
    assert resflops.count(Masked(), image).macs == 3 * 4 * 4


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([[7, 4]], "given [7, 4], which is neither a tensor nor a shape, and raised TypeError: "),
        ([[7, 4]], "; give a shape as a tuple of ints, as in (7, 4)"),
        ([7, 4], "given 7, 4, which is neither a tensor nor a shape"),
        (["7x4"], "given '7x4', which is neither a tensor nor a shape"),
    ],
)
def test_what_was_meant_as_a_shape_is_told_to_be_none(given, says):
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        resflops.count(nn.Linear(4, 5), *given)
    assert "expected one of" not in str(caught.value)


def test_a_list_of_sizes_is_given_to_a_model_that_takes_one():
    class Made(nn.Module):
        def forward(self, sizes):
            return torch.ones(sizes) + 1

    assert resflops.trace(Made(), [7, 4]).ops[-1].output_shape == (7, 4)


def test_a_model_that_fails_for_real_too_says_where():
    class Fails(nn.Module):
        def forward(self, x):
            return x.view(int(x.sum().item()) + 5)

    with pytest.raises(TraceError, match="the model's own forward: view on 2×3"):
        resflops.trace(Fails(), (2, 3))


class Cache:
    """An object of the caller's that a forward writes into."""

    def __init__(self):
        self.layers = [{"keys": torch.ones(1, 2, 4)}]


def test_an_object_that_the_forward_writes_into_is_as_before():
    class Caching(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x, cache):
            cache.layers[0]["keys"] = torch.cat([cache.layers[0]["keys"], self.inner(x)], 1)
            return cache.layers[0]["keys"] @ x.mT

    cache = Cache()
    assert resflops.count(Caching(), (1, 3, 4), cache).macs == 3 * 4 * 4 + (2 + 3) * 3 * 4
    assert torch.equal(cache.layers[0]["keys"], torch.ones(1, 2, 4))


def test_a_packed_sequence_costs_its_real_lengths():
    lengths = [5, 3, 1]
    packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(3, 5, 4), lengths, batch_first=True)
    cost = resflops.count(nn.LSTM(4, 6, batch_first=True), packed)
    assert cost.macs == sum(lengths) * 4 * (4 * 6 + 6 * 6)


class Masking(nn.Module):
    """Looks into its mask and its tokens, as text models do."""

    def __init__(self):
        super().__init__()
        self.embed, self.inner = nn.Embedding(10, 4), nn.Linear(4, 4)

    def forward(self, tokens, mask):
        x = self.inner(self.embed(tokens))
        if 0 in tokens[:, -1]:
            x = self.inner(x)
        if not mask.bool().all():
            x = self.inner(x)
        return x


@pytest.mark.parametrize(
    ("last", "masked", "passes"),
    [(1, 0, 1), (1, 2, 2), (0, 2, 3)],
    ids=["no branch", "mask", "mask and token"],
)
def test_values_of_tokens_and_masks_are_known_without_running_the_model(last, masked, passes):
    tokens = torch.tensor([[3, 4, last]])
    mask = torch.ones(1, 3, dtype=torch.long)
    mask[0, :masked] = 0
    trace = resflops.trace(Masking().to("meta"), tokens, mask=mask)
    assert (trace.execution, trace.notes) == ("meta", ())
    assert resflops.count(trace).macs == passes * 3 * 4 * 4


def test_values_that_were_not_given_are_zeros_and_it_says_so_where_the_path_depends_on_them():
    tokens, mask = torch.empty(1, 3, dtype=torch.long, device="meta"), torch.ones(1, 3)
    assumed = "its path depends on the values of {}: given without values, taken as zeros"
    trace = resflops.trace(Masking(), tokens, mask=mask.long())
    assert (trace.execution, trace.notes) == ("meta", (assumed.format("input 0"),))
    assert resflops.count(trace).macs == 2 * 3 * 4 * 4
    trace = resflops.trace(Masking(), tokens, mask=mask.long().to("meta"))
    assert trace.notes == (assumed.format("input 0, mask"),)
    trace = resflops.trace(Masking(), torch.ones(1, 3, dtype=torch.long), mask=mask.long())
    assert trace.notes == ()


def test_whole_numbers_that_nothing_looks_into_need_no_values():
    class Embedding(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(10, 4)

        def forward(self, tokens, x):
            return self.embed(tokens) + (x if (x > 0).any() else 0)

    tokens = torch.empty(1, 3, dtype=torch.long, device="meta")
    assert resflops.trace(Embedding(), tokens, torch.ones(1, dtype=torch.long)).notes == ()
    assert (
        "run on input 0, input 1: given without values" in resflops.trace(Embedding(), tokens, (1,)).notes[1]
    )


def test_what_is_overwritten_is_known_no_more():
    class Overwriting(nn.Module):
        def forward(self, tokens, x):
            tokens[0] = x.argmax()
            return x.repeat(int(tokens.sum()), 1)

    tokens, x = torch.tensor([5, 1]), torch.tensor([[0.0, 0.0, 1.0]])
    trace = resflops.trace(Overwriting(), tokens, x)
    assert trace.execution == "real"
    assert trace.ops[-1].output_shape == (2 + 1, 3)
    assert torch.equal(tokens, torch.tensor([5, 1]))
