"""The referee: peers run for real, and every difference explained.

``adapters.py`` asks the peers, ``process.py`` keeps each in a process of its own,
``running.py`` puts the two together. What the figures mean is in ``resflops.peers`` and
``resflops.reconciliation``, which need neither the peers nor torch.
"""

from resflops.crosschecking.process import Failure, run_apart
from resflops.crosschecking.running import environment, peers_named, reconcile_model

__all__ = ["Failure", "environment", "peers_named", "reconcile_model", "run_apart"]
