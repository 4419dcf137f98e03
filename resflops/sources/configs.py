"""Check what a config of transformers names, and its numbers, before anything is made of it."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from resflops.errors import ModelError
from resflops.storage.writing import read_bytes

__all__ = ["check_config", "read_config_file"]

LARGEST_FILE = 1 << 26
MOST_NESTED = 40

LARGEST = 10**15
"""Larger than any size in a config, and small enough for products of several to be refused by torch."""

MOST_MODULES = 5000
MOST_ENTRIES = 100_000
"""What transformers makes modules or list entries of, one by one, before torch sees any of them."""

_MODULES = re.compile(r"layer|block|depth|stage", re.IGNORECASE)
_ENTRIES = re.compile(r"expert|label|head|group|level|codebook|quantizer|^num_|^n_", re.IGNORECASE)
_SIZES = re.compile(
    r"size|dim|length|position|embeddings|tokens?$|bins|bucket|patches|features|frames|width|freq|rate"
)


def read_config_file(path: Path, text: str) -> dict[str, Any]:
    """Read a config from its file.

    Args:
        path: the file.
        text: the spec that names it, for messages.

    Raises:
        FileError: it cannot be read.
        ModelError: it is not JSON, or no config of transformers.
    """
    try:
        stored = json.loads(read_bytes(path, most=LARGEST_FILE))
    except RecursionError as error:
        raise ModelError(f"{text!r}: {path} cannot be read as JSON: it is nested too deeply") from error
    except ValueError as error:
        reason = "a number has thousands of digits" if "integer string conversion" in str(error) else error
        raise ModelError(f"{text!r}: {path} cannot be read as JSON: {reason}") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("model_type"), str):
        raise ModelError(f"{text!r}: {path} is not a config of transformers: it has no model_type")
    if stored["model_type"] == "timm_wrapper":
        raise ModelError(
            f"{text!r}: a timm_wrapper config is built by timm, which may open files; name the model "
            "itself, as in timm/resnet18"
        )
    return stored


def check_config(stored: dict[str, Any], text: str) -> None:
    """Check what a config says, with the options set on it.

    Raises:
        ModelError: it would open a weight file or run foreign code, or has a value that no model has.
    """
    named = stored.get("architectures")
    if named is not None and not (isinstance(named, list) and all(isinstance(each, str) for each in named)):
        raise ModelError(f"{text!r}: architectures must be a list of class names, got {named!r:.80}")
    for path, value in _list_values(stored, ()):
        _refuse_files_and_code(path, value, text)
        if isinstance(value, int) and not isinstance(value, bool):
            _check_number(path, value, text)


def _list_values(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """List the values of a config with their places, those of its parts, too."""
    if len(path) > MOST_NESTED:
        raise ModelError(f"a config is nested more than {MOST_NESTED} deep, at {'.'.join(path[:4])}…")
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _list_values(each, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _list_values(each, (*path, ""))
    if path:
        yield path, value


_WEIGHT_FILES = ("checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_backbone_path")
_ELSEWHERE = ("hf-hub:", "hf_hub:", "local-dir:")


def _refuse_files_and_code(path: tuple[str, ...], value: object, text: str) -> None:
    key, where = path[-1], ".".join(filter(None, path))
    if key in _WEIGHT_FILES and value:
        raise ModelError(f"{text!r}: {where} names a file of weights, which is never opened; leave it out")
    if key == "pretrained" and value and len(path) > 1:
        raise ModelError(f"{text!r}: {where} asks for weights, but none are loaded; leave it out")
    if key == "trust_remote_code" and value:
        raise ModelError(f"{text!r}: {where} cannot be set; code that comes with a config is never run")
    if isinstance(value, str) and value.startswith(_ELSEWHERE):
        raise ModelError(
            f"{text!r}: {where} names {value!r}, which would be downloaded; name a model of timm"
        )
    if key.lstrip("_") in {"attn_implementation", "attn_implementation_internal", "experts_implementation"}:
        for each in value.values() if isinstance(value, dict) else (value,):
            _refuse_hub_kernel(where, each, text)


def _refuse_hub_kernel(where: str, value: object, text: str) -> None:
    """Refuse an implementation of attention that would be fetched from the hub, and is code."""
    if not isinstance(value, str):
        return
    # transformers takes the hub's kernel where the package that the name means is not installed.
    fetched = (
        "flash_attention" in value and find_spec("flash_attn") is None and find_spec("kernels") is not None
    )
    if "/" in value or fetched:
        raise ModelError(
            f"{text!r}: {where} is {value!r}, a kernel from the hub, which is someone else's code and is "
            "never run; set it to sdpa or eager"
        )


def _check_number(path: tuple[str, ...], number: int, text: str) -> None:
    # A list's numbers are judged by the list's name.
    key = next((each for each in reversed(path) if each), "")
    most = LARGEST
    if not _SIZES.search(key):
        most = MOST_MODULES if _MODULES.search(key) else MOST_ENTRIES if _ENTRIES.search(key) else LARGEST
    if abs(number) > most:
        digits = len(str(abs(number))) if number.bit_length() < 1000 else number.bit_length() // 3
        shown = number if digits < 30 else f"a number of {digits} digits"
        raise ModelError(f"{text!r}: {'.'.join(filter(None, path))} is {shown}, more than any model has")
