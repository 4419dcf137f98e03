"""Makes what is measured of what a spec has found."""

from resflops.errors import ResflopsError
from resflops.latency.backends.graph_files import MeasurableGraph
from resflops.latency.models import Measurable, MeasurableSpec, UnbuildableModel
from resflops.sources.found_model import FoundModel

__all__ = ["make_measurable"]


def make_measurable(found: FoundModel | ResflopsError) -> Measurable:
    """Make what is measured of a model that was found, or of the error for which it cannot be."""
    if isinstance(found, ResflopsError):
        return UnbuildableModel(found)
    return MeasurableSpec(found) if found.graph is None else MeasurableGraph(found)
