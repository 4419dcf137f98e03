"""The names of installed packages' models, read from their files without importing them, which takes seconds.

Only what suggests names reads them: a completion or a message. What counts asks the packages themselves.
"""

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

__all__ = ["INSTALLED_PREFIXES", "list_installed_names", "suggest_sources"]

# A decorator of each, perhaps followed by others, in front of the function that it registers.
_REGISTERED = re.compile(
    r"^@register_model(?:\((?:name=)?(?:[\"'](?P<name>\w+)[\"'])?\))?\n"
    r"(?:@.*\n(?:[ )].*\n)*)*def (?P<function>\w+)",
    re.MULTILINE,
)
_MAPPING = re.compile(r"^MODEL_MAPPING_NAMES = OrderedDict\(\n(?P<pairs>.*?)\n\)", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"^ +(?:\(\s*)?\"(?P<name>[\w.-]+)\",", re.MULTILINE)


def list_installed_names(prefix: str) -> list[str]:
    """List the names of a source's models, sorted; none if its package is not installed."""
    package, read = _READERS.get(prefix, ("", None))
    # find_spec imports nothing for a package at the top.
    found = find_spec(package) if read else None
    if read is None or found is None or found.origin is None:
        return []
    return sorted(set(read(Path(found.origin).parent)))


def suggest_sources(name: str) -> list[str]:
    """List the specs of models of exactly this name that other sources have."""
    return [f"{prefix}/{name.lower()}" for prefix in _READERS if name.lower() in list_installed_names(prefix)]


def _read_registered(folder: Path) -> list[str]:
    names = []
    for place, _, files in os.walk(folder / "models"):
        for file in files:
            if file.endswith(".py"):
                text = Path(place, file).read_text(encoding="utf-8", errors="ignore")
                names += [each["name"] or each["function"] for each in _REGISTERED.finditer(text)]
    return names


def _read_mapping(folder: Path) -> list[str]:
    file = folder / "models" / "auto" / "modeling_auto.py"
    found = _MAPPING.search(file.read_text(encoding="utf-8")) if file.is_file() else None
    return [each["name"] for each in _KEY.finditer(found["pairs"])] if found else []


_READERS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "torchvision": ("torchvision", _read_registered),
    "timm": ("timm", _read_registered),
    "hf": ("transformers", _read_mapping),
}
INSTALLED_PREFIXES = tuple(_READERS)
"""The sources whose names can be read."""
