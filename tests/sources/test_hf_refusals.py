"""A config opens no weight file, runs no code of its own, and has no value that no model has."""

import json

import pytest

import resflops
from resflops.errors import ModelError, ResflopsError

GPT2 = {"model_type": "gpt2", "n_layer": 1, "n_embd": 32, "n_head": 2, "vocab_size": 50}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"architectures": 5}, "architectures must be a list of class names, got 5"),
        ({"architectures": True}, "architectures must be a list"),
        ({"architectures": [["GPT2Model"]]}, "architectures must be a list"),
        ({"n_layer": 10**25}, "n_layer is 10000000000000000000000000, more than any model has"),
        ({"n_layer": -(10**25)}, "more than any model has"),
        ({"num_labels": 10**12}, "num_labels is 1000000000000, more than any model has"),
        ({"vocab_size": 10**400}, "vocab_size is a number of"),
        ({"depths": [2, 10**9]}, "depths is 1000000000"),
        ({"checkpoint_path": "/x/weights.bin"}, "checkpoint_path names a file of weights, which is never opened"),
        ({"backbone_kwargs": {"checkpoint_path": "/x"}}, "backbone_kwargs.checkpoint_path names a file"),
        ({"model_args": {"pretrained": True}}, "model_args.pretrained asks for weights"),
        ({"backbone": "hf-hub:someone/theirs"}, "which would be downloaded"),
        ({"text_config": {"trust_remote_code": True}}, "code that comes with a config is never run"),
        ({"attn_implementation": "kernels-community/flash-attn"}, "a kernel from the hub, which is someone else's code"),
        ({"_attn_implementation": {"": "someone/kernel@main"}}, "a kernel from the hub"),
        ({"auto_map": {"AutoModel": []}}, None),
        ({"auto_map": {"AutoModel": "theirs--modeling.Theirs"}}, "remote code and is never run"),
        ({"model_type": "timm_wrapper", "architecture": "resnet18"}, "name the model itself, as in timm/resnet18"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_a_config_must_not_say_is_refused_by_name(tmp_path, config, says):
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text(json.dumps({**GPT2, **config}))
    spec = f"hf/{tmp_path}/config.json"
    if says is None:
        with pytest.raises(ResflopsError):
            resflops.load(spec)
        return
    with pytest.raises(ModelError) as caught:
        resflops.load(spec)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[" * 5000, '{"a":' * 5000, f'{{"model_type": "gpt2", "n_layer": {"9" * 5000}}}']
)
def test_json_beyond_python_is_one_message(tmp_path, text):
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        resflops.load(f"hf/{tmp_path}/config.json")


def test_timm_opens_no_checkpoint(tmp_path):
    pytest.importorskip("timm")
    with pytest.raises(ResflopsError, match="checkpoint_path cannot be set"):
        resflops.load(f"timm/resnet18,checkpoint_path={tmp_path}/x.pth")
