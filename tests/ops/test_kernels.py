"""Kernels of other libraries, by name: stand-ins of the same names and signatures against plain torch.

The libraries themselves are not installed here: most need a GPU. Signatures are those of flash-attn 2.8.3,
xFormers 0.0.35, natten 0.17.5, mamba-ssm 2.2.6, causal-conv1d 1.5.3, fla 0.6.0 and bitsandbytes 0.50.2.
"""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops


class Call(nn.Module):
    """A model that is one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def count(function, *inputs, **how):
    return resflops.count(resflops.trace(Call(function), *inputs, **how))


def refuse(*arguments):
    raise RuntimeError("a stand-in has no kernel")


def make_function(name, parameters):
    """Make an autograd Function whose forward has some parameters, and that cannot run."""
    space = {"refuse": refuse}
    exec(f"def forward(ctx, {parameters}): refuse()", space)
    return type(name, (torch.autograd.Function,), {"forward": staticmethod(space["forward"])})


@pytest.fixture
def install(monkeypatch):
    """Install a stand-in module that holds one class or function."""

    def install_one(module, name, held):
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            if path not in sys.modules:
                monkeypatch.setitem(sys.modules, path, ModuleType(path))
        monkeypatch.setattr(sys.modules[module], name, held, raising=False)
        return held

    return install_one


def attend(q, k, v):
    """Attend on (batch, length, heads, width) in plain torch."""
    return F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v))).transpose(1, 2)


Q, K, V = torch.rand(2, 6, 4, 8), torch.rand(2, 10, 4, 8), torch.rand(2, 10, 4, 8)
FLASH = "flash_attn.flash_attn_interface"
OPTIONS = "dropout_p, softmax_scale, causal, window_size, softcap, alibi_slopes, deterministic, return_softmax, is_grad_enabled"


def test_flash_attention_counts_as_attention_in_plain_torch(install):
    function = install(FLASH, "FlashAttnFunc", make_function("FlashAttnFunc", f"q, k, v, {OPTIONS}"))
    held = vars(function)["forward"]
    options = (0.0, None, False, (-1, -1), 0.0, None, False, False, False)
    fused = count(lambda q, k, v: function.apply(q, k, v, *options), Q, K, V)
    plain = count(attend, Q, K, V)
    assert fused.macs == plain.macs == 2 * 4 * 6 * 10 * (8 + 8)
    assert fused.uncounted == ()
    assert fused.under("flops").total == plain.under("flops").total
    assert fused.trace.ops[0].output_shape == (2, 6, 4, 8)
    # The class is as before, its static method too.
    assert vars(function)["forward"] is held


def test_packed_flash_attention_counts_as_attention_in_plain_torch(install):
    packed = install(
        FLASH, "FlashAttnQKVPackedFunc", make_function("FlashAttnQKVPackedFunc", f"qkv, {OPTIONS}")
    )
    options = (0.0, None, True, (-1, -1), 0.0, None, False, False, False)
    qkv = torch.rand(2, 6, 3, 4, 8)
    fused = count(lambda x: packed.apply(x, *options), qkv)
    assert fused.macs == count(lambda x: attend(*x.unbind(2)), qkv).macs == 2 * 4 * 6 * 6 * 16
    halves = install(
        FLASH, "FlashAttnKVPackedFunc", make_function("FlashAttnKVPackedFunc", f"q, kv, {OPTIONS}")
    )
    kv = torch.rand(2, 10, 2, 4, 8)
    fused = count(lambda q, x: halves.apply(q, x, *options), Q, kv)
    assert fused.macs == count(attend, Q, K, V).macs


class Projecting(nn.Module):
    """Attention on a learned projection, so that there is a backward pass."""

    def __init__(self, attention, pieces):
        super().__init__()
        self.attention, self.pieces = attention, pieces
        self.projection = nn.Linear(16, 32 * pieces)

    def forward(self, x):
        pieces = self.projection(x).unflatten(-1, (self.pieces, 4, 8))
        return self.attention(*pieces.unbind(2)) if self.pieces == 3 else self.attention(pieces)


def test_the_gradient_of_flash_attention_takes_twice_its_products(install):
    function = install(FLASH, "FlashAttnFunc", make_function("FlashAttnFunc", f"q, k, v, {OPTIONS}"))
    options = (0.0, None, False, (-1, -1), 0.0, None, False, False, False)
    x = torch.rand(2, 6, 16)
    fused = resflops.count(Projecting(lambda *qkv: function.apply(*qkv, *options), 3), x, backward=True)
    plain = resflops.count(Projecting(attend, 3), x, backward=True)
    assert fused.backward.macs == plain.backward.macs
    assert fused.backward.uncounted == ()


VARYING = f"q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, {OPTIONS}, block_table"


def test_flash_attention_over_sequences_counts_each_with_itself(install):
    function = install(FLASH, "FlashAttnVarlenFunc", make_function("FlashAttnVarlenFunc", VARYING))
    options = (0.0, None, False, (-1, -1), 0.0, None, False, False, False, None)
    q = torch.rand(12, 4, 8)

    def run(q, ends, longest):
        return function.apply(q, q, q, ends, ends, longest, longest, *options)

    alike = count(lambda q, ends: run(q, ends, 6), q, torch.tensor([0, 6, 12]))
    assert alike.macs == 2 * 6 * 6 * 4 * 16
    one = count(lambda q, ends: run(q, ends, 12), q, torch.tensor([0, 12]))
    assert one.macs == 12 * 12 * 4 * 16
    # Only values tell the lengths of these, and what is not known is not zero.
    varying = count(lambda q, ends: run(q, ends, 8), q, torch.tensor([0, 4, 12]))
    assert [each.op for each in varying.uncounted] == ["fused_attention by lengths"]


@pytest.fixture(scope="module")
def flash_op():
    library = torch.library.Library("flash_attn", "FRAGMENT")
    library.define(
        "_flash_attn_varlen_forward(Tensor q, Tensor k, Tensor v, Tensor cu_seqlens_q, Tensor cu_seqlens_k, "
        "SymInt max_seqlen_q, SymInt max_seqlen_k, float dropout_p, float softmax_scale, bool causal, "
        "SymInt window_size_left=-1, SymInt window_size_right=-1, float softcap=0.0, "
        "Tensor? alibi_slopes=None, bool return_softmax=False, Tensor? block_table=None, "
        "Tensor? leftpad_k=None, Tensor? seqused_k=None, bool zero_tensors=False) -> (Tensor, Tensor)"
    )
    library.define(
        "_flash_attn_forward(Tensor q, Tensor k, Tensor v, float dropout_p, float softmax_scale, bool causal, "
        "SymInt window_size_left, SymInt window_size_right, float softcap, Tensor? alibi_slopes, "
        "bool return_softmax) -> (Tensor, Tensor, Tensor, Tensor)"
    )

    def forward(q, *more):
        statistics = q.new_empty(q.shape[0], q.shape[2], q.shape[1])
        return torch.empty_like(q), statistics, q.new_empty(0), q.new_empty(2)

    def varlen(q, *more, **named):
        return torch.empty_like(q), q.new_empty(q.shape[1], q.shape[0])

    for key in ("Meta", "CPU"):
        library.impl("_flash_attn_forward", forward, key)
        library.impl("_flash_attn_varlen_forward", varlen, key)
    yield torch.ops.flash_attn
    library._destroy()


def test_ops_of_flash_attention_count_as_attention_in_plain_torch(flash_op):
    def run(q, k, v):
        return flash_op._flash_attn_forward(q, k, v, 0.0, 1.0, True, -1, -1, 0.0, None, False)[0]

    fused = count(run, Q, K, V)
    assert fused.macs == count(attend, Q, K, V).macs
    assert fused.uncounted == ()
    ends = torch.tensor([0, 4, 12])
    q = torch.rand(12, 4, 8)

    def vary(q, ends):
        return flash_op._flash_attn_varlen_forward(q, q, q, ends, ends, 8, 8, 0.0, 1.0, True)[0]

    # In a real run the values are there.
    assert count(vary, q, ends, real=True).macs == (4 * 4 + 8 * 8) * 4 * 16
    assert count(vary, q, ends).uncounted != ()


def test_fused_attention_of_torch_itself_counts_as_attention_does():
    def run(q, k, v):
        return torch.ops.aten._efficient_attention_forward(
            q, k, v, None, None, None, None, None, 0.0, 0, False
        )[0]

    fused = count(run, Q, K, V)
    assert fused.macs == count(attend, Q, K, V).macs
    assert fused.uncounted == ()


def test_xformers_attention_counts_as_attention_in_plain_torch(install):
    def _memory_efficient_attention(inp, op=None):
        refuse()

    module = "xformers.ops.fmha"
    install(module, "_memory_efficient_attention", _memory_efficient_attention)

    def memory_efficient_attention(query, key, value, attn_bias=None):
        inputs = SimpleNamespace(query=query, key=key, value=value, attn_bias=attn_bias)
        return sys.modules[module]._memory_efficient_attention(inputs)

    assert count(memory_efficient_attention, Q, K, V).macs == count(attend, Q, K, V).macs
    flat = count(memory_efficient_attention, *(x.flatten(2) for x in (Q, K, V)))
    assert flat.macs == 2 * 6 * 10 * 64
    blocks = SimpleNamespace(intervals=lambda: iter([(0, 4), (4, 12)]))
    bias = SimpleNamespace(q_seqinfo=blocks, k_seqinfo=blocks)
    packed = torch.rand(1, 12, 4, 8)
    cost = count(lambda x: memory_efficient_attention(x, x, x, bias), packed)
    assert cost.macs == (4 * 4 + 8 * 8) * 4 * 16


def test_attention_to_neighbours_counts_their_products_alone(install):
    module = "natten.functional"
    scores = install(module, "NeighborhoodAttention1DQKAutogradFunction",
                     make_function("QK", "query, key, bias, kernel_size, dilation, is_causal"))  # fmt: skip
    values = install(module, "NeighborhoodAttention1DAVAutogradFunction",
                     make_function("AV", "attn, value, kernel_size, dilation, is_causal"))  # fmt: skip
    q = torch.rand(2, 4, 10, 8)

    def run(q, k, v):
        weights = scores.apply(q, k, None, (5,), (1,), (False,)).softmax(-1)
        return values.apply(weights, v, (5,), (1,), (False,))

    def plain(q, k, v):
        # Neighbourhoods of five are shifted inwards at the ends, as natten's are.
        places = torch.arange(10).sub(2).clamp(0, 5)[:, None] + torch.arange(5)
        near = k[:, :, places], v[:, :, places]
        weights = (q.unsqueeze(-2) @ near[0].transpose(-1, -2)).softmax(-1)
        return (weights @ near[1]).squeeze(-2)

    fused = count(run, q, q, q)
    assert fused.macs == count(plain, q, q, q).macs == 2 * 4 * 10 * 5 * 16
    assert fused.uncounted == ()
    assert fused.trace.ops[-1].output_shape == (2, 4, 10, 8)
    whole = install(module, "FusedNeighborhoodAttention2D",
                    make_function("F", "query, key, value, bias, kernel_size, dilation, is_causal, scale"))  # fmt: skip
    image = torch.rand(2, 6, 7, 4, 8)
    cost = count(lambda x: whole.apply(x, x, x, None, (3, 5), (1, 1), (False, False), 1.0), image)
    assert cost.macs == 2 * 6 * 7 * 4 * 15 * 16


def test_causal_convolutions_count_as_those_in_plain_torch(install):
    function = install("causal_conv1d.causal_conv1d_interface", "CausalConv1dFn", make_function(
        "CausalConv1dFn", "x, weight, bias=None, seq_idx=None, initial_states=None, return_final_states=False, "
        "final_states_out=None, activation=None"))  # fmt: skip
    x, weight, bias = torch.rand(2, 6, 9), torch.rand(6, 4), torch.rand(6)

    def plain(x, w, b):
        return F.silu(F.conv1d(F.pad(x, (3, 0)), w.unsqueeze(1), b, groups=6))

    fused = count(lambda x, w, b: function.apply(x, w, b, None, None, False, None, "silu"), x, weight, bias)
    twin = count(plain, x, weight, bias)
    assert fused.macs == twin.macs == 2 * 6 * 9 * 4
    assert fused.under("flops").total == twin.under("flops").total


def scan_step_by_step(u, delta, A, B, C):
    """Do Mamba's scan as its own reference does, in plain torch."""
    decay = torch.exp(torch.einsum("bdl,dn->bdln", delta, A))
    added = torch.einsum("bdl,bnl,bdl->bdln", delta, B, u)
    state, out = torch.zeros(2, 6, 4), []
    for step in range(u.shape[-1]):
        state = decay[:, :, step] * state + added[:, :, step]
        out.append(torch.einsum("bdn,bn->bd", state, C[:, :, step]))
    return torch.stack(out, 2)


def test_selective_scans_count_as_their_steps_in_plain_torch(install):
    function = install("mamba_ssm.ops.selective_scan_interface", "SelectiveScanFn", make_function(
        "SelectiveScanFn", "u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, "
        "return_last_state=False"))  # fmt: skip
    u, a, b = torch.rand(2, 6, 9), torch.rand(6, 4), torch.rand(2, 4, 9)
    fused = count(lambda u, a, b: function.apply(u, u, a, b, b), u, a, b)
    twin = count(lambda u, a, b: scan_step_by_step(u, u, a, b, b), u, a, b)
    assert fused.macs == twin.macs == 2 * 6 * 9 * 4
    assert fused.under("flops").total == twin.under("flops").total
    assert fused.uncounted == ()


def test_scans_by_chunks_count_as_their_products_in_plain_torch(install):
    function = install("mamba_ssm.ops.triton.ssd_combined", "MambaChunkScanCombinedFn", make_function(
        "MambaChunkScanCombinedFn", "x, dt, A, B, C, chunk_size, D=None, z=None, dt_bias=None, "
        "initial_states=None, seq_idx=None, cu_seqlens=None, dt_softplus=False, "
        "dt_limit=(0.0, float('inf')), return_final_states=False, return_varlen_states=False"))  # fmt: skip
    x, dt, a, b = torch.rand(2, 12, 3, 8), torch.rand(2, 12, 3), torch.rand(3), torch.rand(2, 12, 1, 5)

    def plain(x, b):
        chunks, parts = x.view(2, 3, 4, 3, 8).transpose(2, 3), b.view(2, 3, 4, 5)
        scores = parts @ parts.transpose(-1, -2)
        within = scores.unsqueeze(2) @ chunks
        states = chunks.transpose(-1, -2) @ parts.unsqueeze(2)
        return within + parts.unsqueeze(2) @ states.transpose(-1, -2)

    fused = count(lambda x, dt, a, b: function.apply(x, dt, a, b, b, 4), x, dt, a, b)
    assert fused.macs == count(plain, x, b).macs == 2 * 3 * 16 * (5 + 3 * 8) + 2 * 2 * 12 * 3 * 8 * 5
    assert fused.trace.ops[0].output_shape == (2, 12, 3, 8)


LINEAR = torch.rand(2, 12, 3, 5), torch.rand(2, 12, 3, 5), torch.rand(2, 12, 3, 8)


def attend_linearly_by_chunks(q, k, v):
    q, k, v = (x.view(2, 3, 4, 3, -1).transpose(2, 3) for x in (q, k, v))
    states = k.transpose(-1, -2) @ v
    return (q @ k.transpose(-1, -2)) @ v + q @ states


def follow_delta_rule_by_chunks(q, k, v):
    q, k, v = (x.view(2, 3, 4, 3, -1).transpose(2, 3) for x in (q, k, v))
    inverse = k @ k.transpose(-1, -2)
    keys, values = inverse @ k, inverse @ v
    states = k.transpose(-1, -2) @ v
    new = values - keys @ states
    return (q @ k.transpose(-1, -2)) @ new + q @ states


@pytest.mark.parametrize(
    ("module", "parameters", "plain"),
    [
        pytest.param(
            "fla.ops.simple_gla.chunk.ChunkSimpleGLAFunction",
            "q, k, v, g, g_gamma, scale, initial_state, output_final_state, state_v_first, cu_seqlens, "
            "cu_seqlens_cpu, chunk_size=None",
            attend_linearly_by_chunks,
            id="retention",
        ),
        pytest.param(
            "fla.ops.delta_rule.chunk.ChunkDeltaRuleFunction",
            "q, k, v, beta, scale, initial_state, output_final_state, use_qk_l2norm_in_kernel=False, "
            "cu_seqlens=None, cu_seqlens_cpu=None, chunk_size=64",
            follow_delta_rule_by_chunks,
            id="delta rule",
        ),
        pytest.param(
            "fla.ops.gated_delta_rule.chunk.ChunkGatedDeltaRuleFunction",
            "q, k, v, g, beta, scale, initial_state, output_final_state, state_v_first=False, "
            "cu_seqlens=None, cu_seqlens_cpu=None, chunk_indices=None, chunk_size=64",
            follow_delta_rule_by_chunks,
            id="gated delta rule",
        ),
    ],
)
def test_linear_attention_counts_as_its_chunks_in_plain_torch(install, module, parameters, plain):
    place, _, name = module.rpartition(".")
    function = install(place, name, make_function(name, parameters))
    names = [each.split("=")[0].strip() for each in parameters.split(",")]
    others = [4 if each == "chunk_size" else None for each in names[3:]]
    fused = count(lambda q, k, v: function.apply(q, k, v, *others)[0], *LINEAR)
    assert fused.macs == count(plain, *LINEAR).macs
    assert fused.trace.ops[0].output_shape == (2, 12, 3, 8)


def test_recurrent_linear_attention_counts_a_product_with_the_state_a_step(install):
    parameters = "q, k, v, g=None, g_gamma=None, gk=None, gv=None, scale=None, initial_state=None, " \
        "output_final_state=False, reverse=False, state_v_first=False, cu_seqlens=None"  # fmt: skip
    function = install(
        "fla.ops.common.fused_recurrent", "FusedRecurrentFunction", make_function("F", parameters)
    )

    def plain(q, k, v):
        state, out = torch.zeros(2, 3, 5, 8), []
        for step in range(12):
            state = state + k[:, step, :, :, None] * v[:, step, :, None]
            out.append(torch.einsum("bhk,bhkv->bhv", q[:, step], state))
        return torch.stack(out, 1)

    assert count(lambda q, k, v: function.apply(q, k, v)[0], *LINEAR).macs == count(plain, *LINEAR).macs


@pytest.fixture(scope="module")
def eight_bits():
    library = torch.library.Library("bitsandbytes", "FRAGMENT")
    library.define("int8_scaled_mm(Tensor A, Tensor B, Tensor row_stats, Tensor col_stats, "
                   "Tensor? bias=None, ScalarType? dtype=None) -> Tensor")  # fmt: skip
    library.define("gemv_4bit(Tensor A, Tensor B, int[] shapeB, Tensor absmax, Tensor code, int blocksize) "
                   "-> Tensor")  # fmt: skip
    library.define("dequantize_4bit(Tensor A, Tensor absmax, int blocksize, str quant_type, int[] shape, "
                   "ScalarType dtype) -> Tensor")  # fmt: skip

    def scaled(a, b, rows, columns, bias=None, dtype=None):
        return torch.empty(*a.shape[:-1], b.shape[0], device=a.device)

    def gemv(a, b, shape, absmax, code, blocksize):
        return a.new_empty(*a.shape[:-1], shape[0])

    def dequantize(a, absmax, blocksize, kind, shape, dtype):
        return torch.empty(shape, dtype=dtype, device=a.device)

    for key in ("Meta", "CPU"):
        library.impl("int8_scaled_mm", scaled, key)
        library.impl("gemv_4bit", gemv, key)
        library.impl("dequantize_4bit", dequantize, key)
    yield torch.ops.bitsandbytes
    library._destroy()


def test_layers_of_few_bits_count_as_linear_layers(eight_bits):
    x, bias = torch.rand(5, 16), torch.rand(8)
    plain = count(lambda x: F.linear(x, torch.rand(8, 16), bias), x)
    codes, weight = torch.zeros(5, 16, dtype=torch.int8), torch.zeros(8, 16, dtype=torch.int8)
    scales = torch.rand(5), torch.rand(8)
    fused = count(lambda a, b: eight_bits.int8_scaled_mm(a, b, *scales, bias), codes, weight)
    assert fused.macs == plain.macs == 5 * 16 * 8
    assert fused.under("flops").total == plain.under("flops").total
    packed, absmax, code = torch.zeros(64, 1, dtype=torch.uint8), torch.rand(2), torch.rand(16)
    fused = count(lambda a: eight_bits.gemv_4bit(a, packed, [8, 16], absmax, code, 64), x)
    assert fused.macs == plain.macs
    fused = count(
        lambda a: F.linear(a, eight_bits.dequantize_4bit(packed, absmax, 64, "nf4", [8, 16], torch.float32)),
        x,
    )
    assert fused.macs == plain.macs
    assert fused.uncounted == ()
