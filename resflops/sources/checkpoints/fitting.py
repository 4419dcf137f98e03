"""Which network a state dict fits, by the names and shapes of its tensors alone.

``networks.json`` has a digest of these for every network of torchvision, and every built-in one that is not
the same; ``python tests/benchmarks/list_state_dicts.py`` makes it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from resflops.records import Shape

__all__ = ["FILE", "KnownNetworks", "NetworkDigest", "digest_shapes", "find_heads", "find_network"]

FILE = "networks.json"
"""The table, beside this module."""


class NetworkDigest(Struct, frozen=True, array_like=True):
    """A network, as the table has it."""

    spec: str
    heads: int
    """Which of the lists of heads is its own."""
    classes: int
    """How many classes it has unless told otherwise; 0 if it has no head."""


class KnownNetworks(Struct, frozen=True):
    """The table."""

    heads: list[list[str]]
    """The layers that have one output for each class, in each of the ways that networks name them."""
    networks: dict[str, NetworkDigest]
    """By digest."""


@cache
def _read_table() -> KnownNetworks:
    return msgspec.json.decode((Path(__file__).parent / FILE).read_bytes(), type=KnownNetworks)


def find_heads(shapes: Mapping[str, Shape], classes: int) -> list[str]:
    """Find the layers that have as many outputs as there are classes."""
    weights = {
        name.removesuffix(".weight"): shape for name, shape in shapes.items() if name.endswith(".weight")
    }
    return [layer for layer, shape in weights.items() if len(shape) > 1 and shape[0] == classes]


def digest_shapes(shapes: Mapping[str, Shape], heads: Sequence[str] = ()) -> str:
    """Compute a digest of names and shapes, whatever their order is and however many classes there are.

    What a wrapper puts before all names alike, such as ``module.``, is left out, and so is what older
    versions of torch did not store.
    """
    ends = tuple(f"{head}.{part}" for head in heads for part in ("weight", "bias"))
    kept = sorted(
        (name, [0, *shape[1:]] if name in ends else list(shape))
        for name, shape in _strip_prefix(shapes).items()
        if not name.endswith("num_batches_tracked")
    )
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:16]


def _strip_prefix(shapes: Mapping[str, Shape]) -> Mapping[str, Shape]:
    # What the first and the last in the order of the alphabet share, all share.
    first, last = min(shapes, default="").split("."), max(shapes, default="").split(".")
    shared = 0
    while shared < min(len(first), len(last)) - 1 and first[shared] == last[shared]:
        shared += 1
    cut = sum(len(part) + 1 for part in first[:shared])
    return {name[cut:]: shape for name, shape in shapes.items()} if cut else shapes


def find_network(shapes: Mapping[str, Shape]) -> str:
    """Find the spec of the network that a state dict fits; ``""`` if none is known that it does."""
    known = _read_table()
    plain = _strip_prefix(shapes)
    for number, heads in enumerate(known.heads):
        outputs = {plain.get(f"{head}.weight", (0,))[0] for head in heads}
        # A network without a head, or one whose heads are all there and agree.
        if len(outputs) > 1 or 0 in outputs:
            continue
        found = known.networks.get(digest_shapes(plain, heads))
        if found is not None and found.heads == number:
            (classes,) = outputs or {found.classes}
            return found.spec if classes == found.classes else f"{found.spec},num_classes={classes}"
    return ""
