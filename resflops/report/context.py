"""What pages are made of: the costs of models, each counted once, and the raw data, each file read once."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from resflops.cost import Cost
from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.latency.measurements import Measurements
from resflops.records import Shape
from resflops.report.environment import Versions
from resflops.report.paper_pair import PaperPair, compare_paper_pair
from resflops.sources.counting import CountRequest, count_spec
from resflops.tables.comparison import Entry, build_entry

__all__ = ["DATA", "MEASUREMENTS", "Context"]

DATA = "data"
"""The folder of the raw data, in the folder of the reports."""

MEASUREMENTS = "latency-*.json"
"""The pattern of the files of measurements among them."""


class Context:
    """Counts models on demand; a model that two pages show is counted once."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: Versions,
        say: Callable[[str], None] = lambda _: None,
        fresh: bool = False,
    ) -> None:
        """Start without any count.

        Args:
            folder: the folder of the reports.
            environment: the versions that the pages say they were made with.
            say: called with a line of progress.
            fresh: whether to trace models even if traces of them are stored.
        """
        self.folder = folder
        self.environment = environment
        self._say = say
        self._fresh = fresh

    def entry(self, spec: str, *, input_shape: Shape | None = None) -> Entry:
        """Count a model under the default convention, and add the figures published for it."""
        if (spec, input_shape) not in self._counted:
            request = CountRequest(
                spec=spec,
                input_shape=input_shape,
                convention=find_convention(DEFAULT_CONVENTION),
                fresh=self._fresh,
            )
            counted = count_spec(request, say=self._say)
            # Not where its trace was stored: a report says the same wherever it is made.
            self._counted[spec, input_shape] = build_entry(counted.found, counted.cost)
        return self._counted[spec, input_shape]

    def cost(self, spec: str, *, input_shape: Shape | None = None) -> Cost:
        """Count a model under the default convention."""
        return self.entry(spec, input_shape=input_shape).cost

    def data(self, pattern: str) -> tuple[Path, ...]:
        """Find the files of raw data that match a pattern, in the order of their names."""
        return tuple(sorted((self.folder / DATA).glob(pattern)))

    @cached_property
    def measurements(self) -> dict[Path, Measurements]:
        """All measurements, in the order of the files' names."""
        return {path: Measurements.load(path) for path in self.data(MEASUREMENTS)}

    @cached_property
    def paper_pairs(self) -> dict[Path, PaperPair]:
        """The paper's two networks, as each file of measurements has them."""
        return {path: compare_paper_pair(measured) for path, measured in self.measurements.items()}

    @cached_property
    def _counted(self) -> dict[tuple[str, Shape | None], Entry]:
        return {}
