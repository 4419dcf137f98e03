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
        self._filled = _find_filled(flow, places, first)
        self._held: dict[int, Held] = {}
        self._in_arguments: list[Held] = []
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

    def hold_filled(self, forward: Forward) -> None:
        """Hold what the layer has put into its arguments, as it ends: what the model gives back, unread."""
        found = [held for number in self._filled if (held := forward.find(number)) is not None]
        for held in found if self._held else ():
            held.holders += 1
            self._in_arguments.append(held)

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
        for held in (*self._held.values(), *self._in_arguments):
            forward.release(held)
        self._held.clear()
        self._in_arguments.clear()


def _find_filled(flow: Flow, places: Sequence[int], made: set[int]) -> set[int]:
    """Find what a layer puts into its arguments, as keys into a cache, which are kept to run it again.

    It outlives the layer, nothing but the layer reads it, and it is not what the layer's last op makes, which
    is most likely what it gives back.
    """
    inside, last = set(places), places[-1]
    read_elsewhere = {number for node in flow.nodes if node.place not in inside for number in node.read}
    ends = {number for place in range(places[0], last + 1) for number in flow.released.get(place, ())}
    return made - read_elsewhere - ends - set(flow.nodes[last].outputs)


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
