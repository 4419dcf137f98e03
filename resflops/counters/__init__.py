"""The peers: other counters, each with its convention as data. None of them is imported or run here.

One module a peer. It states what the peer charges for which ops, what it looks at and so
does not see, which parameters it counts, its known defects, and the versions that all this
has been verified with. Where a peer counts differently from one version to the next, each way is
an edition. ``resflops.crosscheck`` runs the peers and holds them to it.
"""

from resflops.cost.convention import CONVENTIONS
from resflops.counters import (  # noqa: F401 - registers the peers
    calflops,
    deepspeed,
    flop_counter_mode,
    fvcore,
    ptflops,
    thop,
    torchinfo,
    torchprofile,
    ultralytics_thop,
)
from resflops.counters.registry import (
    PEERS,
    TIME_LIMIT,
    CountsParameters,
    Defect,
    Edition,
    Peer,
    Verification,
    find_peer,
    load_more_peers,
    register_peer,
)

__all__ = [
    "CONVENTIONS",
    "PEERS",
    "TIME_LIMIT",
    "CountsParameters",
    "Defect",
    "Edition",
    "Peer",
    "Verification",
    "find_peer",
    "load_more_peers",
    "register_peer",
]
