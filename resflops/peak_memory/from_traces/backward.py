"""The backward pass: op by op in reverse, each with the gradients that it takes and what it releases."""

from resflops.peak_memory.from_traces.checkpoints import Checkpoint
from resflops.peak_memory.from_traces.dataflow import Flow, Node, Value
from resflops.peak_memory.from_traces.forward import Forward
from resflops.peak_memory.from_traces.gradients import passes_on
from resflops.peak_memory.from_traces.ledger import Held, Ledger
from resflops.records import PARAMETER

__all__ = ["Backward"]


class Backward:
    """Takes the gradients of all ops, as autograd does: the op that ran last comes first."""

    def __init__(
        self, flow: Flow, ledger: Ledger, forward: Forward, checkpoints: dict[int, Checkpoint]
    ) -> None:
        self._flow, self._ledger, self._forward = flow, ledger, forward
        self._checkpoints = checkpoints
        # The gradients that have arrived at what an op made.
        self._arrived: dict[Value, Held] = {}
        self._of_parameters: dict[int, Held] = {}

    def arrive(self, value: Value, held: Held, size: int) -> None:
        """Let a gradient arrive at a value; if there is one already, the two are added up."""
        before = self._arrived.get(value)
        if before is None:
            self._arrived[value] = held
            return
        if before.holders > 1:
            # Others hold the first one, so it cannot be added to in place.
            (self._arrived[value],) = self._ledger.step("add", self._name_layer(value), [size])
            self._ledger.release(before)
        self._ledger.release(held)

    def forget_unreached(self, ends: list[Value]) -> None:
        """Release what is kept for gradients that do not arrive: nothing leads there from the loss."""
        reached = {value.producer for value in ends}
        for node in reversed(self._flow.nodes):
            if node.place in reached:
                reached.update([node.operands[at].producer for at in node.needs])
            else:
                for held in self._forward.saved.pop(node.place, ()):
                    self._ledger.release(held)

    def run(self) -> None:
        """Run the ops' gradients, from the last op to the first."""
        for node in reversed(self._flow.nodes):
            self.run_op(node)

    def run_op(self, node: Node) -> None:
        """Take the gradients of one op's operands, and release what they were taken from."""
        arrived = [
            held
            for slot in range(max(len(node.outputs), 1))
            if (held := self._arrived.pop(Value(node.place, slot), None)) is not None
        ]
        checkpoint = self._checkpoints.get(node.place)
        if checkpoint is not None and arrived and self._forward.keeps(node.place):
            checkpoint.run_again(self._forward)
        made = self._take(node, arrived) if arrived and node.records else []
        for held in self._forward.saved.pop(node.place, ()):
            self._ledger.release(held)
        if checkpoint is not None and node.place == checkpoint.places[0]:
            checkpoint.end(self._forward)
        for held in arrived:
            self._ledger.release(held)
        for at, held in made:
            value = node.operands[at]
            if value.producer <= PARAMETER:
                self._accumulate(value.producer, held)
            else:
                self.arrive(value, held, node.sizes[at])

    def _take(self, node: Node, arrived: list[Held]) -> list[tuple[int, Held]]:
        """Take the gradients of one op's operands."""
        own = [at for at in node.needs if not passes_on(node, at)]
        taken = self._ledger.step(
            f"{node.record.op}_backward",
            node.record.layer,
            [*[node.sizes[at] for at in own], *self._forward.kept[node.place].backward],
        )
        made = dict(zip(own, taken, strict=False))
        for held in taken[len(own) :]:
            self._ledger.release(held)
        for at in node.needs:
            if at not in made:
                made[at] = arrived[0]
                arrived[0].holders += 1
        return sorted(made.items())

    def _accumulate(self, parameter: int, held: Held) -> None:
        """Let a gradient arrive at a parameter, which keeps the first and adds the others to it."""
        before = self._of_parameters.get(parameter)
        if before is not None:
            # A weight that is used as it lies and transposed, as a tied one is, has gradients of two layouts.
            (total,) = self._ledger.step("add", held.layer, [held.size])
            for each in (before, held):
                each.kind = "temporary"
                self._ledger.release(each)
            held = total
        self._of_parameters[parameter] = held
        held.kind = "gradients"

    def _name_layer(self, value: Value) -> str:
        return self._flow.nodes[value.producer].record.layer if value.producer >= 0 else ""
