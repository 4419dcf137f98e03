"""torch's own multi-head attention takes on a GPU the kernels that a GPU has, also where no mode sees them."""

import pytest
import torch
from torch import nn

import resflops


class Attending(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True, **options)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


def list_ops(memory):
    return [step.op for step in memory.steps]


EFFICIENT = "scaled_dot_product_efficient_attention"
BATCH, LENGTH, WIDTH, HEADS = 2, 24, 32, 4
TOKENS = BATCH * LENGTH * WIDTH * 4


@pytest.mark.parametrize(
    ("dtype", "kernel"),
    [("float32", EFFICIENT), ("bfloat16", "scaled_dot_product_flash_attention")],
)
def test_training_saves_what_the_kernel_of_a_gpu_saves(dtype, kernel):
    memory = resflops.memory(
        Attending(), (BATCH, LENGTH, WIDTH), training=True, loss="sum", device="cuda", dtype=dtype
    )
    assert kernel in list_ops(memory)
    assert f"{kernel}_backward" in list_ops(memory)


def test_inference_is_one_fused_op_whose_parts_are_there_until_it_ends():
    memory = resflops.memory(Attending().eval(), (BATCH, LENGTH, WIDTH), device="cuda")
    assert list_ops(memory) == ["addmm", EFFICIENT, "addmm"]
    sizes = [(block.size, block.died) for block in memory.blocks if block.born >= 0]
    assert sizes == [(3 * TOKENS, 3), (TOKENS, 3), (TOKENS, 3)]


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(Attending(dropout=0.1), id="in training mode"),
        pytest.param(Attending(add_zero_attn=True).eval(), id="with zeros added"),
        pytest.param(Attending(bias=False).eval(), id="without a bias"),
    ],
)
def test_a_module_that_has_no_fused_op_takes_its_steps(model):
    memory = resflops.memory(model, (BATCH, LENGTH, WIDTH), device="cuda", training=model.training)
    assert EFFICIENT in list_ops(memory)
    assert list_ops(memory)[:1] != ["addmm"]


def test_dropout_inside_keeps_one_byte_an_element():
    class Weighing(Attending):
        def forward(self, x):
            return self.attention(x, x, x)[0]

    memory = resflops.memory(
        Weighing(dropout=0.1), (BATCH, LENGTH, WIDTH), device="cuda", training=True, loss="sum"
    )
    masks = [block.size for block in memory.blocks if block.name == "native_dropout"]
    scores = BATCH * HEADS * LENGTH * LENGTH
    assert sorted(masks) == [scores, 4 * scores]


def test_the_model_and_torch_stay_as_they_are():
    model = Attending().eval()
    forward, function = nn.MultiheadAttention.forward, torch.nn.functional.multi_head_attention_forward
    resflops.memory(model, (BATCH, LENGTH, WIDTH), device="cuda")
    assert "forward" not in vars(model.attention)
    assert nn.MultiheadAttention.forward is forward
    assert torch.nn.functional.multi_head_attention_forward is function
