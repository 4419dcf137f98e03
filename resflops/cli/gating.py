"""The code that the commands of the cost gate share: reading the configuration and counting its models."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from resflops.cli.arguments import add_fresh
from resflops.cli.arrange import Values
from resflops.cli.models_argument import add_models_option
from resflops.cli.output import say
from resflops.cli.parser import Parser
from resflops.cli.progress import progress
from resflops.cli.status import DONE
from resflops.errors import ConfigError, ModelError
from resflops.gate.config import Config, ModelConfig, find_config, read_config
from resflops.gate.lockfile import Lock
from resflops.gate.snapshot import Metric, Snapshot

__all__ = [
    "add_config",
    "add_models",
    "choose_models",
    "find_config_path",
    "load_config",
    "say_none_affected",
    "snapshot_models",
]


def add_models(parser: Parser) -> None:
    """Add the arguments that choose among the configured models, and the option ``--config``."""
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="only these models, by their names in the configuration; all of them if none is named",
    )
    add_models_option(parser)
    changed = parser.add_argument(
        "--changed",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="only the models that a change of these files can change, as pre-commit gives them; "
        "all of them if the configuration or the lock file is among the files",
    )
    parser.tell_values(changed, Values(belong=lambda _: True))
    add_config(parser)
    add_fresh(parser)


def add_config(parser: Parser) -> None:
    """Add the option that names the configuration."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="the configuration; by default the nearest resflops.toml, or pyproject.toml with "
        "[tool.resflops], in this folder or a folder above",
    )


def load_config(args: argparse.Namespace) -> Config:
    """Read and check the configuration that the arguments name, or else the nearest one."""
    return read_config(Path(args.config).absolute() if args.config else find_config(Path.cwd()))


def find_config_path(args: argparse.Namespace, specs: Sequence[str]) -> Path:
    """Find the configuration of a command that also takes models by their specs.

    Args:
        args: the arguments, which may name it.
        specs: the models; if some are given, there need be no configuration.

    Raises:
        ConfigError: there is none, and no model is given.
    """
    if args.config:
        return Path(args.config).absolute()
    try:
        return find_config(Path.cwd())
    except ConfigError:
        if not specs:
            raise
        # The path only tells where the project is.
        return Path.cwd() / "pyproject.toml"


def choose_models(config: Config, args: argparse.Namespace) -> tuple[ModelConfig, ...]:
    """Choose the models that the arguments name, or that the changed files can change."""
    models = config.choose(args.models)
    if not args.changed:
        return models
    # Here, because it reads the code that the models are made of.
    from resflops.gate.affected import select_affected

    return select_affected(models, config, args.changed)


def say_none_affected() -> int:
    """Say that no model has to be counted, and return the status."""
    say("none of the changed files can change a configured model")
    return DONE


def snapshot_models(
    models: Sequence[ModelConfig], config: Config, args: argparse.Namespace, *, lock: Lock | None = None
) -> list[Snapshot]:
    """Count models, and show progress while counting.

    Args:
        models: the models.
        config: the configuration.
        args: the arguments of the command.
        lock: the lock that they are compared with, whose peaks of memory are worked out as well.

    Raises:
        ModelError: some models could not be counted; the message has the reason for each of them.
    """
    snapshots: list[Snapshot] = []
    reasons: list[str] = []
    with progress(shown=not args.no_progress) as say:
        # Here, because --help and a mistake in the configuration do not need what counts models.
        from resflops.gate import counting

        for outcome in counting.snapshot_models(
            models,
            root=config.root,
            say=say,
            fresh=args.fresh,
            memory={model.name: _list_peaks(model, lock) for model in models},
        ):
            if isinstance(outcome, ModelError):
                reasons.append(str(outcome))
            else:
                snapshots.append(outcome)
    # After all of them: someone whose change breaks five models wants to read of all five.
    if reasons:
        raise ModelError("\n".join(reasons))
    return snapshots


def _list_peaks(model: ModelConfig, lock: Lock | None) -> tuple[Metric, ...]:
    """List the peaks of memory that the configuration of a model or its lock asks for."""
    locked = lock.snapshots.get(model.name) if lock else None
    return tuple(dict.fromkeys([*model.memory_metrics, *(locked.memory_metrics if locked else ())]))
