"""Whether this process runs installed code alone, so that what it traces depends on the installation alone.

A stored trace stands for what would be traced now. That cannot be said in a process in which code of the
user's has run: it may have replaced a function of torch's, or registered a rule. Nor can it of a package that
is installed as a link to its source, which may be edited at any time: such code lies outside the folders
that distributions are installed in, and is known by that.
"""

import os
import sys
from functools import cache
from pathlib import Path

from resflops.ops import CLASSES, load_more_ops
from resflops.sources.cache_key import list_installed_folders

__all__ = ["has_usual_state", "runs_installed_code_alone"]


MADE_BY_TORCH = ("torch.ops", "torch.classes", "_remote_module_non_scriptable")
"""Modules that torch makes; they have a made-up file, or one in a temporary folder."""


_checked: set[str] = set()
"""Names of modules that are installed: a sweep asks a thousand times, and torch has thousands of modules."""


def runs_installed_code_alone() -> bool:
    """Whether every module that has been imported is part of Python, of resflops or of a distribution."""
    main = sys.modules.get("__main__")
    # Any other program, python -c and a prompt run code of the user's, which need not be a module.
    if not _is_command(_find_file(main)):
        return False
    known = _list_known_folders()
    for name in [name for name in list(sys.modules) if name not in _checked]:
        module = sys.modules.get(name)
        file = _find_file(module)
        if file and module is not main and name not in MADE_BY_TORCH and not file.startswith(known):
            return False
        _checked.add(name)
    return True


def _find_file(module: object) -> str:
    """Find the file of a module; ``""`` if it has none, as one that is built in."""
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return file
    # A module that was made from a file by hand, as that of a factory is, has it in its spec alone, where
    # others say such things as "built-in".
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    return origin if isinstance(origin, str) and origin.endswith(".py") else ""


@cache
def _list_known_folders() -> tuple[str, ...]:
    import sysconfig

    paths = sysconfig.get_paths()
    own = str(Path(__file__).parents[1])
    # The real path, too: an installation may be reached by a link, and the standard library is then not.
    library = [paths[name] for name in ("stdlib", "platstdlib")]
    library += [os.path.realpath(path) for path in library] + [os.path.dirname(os.path.realpath(os.__file__))]  # noqa: PTH120
    return tuple(f"{folder}{os.sep}" for folder in (own, *library, *list_installed_folders()))


def _is_command(file: str) -> bool:
    """Whether a program is our command: ``python -m resflops``, or the script or .exe of an installation."""
    path = Path(file)
    own = Path(__file__).parents[1] / "__main__.py"
    return path == own or path.name == "resflops" or "resflops.exe" in path.parts


def has_usual_state() -> bool:
    """Whether nothing is set in this process with which a trace of the same model is another.

    These are rules for whole classes, of which other distributions may declare some, torch's default type,
    autocast, modes that see its functions, and hooks of all modules.
    """
    load_more_ops()
    if CLASSES:
        return False
    if (torch := sys.modules.get("torch")) is None:
        return True
    # By what they are called in torch 2.6 to 2.15, of which only the later ones have a function that asks.
    module = vars(sys.modules["torch.nn.modules.module"])
    hooks = [
        value for name, value in module.items() if name.startswith("_global_") and isinstance(value, dict)
    ]
    return bool(
        torch.get_default_dtype() is torch.float32
        and not any(map(torch.is_autocast_enabled, ("cpu", "cuda")))
        and not torch._C._len_torch_function_stack()  # noqa: SLF001
        and not torch._C._len_torch_dispatch_stack()  # noqa: SLF001
        and not any(hooks)
    )
