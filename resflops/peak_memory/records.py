"""What a pass holds in memory, block by block: plain, torch-free data.

A pass is a row of steps, each one op. A block is memory that one step takes and another finds released. So
the bytes in use during a step are those of the blocks that are there then, and everything that is said of
memory follows from the two lists: the peak, its parts, the layers that hold it, the curve over time.
"""

from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, NoReturn, get_args

from msgspec import Struct

from resflops.errors import explain_missing
from resflops.extensions import find_display
from resflops.records import InputRecord
from resflops.storage import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from resflops.tables import Table

__all__ = ["BEFORE", "KINDS", "WEIGHTS", "Block", "Holder", "Kind", "Memory", "Phase", "Step"]

Kind = Literal["parameters", "buffers", "optimizer", "input", "gradients", "activations", "temporary"]
"""What a block holds. ``gradients`` are those of parameters; ``activations`` are what the forward pass has
made and the backward pass finds, in inference nothing; ``temporary`` is all else that is made and released
again: the outputs of inference, the gradients of activations, what the optimiser works with."""

KINDS: tuple[Kind, ...] = get_args(Kind)

WEIGHTS: tuple[Kind, ...] = ("parameters", "buffers")
"""The kinds that a model holds before any pass."""

Phase = Literal["forward", "backward", "optimizer"]

BEFORE = -1
"""The step at which a block was taken that was there before the pass."""


class Step(Struct, frozen=True, kw_only=True, gc=False):
    """One op of a pass."""

    op: str
    """Its name, such as ``convolution`` or ``convolution_backward``."""
    layer: str
    """Dotted path of the module that it runs for; in the backward pass, whose gradient it takes."""
    phase: Phase = "forward"


class Block(Struct, frozen=True, kw_only=True, gc=False):
    """Memory of one tensor, and of all that share it."""

    size: int
    """In bytes, as the tensors need it, before an allocator rounds it."""
    kind: Kind
    layer: str
    """Dotted path of the module that has taken it, or that owns the parameter; ``""`` is the model itself."""
    name: str
    """The op that has taken it, or the name of the parameter, the buffer or the input."""
    born: int
    """The step that takes it; BEFORE if it was there before the pass."""
    died: int | None = None
    """The first step that finds it released; None if it is there after the last one."""


class Holder(Struct, frozen=True, kw_only=True):
    """What one layer holds at the peak."""

    layer: str
    size: int
    by_kind: dict[Kind, int]


class Memory(Stored, frozen=True, kw_only=True, dict=True, tag="memory"):
    """The memory that a pass needs, from its first op to its last."""

    model: str
    """The spec that the model was built from, or the name of its class."""
    inputs: tuple[InputRecord, ...]
    steps: tuple[Step, ...]
    blocks: tuple[Block, ...]
    training: bool = False
    optimizer: str = ""
    """The optimiser whose step is part of the pass, such as ``adamw``; ``""`` if none."""
    dtype: str = "float32"
    autocast: bool = False
    checkpointing: tuple[str, ...] = ()
    """The layers whose forward pass runs again in the backward pass."""
    attention: str = ""
    """The kernel that attention is taken to run: ``math``, ``flash``, ``efficient``, ``cudnn``."""
    device: str = "cpu"
    """The device whose kernels and allocator are assumed: ``cpu`` or ``cuda``."""
    method: Literal["shapes", "real", "trace"] = "shapes"
    """Whether a pass on shapes was watched, a real one, or a stored trace was worked through."""
    notes: tuple[str, ...] = ()
    """What is included, excluded and estimated, and what was assumed; for a reader."""

    @cached_property
    def curve(self) -> tuple[int, ...]:
        """The bytes in use during each step, with everything that was there before."""
        return self.sum_during(lambda block: block.size)

    def sum_during(self, weigh: Callable[[Block], int]) -> tuple[int, ...]:
        """Sum over the blocks that are there during each step; of no step, what is there before."""
        changes = [0] * (len(self.steps) + 1)
        for block in self.blocks:
            changes[max(block.born, 0)] += weigh(block)
            if block.died is not None:
                changes[block.died] -= weigh(block)
        return tuple(accumulate(changes[: max(len(self.steps), 1)]))

    @property
    def peak(self) -> int:
        """The most bytes that are in use during any step, with weights and input."""
        return max(self.curve)

    @property
    def above_weights(self) -> int:
        """The peak without the parameters and buffers that were there before."""
        return self.peak - self.weights

    @property
    def weights(self) -> int:
        """The bytes of parameters and buffers."""
        return sum(block.size for block in self.blocks if block.kind in WEIGHTS)

    @cached_property
    def peak_step(self) -> int:
        """The number of the first step at which the peak is reached."""
        return self.curve.index(self.peak)

    def __repr__(self) -> str:
        from resflops.peak_memory.representation import represent_memory

        return represent_memory(self)

    def summary(self, *, top: int | None = None) -> "Table":
        """Show the peak, its parts and the layers that hold the most of it; the table prints itself.

        Args:
            top: how many layers to show; 10 if not given.
        """
        table: Table = find_display("memory")(self, top=top)
        return table

    def plot(self, *, dark: bool = False) -> "Figure":
        """Draw what is in use at each step, the peak marked; a notebook shows the figure.

        Elsewhere, save it with its ``savefig``.

        Args:
            dark: for a dark background.
        """
        figure: Figure = find_display("timeline")(self, dark=dark)
        return figure

    def to_frame(self, step: int | None = None) -> "pd.DataFrame":
        """Turn what the layers hold during a step, by default that of the peak, into a pandas data frame.

        A row for each layer, the largest first; sizes in bytes.
        """
        import pandas as pd

        rows = [
            [holder.layer, holder.size, *(holder.by_kind.get(kind, 0) for kind in KINDS)]
            for holder in self.holders(step)
        ]
        return pd.DataFrame(rows, columns=["layer", "size", *KINDS])

    to_pandas = to_frame

    # A type checker must not take it to mean that every attribute is there.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            from resflops.peak_memory.representation import ANSWERS

            raise AttributeError(explain_missing(self, name, ANSWERS))

    def alive(self, step: int) -> tuple[Block, ...]:
        """List the blocks that are there during a step."""
        return tuple(
            block for block in self.blocks if block.born <= step and (block.died is None or block.died > step)
        )

    def split(self, step: int | None = None) -> dict[Kind, int]:
        """Split the bytes in use during a step, by default that of the peak, by what they are."""
        sizes = dict.fromkeys(KINDS, 0)
        for block in self.alive(self.peak_step if step is None else step):
            sizes[block.kind] += block.size
        return sizes

    def holders(self, step: int | None = None) -> tuple[Holder, ...]:
        """List what each layer holds during a step, by default that of the peak, the largest first."""
        held: dict[str, dict[Kind, int]] = {}
        for block in self.alive(self.peak_step if step is None else step):
            kinds = held.setdefault(block.layer, {})
            kinds[block.kind] = kinds.get(block.kind, 0) + block.size
        holders = [
            Holder(layer=layer, size=sum(kinds.values()), by_kind=kinds) for layer, kinds in held.items()
        ]
        return tuple(sorted(holders, key=lambda holder: (-holder.size, holder.layer)))
