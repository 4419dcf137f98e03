"""Layers that are checkpointed: only their inputs are kept, and they run again before their gradients."""

from collections.abc import Sequence

from resflops.peak_memory.from_traces.dataflow import Flow
from resflops.peak_memory.from_traces.forward import Forward
from resflops.peak_memory.from_traces.ledger import Held

__all__ = ["Checkpoint", "find_checkpoints"]


class Checkpoint:
    """One call of a checkpointed layer.

    Args:
        flow: the ops of the trace.
        places: the layer's ops, in order.
    """

    def __init__(self, flow: Flow, places: Sequence[int]) -> None:
        self.places = places
        self._flow = flow
        made = {number for place in places for number in flow.nodes[place].outputs}
        read = {number for place in places for number in flow.nodes[place].read}
        self._made = made
        # What is written into in place is read, too, and was made outside.
        first = {flow.nodes[place].outputs[at] for place in places for at in flow.nodes[place].makes}
        self._inputs = sorted(number for number in read if number >= 0 and number not in first)
        self._held: dict[int, Held] = {}
        self._ran = False

    def hold_inputs(self, forward: Forward) -> None:
        """Hold what the layer reads, as it begins."""
        if not any(self._flow.nodes[place].records for place in self.places):
            self._ran = True
            return
        for number in self._inputs:
            if (held := forward.find(number)) is not None:
                held.holders += 1
                self._held[number] = held

    def run_again(self, forward: Forward) -> None:
        """Run the layer's ops once more, as far as something of them is kept."""
        if self._ran:
            return
        self._ran = True
        keeping = [place for place in self.places if forward.keeps(place)]
        if not keeping:
            return
        for number, held in self._held.items():
            forward.lend(number, held)
        last = keeping[-1]
        for place in self.places:
            if place == last and not forward.keeps_own(place):
                # It keeps what it reads alone, so nobody has to run it.
                forward.keep_operands(place)
            elif place <= last:
                forward.run_op(self._flow.nodes[place], recomputed=True, keeps=True)
        for number in {*self._made, *self._held}:
            forward.drop(number)

    def end(self, forward: Forward) -> None:
        """Release the inputs, as the gradients of the layer's first op have been taken."""
        for held in self._held.values():
            forward.release(held)
        self._held.clear()


def find_checkpoints(flow: Flow, layers: Sequence[str]) -> dict[int, Checkpoint]:
    """Find the calls of checkpointed layers, by each of their ops."""
    found: dict[int, Checkpoint] = {}
    for layer in layers:
        inside = [
            node.place
            for node in flow.nodes
            if node.record.layer == layer or node.record.layer.startswith(f"{layer}.")
        ]
        for places in _split_calls(inside):
            checkpoint = Checkpoint(flow, places)
            found.update(dict.fromkeys(places, checkpoint))
    return found


def _split_calls(places: Sequence[int]) -> list[list[int]]:
    """Split the ops of a layer where ops of other layers come between."""
    calls: list[list[int]] = []
    for place in places:
        if calls and calls[-1][-1] == place - 1:
            calls[-1].append(place)
        else:
            calls.append([place])
    return calls
