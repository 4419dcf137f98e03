"""The forward pass: what each op takes, and how long it is there."""

from resflops.peak_memory.from_traces.dataflow import Flow, Node
from resflops.peak_memory.from_traces.kept import Kept
from resflops.peak_memory.from_traces.ledger import Held, Ledger
from resflops.peak_memory.from_traces.saved import find_kept
from resflops.peak_memory.options import Options

__all__ = ["Forward"]


class Forward:
    """Runs ops forward: all of them, or those of a layer once more in the backward pass."""

    def __init__(self, flow: Flow, ledger: Ledger, options: Options) -> None:
        self.saved: dict[int, list[Held]] = {}
        """By op: what it keeps for its gradient."""
        self.kept: list[Kept] = [find_kept(node, options) for node in flow.nodes]
        self._flow, self._ledger = flow, ledger
        self._training = options.training
        # By number: the memory that the pass has made, as long as the model's own variables hold it.
        self._live: dict[int, Held] = {}

    def run_op(self, node: Node, *, keeps: bool, recomputed: bool = False) -> None:
        """Run one op: take its outputs, keep what its gradient needs, and release what is used no more."""
        ledger, kept = self._ledger, self.kept[node.place]
        sizes = [node.output_sizes[at] for at in node.makes]
        taken = ledger.step(
            node.record.op, node.record.layer, [*sizes, *kept.hidden, *kept.passing], recomputed=recomputed
        )
        for at, held in zip(node.makes, taken, strict=False):
            self._live[node.outputs[at]] = held
        beside = taken[len(sizes) :]
        hidden = beside[: len(kept.hidden)]
        if self._training and keeps and node.records:
            self.saved[node.place] = [*self._hold(node, kept), *hidden]
            beside = beside[len(kept.hidden) :]
        for held in beside:
            ledger.release(held)
        for number in self._flow.released.get(node.place, ()):
            self.drop(number)

    def keeps(self, place: int) -> bool:
        """Whether an op keeps anything for its gradient."""
        kept = self.kept[place]
        return self._flow.nodes[place].records and bool(kept.operands or kept.outputs or kept.hidden)

    def keeps_own(self, place: int) -> bool:
        """Whether an op keeps what it makes itself."""
        return bool(self.kept[place].outputs or self.kept[place].hidden)

    def keep_operands(self, place: int) -> None:
        """Keep what an op reads, without running it."""
        self.saved[place] = self._hold(self._flow.nodes[place], self.kept[place])

    def lend(self, number: int, held: Held) -> None:
        """Let memory stand for a number again, until it is dropped."""
        held.holders += 1
        self.drop(number)
        self._live[number] = held

    def release(self, held: Held) -> None:
        """Let go of memory."""
        self._ledger.release(held)

    def find(self, number: int) -> Held | None:
        """Find the memory that a number stands for now."""
        return self._live.get(number)

    def drop(self, number: int) -> None:
        """Release what the model's variables held."""
        held = self._live.pop(number, None)
        if held is not None:
            self._ledger.release(held)

    def end(self) -> None:
        """Release all that the model's variables hold."""
        for number in list(self._live):
            self.drop(number)

    def _hold(self, node: Node, kept: Kept) -> list[Held]:
        """Hold the operands and outputs that a gradient needs, each memory once."""
        numbers = {node.read[at] for at in kept.operands} | {
            node.outputs[at] for at in kept.outputs if at < len(node.outputs)
        }
        found = [self._live[number] for number in numbers if number in self._live]
        for held in found:
            held.holders += 1
        return found
