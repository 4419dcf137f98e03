"""Torch functions and what they do, by family. Importing this registers them all."""

from resflops.tracing.functions import (
    activation as _activation,
)
from resflops.tracing.functions import (
    arithmetic as _arithmetic,
)
from resflops.tracing.functions import (
    attention as _attention,
)
from resflops.tracing.functions import (
    contraction as _contraction,
)
from resflops.tracing.functions import (
    creation as _creation,
)
from resflops.tracing.functions import (
    matmul as _matmul,
)
from resflops.tracing.functions import (
    movement as _movement,
)
from resflops.tracing.functions import (
    norm as _norm,
)
from resflops.tracing.functions import (
    recurrent as _recurrent,
)
from resflops.tracing.functions import (
    reduction as _reduction,
)
from resflops.tracing.functions import (
    views as _views,
)
from resflops.tracing.functions.call import Call, Form, Formed, form_of, plain_shapes
from resflops.tracing.functions.registry import (
    DESCRIBED,
    OPERATORS,
    REPEATED,
    Describe,
    Mismatch,
    NotDescribed,
    Steps,
)
from resflops.tracing.functions.unchanged import DEVICE, FACTORIES, LEAVING, QUERIES, WHOLE

__all__ = [
    "DESCRIBED", "DEVICE", "FACTORIES", "LEAVING", "OPERATORS", "QUERIES", "REPEATED", "WHOLE", "Call",
    "Describe", "Form", "Formed", "Mismatch", "NotDescribed", "Steps", "form_of", "plain_shapes",
]  # fmt: skip

del (
    _activation,
    _arithmetic,
    _attention,
    _contraction,
    _creation,
    _matmul,
    _movement,
    _norm,
    _recurrent,
    _reduction,
    _views,
)
