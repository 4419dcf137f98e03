"""The source of Hugging Face models, built from a config alone: ``hf/bert`` and ``hf/path/to/config.json``.

The model is the one that ``AutoModel`` makes of the config, a network without the head of a task. But the
config may name an architecture, as the file of a trained model does, and so may the spec, as in
``hf/gpt2,architecture=GPT2LMHeadModel``. ``seq`` sets the length of a text; all other options go to the
config.
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
from resflops.sources.found_model import FoundModel
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
    """List the model types that AutoModel knows, those of parts, such as clip_text_model, among them."""
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
        raise SpecError(f"{spec.text!r}: seq must be a whole number of at least 1, got {value!r}")
    return value


def _make_config(transformers: ModuleType, name: str, spec: Spec, options: dict[str, Value]) -> Any:  # noqa: ANN401
    """Make the config of a model type, or of a file, with the spec's options set."""
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
    # A config checks itself as it is made, and each type raises what it likes.
    except Exception as error:
        raise ModelError(
            f"{spec.text!r} does not give a valid config of {model_type}: {describe_error(error)}"
        ) from error
    # Otherwise a config with a timm backbone would ask for the backbone's weights.
    if getattr(config, "use_pretrained_backbone", False):
        config.use_pretrained_backbone = False
    return config


def _read_config_file(name: str, spec: Spec) -> dict[str, Any]:
    path = Path(name).expanduser()
    if path.is_dir():
        path /= CONFIG_FILE
    if not path.is_file():
        # A name that looks like a path was meant as one.
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
        raise ModelError(f"{spec.text!r}: {path} is not a config of transformers: it has no model_type")
    return stored


def _set(stored: dict[str, Any], option: str, value: Value, usual: object, spec: Spec) -> None:
    """Set an option of a config, or of a part's config: ``vision_config.num_hidden_layers``."""
    *parts, last = option.split(".")
    for part in parts:
        usual = getattr(usual, part, None)
        stored = stored.setdefault(part, {})
    if usual is None or last.startswith("_") or not hasattr(usual, last):
        known = [name for name in vars(usual) if not name.startswith("_")] if usual is not None else []
        raise SpecError(
            f"{spec.text!r}: the config has no option {option!r}{suggest(last, known)}; "
            "set its own options by their names, as in hf/gpt2,n_layer=2, and the length of a text by seq"
        )
    stored[last] = value


def _find_architecture(transformers: ModuleType, config: Any, asked: Value, spec: Spec) -> Any:  # noqa: ANN401
    """Find the class to build: the one that was asked for, or the config's own, or AutoModel's."""
    named = asked or next(iter(config.architectures or ()), None)
    # A class of remote code does not exist in transformers. AutoModel's class is then the closest.
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
        # Building writes into the config, and a second attempt must start from the same config.
        made: nn.Module = kind._from_config(deepcopy(config))  # noqa: SLF001 - what AutoModel calls
    return made


@contextmanager
def _offline() -> Iterator[None]:
    """Keep constructors from fetching anything from the network."""
    # The constant, and not the environment variable, which is read once, as huggingface_hub is imported.
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
