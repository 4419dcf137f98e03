"""Find out which configured models a change of some files can change, without running any of their code."""

from collections.abc import Sequence
from modulefinder import ModuleFinder
from pathlib import Path

from resflops.errors import ResflopsError
from resflops.gate.config import Config, ModelConfig
from resflops.sources import parse_spec

__all__ = ["select_affected"]


def select_affected(
    models: Sequence[ModelConfig], config: Config, changed: Sequence[str]
) -> tuple[ModelConfig, ...]:
    """Select the models that some files can change: all of them for the configuration or the lock file.

    A model of a package that is installed depends on no file of the project. One of the project's own depends
    on the file that makes it, and on all that this file imports from the project.

    Args:
        models: the models to select from.
        config: the configuration that names them.
        changed: paths of the changed files, relative to the current folder.
    """
    files = {Path(path).resolve() for path in changed}
    if files & {config.path.resolve(), config.lock.resolve()}:
        return tuple(models)
    return tuple(model for model in models if files & _list_files(model.spec, config.root))


def _list_files(spec: str, root: Path) -> set[Path]:
    """List the files of the project that the model of a spec is made from."""
    try:
        name = parse_spec(spec).name
    # What is wrong with it is said where it is counted, which a change of the configuration leads to.
    except ResflopsError:
        return set()
    place, _, _ = name.partition(":")
    if place.endswith(".json"):
        return {(root / place.removeprefix("hf/")).resolve()}
    if not place.endswith(".py") and ":" not in name:
        return set()
    return _list_imported_files(place, root)


def _list_imported_files(place: str, root: Path) -> set[Path]:
    """List the file that a factory lies in, with all that it imports from the project."""
    folders = [root, root / "src"]
    # Limited to the project, or it would read all of torch as well.
    finder = ModuleFinder(path=[str(folder) for folder in folders])
    own = root / place if place.endswith(".py") else None
    try:
        if own is not None:
            finder.path.insert(0, str(own.parent))
            finder.run_script(str(own))
        else:
            finder.import_hook(place)
    # A file that is not there or is no Python; what was found until then is better than nothing.
    except (ImportError, OSError, SyntaxError, ValueError):
        pass
    named = (getattr(module, "__file__", None) for module in finder.modules.values())
    found = [Path(file) for file in named if file]
    # Even if it does not parse: it is then the file that changed.
    parts = Path(*place.split("."))
    likely = [own] if own else [folder / f"{parts}.py" for folder in folders]
    return {path.resolve() for path in (*found, *likely)}
