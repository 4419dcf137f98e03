"""Config types of transformers: a sample of the list that tests/benchmarks/hf_sweep.py stores of all of them."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import resflops
from resflops.errors import InputError, ModelError, SpecError
from resflops.sources import find, open_model

# Transformers loads it while it makes a model, and torch before 2.8 cannot load it on the meta device.
import torch._dynamo  # isort: skip

transformers = pytest.importorskip("transformers")

STORED = json.loads(Path(__file__).with_name("hf_configs.json").read_text())
TYPES = STORED["types"]
COUNTED = [name for name, row in TYPES.items() if row.get("execution") == "meta" and row["level"] == "narrow"]


def make_small_config(name, level="narrow"):
    path = Path(__file__).parent.parent / "benchmarks" / "hf_small.py"
    spec = importlib.util.spec_from_file_location("hf_small", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_small_config(transformers.CONFIG_MAPPING[name], level)


@pytest.fixture
def spec(tmp_path):
    def write(config):
        (tmp_path / "config.json").write_text(json.dumps(config, default=str))
        return f"hf/{tmp_path}"

    return write


def count(spec):
    opened = open_model(spec)
    return resflops.count(opened.module, *opened.args, **opened.kwargs)


as_stored = pytest.mark.skipif(
    transformers.__version__ != STORED["transformers"],
    reason="the list is of another version of transformers",
)


@as_stored
@pytest.mark.parametrize("name", COUNTED[::32])
def test_a_config_type_has_the_macs_of_the_list(name, spec):
    cost = count(spec(make_small_config(name)))
    row = TYPES[name]
    assert (cost.macs, cost.params) == (row["macs"], row["params"])
    assert sorted({each.op for each in cost.uncounted}) == row["uncounted"]


@as_stored
def test_every_config_type_is_counted_or_has_its_reason():
    assert set(TYPES) == set(transformers.CONFIG_MAPPING)
    assert all(("macs" in row) != bool(row.get("failure")) for row in TYPES.values())


@pytest.mark.parametrize(
    "name",
    ["bros", "clap", "dac", "decision_transformer", "gemma4_audio", "granite_speech5_ctc", "idefics2_perceiver",
     "blip_2_qformer", "lxmert", "siglip_vision_model", "llama", "altclip_text_model", "fun_asr_nano_encoder",
     "musicgen_decoder", "musicgen_melody_decoder"],
)  # fmt: skip
def test_a_real_pass_does_the_products_that_are_counted_on_shapes(name, spec):
    written = spec(make_small_config(name))
    cost = count(written)
    opened = open_model(written, device="cpu")
    # The counter hooks what may need a gradient, which fails under no_grad.
    opened.module.requires_grad_(False)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        opened.module(*opened.args, **opened.kwargs)
    assert cost.uncounted == ()
    assert 2 * cost.macs == counter.get_total_flops()


def test_an_image_in_packed_patches_is_counted_on_shapes():
    width, inner, layers, patch, side = 48, 52, 2, 14, 8
    opened = open_model(
        f"hf/qwen2_vl_vision,depth={layers},embed_dim={width},num_heads=4,mlp_ratio=2,hidden_size=40",
        input_shape=(3, side * patch, side * patch),
    )
    cost = resflops.count(opened.module, **opened.kwargs)
    patches, inner = side**2, 2 * width
    embedding = patches * width * 3 * 2 * patch**2
    a_layer = patches * (4 * width**2 + 2 * width * inner) + 2 * patches**2 * width
    merger = patches // 4 * ((4 * width) ** 2 + 4 * width * 40)
    assert cost.macs == embedding + layers * a_layer + merger
    assert cost.trace.execution == "meta"


def test_the_text_model_of_a_whole_has_its_class_and_a_mask_decoder_has_none():
    assert find("hf/altclip_text_model").variant == "AltCLIPTextModel"
    assert find("hf/colpali").variant == "ColPaliForRetrieval"
    with pytest.raises(SpecError, match="give the config of the whole model"):
        find("hf/sam_mask_decoder")


def test_inputs_that_a_config_does_not_tell_are_named():
    with pytest.raises(InputError, match=r"JevForDecision .*\(marks, num_options, question_type_ids\)"):
        open_model("hf/jev")
    assert resflops.load("hf/clip_text_model,num_hidden_layers=1") is not None


REMOTE = {
    "model_type": "gpt2",
    "n_layer": 1,
    "auto_map": {"AutoModelForCausalLM": "modeling_ours.OursForCausalLM"},
}


def test_remote_code_is_refused_by_name(spec):
    with pytest.raises(ModelError, match=r"'modeling_ours\.OursForCausalLM', which is remote code"):
        find(spec(REMOTE))
    with pytest.raises(ModelError, match=r"modeling_ours\.OursForCausalLM"):
        find(spec(REMOTE | {"model_type": "ours"}))
    with pytest.raises(SpecError, match="trust_remote_code cannot be set"):
        find("hf/gpt2,trust_remote_code=true")
    assert find(f"{spec(REMOTE)},architecture=AutoModel").variant == "GPT2Model"
    own = {"auto_map": {"AutoModelForCausalLM": "modeling_gpt2.GPT2LMHeadModel"}}
    assert find(spec(REMOTE | own)).variant == "GPT2Model"


def test_an_option_of_a_part_leaves_what_the_whole_says_of_it():
    whole, cut = find("hf/llava"), find("hf/llava,vision_config.num_hidden_layers=2")
    usual, changed = (each.make.args[1].vision_config.to_dict() for each in (whole, cut))
    assert {name for name in usual if usual[name] != changed[name]} == {"num_hidden_layers"}


def test_fewer_layers_cut_a_files_lists_of_layers(spec):
    config = transformers.Gemma3TextConfig(
        num_hidden_layers=6, hidden_size=32, intermediate_size=64
    ).to_dict()
    assert len(config["layer_types"]) == 6
    module = resflops.load(f"{spec(config)},num_hidden_layers=2")
    assert len(module.layers) == 2
