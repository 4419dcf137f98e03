"""Model specs: the text that names a model, and the model that it names."""

from resflops.sources.found import FoundModel
from resflops.sources.lookup import find
from resflops.sources.spec import Spec, parse_spec

__all__ = ["FoundModel", "Spec", "find", "parse_spec"]
