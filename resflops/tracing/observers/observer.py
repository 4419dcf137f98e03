"""The base class of observers: what a recorder tells them of a forward pass."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from resflops.records import OpRecord

__all__ = ["Observer"]


class Observer:
    """Is told of everything and does nothing; an observer overrides the methods that it needs.

    The recorder enters its observers after itself and leaves them first. An observer that is also a
    ``TorchFunctionMode`` therefore lies over the recorder: it sees every call first, and may answer it
    alone or call the function again, which then reaches the recorder. So calls can be intercepted without
    a hook in the recorder.
    """

    counts_references = False
    """Whether it looks how many references there are to a tensor, which the recorder may then not add to."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        pass

    def on_record(
        self, index: int, record: OpRecord, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> None:
        """Learn of an op that was recorded.

        Args:
            index: the op's number. A number may come twice: where torch refuses a function after some of
                its ops were recorded, these leave the trace, and later ops get their numbers.
            record: what was recorded. Its ``producers`` and ``output_indices`` say where the inputs come
                from, as of before the op.
            inputs: the tensors of ``record.input_shapes``.
            outputs: the tensors of ``record.output_shapes``; for an op in place, its first input. In a pass
                on shapes all of them live until its end. In a real one a tensor lives as long as the model
                needs it, and the single ops of a function that is several have blanks as outputs.
        """

    def on_double(self, tensor: Tensor, double: Tensor) -> None:
        """Learn of the meta double of a real tensor that the model holds; functions now get the double."""
