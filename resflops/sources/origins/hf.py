"""``hf/bert`` and ``hf/path/to/config.json``: any Hugging Face config, built from it alone.

The model is ``AutoModel``'s for the config, the network without a task's head, unless the
config names an architecture, as the file of a trained model does, or the spec does, as in
``hf/gpt2,architecture=GPT2LMHeadModel``. ``seq`` sets the length of a text; all other
options go to the config.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from resflops.errors import ModelError, SpecError, UnknownModelError, describe_error, suggest
from resflops.sources.found import FoundModel
from resflops.sources.modalities import describe_inputs
from resflops.sources.packages import import_optional
from resflops.sources.registry import Source, make_unknown_model_error, register
from resflops.sources.spec import Spec, Value

if TYPE_CHECKING:
    from torch import nn

__all__: list[str] = []

PREFIX = "hf"
CONFIG_FILE = "config.json"


def _import_transformers() -> ModuleType:
    return import_optional("transformers", extra="hf")


def _list_names() -> list[str]:
    """The types that AutoModel knows; the configs of parts, such as clip_text_model, are among them."""
    _import_transformers()
    mapping = import_optional("transformers.models.auto.modeling_auto", extra="hf").MODEL_MAPPING_NAMES
    return sorted(mapping)


def _find(name: str, spec: Spec) -> FoundModel:
    transformers = _import_transformers()
    options = spec.values()
    length = _read_length(options.pop("seq", None), spec)
    asked = options.pop("architecture", None)
    with _offline():
        config = _make_config(transformers, name, spec, options)
        kind = _find_architecture(transformers, config, asked, spec)
    usual = describe_inputs(config, kind, length)
    return FoundModel(
        spec=spec.text,
        summary=f"{config.model_type}, by transformers",
        family=usual.family,
        input_shape=usual.shape,
        inputs=usual.inputs,
        variant=kind.__name__,
        notes=usual.notes,
        make=partial(_make, kind, config),
    )


def _read_length(value: Value, spec: Spec) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SpecError(f"{spec.text!r}: seq must be a whole number from 1 on, and {value!r} is none")
    return value


def _make_config(transformers: ModuleType, name: str, spec: Spec, options: dict[str, Value]) -> Any:  # noqa: ANN401
    """The config of a model type, or of a file, with the spec's options in it."""
    stored = {} if name in transformers.CONFIG_MAPPING else _read_config_file(name, spec)
    model_type = stored.pop("model_type", name)
    if model_type not in transformers.CONFIG_MAPPING:
        known = list(transformers.CONFIG_MAPPING)
        raise UnknownModelError(
            f"{spec.text!r}: transformers {transformers.__version__} has no model type {model_type!r}"
            f"{suggest(str(model_type), known)}; a newer version may have it, "
            "and code that a config's auto_map names is never run"
        )
    kind = transformers.CONFIG_MAPPING[model_type]
    try:
        usual = kind()
        for option, value in options.items():
            _set(stored, option, value, usual, spec)
        config = kind.from_dict(stored) if stored else usual
    except ModelError:
        raise
    # A config checks itself as it is made, each type in its own way.
    except Exception as error:
        raise ModelError(f"{spec.text!r} is no config of {model_type}: {describe_error(error)}") from error
    # Else a config with a timm backbone asks for the backbone's weights.
    if getattr(config, "use_pretrained_backbone", False):
        config.use_pretrained_backbone = False
    return config


def _read_config_file(name: str, spec: Spec) -> dict[str, Any]:
    path = Path(name).expanduser()
    if path.is_dir():
        path /= CONFIG_FILE
    if not path.is_file():
        # What looks like a path was meant as one.
        if path.suffix or "/" in name:
            raise UnknownModelError(
                f"{spec.text!r}: there is no file {str(path)!r}, and nothing is downloaded; "
                "give a model type as in hf/bert, or a local config.json or its folder"
            )
        raise make_unknown_model_error(PREFIX, name, _list_names())
    try:
        stored = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise ModelError(f"{spec.text!r}: {path} cannot be read as JSON: {error}") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("model_type"), str):
        raise ModelError(f"{spec.text!r}: {path} is no config of transformers: it has no model_type")
    return stored


def _set(stored: dict[str, Any], option: str, value: Value, usual: object, spec: Spec) -> None:
    """Set an option, or one of a part's config: ``vision_config.num_hidden_layers``."""
    *parts, last = option.split(".")
    for part in parts:
        usual = getattr(usual, part, None)
        stored = stored.setdefault(part, {})
    if usual is None or last.startswith("_") or not hasattr(usual, last):
        known = [name for name in vars(usual) if not name.startswith("_")] if usual is not None else []
        raise SpecError(
            f"{spec.text!r}: the config has no option {option!r}{suggest(last, known)}; "
            "its own options are set by their names, as in hf/gpt2,n_layer=2, a text's length by seq"
        )
    stored[last] = value


def _find_architecture(transformers: ModuleType, config: Any, asked: Value, spec: Spec) -> Any:  # noqa: ANN401
    """The class to build: the one asked for, else the config's own, else AutoModel's."""
    named = asked or next(iter(config.architectures or ()), None)
    # A class of remote code has no namesake here; what AutoModel makes is then the nearest.
    if named is None or not (asked or hasattr(transformers, str(named))):
        named = "AutoModel"
    kind = getattr(transformers, str(named), None)
    mapping = getattr(kind, "_model_mapping", None)
    if mapping is not None:
        kind = mapping.get(type(config), None)
        kind = kind[0] if isinstance(kind, tuple | list) else kind
    if kind is None or not hasattr(kind, "main_input_name"):
        raise SpecError(
            f"{spec.text!r}: transformers has no architecture {named!r} for a config of {config.model_type}; "
            "name a class of its models, such as BertModel or AutoModelForCausalLM"
        )
    return kind


def _make(kind: Any, config: Any) -> "nn.Module":  # noqa: ANN401
    with _offline():
        # Building writes into the config, and a second attempt is to begin like the first.
        made: nn.Module = kind._from_config(deepcopy(config))  # noqa: SLF001 - what AutoModel calls
    return made


@contextmanager
def _offline() -> Iterator[None]:
    """Let nothing be asked of the network, whatever a constructor wants to fetch."""
    constants: Any = import_optional("huggingface_hub.constants", extra="hf")
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


register(
    Source(
        prefix=PREFIX,
        summary="hf/bert, hf/path/to/config.json: a Hugging Face config, nothing is downloaded",
        find=_find,
        names=_list_names,
    )
)
