"""What the commands of the cost gate share: the configuration, and counting what it names."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from resflops.cli.command import Parser
from resflops.cli.progress import announce_torch, progress
from resflops.errors import ModelError
from resflops.gate.config import Config, ModelConfig, find_config, read_config
from resflops.gate.snapshot import Snapshot

__all__ = ["add_config", "add_models", "load_config", "snapshot_models"]


def add_models(parser: Parser) -> None:
    """Which of the configured models, and where they are configured."""
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="only these, by the names that the configuration gives them",
    )
    add_config(parser)


def add_config(parser: Parser) -> None:
    """Where the models are configured."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="the configuration; by default the nearest resflops.toml, or pyproject.toml with "
        "[tool.resflops], here or in a folder above",
    )


def load_config(args: argparse.Namespace) -> Config:
    """The configuration that the arguments ask for, checked."""
    return read_config(Path(args.config).absolute() if args.config else find_config(Path.cwd()))


def snapshot_models(
    models: Sequence[ModelConfig], config: Config, args: argparse.Namespace
) -> list[Snapshot]:
    """Count models, with a word to who waits.

    Raises:
        ModelError: some could not be counted; the message says why of each.
    """
    snapshots: list[Snapshot] = []
    reasons: list[str] = []
    with progress(shown=not args.no_progress) as say:
        announce_torch(say)
        from resflops.gate import counting

        for outcome in counting.snapshot_models(models, root=config.root, say=say):
            if isinstance(outcome, ModelError):
                reasons.append(str(outcome))
            else:
                snapshots.append(outcome)
    if reasons:
        raise ModelError("\n".join(reasons))
    return snapshots
