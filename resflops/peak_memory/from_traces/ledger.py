"""The ledger of a pass: memory is taken, held, and released when nobody holds it any longer."""

from resflops.peak_memory.records import BEFORE, Block, Kind, Phase, Step

__all__ = ["Held", "Ledger"]


class Held:
    """Memory that was taken, with the number of those who hold it."""

    __slots__ = ("born", "died", "holders", "kind", "layer", "name", "recomputed", "size")

    def __init__(self, size: int, kind: Kind, layer: str, name: str, born: int) -> None:
        self.size, self.kind, self.layer, self.name, self.born = size, kind, layer, name, born
        self.died: int | None = None
        self.holders = 1
        self.recomputed = False


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
        return tuple(
            [
                Block(
                    size=held.size,
                    kind=self._judge(held),
                    layer=held.layer,
                    name=held.name,
                    born=held.born,
                    died=held.died,
                )
                for held in self._taken
            ]
        )

    def _judge(self, held: Held) -> Kind:
        """Say what memory holds, now that its end is known."""
        if held.kind != "temporary" or self._backward_begins is None or held.born == BEFORE:
            return held.kind
        if held.recomputed:
            return "activations"
        found = held.died is None or held.died > self._backward_begins
        return "activations" if held.born < self._backward_begins and found else "temporary"
