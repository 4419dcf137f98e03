"""The source of the built-in networks: ``resnet34``."""

import re
from functools import partial

from resflops.errors import UnknownModelError, suggest
from resflops.models import NETWORKS, build, parse_options
from resflops.models.catalog import Option
from resflops.models.installed_names import suggest_sources
from resflops.sources.found_model import FoundModel
from resflops.sources.registry import BUILTIN, SOURCES, Source, register
from resflops.sources.spec import Spec

__all__: list[str] = []


def _list_names() -> list[str]:
    return list(NETWORKS)


def _find(name: str, spec: Spec) -> FoundModel:
    network = NETWORKS.get(name)
    if network is None:
        raise _make_unknown_error(name)
    options = parse_options(network, spec.options)
    changed = {name: value for name, value in options.items() if network.options[name] != value}
    channels = options.get("in_channels", network.input_shape[0])
    return FoundModel(
        spec=spec.text,
        name=_make_published_name(network.name, changed),
        summary=network.summary,
        variant=network.variant,
        family=network.family,
        input_shape=(int(channels), *network.input_shape[1:]),
        by_name=True,
        make=partial(build, network, **options),
    )


def _canonicalize(name: str) -> str:
    """Give a network's name as the catalog spells it, in lower case; any other stays as it is."""
    return name.lower() if name.lower() in NETWORKS else name


def _make_unknown_error(name: str) -> UnknownModelError:
    """Make the error for a name that no built-in network has; it says what was probably meant."""
    if name in SOURCES:
        return UnknownModelError(
            f"{name!r} is a source of models, not a model; name one as in `resflops models {name}`, "
            f"or all of them by the pattern '{name}/*'"
        )
    if _SHAPE.fullmatch(name):
        return UnknownModelError(f"{name!r} is a shape, not a model; give it as --input {name}")
    module, dot, attribute = name.rpartition(".")
    if dot and all(part.isidentifier() for part in name.split(".")):
        return UnknownModelError(
            f"no model named {name!r}; a class or a function is named as in {module}:{attribute}"
        )
    closest = suggest(name, NETWORKS)
    if elsewhere := suggest_sources(name):
        return UnknownModelError(
            f"no built-in model named {name!r}{closest}; another source has it: {' or '.join(elsewhere)}"
        )
    return UnknownModelError(
        f"no model named {name!r}{closest}; "
        "`resflops models` lists the built-in networks, and a model of another source is named after it, "
        "as in torchvision/resnet50 or timm/resnet50d"
    )


_SHAPE = re.compile(r"\d+(?:x\d+)*")


def _make_published_name(name: str, changed: dict[str, Option]) -> str:
    """Make the name under which its published figures are stored.

    A spec that spells out a default names the same network. An option that changes something becomes a part
    of the name, under which there are figures only for the papers' own choices, such as of shortcut.
    """
    return ",".join([name, *(f"{option}={value}" for option, value in sorted(changed.items()))])


register(
    Source(
        prefix=BUILTIN,
        summary="resnet34: the built-in networks",
        find=_find,
        names=_list_names,
        canonicalize=_canonicalize,
    )
)
