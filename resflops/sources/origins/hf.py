"""The source of Hugging Face models, built from a config alone: ``hf/bert`` and ``hf/path/to/config.json``.

The model is the one that ``AutoModel`` makes of the config, a network without the head of a task. But the
config may name an architecture, as the file of a trained model does, and so may the spec, as in
``hf/gpt2,architecture=GPT2LMHeadModel``. ``seq`` sets the length of a text; all other options go to the
config.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from resflops.errors import ModelError, SpecError, UnknownModelError, describe_error, suggest
from resflops.sources.found_model import FoundModel
from resflops.sources.hub_ids import advise_on_hub_id, is_hub_id
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


def _canonicalize(name: str) -> str:
    """Give a model type in lower case; a path stays as it is."""
    return name if "/" in name or os.path.exists(name) else name.lower()  # noqa: PTH110 - for any text at all


def _find(name: str, spec: Spec) -> FoundModel:
    # Here and below, because every source is imported, whichever is asked, and these are long.
    from resflops.sources.architectures import find_architecture
    from resflops.sources.modalities import describe_inputs
    from resflops.sources.transformers_messages import hear_transformers

    transformers = _import_transformers()
    options = spec.values()
    length = _read_length(options.pop("seq", None), spec)
    asked = options.pop("architecture", None)
    # What transformers says of its own default configs is nothing that a user could mend.
    with _offline(), hear_transformers():
        config = _make_config(transformers, name, spec, options, asked)
        kind = find_architecture(transformers, config, asked, spec.text)
    try:
        usual = describe_inputs(config, kind, length)
    # What it reads, the config may have with a value of any kind.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelError(
            f"{spec.text!r}: the inputs of {kind.__name__} do not follow from its config: "
            f"{describe_error(error)}"
        ) from error
    return FoundModel(
        spec=spec.text,
        summary=f"{config.model_type}, by transformers",
        family=usual.family,
        input_shape=usual.shape,
        inputs=usual.inputs,
        variant=kind.__name__,
        notes=usual.notes,
        unknown_inputs=usual.unknown,
        by_name=name in transformers.CONFIG_MAPPING,
        make=partial(_make, kind, config),
    )


def _read_length(value: Value, spec: Spec) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SpecError(f"{spec.text!r}: seq must be a whole number of at least 1, got {value!r}")
    return value


def _make_config(
    transformers: ModuleType, name: str, spec: Spec, options: dict[str, Value], asked: Value
) -> Any:  # noqa: ANN401
    """Make the config of a model type, or of a file, with the spec's options set."""
    from resflops.sources.configs import check_config

    stored = {} if name in transformers.CONFIG_MAPPING else _read_config_file(name, spec)
    model_type = stored.pop("model_type", name)
    _refuse_remote_code(transformers, stored, options, asked, spec)
    if model_type not in transformers.CONFIG_MAPPING:
        known = list(transformers.CONFIG_MAPPING)
        raise UnknownModelError(
            f"{spec.text!r}: transformers {transformers.__version__} has no model type {model_type!r}"
            f"{suggest(str(model_type), known)}; a newer version may have it"
        )
    kind = transformers.CONFIG_MAPPING[model_type]
    try:
        usual = _make_usual(kind, stored) if options else None
        for option, value in options.items():
            _set(stored, option, value, usual, spec)
        check_config({"model_type": model_type, **stored}, spec.text)
        config = kind.from_dict(stored) if stored else kind()
    except ModelError:
        raise
    # A config checks itself as it is made, and each type raises what it likes.
    except Exception as error:
        raise ModelError(
            f"{spec.text!r} does not give a valid config of {model_type}: {describe_error(error)}"
        ) from error
    # Otherwise a config with a timm backbone would ask for the backbone's weights.
    for each in (config, *vars(config).values()):
        if getattr(each, "use_pretrained_backbone", False) is not False:
            each.use_pretrained_backbone = False
    return config


def _make_usual(kind: Any, stored: dict[str, Any]) -> Any:  # noqa: ANN401
    """Make the config that options are set on; the type itself where that is not valid without them."""
    try:
        return kind.from_dict(deepcopy(stored))
    except Exception:  # noqa: BLE001 - a config checks itself, and each type raises what it likes
        return kind


def _refuse_remote_code(
    transformers: ModuleType, stored: dict[str, Any], options: dict[str, Value], asked: Value, spec: Spec
) -> None:
    """Refuse to count in the name of a model whose code is not in transformers.

    A class that auto_map names and transformers has too, as for models that it took up later, is counted as
    transformers'.
    """
    if "trust_remote_code" in options or "auto_map" in options:
        raise SpecError(
            f"{spec.text!r}: trust_remote_code cannot be set; code that comes with a config is never run"
        )
    named = stored.get("auto_map")
    named = named if isinstance(named, dict) else {}
    models = {
        auto: next(iter(reference), None) if isinstance(reference, list) else reference
        for auto, reference in named.items()
        if auto.startswith("AutoModel")
    }
    own = [each for each in models.values() if not hasattr(transformers, str(each).rpartition(".")[2])]
    if own and not asked:
        raise ModelError(
            f"{spec.text!r}: its auto_map names {', '.join(map(repr, dict.fromkeys(own)))}, which is remote "
            "code and is never run; name a class of transformers, as in architecture=AutoModel, or build the "
            "model in a function of your own and give that, as in model.py:factory"
        )


def _read_config_file(name: str, spec: Spec) -> dict[str, Any]:
    from resflops.sources.configs import read_config_file

    path = Path(name).expanduser()
    if path.is_dir():
        path /= CONFIG_FILE
    if not path.is_file():
        if is_hub_id(name) and path.suffix != ".json":
            raise UnknownModelError(f"{spec.text!r}: there is no folder {name!r}; {advise_on_hub_id(name)}")
        # A name that looks like a path was meant as one.
        if path.suffix or "/" in name:
            raise UnknownModelError(
                f"{spec.text!r}: there is no file {str(path)!r}, and nothing is downloaded; "
                "give a model type as in hf/bert, or a local config.json or its folder"
            )
        error = make_unknown_model_error(PREFIX, name, _list_names())
        # The Hub's own first models have no owner in their ids: bert-base-uncased.
        raise UnknownModelError(f"{error}; {advise_on_hub_id(name)}") if "-" in name else error
    return read_config_file(path, spec.text)


def _set(stored: dict[str, Any], option: str, value: Value, usual: Any, spec: Spec) -> None:  # noqa: ANN401
    """Set an option of a config, or of a part's config: ``vision_config.num_hidden_layers``."""
    *parts, last = option.split(".")
    for part in parts:
        usual = getattr(usual, part, None)
        if not isinstance(stored.get(part), dict):
            # Whatever the whole says of a part stands when one of its options is set.
            stored[part] = _describe_part(usual) if hasattr(usual, "to_dict") else {}
        stored = stored[part]
    if usual is None or last.startswith("_") or not hasattr(usual, last):
        known = (
            [name for name in vars(usual) if not name.startswith("_")] if hasattr(usual, "__dict__") else []
        )
        raise SpecError(
            f"{spec.text!r}: the config has no option {option!r}{suggest(last, known)}; "
            "set its own options by their names, as in hf/gpt2,n_layer=2, and the length of a text by seq"
        )
    if last in _LAYER_COUNTS:
        _cut_lists_of_layers(stored, getattr(usual, last), value)
    stored[last] = value


def _describe_part(part: Any) -> dict[str, Any]:  # noqa: ANN401
    """What a part's config has, as a file would hold it, without what follows from the rest."""
    usual = type(part)().to_dict()
    own = {name: value for name, value in part.to_dict().items() if usual.get(name, part) != value}
    return {**own, "model_type": part.model_type}


_LAYER_COUNTS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")


def _cut_lists_of_layers(stored: dict[str, Any], former: object, value: Value) -> None:
    """Cut lists with one entry a layer, such as layer_types, where the last layers are left out."""
    if not isinstance(former, int) or not isinstance(value, int) or value >= former:
        return
    for name, each in stored.items():
        if "layer" in name and isinstance(each, list) and len(each) == former:
            stored[name] = each[:value]


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
        canonicalize=_canonicalize,
    )
)
