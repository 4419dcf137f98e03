"""``resnet34``: the built-in networks."""

from functools import partial

from resflops.errors import UnknownModelError, suggest
from resflops.models import NETWORKS, build, parse_options
from resflops.models.catalog import Option
from resflops.sources.found import FoundModel
from resflops.sources.registry import BUILTIN, Source, register
from resflops.sources.spec import Spec

__all__: list[str] = []


def _list_names() -> list[str]:
    return list(NETWORKS)


def _find(name: str, spec: Spec) -> FoundModel:
    network = NETWORKS.get(name)
    if network is None and name.endswith(".py"):
        raise UnknownModelError(f"{name!r} is a file; name what makes the model in it, as in {name}:factory")
    if network is None:
        raise UnknownModelError(
            f"no model named {name!r}{suggest(name.lower(), NETWORKS)}; resflops models lists the built-in "
            "ones, and others are named behind their source, as in torchvision/resnet50 or timm/resnet50d"
        )
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
        make=partial(build, network, **options),
    )


def _make_published_name(name: str, changed: dict[str, Option]) -> str:
    """The name under which papers print figures for it, if it is still their network.

    A spec that spells the defaults out names the same network; any other option makes
    one that the figure is not about, except the paper's own choices of shortcut.
    """
    return ",".join([name, *(f"{option}={value}" for option, value in sorted(changed.items()))])


register(Source(prefix=BUILTIN, summary="resnet34: the built-in networks", find=_find, names=_list_names))
