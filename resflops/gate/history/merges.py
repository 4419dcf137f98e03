"""What a merge would cost if it brought together what its sides cost, layer by layer."""

from collections.abc import Sequence

from msgspec.structs import replace

from resflops.gate.diff import Change, diff_snapshots
from resflops.gate.snapshot import METRICS, Snapshot

__all__ = ["merge_sides"]


def merge_sides(ours: Snapshot, others: Sequence[Snapshot], merged: Snapshot) -> Snapshot:
    """Make the snapshot of a merge without what is the merge's own.

    Its own is a layer that is like that of no side: of code that was changed in the merge, or where changes
    of both sides meet in one layer.

    Args:
        ours: the cost at its first parent.
        others: the costs at the others.
        merged: its cost.
    """
    if any(other.convention != merged.convention for other in (ours, *others)):
        return ours
    theirs = {(line.layer, *line.content) for other in others for line in other.lines}
    names = [{line.layer for line in other.lines} for other in others]
    own = [change for change in diff_snapshots(ours, merged).changes if _is_own(change, theirs, names)]
    undone = {id(change.after): change.before for change in own if change.after}
    lines = [undone.get(id(line), line) for line in merged.lines]
    removed = [change.before for change in own if change.before and not change.after]
    return replace(merged, inputs=ours.inputs, lines=tuple(line for line in (*lines, *removed) if line))


def _is_own(change: Change, theirs: set[tuple[object, ...]], names: Sequence[set[str]]) -> bool:
    """Whether a change from the first parent comes with the merge, and from none of its other sides."""
    if not any(change.of(metric) for metric in METRICS):
        return False
    if change.after:
        return (change.after.layer, *change.after.content) not in theirs
    # Removed on another side, or only now.
    return change.before is not None and all(change.before.layer in side for side in names)
