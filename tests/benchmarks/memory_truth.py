"""What a real pass takes of memory, by the events of the CPU's allocator: each block taken, each released.

The pass that is recorded is a plain one: a dispatch mode would change what autograd does in place. One that
ran before under a mode tells which ops are met below autograd. What is taken and given back within one of
these is its kernel's workspace, which no tensor of the model ever holds. Of the blocks that stay, two kinds are
the result of no op: the numbers that Python's become, at eight bytes each, and the states of a generator of
random numbers, which checkpointing keeps.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from memory_networks import Network, find_logits
from msgspec import Struct
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

__all__ = ["Truth", "measure_truth", "prepare_step"]


class Truth(Struct, frozen=True, kw_only=True):
    """What the allocator counted, in bytes."""

    before: int
    """What was there before the pass: weights, input, targets, the state of the optimiser."""
    peak: int
    """The peak of the pass, with that."""
    without_workspace: int
    """The peak without what was taken and given back within one op."""
    workspace_at_peak: dict[str, int]
    """The workspace in use at the peak, by op."""
    workspace: dict[str, int]
    """The most workspace of one call, by op."""


class _Event(Struct, frozen=True, kw_only=True):
    """One block taken or released."""

    time: int
    size: int
    """Below zero where it is released."""
    address: int
    op: str
    call: int
    """The number of the op's call; 0 outside of all."""


class _Names(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the names of the ops below autograd, as a profiler writes them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(func.name().partition(".")[0])
        return func(*args, **(kwargs or {}))


def prepare_step(
    model: nn.Module, given: Tensor, *, optimizer: torch.optim.Optimizer | None = None, training: bool
) -> tuple[Callable[[], None], Tensor | None]:
    """Prepare a pass as a plain loop takes it, and the targets of its loss."""
    if not training:

        def infer() -> None:
            with torch.no_grad():
                model(given)

        return infer, None
    with torch.no_grad():
        scores = find_logits(model(given))
    targets = torch.zeros(scores.shape[0], *scores.shape[2:], dtype=torch.int64)
    del scores

    def train() -> None:
        cross_entropy(find_logits(model(given)), targets).backward()  # type: ignore[no-untyped-call]
        if optimizer is not None:
            optimizer.step()

    return train, targets


def measure_truth(
    network: Network, batch: int, *, training: bool, adamw: bool, paths: Iterable[str]
) -> Truth:
    """Run a network for real, and read what its allocator did.

    Args:
        network: the network.
        batch: how many samples.
        training: whether to train.
        adamw: whether AdamW takes its step.
        paths: the layers that are checkpointed.
    """
    torch.manual_seed(0)
    model = copy.deepcopy(network.model).train(training)
    for path in paths:
        module = model.get_submodule(path)
        module.forward = partial(checkpoint, module.forward, use_reentrant=False)
    given = network.make_input(batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, foreach=False) if adamw else None
    step, targets = prepare_step(model, given, optimizer=optimizer, training=training)
    # Once unrecorded: libraries keep some memory from the first call on, and so does an optimiser.
    with _Names() as met:
        step()
    model.zero_grad(set_to_none=True)
    states = optimizer.state.values() if optimizer is not None else ()
    state = [value for values in states for value in values.values() if isinstance(value, Tensor)]
    held = [*model.parameters(), *model.buffers(), given, *([] if targets is None else [targets]), *state]
    before = sum(
        {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in held}.values()
    )
    events = sorted(_record(step, met.names), key=lambda event: event.time)
    own = _find_workspace(events)
    peak, place = _find_peak(events)
    rest = [event for number, event in enumerate(events) if number not in own]
    return Truth(
        before=before,
        peak=before + peak,
        without_workspace=before + _find_peak(rest)[0],
        workspace_at_peak=_sum_at(events, own, place),
        workspace=_find_most(events, own),
    )


def _record(step: Callable[[], None], names: set[str]) -> Iterator[_Event]:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step()
    # torch 2.6 to 2.15: what the timeline of memory in torch.profiler itself is made from.
    kept: Any = recorded.profiler.kineto_results.experimental_event_tree()
    # A deep model's backward pass nests deeper than Python's stack.
    waiting: list[tuple[Any, str, int]] = [(node, "", 0) for node in kept]
    while waiting:
        node, op, call = waiting.pop()
        if node.tag == torch._C._profiler._EventType.Allocation:
            fields = node.extra_fields
            yield _Event(
                time=node.start_time_ns, size=fields.alloc_size, address=fields.ptr, op=op, call=call
            )
        elif not call and node.name in names:
            op, call = node.name.removeprefix("aten::").strip("_"), node.id
        waiting += [(child, op, call) for child in node.children]


def _find_workspace(events: list[_Event]) -> set[int]:
    """Find the events of blocks that are taken and released within one call of an op, by their numbers."""
    alive: dict[int, int] = {}
    own: set[int] = set()
    for number, event in enumerate(events):
        if event.size > 0:
            alive[event.address] = number
            continue
        taken = alive.pop(event.address, None)
        if taken is not None and event.call and events[taken].call == event.call:
            own |= {taken, number}
    return own


def _find_peak(events: list[_Event]) -> tuple[int, int]:
    """Find the most bytes in use, and the number of the event that reaches it."""
    used = most = place = 0
    for number, event in enumerate(events):
        used += event.size
        if used > most:
            most, place = used, number
    return most, place


def _sum_at(events: list[_Event], own: set[int], place: int) -> dict[str, int]:
    """Sum the workspace in use after an event, by op."""
    used: Counter[str] = Counter()
    for number in sorted(own):
        if number <= place:
            used[events[number].op] += events[number].size
    return {op: size for op, size in used.items() if size}


def _find_most(events: list[_Event], own: set[int]) -> dict[str, int]:
    """Find the most workspace of any one call, by op."""
    used: Counter[int] = Counter()
    most: dict[str, int] = {}
    for number in sorted(own):
        event = events[number]
        used[event.call] += event.size
        most[event.op] = max(most.get(event.op, 0), used[event.call])
    return dict(sorted(most.items(), key=lambda each: -each[1]))
