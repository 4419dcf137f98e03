"""Read what a project configures for its models: ``[tool.resflops]`` of pyproject.toml, or resflops.toml.

::

    [tool.resflops]
    lock = "reports/resflops.lock"
    [tool.resflops.models]
    small = "resnet18"
    [tool.resflops.models.detector]
    spec = "package.module:factory"
    input = "3x640x640"
    budget = { macs = "4.2G", params = "26M", peak_memory = "2GiB", training_memory = "9GiB" }
    tolerance = { macs = "+1%" }
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.errors import ConfigError, FileError, ResflopsError, UsageError, suggest
from resflops.gate.limits import (
    Tolerance,
    read_bytes_limit,
    read_bytes_tolerance,
    read_count,
    read_tolerance,
)
from resflops.gate.paths import shorten_path
from resflops.gate.snapshot import ALL_METRICS, MEMORY_METRICS, Metric, explain_metric
from resflops.gate.toml_lines import LARGEST_FILE, KeyPath, TomlLines, parse_toml, show_value
from resflops.records import Shape
from resflops.sources import parse_spec
from resflops.sources.shapes import read_shape
from resflops.storage.writing import read_bytes

__all__ = ["Budget", "Config", "ModelConfig", "find_config", "read_config"]

PYPROJECT, OWN_FILE = "pyproject.toml", "resflops.toml"
DEFAULT_LOCK = "resflops.lock"


class Budget(Struct, frozen=True, kw_only=True):
    """The limit of a metric, and where it is written."""

    limit: int
    text: str
    """The limit as it is written, such as ``"4.2G"``."""
    line: int


class ModelConfig(Struct, frozen=True, kw_only=True):
    """The configuration of one model that the gate checks."""

    name: str
    spec: str
    input: Shape | None = None
    batch: int | None = None
    """In place of that of the input; only the command line sets it."""
    dtype: str | None = None
    convention: str = DEFAULT_CONVENTION
    budgets: Mapping[Metric, Budget] = {}
    tolerances: Mapping[Metric, Tolerance] = {}
    allowed: frozenset[str] = frozenset()
    """The ops that may stay uncounted."""
    memory: bool = False
    """Whether its memory is locked also without a budget or a tolerance for it."""
    line: int = 1
    """The line of the file that names the model."""

    @property
    def memory_metrics(self) -> tuple[Metric, ...]:
        """The peaks of memory that are asked for: what is not, is not worked out."""
        asked = {*self.budgets, *self.tolerances}
        return tuple(metric for metric in MEMORY_METRICS if self.memory or metric in asked)


class Config(Struct, frozen=True, kw_only=True):
    """The configuration of a project, checked."""

    path: Path
    lock: Path
    models: Mapping[str, ModelConfig]

    @property
    def root(self) -> Path:
        """The folder that the paths and packages in specs are relative to."""
        return self.path.parent

    def choose(self, names: list[str]) -> tuple[ModelConfig, ...]:
        """Return the models of these names, or all of them if no name is given.

        Raises:
            UsageError: the file does not name one of them.
        """
        for name in names:
            if name not in self.models:
                raise UsageError(
                    f"{shorten_path(self.path)} has no model {name!r}{suggest(name, self.models)}; "
                    f"it has {', '.join(self.models)}"
                )
        return tuple(model for name, model in self.models.items() if not names or name in names)


def find_config(start: Path) -> Path:
    """Find the nearest file that configures resflops, in a folder or in the folders above it.

    Raises:
        ConfigError: there is no such file.
    """
    for folder in (start, *start.parents):
        own, pyproject = folder / OWN_FILE, folder / PYPROJECT
        if own.is_file():
            return own
        # A pyproject.toml without our table belongs to an inner package: the search goes on above it.
        if pyproject.is_file() and "resflops" in _find_table(
            _parse_toml(_read_file(pyproject), pyproject), "tool"
        ):
            return pyproject
    raise ConfigError(
        f"no models are configured: there is neither {OWN_FILE} nor [tool.resflops] in {PYPROJECT}, "
        f"in {start} or above; write for example\n\n"
        '    [tool.resflops.models]\n    resnet50 = "torchvision/resnet50"'
    )


def read_config(path: Path) -> Config:
    """Read and check a configuration.

    Raises:
        FileError: the file cannot be read.
        ConfigError: the file is not TOML, or has mistakes; the message has all of them, each with its line
            and key.
    """
    text = _read_file(path)
    document = _parse_toml(text, path)
    prefix: KeyPath = () if path.name == OWN_FILE else ("tool", "resflops")
    for key in prefix:
        document = _find_table(document, key)
    reader = _Reader(path, TomlLines(text), prefix)
    config = reader.read_all(document)
    if reader.mistakes:
        mistakes = sorted(reader.mistakes)
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        listed = "".join(f"\n  {shorten_path(path)}:{line}: {message}" for line, message in mistakes)
        raise ConfigError(f"{shorten_path(path)} has {count}:{listed}")
    return config


def _read_file(path: Path) -> str:
    try:
        # What universal newlines would make of line ends, tomllib makes itself, but for a lone return.
        return read_bytes(path, most=LARGEST_FILE).decode()
    except FileNotFoundError as error:
        raise FileError(f"could not read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}") from error


def _parse_toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def _find_table(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key, {})
    return value if isinstance(value, dict) else {}


SETTINGS = ("convention", "dtype", "tolerance", "allow-uncounted", "memory")
"""The keys that may be set for all models at once, and for each model."""


class _Reader:
    """Reads a whole file, and collects every mistake in it."""

    def __init__(self, path: Path, lines: TomlLines, prefix: KeyPath) -> None:
        self.path = path
        self.lines = lines
        self.prefix = prefix
        self.mistakes: list[tuple[int, str]] = []

    def read_all(self, table: dict[str, Any]) -> Config:
        """Read the whole file."""
        self.check_keys((), table, ("lock", "models", *SETTINGS))
        lock = self.read_value(("lock",), table, _read_path) or DEFAULT_LOCK
        common = self.read_settings((), table)
        models = self.read_value(("models",), table, _read_table) or {}
        # An empty file; but where a mistake spoilt the models, it alone should be reported.
        if not models and not self.mistakes:
            self.add_mistake(
                ("models",), 'names no model; write for example resnet50 = "torchvision/resnet50"'
            )
        return Config(
            path=self.path,
            lock=self.path.parent / lock,
            models={name: self.read_model(name, given, common) for name, given in models.items()},
        )

    def read_model(self, name: str, given: object, common: dict[str, Any]) -> ModelConfig:
        """Read one model, which is a table or only a spec."""
        path = ("models", name)
        if isinstance(given, str):
            given = {"spec": given}
        if not isinstance(given, dict):
            self.add_mistake(path, f"must be a spec or a table, got {show_value(given)}")
            # It only keeps the reading going: a file with a mistake gives no configuration.
            return ModelConfig(name=name, spec=name)
        self.check_keys(path, given, ("spec", "input", "budget", *SETTINGS))
        own = self.read_settings(path, given)
        return ModelConfig(
            name=name,
            spec=self.read_value((*path, "spec"), given, _read_spec) or name,
            input=self.read_value((*path, "input"), given, _read_shape),
            budgets=self.read_metrics((*path, "budget"), given, self.read_budget),
            line=self.find_line(path),
            # A model's own setting replaces the common one, but tolerances do so metric by metric.
            **{**common, **own, "tolerances": {**common.get("tolerances", {}), **own.get("tolerances", {})}},
        )

    def read_settings(self, path: KeyPath, table: dict[str, Any]) -> dict[str, Any]:
        """Read the settings that are set, for all models or for one."""
        read: dict[str, Any] = {
            "convention": self.read_value((*path, "convention"), table, _read_convention),
            "dtype": self.read_value((*path, "dtype"), table, _read_dtype),
            "allowed": self.read_value((*path, "allow-uncounted"), table, _read_names),
            "memory": self.read_value((*path, "memory"), table, _read_flag),
            "tolerances": self.read_metrics((*path, "tolerance"), table, self.read_tolerance),
        }
        # Empty tolerances or an empty list are settings, too: they replace the common ones.
        return {name: value for name, value in read.items() if value is not None}

    def read_metrics(
        self, path: KeyPath, table: dict[str, Any], read: Callable[[KeyPath, object], Any]
    ) -> dict[Metric, Any]:
        """Read a table that has a value for some of the metrics."""
        given = self.read_value(path, table, _read_table) or {}
        for key in given.keys() - set(ALL_METRICS):
            self.add_mistake((*path, key), explain_metric(key, what="key"))
        values = {
            metric: self.read_value((*path, metric), given, partial(read, (*path, metric)))
            for metric in ALL_METRICS
        }
        return {metric: value for metric, value in values.items() if value is not None}

    def read_budget(self, path: KeyPath, value: object) -> Budget:
        """Read the limit of one metric."""
        read = read_bytes_limit if path[-1] in MEMORY_METRICS else read_count
        return Budget(limit=read(value), text=str(value), line=self.find_line(path))

    def read_tolerance(self, path: KeyPath, value: object) -> Tolerance:
        """Read the tolerance of one metric."""
        return (read_bytes_tolerance if path[-1] in MEMORY_METRICS else read_tolerance)(value)

    def read_value(self, path: KeyPath, table: dict[str, Any], read: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        """Read the value under the last key of a path; None if there is none, or one with a mistake."""
        if path[-1] not in table:
            return None
        try:
            return read(table[path[-1]])
        except ResflopsError as error:
            self.add_mistake(path, str(error))
            return None

    def check_keys(self, path: KeyPath, table: dict[str, Any], keys: tuple[str, ...]) -> None:
        """Add a mistake for each key that has no meaning here."""
        for key in table:
            if key not in keys:
                self.add_mistake(
                    (*path, key), f"there is no such key{suggest(key, keys)}; available: {', '.join(keys)}"
                )

    def add_mistake(self, path: KeyPath, message: str) -> None:
        """Add one mistake, with the line and the full name of its key."""
        self.mistakes.append((self.find_line(path), f"{'.'.join((*self.prefix, *path))}: {message}"))

    def find_line(self, path: KeyPath) -> int:
        """Find the line of a key."""
        return self.lines.find(*self.prefix, *path)


def _read_text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"must be a non-empty text, got {show_value(value)}")
    return value


def _read_path(value: object) -> str:
    text = _read_text(value)
    if "\0" in text:
        raise UsageError(f"must be the name of a file, got {text!r} with a null character")
    return text


def _read_table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"must be a table, got {show_value(value)}")
    return value


def _read_spec(value: object) -> str:
    return parse_spec(_read_text(value)).text


def _read_shape(value: object) -> Shape:
    return read_shape(_read_text(value))


def _read_convention(value: object) -> str:
    return find_convention(_read_text(value)).name


def _read_dtype(value: object) -> str:
    # Here, because hardly any configuration sets one, and the package is large.
    from resflops.latency.configuration import read_dtype

    return read_dtype("dtype", _read_text(value))


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"must be true or false, got {show_value(value)}")
    return value


def _read_names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"must be a list of op names, got {show_value(value)}")
    return frozenset(value)
