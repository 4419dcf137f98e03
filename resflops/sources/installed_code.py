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


def runs_installed_code_alone() -> bool:
    """Whether every module that has been imported is part of Python, of resflops or of a distribution."""
    known = _list_known_folders()
    return (
        all(
            file.startswith(known) or (name == "__main__" and _is_command(file))
            for name, file in _list_files()
        )
        and _has_main()
    )


def _list_files() -> list[tuple[str, str]]:
    files = ((name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items()))
    # Some modules that exist only in memory have a made-up file without a folder.
    return [(name, file) for name, file in files if isinstance(file, str) and os.path.isabs(file)]  # noqa: PTH117


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
    """Whether a program is the command ``resflops``, as installers write it: a script or an .exe."""
    path = Path(file)
    return path.name == "resflops" or "resflops.exe" in path.parts


def _has_main() -> bool:
    """Whether there is a program, and not ``python -c`` or a prompt, where the user's code has no file."""
    return isinstance(getattr(sys.modules.get("__main__"), "__file__", None), str)


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
    module = sys.modules["torch.nn.modules.module"]
    return bool(
        torch.get_default_dtype() is torch.float32
        and not torch.is_autocast_enabled()
        and not torch._C._is_any_autocast_enabled()  # noqa: SLF001 - it has no public name
        and not torch._C._len_torch_function_stack()  # noqa: SLF001
        and not torch._C._len_torch_dispatch_stack()  # noqa: SLF001
        and not module._has_any_global_hook()  # noqa: SLF001
    )
