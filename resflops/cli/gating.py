"""What the commands of the cost gate share: the configuration, and counting what it names."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from resflops.cli.command import Parser
from resflops.cli.progress import progress
from resflops.errors import ModelError
from resflops.gate.bill import Bill
from resflops.gate.config import Config, ModelConfig, find_config, read_config

__all__ = ["add_config", "add_models", "bills_of", "configured"]


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


def configured(given: argparse.Namespace) -> Config:
    """The configuration that the arguments ask for, checked."""
    return read_config(Path(given.config).absolute() if given.config else find_config(Path.cwd()))


def bills_of(models: Sequence[ModelConfig], config: Config, given: argparse.Namespace) -> list[Bill]:
    """Count models, with a word to who waits.

    Raises:
        ModelError: some could not be counted; the message says why of each.
    """
    bills, reasons = [], []
    with progress(shown=not given.no_progress) as say:
        if "torch" not in sys.modules:
            say("loading torch")
        from resflops.gate.counted import counted

        for number, model in enumerate(models, start=1):
            say(f"counting {model.name} ({number} of {len(models)})")
            try:
                bills.append(counted(model, root=config.root))
            except ModelError as error:
                reasons.append(str(error))
    if reasons:
        raise ModelError("\n".join(reasons))
    return bills
