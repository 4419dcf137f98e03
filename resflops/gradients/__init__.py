"""Gradient rules: op record -> work of its backward pass, by family. Importing this registers them all.

Three things hold for every rule:

- A gradient is counted as the chain rule writes it, from what the forward pass has at hand
  anyway: the op's inputs, its output, the statistics of a normalisation, the weights of a
  softmax. What a kernel recomputes to save memory (a fused attention its scores, activation
  checkpointing the whole forward) is not counted.
- Where the forward pass spreads one element over several (a broadcast, a bias, a row of an
  embedding), the backward pass adds several up: one addition each.
- What the values decide is counted as in the forward pass: every mask and every zero is
  multiplied.
"""

from resflops.gradients import (
    conv as _conv,
)
from resflops.gradients import (
    fourier as _fourier,
)
from resflops.gradients import (
    linalg as _linalg,
)
from resflops.gradients import (
    loss as _loss,
)
from resflops.gradients import (
    matmul as _matmul,
)
from resflops.gradients import (
    pool as _pool,
)
from resflops.gradients import (
    recurrent as _recurrent,
)
from resflops.gradients import (
    reduction as _reduction,
)
from resflops.gradients import (
    stops as _stops,
)
from resflops.gradients.registry import Needed, gradient_rule, joint_gradient_rule

__all__ = ["Needed", "gradient_rule", "joint_gradient_rule"]

del _attention, _conv, _elementwise, _fourier, _linalg, _loss, _matmul, _pool
del _recurrent, _reduction, _sampling, _stops
