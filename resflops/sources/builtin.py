"""The built-in networks as a source."""

from functools import partial

from resflops.models import NETWORKS, build, parse_options
from resflops.models.catalog import Option
from resflops.sources.found import FoundModel
from resflops.sources.spec import Spec

__all__ = ["find_builtin", "names"]


def names() -> list[str]:
    """The names of all built-in networks."""
    return list(NETWORKS)


def find_builtin(spec: Spec) -> FoundModel | None:
    """The built-in network of that name, with its options checked; None if there is none.

    Raises:
        SpecError: the network has no such option, or the option no such value.
    """
    network = NETWORKS.get(spec.name)
    if network is None:
        return None
    options = parse_options(network, spec.options)
    changed = {name: value for name, value in options.items() if network.options[name] != value}
    channels = options.get("in_channels", network.input_shape[0])
    return FoundModel(
        spec=spec.text,
        name=_published_name(network.name, changed),
        summary=network.summary,
        variant=network.variant,
        input_shape=(int(channels), *network.input_shape[1:]),
        make=partial(build, network, **options),
    )


def _published_name(name: str, changed: dict[str, Option]) -> str:
    """The name under which papers print figures for it, if it is still their network.

    A spec that spells the defaults out names the same network; any other option makes
    one that the figure is not about, except the paper's own choices of shortcut.
    """
    return ",".join([name, *(f"{option}={value}" for option, value in sorted(changed.items()))])
