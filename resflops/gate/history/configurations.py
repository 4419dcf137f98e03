"""Which models to count at which commits, and how: as the configuration of each commit says."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from resflops.cost.convention import DEFAULT_CONVENTION
from resflops.errors import ConfigError, UsageError, suggest
from resflops.gate.config import ModelConfig, read_config
from resflops.gate.history.file_tree import FileTree, read_file
from resflops.gate.paths import shorten_path
from resflops.gate.toml_lines import parse_toml
from resflops.records import Shape

__all__ = ["ABSENT", "Plan", "Subject", "plan_models"]

NAMES = ("resflops.toml", "pyproject.toml")
ABSENT = "not configured"


class Subject(Struct, frozen=True, kw_only=True):
    """A model as it is counted at a commit: all that decides its figure, beside the files."""

    spec: str
    root: str
    """The folder that the paths and packages in the spec are relative to, from the top of the repository."""
    convention: str
    input: Shape | None = None
    batch: int | None = None
    dtype: str | None = None

    def configure(self, name: str) -> ModelConfig:
        """Make the configuration to count it by, under a name."""
        return ModelConfig(
            name=name,
            spec=self.spec,
            input=self.input,
            batch=self.batch,
            dtype=self.dtype,
            convention=self.convention,
        )


class Plan(Struct, frozen=True, kw_only=True):
    """What to count of one model: at each commit how, or why it cannot be counted there."""

    name: str
    subjects: tuple[Subject | None, ...]
    """None where it is not configured, or the configuration cannot be read."""
    reasons: tuple[str, ...]
    """Why there is none; ``""`` where there is one."""


class _Configuration(Struct, frozen=True, kw_only=True):
    """What one version of the configuration names."""

    models: Mapping[str, Subject]
    problem: str = ""
    """Why it cannot be read."""


def plan_models(
    trees: Sequence[FileTree],
    *,
    repository: Path,
    config: Path,
    names: Sequence[str],
    input_shape: Shape | None = None,
    batch: int | None = None,
    convention: str = DEFAULT_CONVENTION,
) -> tuple[Plan, ...]:
    """Plan what to count at which commits.

    A commit without a configuration has that of the next commit with one, or of the work tree if there is no
    such commit. A model is under one convention all along, that of the newest commit which configures it.

    Args:
        trees: the files of each commit, the oldest first.
        repository: the top folder of the repository.
        config: the path of the configuration in the work tree, which need not exist.
        names: names of models in the configuration, or specs; if empty, all that some commit configures.
        input_shape: the shape of the input of models given by their specs; their usual one if None.
        batch: the batch of models given by their specs, in place of that of their input.
        convention: the convention of models given by their specs.

    Raises:
        ConfigError: no commit configures a model, and none is named.
        UsageError: a name is neither configured at a commit nor a spec.
    """
    versions = _read_versions(trees, repository, config)
    known = dict.fromkeys(name for version in reversed(versions) for name in version.models)
    if not (known or names):
        problems = [version.problem for version in versions if version.problem]
        raise ConfigError(
            problems[-1]
            if problems
            else f"no commit of the range has a {shorten_path(config)} that names models; "
            "give the models by their specs, or configure them"
        )
    given = Subject(
        spec="", root=_find_root(config, repository), convention=convention, input=input_shape, batch=batch
    )
    for name in names:
        if name not in known and not _looks_like_spec(name):
            raise UsageError(
                f"no commit of the range configures a model {name!r}{suggest(name, known)}; "
                f"configured: {', '.join(known) or 'none'}"
            )
    return tuple(
        _plan_model(name, versions)
        if name in known
        else Plan(
            name=name,
            subjects=(replace(given, spec=name),) * len(trees),
            reasons=("",) * len(trees),
        )
        for name in dict.fromkeys(names or known)
    )


def _looks_like_spec(name: str) -> bool:
    return ":" in name or "/" in name


def _plan_model(name: str, versions: Sequence[_Configuration]) -> Plan:
    found = [version.models.get(name) for version in versions]
    newest = next(subject for subject in reversed(found) if subject)
    return Plan(
        name=name,
        subjects=tuple(subject and replace(subject, convention=newest.convention) for subject in found),
        reasons=tuple(
            "" if subject else version.problem or ABSENT
            for subject, version in zip(found, versions, strict=True)
        ),
    )


def _read_versions(trees: Sequence[FileTree], repository: Path, config: Path) -> list[_Configuration]:
    """Read the configuration of each commit."""
    root = _find_root(config, repository)
    paths = [str(PurePosixPath(root) / name) for name in dict.fromkeys((config.name, *NAMES))]
    read: dict[tuple[str, str], _Configuration | None] = {}
    versions: list[_Configuration] = []
    # Also that of the work tree, if no commit has one: it was not committed yet.
    later = _read_text(config.name, config.read_text("utf-8"), root) if config.is_file() else None
    for tree in reversed(trees):
        found = None
        for path in paths:
            state = tree.describe(path)
            if (path, state) not in read:
                read[path, state] = (
                    _read_text(PurePosixPath(path).name, read_file(tree.digest, path, repository), root)
                    if state not in {"", "folder"}
                    else None
                )
            found = found or read[path, state]
        later = found or later
        versions.append(later or _Configuration(models={}))
    return versions[::-1]


def _read_text(name: str, text: str, root: str) -> _Configuration | None:
    """Read one version of a configuration; None if it is a pyproject.toml without one."""
    try:
        if name == NAMES[1] and "resflops" not in parse_toml(text).get("tool", {}):
            return None
    except ValueError as error:
        return _Configuration(models={}, problem=f"{name} is not valid TOML: {error}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        try:
            config = read_config(path)
        except ConfigError as error:
            return _Configuration(models={}, problem=str(error).replace(f"{folder}/", ""))
    return _Configuration(
        models={
            each.name: Subject(
                spec=each.spec, root=root, convention=each.convention, input=each.input, dtype=each.dtype
            )
            for each in config.models.values()
        }
    )


def _find_root(config: Path, repository: Path) -> str:
    return config.parent.resolve().relative_to(repository.resolve()).as_posix()
