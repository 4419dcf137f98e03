"""Loading an exported program from a file."""

import json
import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.export import ExportedProgram

from resflops.errors import ModelError, ResflopsError, describe_error
from resflops.sources.loading_values import import_with_values, load_values
from resflops.sources.programs.checking import check_archive

__all__ = ["load_program"]


def load_program(path: Path) -> ExportedProgram:
    """Load the program in a file, without running code that the file brings along.

    Raises:
        ModelError: the file is damaged or of another version of torch, its program needs ops that are not
            there, or it holds what would run as it is loaded.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path)
        import_with_values("torch._export.serde.serialize")
        with _hush(), load_values():
            return _load(path)
    except ResflopsError:
        raise
    except (json.JSONDecodeError, UnicodeDecodeError, zipfile.BadZipFile, EOFError) as error:
        raise ModelError(
            f"{str(path)!r} is damaged: {describe_error(error)}; download or save it again"
        ) from error
    # Torch raises anything, on a file of another version for one.
    except Exception as error:
        raise ModelError(f"{str(path)!r} could not be loaded: {describe_error(error)}") from error


def _load(path: Path) -> ExportedProgram:
    with zipfile.ZipFile(path) as archive:
        recent = "serialized_exported_program.json" not in archive.namelist()
    if not recent:
        return torch.export.load(path)
    try:
        from torch.export.pt2_archive._package import load_pt2
    except ImportError as error:
        raise ModelError(
            f"{str(path)!r} was written by torch 2.8 or later, which torch {torch.__version__} cannot read; "
            "upgrade torch, or export it with this version"
        ) from error
    # As a file, since a path has to end in .pt2.
    with path.open("rb") as file:
        programs = load_pt2(file).exported_programs
    if len(programs) != 1:
        raise ModelError(
            f"{str(path)!r} holds {len(programs)} programs ({', '.join(programs)}); "
            "save each in a file of its own"
        )
    return next(iter(programs.values()))


@contextmanager
def _hush() -> Iterator[None]:
    """Keep torch from telling in a log of its own what an error says, and from advice to who saves files."""
    loggers = [logging.getLogger(name) for name in ("torch.export", "torch._export.serde.serialize")]
    disabled = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, before in zip(loggers, disabled, strict=True):
            logger.disabled = before
