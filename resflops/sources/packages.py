"""Optional packages, imported when a spec asks for one."""

from contextlib import nullcontext
from importlib import import_module
from types import ModuleType

from resflops.errors import ModelError, describe_error
from resflops.process.garbage import delay_collection
from resflops.process.own_process import is_own_process
from resflops.sources.compiler_imports import postpone_compiler

__all__ = ["import_optional"]


@delay_collection()
def import_optional(package: str, *, extra: str) -> ModuleType:
    """Import a package that an extra of resflops installs.

    Raises:
        ModelError: the package is not installed, or cannot be imported.
    """
    try:
        with postpone_compiler() if is_own_process() else nullcontext():
            return import_module(package)
    except ModuleNotFoundError as error:
        # It may also be another package, which the installed one lacks.
        if error.name and error.name.partition(".")[0] == package.partition(".")[0]:
            raise ModelError(
                f"{extra}/… models need {package}, which is not installed; "
                f"pip install {_name_distribution(package)}"
            ) from error
        raise _make_broken_error(package, error) from error
    # A package that does not fit the installed torch fails in ways of its own, often not with an ImportError:
    # torchvision raises a RuntimeError, for one.
    except Exception as error:
        raise _make_broken_error(package, error) from error


def _make_broken_error(package: str, error: Exception) -> ModelError:
    return ModelError(
        f"{package} is installed but cannot be imported: {describe_error(error)}; "
        f"reinstall it: pip install --force-reinstall {_name_distribution(package)}"
    )


def _name_distribution(package: str) -> str:
    # By its own name and not as an extra of resflops, which works from a clone only in the clone's folder.
    return package.partition(".")[0]
