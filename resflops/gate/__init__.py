"""The cost gate: what a model may cost, what it costs now, and which layers are to blame.

::

    pyproject.toml ──config──▶ Config ─┐
    resflops.lock ──lockfile──▶ Lock ──┼─verdict──▶ Verdict (with its Diff) ──▶ tables
    model ──counting──▶ Cost ──snapshot──▶ Snapshot ─┘

Nothing here but ``counting``, and ``at_revision`` that calls it, imports torch.
"""
