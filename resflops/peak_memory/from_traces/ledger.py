"""The ledger of a pass: memory is taken, held, and released when nobody holds it any longer."""

from resflops.peak_memory.records import BEFORE, Block, Kind, Phase, Step
from resflops.peak_memory.taken import Taken

__all__ = ["Held", "Ledger"]


class Held(Taken):
    """Memory that was taken, with the number of those who hold it."""

    __slots__ = ("holders",)

    def __init__(self, size: int, kind: Kind, layer: str, name: str, born: int) -> None:
        super().__init__(size, kind, layer, name, born)
        self.holders = 1


class Ledger:
    """Writes down the steps of a pass and the memory that each takes."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.phase: Phase = "forward"
        self._taken: list[Held] = []
        self._backward_begins: int | None = None

    def begin(self, phase: Phase) -> None:
        """Begin a phase."""
        self.phase = phase
        if phase == "backward":
            self._backward_begins = len(self.steps)

    def keep(self, size: int, kind: Kind, layer: str, name: str) -> Held:
        """Write down memory that was there before the pass, and stays unless it is released."""
        held = Held(size, kind, layer, name, BEFORE)
        if size:
            self._taken.append(held)
        return held

    def step(self, op: str, layer: str, sizes: list[int], *, recomputed: bool = False) -> list[Held]:
        """Take memory in a new step; with none of it there is no step. The caller holds what was taken."""
        born = len(self.steps)
        taken = [Held(size, "temporary", layer, op, born) for size in sizes]
        for held in taken:
            held.recomputed = recomputed
        self._taken += [held for held in taken if held.size]
        if any(sizes):
            self.steps.append(Step(op=op, layer=layer, phase=self.phase))
        return taken

    def release(self, held: Held) -> None:
        """Let go of memory, which is free if nobody else holds it."""
        held.holders -= 1
        if not held.holders:
            held.died = len(self.steps)

    def list_blocks(self) -> tuple[Block, ...]:
        """List the blocks, in the order in which they were taken."""
        return tuple([held.make_block(self._backward_begins) for held in self._taken])
