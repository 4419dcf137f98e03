"""The other counters, each asked for one model's figure as resflops crosscheck asks it.

Every function takes a built model and its input and returns the peer's own account.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking.adapters import ADAPTERS

__all__ = ["Counter", "flop_counter_mode", "installed"]

Counter = Callable[[nn.Module, Tensor], Any]


def asked(peer: str, model: nn.Module, image: Tensor) -> Any:
    """What a peer says of a model."""
    return ADAPTERS[peer](model, (image,), {})


flop_counter_mode: Counter = partial(asked, "FlopCounterMode")


def installed() -> dict[str, Counter]:
    """The peers of modules that can be imported here."""
    return {
        name: partial(asked, name)
        for name, peer in PEERS.items()
        if peer.takes == "modules" and find_installed_version(peer) is not None
    }
