"""Memory that a pass has taken and may still hold: a block whose end and kind are not known yet."""

from resflops.peak_memory.records import BEFORE, Block, Kind

__all__ = ["Taken"]


class Taken:
    """Memory that was taken, with what is known of it so far."""

    __slots__ = ("born", "died", "kind", "layer", "name", "recomputed", "size")

    def __init__(self, size: int, kind: Kind, layer: str, name: str, born: int) -> None:
        self.size, self.kind, self.layer, self.name, self.born = size, kind, layer, name, born
        self.died: int | None = None
        self.recomputed = False
        """Whether a checkpointed layer has taken it as it ran again."""

    def make_block(self, backward_begins: int | None) -> Block:
        """Make the block, now that the pass is over.

        Args:
            backward_begins: the step at which the backward pass began; None if there was none.
        """
        return Block(
            size=self.size,
            kind=self._judge(backward_begins),
            layer=self.layer,
            name=self.name,
            born=self.born,
            died=self.died,
        )

    def _judge(self, backward_begins: int | None) -> Kind:
        """Say what the memory holds: what the backward pass has found of the forward one is kept for it."""
        if self.kind != "temporary" or backward_begins is None or self.born == BEFORE:
            return self.kind
        if self.recomputed:
            return "activations"
        found = self.died is None or self.died > backward_begins
        return "activations" if self.born < backward_begins and found else "temporary"
