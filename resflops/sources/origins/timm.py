"""The source of timm's models, with the input sizes of timm's default configurations."""

from functools import partial
from types import ModuleType
from typing import Any

from resflops.errors import SpecError
from resflops.records import Shape
from resflops.sources.found_model import FoundModel
from resflops.sources.packages import import_optional
from resflops.sources.registry import Source, make_unknown_model_error, register
from resflops.sources.spec import Spec

__all__: list[str] = []

PREFIX = "timm"


def _import_timm() -> ModuleType:
    return import_optional("timm", extra="timm")


def _list_names() -> list[str]:
    listed: list[str] = _import_timm().list_models()
    return listed


def _find(name: str, spec: Spec) -> FoundModel:
    timm = _import_timm()
    # A name may end in the tag of pretrained weights, which have an input size and classes of their own.
    base = name.partition(".")[0]
    if not timm.is_model(base):
        raise make_unknown_model_error(PREFIX, name, timm.list_models())
    if tagged := base != name:
        known = timm.list_pretrained(base)
        if name not in known:
            raise make_unknown_model_error(PREFIX, name, known)
    options: dict[str, Any] = dict(spec.values())
    if options.pop("pretrained", False):
        raise SpecError(
            f"{spec.text!r}: pretrained cannot be set; a count needs no weights, and none are loaded"
        )
    for option in ("checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"):
        if options.get(option):
            raise SpecError(
                f"{spec.text!r}: {option} cannot be set; a count needs no weights, and none are loaded"
            )
    return FoundModel(
        spec=spec.text,
        summary=f"timm's {name}",
        family="classification",
        input_shape=_find_usual_shape(timm, name if tagged else base, spec, options),
        by_name=True,
        make=partial(timm.create_model, name, pretrained=False, **options),
    )


def _find_usual_shape(timm: ModuleType, name: str, spec: Spec, options: dict[str, Any]) -> Shape:
    configuration = timm.get_pretrained_cfg(name)
    channels, height, width = configuration.input_size if configuration else (3, 224, 224)
    size = options.get("img_size", (height, width))
    height, width = size if isinstance(size, tuple | list) and len(size) == 2 else (size, size)
    shape = (options.get("in_chans", channels), height, width)
    if not all(isinstance(size, int) and not isinstance(size, bool) for size in shape):
        raise SpecError(f"{spec.text!r}: in_chans and img_size must be whole numbers, as in img_size=256")
    return shape


register(
    Source(
        prefix=PREFIX,
        summary="timm/vit_base_patch16_224: all of timm",
        find=_find,
        names=_list_names,
        canonicalize=str.lower,
    )
)
