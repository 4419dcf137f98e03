"""Which peers are run, and what is said of those that cannot be."""

import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Literal

from resflops.counters import PEERS, Peer, find_peer, load_more_peers
from resflops.counters.installed import find_installed_version, list_figures
from resflops.crosschecking.reconciliation import Reconciliation
from resflops.records import Trace

__all__ = ["build_failure", "describe_platform", "explain_missing", "select_peers"]


def select_peers(
    names: str | Sequence[str] | None, *, takes: Literal["modules", "onnx"] = "modules"
) -> tuple[Peer, ...]:
    """Return the peers of these names, each once, or all that are installed and take such a model.

    Args:
        names: the names of several peers or of a single one, in any case; None for all that are installed.
        takes: what they must take if no names are given: PyTorch modules, or ONNX files.

    Raises:
        UsageError: there is no peer of one of these names.
    """
    if names is None:
        load_more_peers()
        return tuple(
            peer
            for peer in PEERS.values()
            if peer.takes == takes and find_installed_version(peer) is not None
        )
    # A single name has to be caught: a text is a sequence of its letters, too.
    requested = [names] if isinstance(names, str) else names
    return tuple({peer.name: peer for peer in map(find_peer, requested)}.values())


def build_failure(traced: Trace, peer: Peer, *, version: str, reason: str) -> Iterator[Reconciliation]:
    """Build the row of a peer that gave no figure.

    Args:
        traced: the trace of the model.
        peer: the peer.
        version: its installed version; ``""`` if it is not installed.
        reason: why it gave none.
    """
    yield Reconciliation(
        model=traced.model,
        inputs=tuple(given.shape for given in traced.inputs),
        peer=peer.name,
        convention=next(list_figures(peer))[1].name,
        version=version,
        verified=peer.is_verified_with(version),
        failure=reason,
    )


def explain_missing(peer: Peer) -> str:
    """Say how to install a peer."""
    if peer.distribution in ("thop", "ultralytics-thop"):
        return (
            f"not installed: pip install {peer.distribution}; thop and ultralytics-thop share the import "
            "name thop, and the one installed last hides the other"
        )
    return f"not installed: pip install {peer.distribution}"


def describe_platform(packages: Sequence[str] = ("torch",)) -> dict[str, str]:
    """Describe what figures may depend on besides the peers' versions: Python, packages, the machine.

    Args:
        packages: the packages, of which none is imported for it.
    """
    return {
        "python": platform.python_version(),
        **{name: _find_version(name) for name in packages},
        "machine": f"{platform.system()} {platform.machine()}, CPU",
    }


def _find_version(package: str) -> str:
    # A package says of itself what it was built for, as in 2.14.1+cu130; its metadata does not.
    return str(getattr(sys.modules.get(package), "__version__", None) or metadata.version(package))
