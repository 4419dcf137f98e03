"""Rules: op record -> work, pure functions by family. Importing this registers them all."""

from resflops.rules import (
    attention as _attention,
    conv as _conv,
    elementwise as _elementwise,
    free as _free,
    matmul as _matmul,
    norm as _norm,
    pool as _pool,
    reduction as _reduction,
)
from resflops.rules.registry import FREE, RULES, Factors, Rule, free, rule

__all__ = ["FREE", "RULES", "Factors", "Rule", "free", "rule"]

del _attention, _conv, _elementwise, _free, _matmul, _norm, _pool, _reduction
