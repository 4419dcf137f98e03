"""The source of torchvision's models, with the input sizes of torchvision's weights."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, signature
from types import ModuleType
from typing import Any

from resflops.errors import SpecError
from resflops.records import Shape, TensorSpec
from resflops.sources.found_model import FoundModel, Inputs, take_one_tensor
from resflops.sources.packages import import_optional
from resflops.sources.registry import Source, make_unknown_model_error, register
from resflops.sources.spec import Spec

__all__: list[str] = []

PREFIX = "torchvision"

FAMILIES = ("detection", "optical_flow", "quantization", "segmentation", "video")
"""Modules of torchvision.models; a model that is in none of them classifies images."""

USUAL_SHAPES: dict[str, Shape] = {
    # Detectors resize images themselves: these to a fixed size, all others to at least 800 pixels.
    "ssd300_vgg16": (3, 300, 300),
    "ssdlite320_mobilenet_v3_large": (3, 320, 320),
    "fasterrcnn_mobilenet_v3_large_320_fpn": (3, 320, 320),
}
FAMILY_SHAPES: dict[str, Shape] = {
    "detection": (3, 800, 800),
    # The size for which torchvision publishes the costs of its flow networks.
    "optical_flow": (3, 512, 512),
}
FRAMES = 16
"""The frames of a clip. The video transforms leave their number to the loader, and torchvision's take 16."""


def _import_models() -> ModuleType:
    return import_optional("torchvision.models", extra="torchvision")


def _list_names() -> list[str]:
    listed: list[str] = _import_models().list_models()
    return listed


def _find(name: str, spec: Spec) -> FoundModel:
    models = _import_models()
    known = models.list_models()
    if name not in known:
        raise make_unknown_model_error(PREFIX, name, known)
    builder = models.get_model_builder(name)
    options = _read_options(builder, spec)
    family = _find_family(builder)
    shape = _find_usual_shape(models, name, family)
    if "image_size" in options:
        size = options["image_size"]
        if not isinstance(size, int) or isinstance(size, bool):
            raise SpecError(f"{spec.text!r}: image_size must be a whole number, got {size!r}")
        shape = (*shape[:-2], size, size)
    elif "vision_transformer" in builder.__module__:
        # The constructor's default is 224, and some weights have another size.
        options["image_size"] = shape[-1]
    return FoundModel(
        spec=spec.text,
        summary=f"torchvision's {name}",
        family=family,
        input_shape=shape,
        inputs=_INPUTS.get(family, take_one_tensor),
        by_name=True,
        make=partial(builder, **_refuse_downloads(builder), **options),
    )


def _read_options(builder: Callable[..., Any], spec: Spec) -> dict[str, Any]:
    options: dict[str, Any] = dict(spec.values())
    for name in options:
        if name.startswith("weights"):
            raise SpecError(
                f"{spec.text!r}: {name} cannot be set; a count needs no weights, and none are loaded"
            )
    parameters: Mapping[str, Parameter] = signature(builder).parameters
    # With **kwargs, only the call itself can tell which options exist.
    if not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        for name in options:
            if name not in parameters:
                raise SpecError(
                    f"{spec.text!r}: {spec.name} has no option {name!r}; it has {', '.join(parameters)}"
                )
    return options


def _refuse_downloads(builder: Callable[..., Any]) -> dict[str, Any]:
    """Give the arguments that keep a builder from loading weights, which some do by default."""
    names = [name for name in signature(builder).parameters if name.startswith("weights")]
    arguments: dict[str, Any] = dict.fromkeys(names)
    if builder.__module__.endswith(("googlenet", "inception")):
        # By default these two warn that their initialisation will change.
        arguments["init_weights"] = False
    return arguments


def _find_family(builder: Callable[..., Any]) -> str:
    parts = builder.__module__.split(".")
    return next((family for family in FAMILIES if family in parts), "classification")


def _find_usual_shape(models: ModuleType, name: str, family: str) -> Shape:
    if shape := USUAL_SHAPES.get(name, FAMILY_SHAPES.get(family)):
        return shape
    weights = list(models.get_model_weights(name))
    transforms = models.get_model_weights(name).DEFAULT.transforms if weights else None
    declared = getattr(transforms, "keywords", {})
    size = declared.get("resize_size" if family == "segmentation" else "crop_size", 224)
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    return (3, FRAMES, height, width) if family == "video" else (3, height, width)


def _take_image_pair(shape: Shape) -> Inputs:
    return Inputs((TensorSpec(shape), TensorSpec(shape)))


def _take_image_list(shape: Shape) -> Inputs:
    return Inputs(([TensorSpec(shape[1:]) for _ in range(shape[0])],))


_INPUTS = {"optical_flow": _take_image_pair, "detection": _take_image_list}

register(
    Source(
        prefix=PREFIX,
        summary="torchvision/resnet50: all of torchvision.models",
        find=_find,
        names=_list_names,
        canonicalize=str.lower,
    )
)
