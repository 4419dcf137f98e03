"""Torch functions and what they do, by family. Importing this registers them all."""

from resflops.tracing.functions import (
    activation as _activation,
    arithmetic as _arithmetic,
    conv as _conv,
    matmul as _matmul,
    movement as _movement,
    norm as _norm,
    pool as _pool,
    reduction as _reduction,
)
from resflops.tracing.functions.registry import DESCRIBED, Call, Mismatch, NotDescribed
from resflops.tracing.functions.unchanged import FACTORIES, QUERIES, WHOLE

__all__ = ["DESCRIBED", "FACTORIES", "QUERIES", "WHOLE", "Call", "Mismatch", "NotDescribed"]

del _activation, _arithmetic, _conv, _matmul, _movement, _norm, _pool, _reduction
