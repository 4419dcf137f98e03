"""Backward passes of models that write into memory: they equal what torch runs, and figures derived by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import resflops
from resflops.records import Trace

ROWS, WIDTH = 4, 8


class Writing(nn.Module):
    """Two narrow layers, a wide one that reads what was written, and tensors of every kind to write into."""

    def __init__(self, does):
        super().__init__()
        self.does = does
        self.first, self.second = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(2))
        self.wide = nn.Linear(2 * WIDTH, WIDTH, bias=False)
        self.scale = nn.Parameter(torch.ones(WIDTH))
        self.frozen = nn.Parameter(torch.ones(2 * WIDTH), requires_grad=False)
        self.register_buffer("store", torch.zeros(ROWS, 2 * WIDTH))

    def forward(self, x):
        return self.does(self, x)


FIRST, SECOND, WIDE = (ROWS * inner * WIDTH for inner in (WIDTH, WIDTH, 2 * WIDTH))
"""A gradient of each layer: of its weight, or of what it is given."""


def new(m, y):
    return y.new_zeros(ROWS, 2 * WIDTH)


def fill_halves(m, x):
    y = m.first(x)
    out = y.new_empty(ROWS, 2 * WIDTH)
    out[:, :WIDTH].copy_(y)
    out[:, WIDTH:].copy_(y)
    return m.wide(out)


def read_through_an_older_view(m, x):
    y = m.first(x)
    out = new(m, y)
    view = out[:, :WIDTH]
    out.narrow(1, 0, WIDTH).copy_(y)
    return m.second(view)


def read_elsewhere(m, x):
    y = m.first(x)
    out = new(m, y)
    elsewhere = out[:, WIDTH:]
    out[:, :WIDTH].add_(y)
    return m.second(elsewhere)


def write_through_a_view_of_a_view(m, x):
    y = m.first(x)
    out = y.new_zeros(2, ROWS, WIDTH)
    out[0].t().copy_(y.t())
    return m.wide(out.transpose(0, 1).reshape(ROWS, 2 * WIDTH))


def write_into_a_flat_view(m, x):
    y = m.first(x)
    out = new(m, y)
    out.reshape(-1)[: y.numel()].copy_(y.flatten())
    return m.wide(out)


def write_into_a_copy_that_reshape_makes(m, x):
    y = m.first(x)
    out = y.new_zeros(2 * WIDTH, ROWS).t()
    out.reshape(-1)[: y.numel()].copy_(y.flatten())
    return m.wide(out)


def write_into_a_copy_that_contiguous_makes(m, x):
    y = m.first(x)
    out = y.new_zeros(2 * WIDTH, ROWS).t()
    out.contiguous()[:, :WIDTH].copy_(y)
    return m.wide(out)


def write_into_a_conversion(m, x):
    y = m.first(x)
    out = new(m, y)
    out.double()[:, :WIDTH].copy_(y)
    return m.wide(out)


def write_into_a_conversion_to_the_same_type(m, x):
    y = m.first(x)
    out = new(m, y)
    out.float()[:, :WIDTH].copy_(y)
    return m.wide(out)


def write_into_a_detached_tensor(m, x):
    y = m.first(x)
    out = new(m, y)
    out.detach()[:, :WIDTH].copy_(y)
    return m.wide(out)


def write_without_autograd(m, x):
    y = m.first(x)
    out = new(m, y)
    with torch.no_grad():
        out[:, :WIDTH].copy_(y)
    return m.wide(out)


def write_after_the_read(m, x):
    y = m.first(x)
    out = new(m, y)
    read = m.wide(out.clone())
    out[:, :WIDTH].copy_(y)
    return read


def write_what_nobody_reads(m, x):
    y = m.first(x)
    new(m, y)[:, :WIDTH].copy_(m.second(x))
    return y


def write_into_a_buffer(m, x):
    m.store.detach_()
    m.store[:, :WIDTH].copy_(m.first(x))
    return m.wide(m.store)


def write_into_the_input(m, x):
    x[:, :4].mul_(m.scale[:4])
    return m.second(x)


def write_into_a_frozen_parameter(m, x):
    m.frozen[:WIDTH].mul_(m.scale)
    return m.wide(x.repeat(1, 2) * m.frozen)


def overwrite_everything(m, x):
    y = m.first(x) * 1
    y.zero_()
    return m.second(y)


def overwrite_a_part(m, x):
    y = m.first(x) * 1
    y[:, :4].zero_()
    return m.second(y)


def add_a_product(m, x):
    y = m.first(x)
    out = new(m, y)
    out[:, :WIDTH].addmm_(y, m.second.weight)
    return m.wide(out)


def put_by_index(m, x):
    y = m.first(x)
    out = new(m, y)
    out[:, :WIDTH].index_put_((torch.arange(ROWS),), y)
    return m.wide(out)


def rectify_a_slice(m, x):
    y = m.first(x) * 1
    F.relu_(y[:, :4])
    return m.second(y)


def return_the_base(m, x):
    y = m.first(x)
    out = new(m, y)
    out[:, :WIDTH].copy_(y)
    return {"out": out}


@pytest.mark.parametrize(
    ("does", "macs"),
    [
        pytest.param(fill_halves, FIRST + 2 * WIDE, id="both halves of a new tensor"),
        pytest.param(
            read_through_an_older_view, FIRST + 2 * SECOND, id="a view that is older than the write"
        ),
        pytest.param(read_elsewhere, FIRST + 2 * SECOND, id="a view of another part, as autograd takes it"),
        pytest.param(write_through_a_view_of_a_view, FIRST + 2 * WIDE, id="a view of a view"),
        pytest.param(write_into_a_flat_view, FIRST + 2 * WIDE, id="what reshape views"),
        pytest.param(write_into_a_copy_that_reshape_makes, WIDE, id="what reshape copies"),
        pytest.param(write_into_a_copy_that_contiguous_makes, WIDE, id="what contiguous copies"),
        pytest.param(write_into_a_conversion, WIDE, id="what a conversion copies"),
        pytest.param(
            write_into_a_conversion_to_the_same_type, FIRST + 2 * WIDE, id="what it leaves as it is"
        ),
        pytest.param(write_into_a_detached_tensor, WIDE, id="the same memory without its history"),
        pytest.param(write_without_autograd, WIDE, id="without autograd"),
        pytest.param(write_after_the_read, WIDE, id="after it was read"),
        pytest.param(write_what_nobody_reads, FIRST, id="never read"),
        pytest.param(write_into_a_buffer, FIRST + 2 * WIDE, id="a buffer"),
        pytest.param(write_into_the_input, 2 * SECOND, id="the model's input"),
        pytest.param(write_into_a_frozen_parameter, 2 * WIDE, id="a frozen parameter"),
        pytest.param(
            overwrite_everything, FIRST + 2 * SECOND, id="all that there was: its gradient is zeros"
        ),
        pytest.param(overwrite_a_part, FIRST + 2 * SECOND, id="a part of what there was"),
        pytest.param(add_a_product, FIRST + 2 * SECOND + 2 * WIDE, id="a product added to a part"),
        pytest.param(put_by_index, FIRST + 2 * WIDE, id="rows by their indices"),
        pytest.param(rectify_a_slice, FIRST + 2 * SECOND, id="an activation in place"),
        pytest.param(return_the_base, FIRST, id="the base is what the model gives back"),
    ],
)
def test_a_write_reaches_whatever_reads_the_memory(does, macs, tmp_path):
    x = torch.rand(ROWS, WIDTH)
    for real in (False, True):
        trace = resflops.trace(Writing(does), x, real=real)
        assert resflops.count(trace, backward=True).backward.macs == macs
    trace.save(tmp_path / "trace.json")
    assert resflops.count(Trace.load(tmp_path / "trace.json"), backward=True).backward.macs == macs
    assert count_what_torch_runs(Writing(does), x) == macs


def count_what_torch_runs(model, x):
    with FlopCounterMode(display=False) as counter:
        out = model(x)
        forward = counter.get_total_flops()
        out = out["out"] if isinstance(out, dict) else out
        out.sum().backward()
    return (counter.get_total_flops() - forward) // 2


def test_pieces_of_one_tensor_share_what_is_written_into_them():
    """Torch refuses to write into them where the whole has a gradient; without one they are plain views."""

    def does(m, x):
        y = m.first(x)
        out = new(m, y)
        left, right = out.chunk(2, 1)
        left += y
        right.add_(y)
        return m.wide(out)

    cost = resflops.count(Writing(does), (ROWS, WIDTH), backward=True)
    assert cost.backward.macs == FIRST + 2 * WIDE


def test_an_output_in_an_object_of_the_models_own_is_found():
    class Result:
        def __init__(self, value):
            self.value = value

    def does(m, x):
        out = new(m, x)
        out[:, :WIDTH].copy_(m.first(x))
        return m.second(x), Result(out)

    assert resflops.count(Writing(does), (ROWS, WIDTH), backward=True).backward.macs == FIRST + SECOND


def test_a_grouped_convolution_into_a_part_counts_as_derived_by_hand():
    """FlopCounterMode takes the weight's gradient for one of all channels with all, so it does not serve here."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
            self.pointwise = nn.Conv2d(16, 4, 1, bias=False)

        def forward(self, x):
            out = x.new_zeros(1, 16, 6, 6)
            out[:, :8].copy_(self.depthwise(x))
            return self.pointwise(out)

    found = resflops.count(Model(), (1, 8, 6, 6), backward=True).backward
    assert found.macs == 36 * 8 * 9 + 2 * 36 * 16 * 4


@pytest.mark.parametrize("experts", ["eager", "batched_mm"])
def test_deepseek_v3_is_twice_its_forward_pass(experts):
    transformers = pytest.importorskip("transformers")
    config = transformers.DeepseekV3Config(
        vocab_size=64, hidden_size=32, intermediate_size=48, moe_intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, n_shared_experts=1, n_routed_experts=4,
        num_experts_per_tok=2, n_group=1, topk_group=1, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8,
        qk_nope_head_dim=8, v_head_dim=16, first_k_dense_replace=1, max_position_embeddings=64,
        # FlopCounterMode does not see fused attention before torch 2.15, nor grouped products.
        attn_implementation="eager", experts_implementation=experts,
    )  # fmt: skip
    model = transformers.DeepseekV3ForCausalLM(config).eval()
    tokens = torch.randint(0, 64, (1, 8))
    cost = resflops.count(model, tokens, backward=True)
    with FlopCounterMode(display=False) as counter:
        logits = model(tokens, use_cache=False).logits
        forward = counter.get_total_flops()
        logits.sum().backward()
    assert 2 * cost.backward.macs == counter.get_total_flops() - forward
