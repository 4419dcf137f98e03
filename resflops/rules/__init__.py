"""Rules: op record -> work, pure functions by family. Importing this registers them all."""

from resflops.rules import (
    conv as _conv,
)
from resflops.rules import (
    elementwise as _elementwise,
)
from resflops.rules import (
    free as _free,
)
from resflops.rules import (
    matmul as _matmul,
)
from resflops.rules import (
    pool as _pool,
)
from resflops.rules import (
    reduction as _reduction,
)
from resflops.rules.registry import CLASSES, Factors, free, op_name, rule

__all__ = ["CLASSES", "Factors", "free", "op_name", "rule"]

del (
    _conv,
    _elementwise,
    _free,
    _matmul,
    _pool,
    _reduction,
)
