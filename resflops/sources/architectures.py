"""Which class of transformers' is the model of a config, and which classes there are none for."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from resflops.errors import ModelError, SpecError, suggest

__all__ = ["find_architecture"]

Config = Any
Kind = Any


def find_architecture(transformers: ModuleType, config: Config, asked: object, spec: str) -> Kind:
    """Find the class to build: the one asked for, or the one that the config names, or the usual one.

    Args:
        transformers: the package.
        config: of the model.
        asked: the name that the spec's option ``architecture`` gives, or None.
        spec: what messages call it.

    Raises:
        SpecError: there is no such class, or the config is one of a part that is no model by itself.
        ModelError: a package that its model needs is missing.
    """
    try:
        kind = _find(transformers, config, asked, spec)
        _ = kind.forward
    # What stands for a class whose package is missing raises this whatever is asked of it, and an auto class
    # that names a class which is nowhere a ValueError.
    except (ImportError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(f"{spec!r}: {' '.join(lines)[:300]}") from error
    return kind


def _find(transformers: ModuleType, config: Config, asked: object, spec: str) -> Kind:
    named = asked or next(iter(config.architectures or ()), None)
    # A class of remote code has no namesake here; what AutoModel makes is then the nearest.
    if named is None or not (asked or hasattr(transformers, str(named))):
        return _find_usual(transformers, config, spec)
    kind = getattr(transformers, str(named), None)
    if getattr(kind, "_model_mapping", None) is not None:
        kind = _look_up(kind, config)
    if kind is None or not hasattr(kind, "main_input_name"):
        known = [each.__name__ for each in _list_own(transformers, config)]
        raise SpecError(
            f"{spec!r}: transformers has no architecture {named!r} for a config of {config.model_type}"
            f"{suggest(str(named), known)}; "
            + (
                f"it has {', '.join(known)}"
                if known
                else "name one of transformers' model classes, as in architecture=BertModel"
            )
        )
    return kind


def _look_up(auto: Any, config: Config) -> Kind | None:  # noqa: ANN401 - a class such as AutoModel
    kind = auto._model_mapping.get(type(config), None)  # noqa: SLF001 - what its from_config reads
    return kind[0] if isinstance(kind, tuple | list) else kind


def _find_usual(transformers: ModuleType, config: Config, spec: str) -> Kind:
    """Find AutoModel's class for a config, or another auto class's, or one in the config's own module."""
    kind = _look_up(transformers.AutoModel, config)
    # For a few types it has the class of a part, which takes another config.
    if kind is not None and _takes(kind, config):
        return kind
    own = _list_own(transformers, config)
    mapped = _list_mapped(transformers, config)
    for each in (*mapped, *sorted(own, key=_rank(config))):
        return each
    raise SpecError(
        f"{spec!r}: transformers has no model for a config of {config.model_type}, which describes only a "
        "part of a model or a tokenizer; give the config of the whole model"
    )


def _rank(config: Config) -> Callable[[Kind], tuple[bool, bool]]:
    """The order of a config's classes: the network without a head or a projection before all."""
    without_head = type(config).__name__.replace("Config", "Model")
    return lambda kind: (kind.__name__ != without_head, not kind.__name__.endswith("Model"))


def _list_mapped(transformers: ModuleType, config: Config) -> list[Kind]:
    """List the classes that transformers' auto classes have for a config, a backbone's last."""
    module = import_module("transformers.models.auto.modeling_auto")
    tables = [name for name in vars(module) if name.startswith("MODEL_FOR_") and name.endswith("_NAMES")]
    found = []
    for table in sorted(tables, key=lambda name: "BACKBONE" in name):
        name = getattr(module, table).get(config.model_type)
        kind = getattr(transformers, name if isinstance(name, str) else next(iter(name or ()), ""), None)
        if kind is not None and _has_forward(transformers, kind) and _takes(kind, config):
            found.append(kind)
    return found


def _takes(kind: Kind, config: Config) -> bool:
    return isinstance(config, getattr(kind, "config_class", None) or object)


def _has_forward(transformers: ModuleType, kind: Kind) -> bool:
    """Whether a class can be called; one that only generates has a part for each step."""
    return kind.forward is not transformers.PreTrainedModel.forward


def _list_own(transformers: ModuleType, config: Config) -> list[Kind]:
    """List the models with a forward in the module beside a config's own that take this config."""
    place = type(config).__module__.replace(".configuration_", ".modeling_")
    try:
        module = import_module(place)
    # Some configs are of tokenizers, or of models that another module has.
    except ImportError:
        return []
    return [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, transformers.PreTrainedModel)
        and kind.__module__ == place
        and getattr(kind, "config_class", None) is type(config)
        and _has_forward(transformers, kind)
        and not kind.__name__.endswith("PreTrainedModel")
    ]
