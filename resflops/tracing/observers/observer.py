"""What a recorder tells those that watch a forward pass with it."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from resflops.records import OpRecord

__all__ = ["Observer"]


class Observer:
    """Hears of everything and does nothing; an observer overrides what it needs.

    The recorder enters its observers after itself and leaves them first. One that is also a
    ``TorchFunctionMode`` therefore lies over the recorder: it sees every call before, and may
    answer it alone, or call the function again, which then reaches the recorder. That is how calls
    are intercepted without the recorder having a hook for it.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        pass

    def on_record(
        self, index: int, record: OpRecord, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> None:
        """An op was recorded.

        Args:
            index: its number. One that was told before is given again where torch refused a
                function after some of its ops: those are not in the trace.
            record: what was recorded. Its ``producers`` and ``output_indices`` say where the inputs
                come from, as it was before the op.
            inputs: the tensors of ``record.input_shapes``.
            outputs: the tensors of ``record.output_shapes``; an op in place has its first input
                there. All live until the end of the pass, but in a real one, where a tensor lives
                as long as the model needs it, and where the single ops of a function that is several
                are shown with blanks.
        """

    def on_double(self, tensor: Tensor, double: Tensor) -> None:
        """A real tensor that the model holds was given a meta double, which functions take from here on."""
