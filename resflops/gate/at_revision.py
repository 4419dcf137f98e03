"""The program of the process that counts the models of one git revision, for ``revisions``."""

import sys
from pathlib import Path

import msgspec

from resflops.errors import ConfigError, ModelError, ResflopsError
from resflops.gate.config import ModelConfig, read_config
from resflops.gate.counting import name_versions, snapshot_models
from resflops.gate.lockfile import renew_lock, write_lock
from resflops.gate.revisions import Request
from resflops.gate.snapshot import MEMORY_METRICS

__all__ = ["main"]


def main() -> int:
    """Count the models that the request on standard input names, and write them as a lock file.

    Returns:
        The exit status: 0 if it is done, 2 if it could not be, with a message on standard error.
    """
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    # Before whatever is installed, so that the models are those of the revision. resflops itself is loaded.
    sys.path[:0] = request.sources
    config = Path(request.config)
    root = config.parent if config.parent.is_dir() else Path.cwd()
    try:
        snapshots = []
        models = _select_models(request, config)
        for outcome in snapshot_models(
            models,
            root=root,
            fresh=request.fresh,
            memory=dict.fromkeys((model.name for model in models), MEMORY_METRICS if request.memory else ()),
        ):
            if isinstance(outcome, ModelError):
                raise outcome
            snapshots.append(outcome)
        notes = {snapshot.model: (snapshot.notes, snapshot.stored) for snapshot in snapshots}
        Path(request.notes).write_bytes(msgspec.json.encode(notes))
        write_lock(request.result, renew_lock(snapshots, old=None, made_by=name_versions()))
    except ResflopsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _select_models(request: Request, config: Path) -> list[ModelConfig]:
    # The revision may be older than the configuration: then the models must be given by their specs.
    configured = read_config(config).models if config.is_file() else {}
    if not request.models and not configured:
        raise ConfigError(f"there is no {config.name} that names models; give the models by their specs")
    return [configured.get(name) or _configure_spec(name, request) for name in request.models or configured]


def _configure_spec(spec: str, request: Request) -> ModelConfig:
    return ModelConfig(
        name=spec, spec=spec, input=request.input, batch=request.batch, convention=request.convention
    )
