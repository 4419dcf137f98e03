"""Find which layers make the difference between two snapshots, to the last operation."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from resflops.errors import UsageError
from resflops.gate.alignment import Pairs, align, split_renaming
from resflops.gate.snapshot import MEMORY_METRICS, Metric, Snapshot, SnapshotLine
from resflops.ops import is_of_family
from resflops.records import Shape

__all__ = ["Change", "Diff", "Form", "HeldChange", "diff_snapshots", "summarize_change"]

ChangeKind = Literal["added", "removed", "changed", "moved", "renamed"]


class Change(Struct, frozen=True, kw_only=True):
    """What happened to one layer, or to a block that only moved or was renamed."""

    kind: ChangeKind
    name: str
    """The path before; for an added layer, the path now."""
    new_name: str = ""
    """The path now, if it is a different one."""
    before: SnapshotLine | None = None
    after: SnapshotLine | None = None
    layers: int = 1
    """How many lines of the snapshot this change stands for."""

    def of(self, metric: Metric) -> int:
        """How much more of a metric there is now."""
        return _read_metric(self.after, metric) - _read_metric(self.before, metric)

    @property
    def macs(self) -> int:
        """How many more multiply-accumulates."""
        return self.of("macs")

    @property
    def params(self) -> int:
        """How many more parameters."""
        return self.of("params")

    @property
    def buffers(self) -> int:
        """How many more elements of buffers."""
        return self.of("buffers")

    @property
    def total(self) -> int:
        """How much more it costs under the convention."""
        return self.of("total")


class HeldChange(Struct, frozen=True, kw_only=True):
    """How much more or less a layer holds at one of the peaks of memory."""

    metric: Metric
    name: str
    """The path before; for a layer that held nothing, the path now."""
    new_name: str
    """The path now, if it is a different one."""
    before: int
    after: int

    @property
    def change(self) -> int:
        """How many more bytes."""
        return self.after - self.before


class Diff(Struct, frozen=True, kw_only=True):
    """The difference between two snapshots; the changes add up to it in every metric."""

    before: Snapshot
    after: Snapshot
    changes: tuple[Change, ...]
    """The largest change first, up or down: by cost under the convention, then MACs, then parameters."""
    memory: tuple[HeldChange, ...] = ()
    """What layers hold at the peaks that both snapshots have, the largest change first; they add up, too."""

    def of(self, metric: Metric) -> int:
        """How much more of a metric there is now."""
        return self.after.metric(metric) - self.before.metric(metric)


def diff_snapshots(before: Snapshot, after: Snapshot) -> Diff:
    """Compare two snapshots of one convention, line by line.

    Raises:
        UsageError: the snapshots are under different conventions, so their figures cannot be compared.
    """
    if before.convention != after.convention:
        raise UsageError(
            f"{before.model} is under the convention {before.convention} and {after.model} under "
            f"{after.convention}; count both under the same convention to compare them"
        )
    ordered, reordered = align(before.lines, after.lines)
    return Diff(
        before=before,
        after=after,
        changes=tuple(_list_changes(before.lines, after.lines, ordered, reordered)),
        memory=tuple(_list_held_changes(before, after, [*ordered, *reordered])),
    )


def _list_held_changes(before: Snapshot, after: Snapshot, pairs: Pairs) -> list[HeldChange]:
    """List what layers hold more or less at the peaks that both snapshots have."""
    # What was added or removed as a whole has no lines on the other side, and holds nothing there.
    metrics = [
        metric
        for metric in MEMORY_METRICS
        if all(metric in each.memory_metrics or not each.lines for each in (before, after))
    ]
    names = _map_names(before, after, pairs) if metrics else {}
    olds, news = ({line.layer: line for line in each.memory} for each in (before, after))
    kept = set(names.values())
    matched = [*names.items(), *((layer, layer) for layer in news if layer not in kept)]
    changes = []
    for metric in metrics:
        for old, new in matched:
            # A layer that was added has the name of one before only by chance: its row starts from nothing.
            was = olds[old].metric(metric) if old in olds and names.get(old) == new else 0
            now = news[new].metric(metric) if new in news else 0
            changes.append(
                HeldChange(
                    metric=metric,
                    name=old,
                    new_name="" if new is None or new == old else new,
                    before=was,
                    after=now,
                )
            )
    return sorted((each for each in changes if each.change), key=lambda each: -abs(each.change))


def _map_names(before: Snapshot, after: Snapshot, pairs: Pairs) -> dict[str, str | None]:
    """Map the layers that held memory to their names now, so that a renamed block is not blamed."""
    paired = {before.lines[old].layer: after.lines[new].layer for old, new in pairs}
    stems = dict(split_renaming(old, new) for old, new in paired.items() if old != new)
    names: dict[str, str | None] = {}
    # Those that a pair of lines tells come first: a name is taken once.
    for layer in sorted((line.layer for line in before.memory), key=lambda layer: layer not in paired):
        # Layers without a cost of their own, such as activations, have no line; their block has the name.
        stem = next((stem for stem in stems if stem and layer.startswith(f"{stem}.")), "")
        name = paired.get(layer) or (f"{stems[stem]}{layer[len(stem) :]}" if stem else layer)
        names[layer] = None if name in names.values() else name
    return names


def _list_changes(
    before: Sequence[SnapshotLine], after: Sequence[SnapshotLine], ordered: Pairs, reordered: Pairs
) -> list[Change]:
    pairs = [*ordered, *reordered]
    olds, news = {old for old, _ in pairs}, {new for _, new in pairs}
    # What costs something is one change for each line, so that the changes add up to the difference.
    # Lines of equal content add nothing, and may be grouped.
    single = [
        *(Change(kind="removed", name=line.layer, before=line)
          for place, line in enumerate(before) if place not in olds),
        *(Change(kind="added", name=line.layer, after=line)
          for place, line in enumerate(after) if place not in news),
        *(_describe_change(before[old], after[new]) for old, new in pairs
          if before[old].content != after[new].content),
    ]  # fmt: skip
    stayed = [
        (before[old], after[new], is_reordered)
        for group, is_reordered in ((ordered, False), (reordered, True))
        for old, new in group
        if before[old].content == after[new].content
    ]
    return sorted([*single, *_group_blocks(stayed)], key=_rank)


def _describe_change(old: SnapshotLine, new: SnapshotLine) -> Change:
    return Change(
        kind="changed",
        name=old.layer,
        new_name="" if old.layer == new.layer else new.layer,
        before=old,
        after=new,
    )


def _group_blocks(stayed: Iterable[tuple[SnapshotLine, SnapshotLine, bool]]) -> Iterable[Change]:
    """Group lines of the same content that moved or were renamed, block by block."""
    groups: dict[tuple[str, str, bool], list[tuple[SnapshotLine, SnapshotLine]]] = {}
    for old, new, reordered in stayed:
        if old.layer != new.layer:
            groups.setdefault((*split_renaming(old.layer, new.layer), reordered), []).append((old, new))
        elif reordered:
            groups.setdefault((old.layer, new.layer, reordered), []).append((old, new))
    for (name, new_name, reordered), lines in groups.items():
        is_single = len(lines) == 1
        old, new = lines[0]
        old_name, new_path = (old.layer, new.layer) if is_single else (name, new_name)
        yield Change(
            kind="moved" if reordered or _is_renumbered(name, new_name) else "renamed",
            name=old_name,
            new_name="" if old_name == new_path else new_path,
            before=old if is_single else None,
            after=new if is_single else None,
            layers=len(lines),
        )


def _is_renumbered(name: str, new_name: str) -> bool:
    """Whether only the numbers differ, as when a block was inserted before this one."""
    return re.sub(r"\d+", "0", name) == re.sub(r"\d+", "0", new_name)


def _rank(change: Change) -> tuple[int, int, int]:
    # sorted() is stable: changes of the same size stay in the order in which they were listed.
    return -abs(change.total), -abs(change.macs), -abs(change.params)


def _read_metric(line: SnapshotLine | None, metric: Metric) -> int:
    return int(getattr(line, metric)) if line else 0


class Form(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parts of a layer that a diff shows; the others are left empty."""

    op: str = ""
    kernel: Shape = ()
    features: tuple[int, int] | None = None
    """The channels or features of the input and of the output."""
    shapes: tuple[Shape, ...] = ()
    """The shapes of the input and the output of a layer without features; one if they are the same."""
    stride: Shape = ()
    padding: Shape = ()
    groups: int = 1
    size: Shape = ()
    """The size of the output, without its features."""
    calls: int = 1
    params: int | None = None


def summarize_change(
    before: SnapshotLine | None, after: SnapshotLine | None
) -> tuple[Form | None, Form | None]:
    """Summarize what a layer was and what it is now: its kernel and features, and whatever else differs.

    A layer that was added or removed shows everything that characterizes it.
    """
    return _summarize(before, after), _summarize(after, before)


def _summarize(line: SnapshotLine | None, other: SnapshotLine | None) -> Form | None:
    if line is None:
        return None
    features, size = _find_features(line)
    shapes = tuple(dict.fromkeys((line.input, line.output))) if features is None else ()
    only_params = other is not None and _list_work_fields(line) == _list_work_fields(other)

    def differs(field: str) -> bool:
        return other is None or getattr(line, field) != getattr(other, field)

    return Form(
        op=line.op if other is not None and differs("op") else "",
        kernel=line.kernel,
        features=features,
        shapes=shapes,
        stride=line.stride if differs("stride") else (),
        # A larger kernel usually takes a larger padding along, which is no news of its own.
        padding=line.padding if other is not None and differs("padding") and not differs("kernel") else (),
        groups=line.groups,
        size=size if other is None or size != _find_features(other)[1] else (),
        calls=line.calls if differs("calls") else 1,
        params=line.params if only_params and differs("params") else None,
    )


def _find_features(line: SnapshotLine) -> tuple[tuple[int, int] | None, Shape]:
    """Find the features that a layer takes and gives, if it maps features, and the size of its output."""
    # Channels come before the dimensions of the kernel, with or without a batch in front.
    if (
        is_of_family(line.op, "convolution")
        and line.kernel
        and min(len(line.input), len(line.output)) > len(line.kernel)
    ):
        place = -len(line.kernel) - 1
        return (line.input[place], line.output[place]), line.output[place + 1 :]
    if line.op == "linear" and line.input and line.output:
        return (line.input[-1], line.output[-1]), line.output[:-1]
    return None, ()


def _list_work_fields(line: SnapshotLine) -> tuple[object, ...]:
    return (line.op, line.calls, line.input, line.output, line.kernel, line.stride, line.padding, line.groups)
