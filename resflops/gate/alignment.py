"""Find which line of one snapshot corresponds to which line of another, as the basis of a diff.

A name alone does not tell: a block inserted into a Sequential shifts the number of every later one. Nor
does the content alone: most networks repeat theirs. So the lines that kept their order are those of the
best alignment, in which a pair scores highest if name and content agree, lower if only the content does,
and lowest if only the name does. Lines that are still unpaired afterwards are paired in any order, and at
last two that stand alone between the same neighbours.
"""

from collections.abc import Callable, Hashable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from resflops.gate.snapshot import SnapshotLine

__all__ = ["align", "split_renaming"]

Key = Callable[[SnapshotLine], Hashable]
Pairs = list[tuple[int, int]]
"""Pairs of a place in the snapshot before and a place in the snapshot after."""

LARGEST_TABLE = 500_000
"""The most cells that the table of scores may have; this many take a quarter of a second."""


def align(before: Sequence[SnapshotLine], after: Sequence[SnapshotLine]) -> tuple[Pairs, Pairs]:
    """Pair the lines that correspond.

    Returns:
        The pairs that kept their order, and those that did not. Every line is in one pair at most; a line
        in none was removed or added.
    """
    ordered = _align_in_order(before, after)
    reordered: Pairs = []
    # The surest sign first: a line that one key has paired is not available to the next.
    for key in (_read_name_and_content, _read_name_and_op, _read_content, _read_name):
        reordered += _pair_in_any_order([*ordered, *reordered], before, after, key)
        # Before the content decides: in a renamed block, a line may look like one of another block.
        if key is _read_name_and_content:
            reordered += _pair_renamed(ordered, before, after, reordered)
    ordered = sorted([*ordered, *_pair_in_same_place([*ordered, *reordered], before, after)])
    return ordered, reordered


def _align_in_order(before: Sequence[SnapshotLine], after: Sequence[SnapshotLine]) -> Pairs:
    """Find the best alignment of lines that keep their order."""
    # Almost always most of both lists is one equal beginning and one equal end, which need no table.
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
    """Find the alignment with the highest score, by dynamic programming (Needleman and Wunsch 1970)."""
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
        # Lines that agree in nothing score 0 and are not paired, although a pair would cost nothing.
        if score and best[left][right] == best[left - 1][right - 1] + score:
            left, right = left - 1, right - 1
            pairs.append((left, right))
        elif best[left][right] == best[left][right - 1]:
            right -= 1
        else:
            left -= 1
    return pairs[::-1]


SAME, SAME_CONTENT, SAME_NAME = 4, 3, 2
"""The scores of a pair. Two pairs that agree by name outweigh one that agrees by content."""


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
    """Align snapshots that are too long for the table of scores, by one key after the other."""
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
    """Add the pairs that a key finds in the stretches between the given ones."""
    extended = list(pairs)
    for (left, right), (next_left, next_right) in pairwise([(-1, -1), *pairs, (len(before), len(after))]):
        if next_left - left == 1 or next_right - right == 1:
            continue
        old = [key(line) for line in before[left + 1 : next_left]]
        new = [key(line) for line in after[right + 1 : next_right]]
        # autojunk would ignore lines that repeat often in long lists, and networks are made of those.
        for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            extended += [
                (left + 1 + block.a + step, right + 1 + block.b + step) for step in range(block.size)
            ]
    return sorted(extended)


def _pair_in_any_order(
    taken: Pairs, before: Sequence[SnapshotLine], after: Sequence[SnapshotLine], key: Key
) -> Pairs:
    old, new = _list_unpaired(taken, before, after)
    candidates: dict[Hashable, list[int]] = {}
    # Reversed, so that pop() takes the first place that is left.
    for place in reversed(new):
        candidates.setdefault(key(after[place]), []).append(place)
    return [(place, candidates[same].pop()) for place in old if candidates.get(same := key(before[place]))]


def _pair_renamed(
    ordered: Pairs, before: Sequence[SnapshotLine], after: Sequence[SnapshotLine], reordered: Pairs
) -> Pairs:
    """Pair lines that changed inside a renamed block, whose other lines tell its new name."""
    stems = dict(split_renaming(before[old].layer, after[new].layer) for old, new in ordered)
    renamed = {old: new for old, new in stems.items() if old != new}
    if not renamed:
        return []
    old, new = _list_unpaired([*ordered, *reordered], before, after)
    candidates = {(after[place].layer, after[place].op): place for place in reversed(new)}
    pairs: Pairs = []
    for place in old:
        line = before[place]
        for stem, new_stem in renamed.items():
            # An empty stem is a model that became a block of another.
            if line.layer == stem or line.layer.startswith(f"{stem}.") or not stem:
                name = f"{new_stem}{line.layer[len(stem) :]}" if stem else f"{new_stem}.{line.layer}"
                partner = candidates.pop((name, line.op), None)
                if partner is not None:
                    pairs.append((place, partner))
                    break
    return pairs


def _pair_in_same_place(taken: Pairs, before: Sequence[SnapshotLine], after: Sequence[SnapshotLine]) -> Pairs:
    """Pair lines of one op that stand alone between the same neighbours: renamed, and changed as well."""
    partners = dict(taken)
    old, new = (set(places) for places in _list_unpaired(taken, before, after))
    pairs: Pairs = []
    for place in sorted(old):
        previous = partners.get(place - 1) if place else -1
        if previous is None or place + 1 in old:
            continue
        following = partners.get(place + 1) if place + 1 < len(before) else len(after)
        if previous + 1 in new and following == previous + 2 and before[place].op == after[previous + 1].op:
            pairs.append((place, previous + 1))
    return pairs


def _list_unpaired(
    taken: Pairs, before: Sequence[SnapshotLine], after: Sequence[SnapshotLine]
) -> tuple[list[int], list[int]]:
    olds, news = {old for old, _ in taken}, {new for _, new in taken}
    return (
        [place for place in range(len(before)) if place not in olds],
        [place for place in range(len(after)) if place not in news],
    )


def split_renaming(before: str, after: str) -> tuple[str, str]:
    """Strip the end that two paths share, which leaves the block that got another name.

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
