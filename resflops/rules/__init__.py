"""Rules: op record -> work, pure functions by family. Importing this registers them all."""

from resflops.rules import (
    attention as _attention,
)
from resflops.rules import (
    elementwise as _elementwise,
)
from resflops.rules import (
    fourier as _fourier,
)
from resflops.rules import (
    free as _free,
)
from resflops.rules import (
    linalg as _linalg,
)
from resflops.rules import (
    loss as _loss,
)
from resflops.rules import (
    matmul as _matmul,
)
from resflops.rules import (
    recurrent as _recurrent,
)
from resflops.rules import (
    reduction as _reduction,
)
from resflops.rules.registry import CLASSES, Factors, free, op_name, rule

__all__ = ["CLASSES", "Factors", "free", "op_name", "rule"]

del (
    _attention,
    _elementwise,
    _fourier,
    _free,
    _linalg,
    _loss,
    _matmul,
    _recurrent,
    _reduction,
)
