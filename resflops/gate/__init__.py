"""The cost gate: what a model may cost, what it costs now, and which layers are to blame.

::

    pyproject.toml ──config──▶ Config ─┐
    resflops.lock ──lockfile──▶ Lock ──┼─verdict──▶ Verdict (with its blame) ──▶ tables
    model ──counted──▶ Cost ──bill──▶ Bill ─┘

Nothing here but ``counted`` imports torch.
"""
