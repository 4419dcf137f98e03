# mypy: disable-error-code="import-untyped,import-not-found"
"""How each peer is asked for one model's figure, the quick way that its users take.

Every function takes a built model and its input and returns the peer's own total. An
import error means that the peer is not installed.
"""

import contextlib
import importlib
import io
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

__all__ = ["PEERS", "Counter", "installed"]

Counter = Callable[[nn.Module, Tensor], Any]


def flop_counter_mode(model: nn.Module, image: Tensor) -> Any:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops()


def fvcore(model: nn.Module, image: Tensor) -> Any:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model, image)
    return analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()


def thop(model: nn.Module, image: Tensor) -> Any:
    import thop as package

    return package.profile(model, (image,), verbose=False)[0]


def ptflops(model: nn.Module, image: Tensor) -> Any:
    from ptflops import get_model_complexity_info

    with contextlib.redirect_stdout(io.StringIO()):
        return get_model_complexity_info(
            model, tuple(image.shape[1:]), as_strings=False, print_per_layer_stat=False
        )[0]


def torchinfo(model: nn.Module, image: Tensor) -> Any:
    import torchinfo as package

    return package.summary(model, input_data=image, verbose=0).total_mult_adds


def torchprofile(model: nn.Module, image: Tensor) -> Any:
    from torchprofile import profile_macs

    return profile_macs(model, image)


PEERS: dict[str, tuple[str, Counter]] = {
    "FlopCounterMode": ("torch", flop_counter_mode),
    "fvcore": ("fvcore", fvcore),
    "thop": ("thop", thop),
    "ptflops": ("ptflops", ptflops),
    "torchinfo": ("torchinfo", torchinfo),
    "torchprofile": ("torchprofile", torchprofile),
}
"""Peer name to the package it comes in and the function that asks it."""


def installed() -> dict[str, Counter]:
    """The peers that can be imported here."""
    found = {}
    for name, (package, counter) in PEERS.items():
        with contextlib.suppress(ImportError):
            importlib.import_module(package)
            found[name] = counter
    return found
