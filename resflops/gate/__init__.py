"""The cost gate: what a model may cost, what it costs now, and which layers make the difference.

::

    pyproject.toml ──config──▶ Config ─┐
    resflops.lock ──lockfile──▶ Lock ──┼─verdict──▶ Verdict (with its Diff) ──▶ tables
    model ──counting──▶ Cost ──snapshot──▶ Snapshot ─┘

Only ``counting``, and ``at_revision``, which calls it, import torch.
"""
