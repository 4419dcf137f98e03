"""Estimating the memory of a pass: its parts in their order, and what is said of it."""

from collections.abc import Iterator
from typing import Literal

from resflops.peak_memory.checkpointing import select_checkpointed
from resflops.peak_memory.from_traces.backward import Backward
from resflops.peak_memory.from_traces.checkpoints import find_checkpoints
from resflops.peak_memory.from_traces.dataflow import Flow, Node, Value, read_flow
from resflops.peak_memory.from_traces.forward import Forward
from resflops.peak_memory.from_traces.ledger import Held, Ledger
from resflops.peak_memory.from_traces.optimizers import OPTIMIZER_MEMORY, OptimizerMemory
from resflops.peak_memory.from_traces.sizes import FLOATING, Sizes
from resflops.peak_memory.options import Options
from resflops.peak_memory.records import Memory
from resflops.records import InputRecord, TensorRecord, Trace

__all__ = ["LOSS", "estimate_memory"]

LOSS = "sum of the outputs"
"""The name of the step that takes the sum of the outputs as the loss."""


def estimate_memory(trace: Trace, options: Options, batch: int | None = None) -> Memory:
    """Estimate the memory of a pass from its trace.

    Args:
        trace: a trace of the model, on any batch.
        options: how the model is run.
        batch: the batch of the pass; None is that of the trace.
    """
    dtype = "" if options.autocast else options.dtype
    sizes = Sizes(trace, dtype, batch)
    flow = read_flow(trace, sizes)
    estimate = _Estimate(trace, options, sizes, flow)
    estimate.run()
    return Memory(
        model=trace.model,
        inputs=tuple(
            [
                InputRecord(
                    name=given.name,
                    shape=sizes.scale_shape(given.shape),
                    dtype=sizes.name_dtype(given.dtype),
                )
                for given in trace.inputs
            ]
        ),
        steps=tuple(estimate.ledger.steps),
        blocks=estimate.ledger.list_blocks(),
        training=options.training,
        optimizer=options.optimizer,
        dtype=options.dtype or sizes.own_dtype,
        autocast=options.autocast,
        checkpointing=estimate.checkpointed,
        attention=options.attention or "",
        device=options.device,
        method="trace",
        notes=estimate.describe(),
    )


class _Estimate:
    """One pass, as the trace and the options have it."""

    def __init__(self, trace: Trace, options: Options, sizes: Sizes, flow: Flow) -> None:
        self.ledger = Ledger()
        self._trace, self._options, self._sizes, self._flow = trace, options, sizes, flow
        self._forward = Forward(flow, self.ledger, options)
        self.checkpointed = select_checkpointed(trace.modules, options.checkpointing)
        self._checkpoints = find_checkpoints(flow, self.checkpointed)
        self._backward = Backward(flow, self.ledger, self._forward, self._checkpoints)

    def run(self) -> None:
        """Run the pass."""
        self._hold_what_was_there()
        for node in self._flow.nodes:
            checkpoint = self._checkpoints.get(node.place)
            if checkpoint is not None and checkpoint.places[0] == node.place:
                checkpoint.hold_inputs(self._forward)
            self._forward.run_op(node, keeps=checkpoint is None)
            if checkpoint is not None and checkpoint.places[-1] == node.place:
                checkpoint.hold_filled(self._forward)
        if not self._options.training:
            self._forward.end()
            return
        seed = self._take_loss()
        self._backward.run()
        if seed is not None:
            self.ledger.release(seed)
        if self._options.optimizer:
            self._step()

    def describe(self) -> tuple[str, ...]:
        """Say what was assumed, and what is not included."""
        unknown = sorted(
            {
                node.record.op
                for node in self._flow.nodes
                if node.records and not self._forward.kept[node.place].known
            }
        )
        notes = [
            "worked out from a trace by rules; not included: what kernels take for themselves"
            if self._trace.held_until is not None
            else "worked out from a trace by rules: every tensor is taken to be released after its last use, "
            "though variables of the model may hold some longer (a trace with lifetimes=True tells); "
            "not included: what kernels take for themselves"
        ]
        if self._options.autocast:
            notes.append(
                "autocast is not followed in a trace: the figures are those of the types that it recorded; "
                "for those of autocast give the model itself"
            )
        if self._options.training and unknown:
            notes.append(
                f"no rule says what {', '.join(unknown)} keeps for the backward pass: "
                "taken to be all that it reads and makes"
            )
        return tuple(notes)

    def _hold_what_was_there(self) -> None:
        """Write down weights, the optimiser's state and the input."""
        ledger, sizes = self.ledger, self._sizes
        for path, tensor, size in self._list_own("parameters"):
            ledger.keep(size, "parameters", path, tensor.name)
        for path, tensor, size in self._list_own("buffers"):
            ledger.keep(size, "buffers", path, tensor.name)
        if self._options.optimizer:
            self._hold_state(OPTIMIZER_MEMORY[self._options.optimizer])
        for given in self._trace.inputs:
            scaled = sizes.scale_shape(given.shape)
            ledger.keep(sizes.count(scaled, given.dtype, scales=False), "input", "", given.name)

    def _hold_state(self, memory: OptimizerMemory) -> None:
        """Write down what the optimiser keeps of each parameter."""
        for path, tensor, size in self._list_own("parameters"):
            if not tensor.trainable:
                continue
            for state in memory.states:
                self.ledger.keep(size, "optimizer", path, f"{tensor.name}: {state}")
            if self._options.device == "cpu":
                self.ledger.keep(4 * memory.counts, "optimizer", path, f"{tensor.name}: step")

    def _list_own(self, kind: Literal["parameters", "buffers"]) -> Iterator[tuple[str, TensorRecord, int]]:
        """List parameters or buffers, each with the path of its module and its bytes; tied ones once."""
        for module in self._trace.modules:
            for tensor in getattr(module, kind):
                if not tensor.tied_to:
                    yield module.path, tensor, self._sizes.count(tensor.shape, tensor.dtype, scales=False)

    def _take_loss(self) -> Held | None:
        """Take the loss, begin the backward pass, and take it back to the scores.

        Returns the gradient of the loss itself, which is there until the end.
        """
        ledger = self.ledger
        scores = self._find_scores()
        if scores is None:
            outputs = [Value(op) for op in self._trace.outputs if self._flow.nodes[op].records]
            sums = ledger.step(LOSS, "", [4 for _ in outputs])
            self._forward.end()
            self._backward.forget_unreached(outputs)
            ledger.begin("backward")
            for value, held in zip(outputs, sums, strict=True):
                self._backward.arrive(value, held, 4)
            return None
        size = scores.output_sizes[0]
        shape = scores.record.output_shape
        classes = shape[-1] if len(shape) == 3 else shape[1]
        targets = 8 * (scores.elements // max(classes, 1))
        ledger.keep(targets, "input", "", "targets")
        (logarithms,) = ledger.step("log_softmax", "", [size])
        loss = ledger.step("nll_loss_forward", "", [4, 4])
        self._forward.end()
        self._backward.forget_unreached([Value(scores.place)])
        ledger.begin("backward")
        (seed,) = ledger.step("ones_like", "", [4])
        (of_logarithms,) = ledger.step("nll_loss_backward", "", [size])
        ledger.release(loss[1])
        (of_scores,) = ledger.step("log_softmax_backward_data", "", [size])
        ledger.release(of_logarithms)
        ledger.release(logarithms)
        self._backward.arrive(Value(scores.place), of_scores, size)
        return seed

    def _find_scores(self) -> Node | None:
        """Find the output that a cross-entropy is taken of."""
        if self._options.loss != "cross-entropy":
            return None
        outputs = [self._flow.nodes[op] for op in self._trace.outputs]
        floating = [
            node for node in outputs if node.record.dtype in FLOATING and len(node.record.output_shape) > 1
        ]
        # The outputs stand in the order in which they were made: caches and auxiliary scores come first.
        of_tokens = [node for node in floating if len(node.record.output_shape) == 3]
        of_samples = [node for node in floating if len(node.record.output_shape) == 2]
        return next(iter([*of_tokens, *of_samples[::-1], *floating]), None)

    def _step(self) -> None:
        """Take the optimiser's step: each parameter by itself, or on a GPU all together."""
        memory = OPTIMIZER_MEMORY[self._options.optimizer]
        self.ledger.begin("optimizer")
        trained = [(path, size) for path, tensor, size in self._list_own("parameters") if tensor.trainable]
        name = self._options.optimizer
        if self._options.device == "cuda":
            sizes = [size for _, size in trained for _ in range(memory.together)]
            for held in self.ledger.step(name, "", sizes):
                self.ledger.release(held)
            return
        for path, size in trained:
            for held in self.ledger.step(name, path, [size] * memory.single):
                self.ledger.release(held)
