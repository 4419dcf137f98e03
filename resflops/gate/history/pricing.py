"""Find what models cost at commits: from the cache, from a commit with the same files, or by counting."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from resflops.gate.history.cache import Figure, FigureCache
from resflops.gate.history.commits import Commit
from resflops.gate.history.configurations import Plan, Subject
from resflops.gate.history.counting import Result
from resflops.gate.history.file_tree import FileTree
from resflops.gate.history.reads import matches, resolve_reads
from resflops.gate.history.workers import Worker, open_worker
from resflops.sources.steps import Step

__all__ = ["Pricing"]

Place = tuple[int, int]
"""Places of a plan and of a commit."""


class Pricing:
    """The figures of several models at several commits, as they become known."""

    def __init__(
        self,
        commits: Sequence[Commit],
        trees: Sequence[FileTree],
        plans: Sequence[Plan],
        *,
        cache: FigureCache,
        time_limit: int | None = None,
    ) -> None:
        """Look up what is known already.

        Args:
            commits: the commits, the oldest first.
            trees: the files of each of them.
            plans: the models, and what to count of them at each commit.
            cache: where figures are kept.
            time_limit: after how many seconds to give up a figure; None for never.
        """
        self.commits = commits
        self.plans = plans
        self.figures: dict[Place, Figure] = {}
        """The figures that are known, by the places of the model and the commit."""
        self.counted = 0
        """How many figures were counted now."""
        self._trees = trees
        self._cache = cache
        self._time_limit = time_limit
        self._known: dict[Subject, list[Figure]] = {}
        self._lock = threading.Lock()
        self._in_work: set[int] = set()
        self._cursors: dict[int, int] = {}
        self._read_cache()

    def list_missing(self) -> list[Place]:
        """List what is to be counted."""
        return [
            (number, place)
            for number, plan in enumerate(self.plans)
            for place, subject in enumerate(plan.subjects)
            if subject and (number, place) not in self.figures
        ]

    def run(
        self,
        repository: Path,
        *,
        workers: int,
        say: Callable[[str], None] = lambda _: None,
        fresh: bool = False,
    ) -> None:
        """Count what is missing. Each figure is kept as soon as it is counted.

        Args:
            repository: the top folder of the repository.
            workers: how many processes may count at once.
            say: called with a line that says what is being counted.
            fresh: whether to trace models even if traces of them are stored.

        Raises:
            RevisionError: a commit cannot be checked out, or a process was lost.
        """
        count = min(workers, len({place for _, place in self.list_missing()}))
        told: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
        with ExitStack() as stack:
            opened = [stack.enter_context(open_worker(repository)) for _ in range(count)]
            self._cursors = {slot: slot * len(self.commits) // count for slot in range(count)}
            threads = [
                threading.Thread(target=self._work, args=(slot, worker, told, fresh), daemon=True)
                for slot, worker in enumerate(opened)
            ]
            try:
                for thread in threads:
                    thread.start()
                left = count
                while left:
                    event = told.get()
                    if isinstance(event, BaseException):
                        raise event
                    if event is None:
                        left -= 1
                    else:
                        say(Step(event, self.counted + 1, of=self.counted + len(self.list_missing())))
            finally:
                with self._lock:
                    # Nothing is left to take for a thread that goes on.
                    self._cursors = {}
                for worker in opened:
                    worker.stop()
                for thread in threads:
                    thread.join()

    def _work(
        self,
        slot: int,
        worker: Worker,
        told: "queue.SimpleQueue[str | BaseException | None]",
        fresh: bool,  # noqa: FBT001 - as a thread is given it
    ) -> None:
        """Count at one commit after the other, until nothing is missing; in a thread of its own."""
        try:
            while (place := self._take(slot)) is not None:
                commit = self.commits[place]
                for number, plan in enumerate(self.plans):
                    subject = plan.subjects[place]
                    if subject and (number, place) not in self.figures:
                        told.put(f"counting {plan.name} at {commit.short}")
                        result = worker.count(
                            commit.hash, plan.name, subject, fresh=fresh, time_limit=self._time_limit
                        )
                        self._add((number, place), subject, result)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            told.put(error)
        else:
            told.put(None)

    def _take(self, slot: int) -> int | None:
        """Choose the next commit of a worker; None if nothing is left.

        Each worker goes forward from a place of its own, so that neighbours, which mostly have the same
        files, are not counted at the same time.
        """
        with self._lock:
            if slot not in self._cursors:
                return None
            missing = sorted({place for _, place in self.list_missing()})
            free = [place for place in missing if place not in self._in_work]
            apart = [place for before, place in zip([-1, *missing], missing, strict=False)
                     if place not in self._in_work and before not in self._in_work]  # fmt: skip
            if not free:
                return None
            choice = apart or free
            ahead = [place for place in choice if place >= self._cursors[slot]]
            chosen = ahead[0] if ahead else choice[len(choice) // 2]
            self._cursors[slot] = chosen
            self._in_work.add(chosen)
            return chosen

    def _add(self, place: Place, subject: Subject, result: Result) -> None:
        """Keep a figure, also for all other commits with the same files."""
        tree = self._trees[place[1]]
        figure = Figure(
            reads=resolve_reads(result.recorded, tree), snapshot=result.snapshot, failure=result.failure
        )
        if result.is_certain:
            self._cache.write(figure, subject, tree)
        with self._lock:
            self.counted += 1
            self.figures[place] = figure
            if result.is_certain:
                self._known.setdefault(subject, []).append(figure)
                self._spread([figure], subject)

    def _read_cache(self) -> None:
        for number, plan in enumerate(self.plans):
            for place, (subject, tree) in enumerate(zip(plan.subjects, self._trees, strict=True)):
                if subject and (figure := self._cache.read(subject, tree)):
                    self.figures[number, place] = figure
                    self._known.setdefault(subject, []).append(figure)
        for subject, figures in self._known.items():
            self._spread(figures, subject)

    def _spread(self, figures: Sequence[Figure], subject: Subject) -> None:
        """Give figures to the commits with the same files."""
        for number, place in self.list_missing():
            if self.plans[number].subjects[place] == subject:
                tree = self._trees[place]
                found = next((figure for figure in figures if matches(figure.reads, tree)), None)
                if found:
                    self.figures[number, place] = found
