"""Hugging Face configs."""

import json

import pytest

import resflops
from resflops.cli import main
from resflops.errors import ModelError, SpecError, UnknownModelError
from resflops.sources import find, names, open_model


def shapes(opened):
    return {name: tuple(tensor.shape) for name, tensor in opened.kwargs.items()}


@pytest.mark.parametrize(
    ("spec", "expected", "family"),
    [
        ("hf/bert,num_hidden_layers=1", {"input_ids": (1, 128)}, "text"),
        ("hf/gpt2,n_layer=1,seq=16", {"input_ids": (1, 16)}, "text"),
        ("hf/gpt2,n_layer=1,n_positions=32", {"input_ids": (1, 32)}, "text"),
        ("hf/t5,num_layers=1", {"input_ids": (1, 128), "decoder_input_ids": (1, 128)}, "text"),
        ("hf/vit,num_hidden_layers=1,image_size=64", {"pixel_values": (1, 3, 64, 64)}, "image"),
        ("hf/clip,vision_config.num_hidden_layers=1", {"pixel_values": (1, 3, 224, 224), "input_ids": (1, 77)}, "image"),
        ("hf/whisper,encoder_layers=1,decoder_layers=1",
         {"input_features": (1, 80, 3000), "decoder_input_ids": (1, 128)}, "audio"),
        ("hf/wav2vec2,num_hidden_layers=1", {"input_values": (1, 16000)}, "audio"),
        ("hf/patchtst,num_hidden_layers=1,num_input_channels=3", {"past_values": (1, 32, 3)}, "series"),
        ("hf/videomae,num_hidden_layers=1,hidden_size=48,num_attention_heads=4", {"pixel_values": (1, 16, 3, 224, 224)}, "image"),
    ],
)  # fmt: skip
def test_a_model_takes_what_its_forward_takes_in_the_sizes_of_its_config(spec, expected, family):
    opened = open_model(spec)
    assert shapes(opened) == expected
    assert opened.found.family == family
    assert {tensor.device.type for tensor in opened.module.parameters()} == {"meta"}
    assert resflops.count(opened.module, **opened.kwargs).trace.execution == "meta"


def test_the_texts_shape_goes_to_encoder_and_decoder():
    opened = open_model("hf/t5,num_layers=1", input_shape=(2, 8))
    assert shapes(opened) == {"input_ids": (2, 8), "decoder_input_ids": (2, 8)}


def test_berts_macs_are_those_of_its_projections_attention_and_pooler():
    length, width, inner, layers = 16, 64, 256, 3
    opened = open_model(
        f"hf/bert,num_hidden_layers={layers},hidden_size={width},num_attention_heads=4,"
        f"intermediate_size={inner},seq={length}"
    )
    a_layer = 4 * length * width**2 + 2 * length * width * inner + 2 * length**2 * width
    assert resflops.count(opened.module, **opened.kwargs).macs == layers * a_layer + width**2


def test_a_models_file_names_its_architecture_and_a_folder_its_file(tmp_path):
    config = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": 100}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "head.json").write_text(json.dumps(config | {"architectures": ["GPT2LMHeadModel"]}))
    (tmp_path / "remote.json").write_text(json.dumps(config | {"architectures": ["TheirOwnModel"]}))
    kinds = {
        where: type(resflops.load(f"hf/{tmp_path}{where}")).__name__
        for where in (
            "",
            "/config.json",
            "/head.json",
            "/remote.json",
            "/config.json,architecture=AutoModelForCausalLM",
        )
    }
    assert kinds == {
        "": "GPT2Model",
        "/config.json": "GPT2Model",
        "/head.json": "GPT2LMHeadModel",
        "/remote.json": "GPT2Model",
        "/config.json,architecture=AutoModelForCausalLM": "GPT2LMHeadModel",
    }
    assert len(resflops.load(f"hf/{tmp_path},n_layer=1").h) == 1


def test_a_config_whose_model_looks_into_its_tokens_says_that_they_are_zeros(capsys):
    spec = "hf/flaubert,n_layers=1,emb_dim=16,n_heads=2"
    for command in (["table", "--models", spec], ["layers", spec]):
        assert main(command) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert "path depends on the values of input_ids: given without values, taken as zeros" in shown


def test_a_tied_head_is_counted_once():
    opened = open_model(
        "hf/gpt2,n_layer=1,n_embd=32,n_head=2,vocab_size=100,architecture=GPT2LMHeadModel,seq=4"
    )
    assert resflops.count(opened.module, **opened.kwargs).params == sum(
        parameter.numel() for parameter in opened.module.transformer.parameters()
    )


def test_a_405_billion_parameter_llama_is_built_without_its_weights():
    opened = open_model(
        "hf/llama,num_hidden_layers=126,hidden_size=16384,num_attention_heads=128,num_key_value_heads=8,"
        "intermediate_size=53248,vocab_size=128256,architecture=LlamaForCausalLM,seq=8"
    )
    assert resflops.count(opened.module, **opened.kwargs).params == 405_853_388_800


def test_nothing_is_asked_of_the_network_and_the_users_own_setting_stays(monkeypatch):
    import socket

    from huggingface_hub import constants

    def refuse(*_, **__):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    resflops.load("hf/bert,num_hidden_layers=1")
    with pytest.raises(UnknownModelError, match="nothing is downloaded"):
        find("hf/meta-llama/Llama-3.1-8B")
    assert constants.HF_HUB_OFFLINE is False


def test_model_types_are_listed():
    assert {"bert", "llama", "mamba", "whisper"} <= {name.removeprefix("hf/") for name in names("hf")}


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("hf/brt", UnknownModelError, "bert"),
        ("hf/nowhere/config.json", UnknownModelError, "no file 'nowhere/config.json'"),
        ("hf/bert,hidden_sizes=3", SpecError, "closest: hidden_size"),
        ("hf/bert,_name_or_path=x", SpecError, "no option '_name_or_path'"),
        ("hf/clip,sound_config.width=3", SpecError, "no option 'sound_config.width'"),
        ("hf/bert,seq=0", SpecError, "seq must be"),
        ("hf/bert,seq=long", SpecError, "seq must be"),
        ("hf/bert,architecture=NoModel", SpecError, "no architecture 'NoModel'"),
        ("hf/bert,architecture=BertTokenizer", SpecError, "no architecture 'BertTokenizer'"),
        ("hf/bert,hidden_size=wide", ModelError, "does not give a valid config of bert"),
    ],
)
def test_what_is_no_config_is_an_error_that_says_why(spec, error, says):
    with pytest.raises(error) as raised:
        find(spec)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read as JSON"),
        ("", "cannot be read as JSON"),
        ("\xff\xfe", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[]", "no model_type"),
        ("{}", "no model_type"),
        ('{"model_type": 3}', "no model_type"),
        ('{"model_type": "bort"}', "closest: bert"),
        ('{"model_type": "bert", "hidden_size": "wide"}', "does not give a valid config of bert"),
    ],
)
def test_a_broken_file_is_an_error_that_says_why(tmp_path, text, says):
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError) as raised:
        find(f"hf/{tmp_path}")
    assert says in str(raised.value)


def test_a_config_that_its_model_refuses_is_an_error_with_its_reason():
    with pytest.raises(ModelError, match=r"could not be built: \w+Error: .*hidden size"):
        open_model("hf/bert,hidden_size=65,num_attention_heads=8")
