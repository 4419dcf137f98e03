"""Small configs of Hugging Face models: few layers, narrow, few experts, few tokens, at every depth of parts.

What a field means is read off its name, for these are only models to count; a config that no longer holds
together is tried less small.
"""

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["LEVELS", "make_small_config"]

LEVELS = ("narrow", "shallow", "as it is")
"""How small a config is made, the smallest first."""

LAYERS, EXPERTS, CHOSEN, VOCABULARY, NARROWING = 2, 8, 2, 1000, 4

_LAYERS = re.compile(r"(^|_)(n_layers?|layers?|depth|num_blocks|num_stacks)$")
_NO_LAYERS = re.compile(
    r"feat_extract|shared|window|deepstack|first_k|index|dense|feature|mtp|nextn|head_layer"
)
_EXPERTS = re.compile(r"^(moe_)?(num|n)_(local_|routed_|total_)?experts$|^num_experts$")
_CHOSEN = re.compile(r"experts_per_tok(en)?$|^moe_k$|^moe_top_?k$|^num_selected_experts$")
_GROUPS = re.compile(r"^(n_group|topk_group|n_expert_groups?|topk_groups?)$")
_WIDTHS = re.compile(
    r"(^|_)(hidden_sizes?|hidden_dims?|intermediate_size|ffn_dims?|mlp_dim|embed_dims?|embedding_size|"
    r"embedding_dim|projection_dim|projection_size|d_model|d_ff|d_kv|d_inner|n_embd|n_inner|emb_dim|dim|"
    r"width|lora_rank|head_dim|output_dim|inner_dim|ffn_hidden_size|units|mid_channels)$"
)
_VOCABULARIES = re.compile(r"(^|_)vocab_size$")
_TOKENS = re.compile(r"_token_(id|index|ids)$|^(image|video|audio)_token$")

_MOST = {_LAYERS: LAYERS, _EXPERTS: EXPERTS, _CHOSEN: CHOSEN, _GROUPS: 1}

Config = Any

_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
COMPLETIONS: dict[str, dict[str, Any]] = {
    "autoformer": {"prediction_length": 24, "context_length": 48, "num_time_features": 2},
    "aya_vision": {"vision_config": {"model_type": "siglip_vision_model"}},
    "bamba": {"attn_layer_indices": [1]},
    "blip-2": {"image_token_index": 999},
    "chameleon": {"vocabulary_map": {"<image>": 4}},
    "cohere_compass_text": {"rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE}},
    "deepseek_ocr2_text": {
        "num_experts_per_tok": 2,
        "n_group": 1,
        "topk_group": 1,
        "mlp_layer_types": ["sparse"] * 32,
    },
    "deepseek_v2": {"num_experts_per_tok": 2, "n_group": 1, "topk_group": 1},
    "diffusion_gemma_text": {"num_experts": 8, "top_k_experts": 2, "moe_intermediate_size": 64},
    "dots1": {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "esm": {"vocab_size": 33, "mask_token_id": 32, "pad_token_id": 1},
    "gemma4_assistant": {"text_config": {"model_type": "gemma4_text", "hidden_size_per_layer_input": 0}},
    "granite4_vision": {"downsample_rate": "1/2", "deepstack_layer_map": [[0, 0]]},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"] * 16},
    "glm4v_text": {"rope_parameters": {**_ROPE, "mrope_section": [8, 12, 12], "partial_rotary_factor": 0.5}},
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
    "hunyuan_vl_text": {"head_dim": 128},
    "informer": {"prediction_length": 24, "context_length": 48, "num_time_features": 2},
    "instructblip": {"image_token_index": 999},
    "instructblipvideo": {"video_token_index": 999},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 16},
    "ministral": {"head_dim": 128},
    "nemotron": {"num_key_value_heads": 8},
    "qwen4_exp_text": {
        "indexer_n_heads": 4,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 32,
        "indexer_budget": 64,
        "indexer_compress_ratio": 4,
    },
    "time_series_transformer": {"prediction_length": 24, "context_length": 48, "num_time_features": 2},
}
"""What a type's config has to be given, since it is not complete without a file."""


def make_small_config(kind: type[Config], level: str) -> dict[str, Any]:
    """The config of a type, small, as its file would hold it.

    Raises:
        Exception: whatever the type's own checks raise.
    """
    completion = COMPLETIONS.get(kind.model_type, {})
    changes = {} if level == "as it is" else _change(kind(**completion), level)
    return dict(kind(**{**completion, **changes}).to_dict())


def _change(config: Config, level: str) -> dict[str, Any]:
    """The fields that make a config small, and those of its parts."""
    changes: dict[str, Any] = {}
    vocabulary = _shrink_tokens(config, changes)
    for name, value in _list_fields(config):
        if hasattr(value, "to_dict"):
            # What the whole says otherwise of a part than the part's own type does is kept.
            usual = vars(type(value)())
            own = {key: each for key, each in _list_fields(value) if usual.get(key) != each}
            own = {key: each for key, each in own.items() if not hasattr(each, "to_dict")}
            changes[name] = {**own, **_change(value, level), "model_type": value.model_type}
        elif name not in vocabulary:
            small = _shrink(name, value, level)
            if small != value:
                changes[name] = small
    return changes


def _list_fields(config: Config) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(config).items()):
        if not name.startswith("_") and name not in ("model_type", "transformers_version"):
            yield name, value


def _shrink(name: str, value: Any, level: str) -> Any:
    narrow = level == "narrow" and _WIDTHS.search(name)
    if isinstance(value, list | tuple) and narrow and all(map(_is_count, value)):
        return [_narrow(each) for each in value]
    if not _is_count(value):
        return value
    for pattern, most in _MOST.items():
        if pattern.search(name) and not (pattern is _LAYERS and _NO_LAYERS.search(name)):
            return min(value, most)
    return _narrow(value) if narrow else value


def _shrink_tokens(config: Config, changes: dict[str, Any]) -> set[str]:
    """Make a vocabulary small, and move the tokens with a meaning of their own into it."""
    fields = dict(_list_fields(config))
    vocabularies = {name for name, value in fields.items() if _VOCABULARIES.search(name) and _is_count(value)}
    tokens = {name for name, value in fields.items() if _TOKENS.search(name) and _is_count(value)}
    changes.update({name: min(fields[name], VOCABULARY) for name in vocabularies})
    beyond = sorted({fields[name] for name in tokens if fields[name] >= VOCABULARY})
    moved = {token: VOCABULARY - 1 - place for place, token in enumerate(beyond)}
    changes.update({name: moved[fields[name]] for name in tokens if fields[name] in moved})
    return vocabularies | tokens


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _narrow(width: int) -> int:
    return width // NARROWING if width >= 32 and width % (2 * NARROWING) == 0 else width
