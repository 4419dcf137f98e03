"""The peers: other counters, each with its convention as data. None of them is imported or run here.

There is one module for each peer. It states what the peer charges for which ops, what the peer looks at
and what it therefore misses, which parameters it counts, its known defects, and the versions that all of
this has been verified with. Where a peer counts differently from one version to the next, each way of
counting is an edition. ``resflops.crosscheck`` runs the peers and holds them to these statements.
"""

from resflops.cost.convention import CONVENTIONS
from resflops.counters import (  # noqa: F401 - registers the peers
    calflops,
    deepspeed,
    flop_counter_mode,
    fvcore,
    onnx_tool,
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
