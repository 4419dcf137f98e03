"""Hugging Face models, counted against what their configs say.

A case derives the MACs of its model by hand. Attention is every query by every key, under
whatever mask: once for the scores and once for the weighted sum of the values.
"""

import inspect
from typing import Any, NamedTuple

import pytest
import torch

import resflops

# Transformers loads it while it makes a model, and torch before 2.8 cannot load it on the meta device.
import torch._dynamo  # isort: skip

transformers = pytest.importorskip("transformers")

# In no case are two factors the same, so that one which is mistaken for another shows.
BATCH, TEXTS = 2, 12
LENGTH, PREFIX = 7, 9
WIDTH, INNER, LAYERS, MORE_LAYERS = 48, 52, 4, 5
HEADS, GROUPS, HEAD = 6, 3, 10
VOCABULARY, CLASSES, PROJECTED = 97, 13, 14
CHANNELS, IMAGE, PATCH = 3, 33, 11
PATCHES = (IMAGE // PATCH) ** 2
MELS, FRAMES, TAPS = 15, 34, 3
EXPERTS, CHOSEN = 8, 5
STATE, RANK, KERNEL, EXPANDED = 17, 19, 6, 3 * WIDTH

ENDS = {"bos_token_id": 1, "eos_token_id": 2}
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    **ENDS,
}
GROUPED = {**TEXT, "num_key_value_heads": GROUPS, "head_dim": HEAD}
VISION = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "image_size": IMAGE,
    "patch_size": PATCH,
}


class Case(NamedTuple):
    """A model, the shapes of what it takes, and its MACs."""

    kind: str
    config: Any
    inputs: dict[str, tuple[int, ...]]
    macs: int


def attending(queries, keys, heads=HEADS, head=WIDTH // HEADS):
    """Every query by every key, in each head: for the score, and for the value."""
    return heads * (queries * keys * head + queries * keys * head)


def encoder_layer(length, width=WIDTH, inner=INNER, **heads):
    """Projections of query, key, value and output; attention; up and down."""
    return 4 * length * width**2 + attending(length, length, **heads) + 2 * length * width * inner


def grouped_attention():
    """Queries and output have all the heads; keys and values have one for each group of them."""
    projections = 2 * LENGTH * WIDTH * HEADS * HEAD + 2 * LENGTH * WIDTH * GROUPS * HEAD
    return projections + attending(LENGTH, LENGTH, HEADS, HEAD)


GATED = 3 * LENGTH * WIDTH * INNER
"""Of a feed-forward part with a gate: gate, up, down."""
LM_HEAD = LENGTH * WIDTH * VOCABULARY


def bert():
    pooler = WIDTH**2  # of the first token alone
    macs = BATCH * (LAYERS * encoder_layer(LENGTH) + pooler)
    return Case("AutoModel", transformers.BertConfig(**TEXT), {"input_ids": (BATCH, LENGTH)}, macs)


def gpt2(**how):
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=WIDTH, n_inner=INNER, n_layer=LAYERS, n_head=HEADS, **ENDS, **how
    )
    macs = BATCH * (LAYERS * encoder_layer(LENGTH) + LM_HEAD)
    return Case("AutoModelForCausalLM", config, {"input_ids": (BATCH, LENGTH)}, macs)


def grouped(config):
    macs = BATCH * (LAYERS * (grouped_attention() + GATED) + LM_HEAD)
    return Case("AutoModelForCausalLM", config, {"input_ids": (BATCH, LENGTH)}, macs)


def llama():
    return grouped(transformers.LlamaConfig(**GROUPED))


def mistral():
    # A window shorter than the text is a mask like any other.
    return grouped(transformers.MistralConfig(**GROUPED, sliding_window=LENGTH - 3))


def qwen3():
    # Its norms of each query and key are no matrix products.
    return grouped(transformers.Qwen3Config(**GROUPED))


def mixtral(**how):
    config = transformers.MixtralConfig(
        **GROUPED, num_local_experts=EXPERTS, num_experts_per_tok=CHOSEN, **how
    )
    router = LENGTH * WIDTH * EXPERTS
    macs = BATCH * (LAYERS * (grouped_attention() + router + CHOSEN * GATED) + LM_HEAD)
    return Case("AutoModelForCausalLM", config, {"input_ids": (BATCH, LENGTH)}, macs)


def t5():
    config = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=WIDTH, d_kv=HEAD, d_ff=INNER, num_heads=HEADS,
        num_layers=LAYERS, num_decoder_layers=MORE_LAYERS, decoder_start_token_id=0, pad_token_id=0, **ENDS,
    )  # fmt: skip
    project = WIDTH * HEADS * HEAD

    def attention(queries, keys):
        # Query and output of the one text, key and value of the other.
        return 2 * queries * project + 2 * keys * project + attending(queries, keys, HEADS, HEAD)

    def feed_forward(length):
        return 2 * length * WIDTH * INNER

    encoder = attention(PREFIX, PREFIX) + feed_forward(PREFIX)
    decoder = attention(LENGTH, LENGTH) + attention(LENGTH, PREFIX) + feed_forward(LENGTH)
    return Case(
        "AutoModelForSeq2SeqLM",
        config,
        {"input_ids": (BATCH, PREFIX), "decoder_input_ids": (BATCH, LENGTH)},
        BATCH * (LAYERS * encoder + MORE_LAYERS * decoder + LM_HEAD),
    )


def image_encoder():
    """A patch is one product of its pixels; the class token comes on top of the patches."""
    embedding = PATCHES * WIDTH * CHANNELS * PATCH**2
    return embedding + LAYERS * encoder_layer(PATCHES + 1)


def vit():
    config = transformers.ViTConfig(**VISION, num_labels=CLASSES)
    head = WIDTH * CLASSES  # of the class token alone
    return Case(
        "AutoModelForImageClassification",
        config,
        {"pixel_values": (BATCH, CHANNELS, IMAGE, IMAGE)},
        BATCH * (image_encoder() + head),
    )


def clip():
    width, inner, heads = 45, 44, 15
    text = TEXT | {"hidden_size": width, "intermediate_size": inner, "num_attention_heads": heads}
    text |= {"num_hidden_layers": MORE_LAYERS}
    config = transformers.CLIPConfig(text_config=text, vision_config=VISION, projection_dim=PROJECTED)
    a_text = MORE_LAYERS * encoder_layer(LENGTH, width, inner, heads=heads, head=width // heads)
    texts = TEXTS * (a_text + width * PROJECTED)
    images = BATCH * (image_encoder() + WIDTH * PROJECTED)
    similarity = TEXTS * BATCH * PROJECTED
    return Case(
        "AutoModel",
        config,
        {"input_ids": (TEXTS, LENGTH), "pixel_values": (BATCH, CHANNELS, IMAGE, IMAGE)},
        texts + images + similarity,
    )


def whisper():
    heads, inner = 16, 44
    config = transformers.WhisperConfig(
        vocab_size=VOCABULARY, num_mel_bins=MELS, d_model=WIDTH, max_source_positions=FRAMES // 2,
        encoder_layers=LAYERS, encoder_attention_heads=HEADS, encoder_ffn_dim=INNER,
        decoder_layers=MORE_LAYERS, decoder_attention_heads=heads, decoder_ffn_dim=inner,
        decoder_start_token_id=1, pad_token_id=0, **ENDS,
    )  # fmt: skip
    heard = FRAMES // 2  # the second convolution has a stride of two
    stem = FRAMES * WIDTH * MELS * TAPS + heard * WIDTH * WIDTH * TAPS
    cross = 2 * LENGTH * WIDTH**2 + 2 * heard * WIDTH**2 + attending(LENGTH, heard, heads, WIDTH // heads)
    decoder = encoder_layer(LENGTH, inner=inner, heads=heads, head=WIDTH // heads) + cross
    return Case(
        "AutoModelForSpeechSeq2Seq",
        config,
        {"input_features": (BATCH, MELS, FRAMES), "decoder_input_ids": (BATCH, LENGTH)},
        BATCH * (stem + LAYERS * encoder_layer(heard) + MORE_LAYERS * decoder + LM_HEAD),
    )


def mamba():
    config = transformers.MambaConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, expand=EXPANDED // WIDTH, state_size=STATE,
        conv_kernel=KERNEL, time_step_rank=RANK, **ENDS,
    )  # fmt: skip
    # Padded on both sides and cut on the right: torch computes the points that are thrown away too.
    convolution = (LENGTH + KERNEL - 1) * EXPANDED * KERNEL
    projections = WIDTH * 2 * EXPANDED + EXPANDED * (RANK + 2 * STATE) + RANK * EXPANDED + EXPANDED * WIDTH
    # The recurrence is element-wise; what comes out of a state is a product with it.
    scan = EXPANDED * STATE
    macs = BATCH * (LAYERS * (convolution + LENGTH * (projections + scan)) + LM_HEAD)
    return Case("AutoModelForCausalLM", config, {"input_ids": (BATCH, LENGTH)}, macs)


CASES = {
    case.__name__: case
    for case in (bert, gpt2, llama, mistral, qwen3, mixtral, t5, vit, clip, whisper, mamba)
}


def build(case, device="meta", **how):
    with torch.device(device):
        return getattr(transformers, case.kind).from_config(case.config, **how).eval()


def list_inputs(case, device="meta"):
    return {
        name: torch.ones(shape, dtype=torch.int64 if name.endswith("_ids") else torch.float32, device=device)
        for name, shape in case.inputs.items()
    }


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("name", CASES)
def test_macs_are_those_that_the_config_tells(name, device):
    case = CASES[name]()
    model = build(case, device)
    cost = resflops.count(model, **list_inputs(case, device))
    assert cost.macs == case.macs
    assert cost.uncounted == ()
    assert (cost.trace.execution, cost.trace.notes) == ("meta", ())
    assert cost.params == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", CASES)
def test_a_real_run_does_the_work_that_was_counted_on_shapes(name):
    if name == "mixtral" and not hasattr(torch, "_grouped_mm"):
        pytest.skip(
            "without the grouped product, transformers looks at the addresses of weights, which is told"
        )
    case = CASES[name]()
    model, inputs = build(case, "cpu"), list_inputs(case, "cpu")
    real = resflops.count(resflops.trace(model, real=True, **inputs))
    assert real.uncounted == ()
    assert real.work == resflops.count(model, **inputs).work


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "t5", "clip", "whisper"])
def test_attention_written_out_has_the_macs_of_the_fused_one(name):
    case = CASES[name]()
    cost = resflops.count(build(case, attn_implementation="eager"), **list_inputs(case))
    assert "scaled_dot_product_attention" not in cost.by_op
    assert (cost.macs, cost.uncounted) == (case.macs, ())


@pytest.mark.parametrize("padded", [0, 2])
@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "mistral", "mixtral", "t5", "clip", "mamba"])
def test_a_mask_changes_no_macs(name, padded):
    case = CASES[name]()
    inputs = list_inputs(case, "cpu")
    mask = torch.ones_like(inputs["input_ids"])
    mask[:, mask.shape[1] - padded :] = 0
    cost = resflops.count(build(case, "cpu"), **inputs, attention_mask=mask)
    assert (cost.macs, cost.uncounted) == (case.macs, ())
    # Most models look whether the mask hides anything, which only its values tell.
    assert bool(cost.trace.notes) == (cost.trace.execution == "real")
    assert mask.sum() == mask.shape[0] * (mask.shape[1] - padded)


def test_a_token_for_padding_changes_no_macs():
    # Given one and no mask, a model may look for it in the text, only to warn.
    case = gpt2(pad_token_id=0)
    cost = resflops.count(build(case), **list_inputs(case))
    assert (cost.macs, cost.uncounted) == (case.macs, ())


def test_the_next_token_meets_every_one_before_it():
    case = gpt2()
    model, inputs = build(case, "cpu"), list_inputs(case, "cpu")
    with torch.no_grad():
        past = model(**inputs).past_key_values
    # What transformers calls it has changed, and the former name is on its way out.
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    cost = resflops.count(model, torch.ones(BATCH, 1, dtype=torch.int64), **{name: past})
    a_layer = 4 * WIDTH**2 + attending(1, LENGTH + 1) + 2 * WIDTH * INNER
    assert cost.macs == BATCH * (LAYERS * a_layer + WIDTH * VOCABULARY)
    assert cost.uncounted == ()


@pytest.mark.parametrize("implementation", ["grouped_mm", "batched_mm"])
def test_an_experts_tokens_need_no_values_where_all_experts_run_at_once(implementation):
    case = mixtral(experts_implementation=implementation)
    cost = resflops.count(build(case), **list_inputs(case))
    assert (cost.macs, cost.uncounted, cost.trace.execution) == (case.macs, (), "meta")


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_loop_over_the_experts_that_were_chosen_is_run_for_real_and_says_so(device):
    case = mixtral(experts_implementation="eager")
    cost = resflops.count(build(case, device), **list_inputs(case, device))
    assert cost.trace.execution == "real"
    note, *zeros = cost.trace.notes
    assert "run for real on the CPU" in note
    assert zeros == ["it was run on input_ids: given without values, taken as zeros"] * (device == "meta")
    assert "model.layers.0.mlp.experts" in note
    # Who goes where is chance, or a draw where the weights are zeros; every token goes to as many of them.
    downs = [
        op.input_shapes
        for op in cost.trace.ops
        if op.op == "linear" and op.layer.endswith("experts") and op.input_shapes[1] == (WIDTH, INNER)
    ]
    assert sum(tokens for (tokens, _), _ in downs) == LAYERS * CHOSEN * BATCH * LENGTH
    assert (cost.macs, cost.uncounted) == (case.macs, ())


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("masked", [False, True], ids=["on shapes", "for real"])
def test_a_head_tied_to_the_embedding_is_counted_once(device, masked):
    case = gpt2()
    model, inputs = build(case, device), list_inputs(case, device)
    if masked:
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    assert model.lm_head.weight is model.transformer.wte.weight
    cost = resflops.count(model, **inputs)
    positions = case.config.n_positions
    a_layer = 4 * WIDTH**2 + 2 * WIDTH * INNER + (3 + 1 + 1) * WIDTH + INNER + 2 * 2 * WIDTH
    assert cost.params == (VOCABULARY + positions) * WIDTH + LAYERS * a_layer + 2 * WIDTH
    assert cost.macs == case.macs


def test_a_decoder_alone_takes_what_its_encoder_gave():
    case = t5()
    whole = resflops.count(build(case), **list_inputs(case))
    heard = transformers.modeling_outputs.BaseModelOutput(torch.zeros(BATCH, PREFIX, WIDTH))
    alone = resflops.count(
        build(case), encoder_outputs=heard, decoder_input_ids=torch.ones(BATCH, LENGTH, dtype=torch.int64)
    )
    encoder = sum(row.macs for row in whole.layers if row.name.startswith("encoder."))
    assert alone.macs == whole.macs - encoder
    assert heard.last_hidden_state.device.type == "cpu"


@pytest.mark.parametrize("name", ["gpt2", "llama", "t5", "whisper", "mixtral", "mamba"])
def test_a_loss_adds_no_macs(name):
    case = CASES[name]()
    inputs = list_inputs(case)
    labels = inputs.get("decoder_input_ids", inputs.get("input_ids"))
    cost = resflops.count(build(case), **inputs, labels=labels)
    assert (cost.macs, cost.uncounted) == (case.macs, ())
    assert cost.work.transcendental > resflops.count(build(case), **list_inputs(case)).work.transcendental


@pytest.mark.parametrize("name", ["bert", "llama", "t5", "mixtral"])
def test_the_backward_pass_of_a_text_model_is_twice_its_forward(name):
    # Token numbers take no gradient, and a text enters by them: every product has two gradients.
    case = CASES[name]()
    cost = resflops.count(build(case).train(), backward=True, **list_inputs(case))
    assert cost.backward.macs == 2 * case.macs
    assert cost.backward.uncounted == ()
