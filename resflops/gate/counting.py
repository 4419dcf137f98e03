"""Count the configured models: the one part of the gate that needs torch, unless their traces are stored."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from resflops._version import __version__
from resflops.cost.convention import find_convention
from resflops.errors import ModelError, ResflopsError
from resflops.gate.config import ModelConfig
from resflops.gate.held_memory import estimate_held
from resflops.gate.snapshot import Metric, Snapshot, snapshot_cost
from resflops.sources.counting import CountRequest, count_models

__all__ = ["name_versions", "snapshot_models"]


def snapshot_models(
    models: Sequence[ModelConfig],
    *,
    root: Path,
    say: Callable[[str], None] = lambda _: None,
    fresh: bool = False,
    memory: Mapping[str, Sequence[Metric]] | None = None,
) -> Iterator[Snapshot | ModelError]:
    """Build models and count them, one after the other.

    Args:
        models: the configurations of the models.
        root: the folder that the paths and packages in their specs are relative to.
        say: is called with a text about which model is being counted.
        fresh: whether to trace models even if traces of them are stored.
        memory: by the names of models, the peaks of memory to work out; by default those that the
            configuration of each asks for.

    Yields:
        The snapshot of each model, or an error that names it if it cannot be found, built or traced.
    """
    asked_of = {
        model.name: model.memory_metrics if memory is None else memory[model.name] for model in models
    }
    requests = [
        _build_request(model, root, fresh=fresh, lifetimes=bool(asked_of[model.name])) for model in models
    ]
    outcomes = count_models(requests, say=say)
    for model, outcome in zip(models, outcomes, strict=True):
        if isinstance(outcome, ResflopsError):
            error = ModelError(f"model {model.name!r}: {outcome}")
            # As "raise … from outcome" would; but it is yielded, so that the other models are still counted.
            error.__cause__ = outcome
            yield error
        else:
            asked = asked_of[model.name]
            yield snapshot_cost(
                outcome.cost,
                model=model.name,
                stored=outcome.stored,
                memory=estimate_held(outcome.cost.trace, asked) if asked else (),
            )


def _build_request(model: ModelConfig, root: Path, *, fresh: bool, lifetimes: bool) -> CountRequest:
    return CountRequest(
        spec=model.spec,
        name=model.name,
        input_shape=model.input,
        batch=model.batch,
        convention=find_convention(model.convention),
        dtype=model.dtype,
        root=root,
        fresh=fresh,
        lifetimes=lifetimes,
    )


def name_versions() -> str:
    """Name the versions that a lock is made by: those of resflops and torch."""
    # Without torch's local part: +cpu and +cu130 count the same, and would change the lock file.
    return f"resflops {__version__}, torch {_read_torch_version().partition('+')[0]}"


def _read_torch_version() -> str:
    if "torch" not in sys.modules:
        try:
            return metadata.version("torch")
        # A torch that was built here and is only on the path says its version itself.
        except metadata.PackageNotFoundError:
            pass
    import torch

    return str(torch.__version__)
