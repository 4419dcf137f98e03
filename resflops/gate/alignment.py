"""Which line of one snapshot is which line of another: the alignment that a diff rests on.

A name alone does not tell: a block put into a Sequential shifts the number of every later
one. Nor does content alone: most networks repeat theirs. So the lines that kept their order are
those of the best alignment, in which a pair counts most where both agree, less where
only the content does, and least where only the name does. What is still alone afterwards is
paired in any order.
"""

from collections.abc import Callable, Hashable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from resflops.gate.snapshot import SnapshotLine

__all__ = ["align", "split_renaming"]

Key = Callable[[SnapshotLine], Hashable]
Pairs = list[tuple[int, int]]
"""Places in the snapshot before and in the snapshot after."""

LARGEST_TABLE = 500_000
"""Cells of the table of scores; the time grows with it, and this many take a quarter of a second."""


def align(before: Sequence[SnapshotLine], after: Sequence[SnapshotLine]) -> tuple[Pairs, Pairs]:
    """The lines that correspond: those that kept their order, and those that did not.

    Every line is in one pair at most; a line in none was removed or added.
    """
    ordered = _align_in_order(before, after)
    reordered: Pairs = []
    for key in (_read_name_and_content, _read_name_and_op, _read_content, _read_name):
        reordered += _pair_in_any_order([*ordered, *reordered], before, after, key)
        if key is _read_name_and_content:
            reordered += _pair_renamed(ordered, before, after, reordered)
    return ordered, reordered


def _align_in_order(before: Sequence[SnapshotLine], after: Sequence[SnapshotLine]) -> Pairs:
    """The best alignment. Almost always most of it is one equal beginning and one equal end."""
    shorter = min(len(before), len(after))
    head = next((place for place in range(shorter) if before[place] != after[place]), shorter)
    rest = shorter - head
    tail = next((place for place in range(rest) if before[-1 - place] != after[-1 - place]), rest)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    align_rest = _align_best if len(old) * len(new) <= LARGEST_TABLE else _align_by_signs
    return [
        *((place, place) for place in range(head)),
        *((head + left, head + right) for left, right in align_rest(old, new)),
        *((len(before) - place, len(after) - place) for place in range(tail, 0, -1)),
    ]


def _align_best(old: Sequence[SnapshotLine], new: Sequence[SnapshotLine]) -> Pairs:
    """The alignment with the highest score, by dynamic programming (Needleman and Wunsch 1970)."""
    scores = _score_pairs(old, new)
    best = [[0] * (len(new) + 1)]
    for row in scores:
        above, current = best[-1], [0]
        for place, score in enumerate(row):
            current.append(max(above[place] + score, above[place + 1], current[place]))
        best.append(current)
    pairs: Pairs = []
    left, right = len(old), len(new)
    while left and right:
        score = scores[left - 1][right - 1]
        if score and best[left][right] == best[left - 1][right - 1] + score:
            left, right = left - 1, right - 1
            pairs.append((left, right))
        elif best[left][right] == best[left][right - 1]:
            right -= 1
        else:
            left -= 1
    return pairs[::-1]


SAME, SAME_CONTENT, SAME_NAME = 4, 3, 2
"""Two layers that only changed are worth more than one that only looks like another."""


def _score_pairs(old: Sequence[SnapshotLine], new: Sequence[SnapshotLine]) -> list[list[int]]:
    names = [_read_name_and_op(line) for line in new]
    contents = [line.content for line in new]
    rows = []
    for line in old:
        name, content = _read_name_and_op(line), line.content
        row = [SAME_NAME if name == other else 0 for other in names]
        if content in contents:
            row = [
                score if content != other else SAME if score else SAME_CONTENT
                for score, other in zip(row, contents, strict=True)
            ]
        rows.append(row)
    return rows


def _align_by_signs(old: Sequence[SnapshotLine], new: Sequence[SnapshotLine]) -> Pairs:
    """An alignment of snapshots too long for the best one: by one sign of likeness after the other."""
    pairs: Pairs = []
    for key in (_read_name_and_content, _read_content, _read_name_and_op):
        pairs = _pair_between(pairs, old, new, key)
    return pairs


def _read_name_and_content(line: SnapshotLine) -> Hashable:
    return line.layer, line.content


def _read_content(line: SnapshotLine) -> Hashable:
    return line.content


def _read_name_and_op(line: SnapshotLine) -> Hashable:
    return line.layer, line.op


def _read_name(line: SnapshotLine) -> Hashable:
    return line.layer


def _pair_between(
    pairs: Pairs, before: Sequence[SnapshotLine], after: Sequence[SnapshotLine], key: Key
) -> Pairs:
    """The pairs, and those that the key finds in the stretches between them."""
    found = list(pairs)
    for (left, right), (next_left, next_right) in pairwise([(-1, -1), *pairs, (len(before), len(after))]):
        if next_left - left == 1 or next_right - right == 1:
            continue
        old = [key(line) for line in before[left + 1 : next_left]]
        new = [key(line) for line in after[right + 1 : next_right]]
        for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            found += [(left + 1 + block.a + step, right + 1 + block.b + step) for step in range(block.size)]
    return sorted(found)


def _pair_in_any_order(
    taken: Pairs, before: Sequence[SnapshotLine], after: Sequence[SnapshotLine], key: Key
) -> Pairs:
    old, new = _list_free(taken, before, after)
    unpaired: dict[Hashable, list[int]] = {}
    for place in reversed(new):
        unpaired.setdefault(key(after[place]), []).append(place)
    return [(place, unpaired[same].pop()) for place in old if unpaired.get(same := key(before[place]))]


def _pair_renamed(
    ordered: Pairs, before: Sequence[SnapshotLine], after: Sequence[SnapshotLine], reordered: Pairs
) -> Pairs:
    """Lines that changed inside a block that was renamed: the block's other lines tell its new name."""
    stems = dict(split_renaming(before[old].layer, after[new].layer) for old, new in ordered)
    changed = {old: new for old, new in stems.items() if old != new}
    if not changed:
        return []
    old, new = _list_free([*ordered, *reordered], before, after)
    unpaired = {(after[place].layer, after[place].op): place for place in reversed(new)}
    found = []
    for place in old:
        line = before[place]
        for stem, other in changed.items():
            if line.layer == stem or line.layer.startswith(f"{stem}.") or not stem:
                name = f"{other}{line.layer[len(stem) :]}" if stem else f"{other}.{line.layer}"
                partner = unpaired.pop((name, line.op), None)
                if partner is not None:
                    found.append((place, partner))
                    break
    return found


def _list_free(
    taken: Pairs, before: Sequence[SnapshotLine], after: Sequence[SnapshotLine]
) -> tuple[list[int], list[int]]:
    olds, news = {old for old, _ in taken}, {new for _, new in taken}
    return (
        [place for place in range(len(before)) if place not in olds],
        [place for place in range(len(after)) if place not in news],
    )


def split_renaming(before: str, after: str) -> tuple[str, str]:
    """Two paths without the end that they share: the block that got another name.

    >>> split_renaming("layer3.0.conv1", "stage3.0.conv1")
    ('layer3', 'stage3')
    >>> split_renaming("conv1", "backbone.conv1")
    ('', 'backbone')
    """
    old, new = before.split("."), after.split(".")
    while old and new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    return ".".join(old), ".".join(new)
