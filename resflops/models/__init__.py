"""The built-in networks, listed in a catalog that loads without torch."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from resflops.errors import SpecError, suggest
from resflops.models.catalog import CHOICES, NETWORKS, Network, Option

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "Network", "build", "parse_options"]

MOST = 10**9
"""The largest number that an option takes: more classes than this are surely a typing error."""


def build(network: Network, **options: Option) -> "nn.Module":
    """Build a network as a module, with the given options in place of its defaults.

    >>> build(NETWORKS["resnet34"], num_classes=10).fc
    Linear(in_features=512, out_features=10, bias=True)
    """
    for name, value in options.items():
        _check_name(network, name)
        if not _is_allowed(name, value):
            raise _make_option_error(network, name, value)
    module, _, factory = network.builder.partition(":")
    make = getattr(import_module(f"{__name__}.{module}"), factory)
    built: nn.Module = make(**network.arguments, **{**network.options, **options})
    return built


def parse_options(network: Network, given: Mapping[str, str]) -> dict[str, Option]:
    """Read the options of a spec as values, such as ``shortcut=A`` and ``num_classes=10``.

    >>> parse_options(NETWORKS["resnet34"], {"shortcut": "A", "num_classes": "10"})
    {'shortcut': 'A', 'num_classes': 10}
    """
    values: dict[str, Option] = {}
    for name, text in given.items():
        _check_name(network, name)
        # Longer texts are over the limit anyway, and int() takes long over thousands of digits.
        number = text.isascii() and text.isdigit() and len(text) <= 2 * len(str(MOST))
        values[name] = int(text) if number and name not in CHOICES else text
        if not _is_allowed(name, values[name]):
            raise _make_option_error(network, name, text)
    return values


def _check_name(network: Network, name: str) -> None:
    if name not in network.options:
        raise SpecError(
            f"{network.name} has no option {name!r}; it has {', '.join(network.options)}"
            f"{suggest(name, network.options)}"
        )


def _is_allowed(name: str, value: object) -> bool:
    if name in CHOICES:
        return value in CHOICES[name]
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST


def _make_option_error(network: Network, name: str, value: object) -> SpecError:
    allowed = (
        f"one of {', '.join(CHOICES[name])}" if name in CHOICES else f"a whole number from 1 to {MOST:,}"
    )
    return SpecError(f"{network.name} cannot have {name}={value}; {name} must be {allowed}")
