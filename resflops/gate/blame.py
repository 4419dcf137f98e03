"""Which layers made the difference between two bills, to the last operation."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from resflops.errors import UsageError
from resflops.gate.bill import Bill, BillLine, Metric
from resflops.gate.matching import matched, renaming

__all__ = ["Blame", "Change", "blame"]

ChangeKind = Literal["added", "removed", "changed", "moved", "renamed"]


class Change(Struct, frozen=True, kw_only=True):
    """What became of one layer, or of a block that only moved or got another name."""

    kind: ChangeKind
    name: str
    """Its path before; an added layer's is its path now."""
    new_name: str = ""
    """Its path now, where it is another one."""
    before: BillLine | None = None
    after: BillLine | None = None
    layers: int = 1
    """How many lines of the bill it stands for."""

    def of(self, metric: Metric) -> int:
        """How much more of a metric there is now."""
        return _figure(self.after, metric) - _figure(self.before, metric)

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


class Blame(Struct, frozen=True, kw_only=True):
    """The difference between two bills; the changes add up to it in every metric."""

    before: Bill
    after: Bill
    changes: tuple[Change, ...]
    """The dearest first: by cost, then by parameters; what went down the same."""

    def of(self, metric: Metric) -> int:
        """How much more of a metric there is now."""
        return self.after.metric(metric) - self.before.metric(metric)


def blame(before: Bill, after: Bill) -> Blame:
    """Compare two bills of one convention, line by line.

    Raises:
        UsageError: they are under different conventions, so that their figures do not compare.
    """
    if before.convention != after.convention:
        raise UsageError(
            f"{before.model} is under the convention {before.convention} and {after.model} under "
            f"{after.convention}; figures under different conventions do not compare"
        )
    return Blame(before=before, after=after, changes=tuple(_changes(before.lines, after.lines)))


def _changes(before: Sequence[BillLine], after: Sequence[BillLine]) -> list[Change]:
    ordered, jumped = matched(before, after)
    pairs = [*ordered, *jumped]
    olds, news = {old for old, _ in pairs}, {new for _, new in pairs}
    single = [
        *(Change(kind="removed", name=line.layer, before=line)
          for place, line in enumerate(before) if place not in olds),
        *(Change(kind="added", name=line.layer, after=line)
          for place, line in enumerate(after) if place not in news),
        *(_change(before[old], after[new]) for old, new in pairs
          if before[old].content != after[new].content),
    ]  # fmt: skip
    stayed = [
        (before[old], after[new], jump)
        for found, jump in ((ordered, False), (jumped, True))
        for old, new in found
        if before[old].content == after[new].content
    ]
    return sorted([*single, *_blocks(stayed)], key=_dearest_first)


def _change(old: BillLine, new: BillLine) -> Change:
    return Change(
        kind="changed",
        name=old.layer,
        new_name="" if old.layer == new.layer else new.layer,
        before=old,
        after=new,
    )


def _blocks(stayed: Iterable[tuple[BillLine, BillLine, bool]]) -> Iterable[Change]:
    """Lines with the same content at another place or under another name, block by block."""
    groups: dict[tuple[str, str, bool], list[tuple[BillLine, BillLine]]] = {}
    for old, new, jumped in stayed:
        if old.layer != new.layer:
            groups.setdefault((*renaming(old.layer, new.layer), jumped), []).append((old, new))
        elif jumped:
            groups.setdefault((old.layer, new.layer, jumped), []).append((old, new))
    for (name, new_name, jumped), lines in groups.items():
        alone = len(lines) == 1
        old, new = lines[0]
        was, is_now = (old.layer, new.layer) if alone else (name, new_name)
        yield Change(
            kind="moved" if jumped or _renumbered(name, new_name) else "renamed",
            name=was,
            new_name="" if was == is_now else is_now,
            before=old if alone else None,
            after=new if alone else None,
            layers=len(lines),
        )


def _renumbered(name: str, new_name: str) -> bool:
    """Whether only the numbers differ, as when a block was put in before it."""
    return re.sub(r"\d+", "0", name) == re.sub(r"\d+", "0", new_name)


def _dearest_first(change: Change) -> tuple[int, int, int]:
    return -abs(change.total), -abs(change.macs), -abs(change.params)


def _figure(line: BillLine | None, metric: Metric) -> int:
    return int(getattr(line, metric)) if line else 0
