"""The source of the user's own models: ``package.module:factory`` and ``path/to/file.py:factory``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from inspect import signature
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from resflops.errors import ModelError, SpecError, UnknownModelError, describe_error, suggest
from resflops.records import TensorSpec, is_shape
from resflops.sources.found_model import FoundModel, Inputs, WithInputs
from resflops.sources.registry import FACTORY, Source, register
from resflops.sources.spec import Spec, names_own_code

__all__ = ["describe_made", "import_code"]


def _find(name: str, spec: Spec) -> FoundModel:
    place, _, attribute = name.rpartition(":")
    if not place or (attribute and not all(part.isidentifier() for part in attribute.split("."))):
        raise SpecError(
            f"{spec.text!r} does not name a factory; write package.module:factory or path/to/file.py:factory"
        )
    module, options = import_code(place, spec), spec.values()
    # Here, since naming a model of another source must not import torch.
    from torch import nn

    notes: tuple[str, ...] = ()
    if not attribute:
        from resflops.sources.candidates import choose_candidate

        attribute = choose_candidate(module, place, options)
        notes = (f"this is {place}:{attribute}",)
    factory = _find_factory(module, place, attribute, spec)
    if isinstance(factory, nn.Module):
        make: Callable[[], Any] = partial(_copy_instance, factory, spec)
        if options:
            raise SpecError(
                f"{spec.text!r}: {attribute} is a model already, and has no options; "
                f"name what makes it, such as its class {type(factory).__name__}"
            )
    else:
        _check_options(factory, attribute, options, spec)
        make = partial(_make, factory, options, _find_folder(place), spec)
    return FoundModel(
        spec=spec.text,
        summary=f"what {attribute} of {place} makes",
        family="yours",
        notes=notes,
        by_name=names_own_code(name),
        make=make,
    )


def describe_made(name: str, make: Callable[[], Any]) -> FoundModel:
    """Describe a model that is made by a function, in the way of one that a spec has found.

    Args:
        name: what it is called.
        make: makes a module, or a module and its inputs; or a module, which is taken as it is.
    """
    from torch import nn

    spec = Spec(text=name, name=name)
    makes = (lambda: make) if isinstance(make, nn.Module) else partial(_make, make, {}, Path.cwd(), spec)
    return FoundModel(spec=name, summary=f"what {name} stands for", family="yours", make=makes)


def _check_options(factory: Callable[..., Any], attribute: str, options: dict[str, Any], spec: Spec) -> None:
    try:
        signature(factory).bind(**options)
    except TypeError as error:
        raise SpecError(
            f"{spec.text!r}: {attribute}{signature(factory)} cannot be called with these options: {error}; "
            f"give each as name=value after a comma, as in {spec.name},width=64"
        ) from error
    except ValueError:
        # Some callables written in C have no signature. The call itself will fail if an option is wrong.
        pass


def _copy_instance(instance: Any, spec: Spec) -> Any:  # noqa: ANN401 - a module
    """Copy a model that a module holds, all but its weights: the module's own stays as it is."""
    from resflops.tracing.model_copies import copy_sharing_tensors
    from resflops.tracing.modules import Modules

    copied = copy_sharing_tensors(Modules(instance))
    if copied is None:
        raise ModelError(
            f"{spec.text!r} is a model that cannot be copied; name a function or class that makes it"
        )
    return copied


def _find_folder(place: str) -> Path:
    """Find the folder in which a module's own imports look first."""
    return Path(place).resolve().parent if place.endswith(".py") else Path.cwd()


def import_code(place: str, spec: Spec) -> ModuleType:
    """Import the module or the Python file that a spec names, as a process of that folder does.

    Raises:
        UnknownModelError: there is no such module or file.
        ModelError: importing it raised an error.
    """
    try:
        with _importable(_find_folder(place)), _fix_random_numbers():
            return _import_file(Path(place), spec) if place.endswith(".py") else import_module(place)
    except ModelError:
        raise
    except ModuleNotFoundError as error:
        if error.name and f"{place}.".startswith(f"{error.name}."):
            raise UnknownModelError(
                f"{spec.text!r}: there is no module {error.name!r}, neither installed nor in {Path.cwd()}"
            ) from error
        raise _make_import_error(place, spec, error) from error
    # A module may raise anything while it is imported, and may call exit().
    except (Exception, SystemExit) as error:
        raise _make_import_error(place, spec, error) from error


def _make_import_error(place: str, spec: Spec, error: BaseException) -> ModelError:
    return ModelError(f"{spec.text!r}: importing {place} raised {describe_error(error)}")


def _import_file(path: Path, spec: Spec) -> ModuleType:
    if not path.is_file():
        raise UnknownModelError(f"{spec.text!r}: there is no file {str(path)!r} in {Path.cwd()}")
    # Here, because every source is imported, whichever is asked.
    from hashlib import sha256

    # The digest keeps two files of one name apart, and a file apart from an installed module of its name.
    digest = sha256(str(path.resolve()).encode()).hexdigest()[:12]
    loader = SourceFileLoader(f"{path.stem}_{digest}", str(path))
    located = ModuleSpec(loader.name, loader, origin=str(path))
    # So that the module has its __file__.
    located.has_location = True
    module = module_from_spec(located)
    # Before it runs, since dataclasses and pickles look up their module by its name.
    sys.modules[loader.name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[loader.name]
        raise
    return module


def _find_factory(module: ModuleType, place: str, attribute: str, spec: Spec) -> Any:  # noqa: ANN401
    """Find what makes a model, or a model, by its name in a module."""
    try:
        factory = attrgetter(attribute)(module)
    except AttributeError:
        from resflops.sources.candidates import describe_candidates

        known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise UnknownModelError(
            f"{spec.text!r}: {place} has no {attribute!r}"
            f"{suggest(attribute, known) or describe_candidates(module, place)}"
        ) from None
    if not callable(factory):
        raise ModelError(
            f"{spec.text!r}: {attribute} is of the type {type(factory).__name__}; "
            "name a torch.nn.Module, or a function or a class that makes one"
        )
    return factory


def _make(factory: Callable[..., Any], options: dict[str, Any], folder: Path, spec: Spec) -> Any:  # noqa: ANN401
    with _importable(folder):
        made = factory(**options)
    if not isinstance(made, tuple):
        return made
    if len(made) == 2:
        return WithInputs(made[0], _read_inputs(made[1], spec))
    raise ModelError(
        f"{spec.text!r} gives a tuple of {len(made)} items; "
        "it must give a torch.nn.Module or (module, inputs)"
    )


def _read_inputs(given: object, spec: Spec) -> Inputs:
    """Read the inputs that a factory gives with its module.

    A dict holds keyword arguments, a tuple or a list positional ones, and a tuple of ints is the shape of the
    only input. Anything else is the only argument itself.
    """
    if is_shape(given):
        return Inputs((TensorSpec(given),))  # type: ignore[arg-type]
    if isinstance(given, dict):
        if not all(isinstance(name, str) for name in given):
            raise ModelError(
                f"{spec.text!r}: inputs given as a dict must have the names of the model's parameters as keys"
            )
        return Inputs(kwargs=given)
    if isinstance(given, tuple | list):
        return Inputs(tuple(given))
    return Inputs((given,))


@contextmanager
def _fix_random_numbers() -> Iterator[None]:
    """Let a module draw the same random numbers each time that it is imported."""
    # Here, since naming a model of another source must not import torch.
    from resflops.tracing.generators import fix_generators

    # numpy makes its generator when it is first asked for one, from a seed of the system. So it has to be
    # there before the seed is set, here and where the factory is called.
    if "numpy" in sys.modules:
        import_module("numpy.random")
    with fix_generators():
        yield


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let modules in a folder be imported, as ``python -m`` does for the current one."""
    entry = str(folder)
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        # The module may have removed it, or put other entries before it.
        if entry in sys.path:
            sys.path.remove(entry)


register(
    Source(
        prefix=FACTORY,
        summary="package.module:factory or path/to/file.py:factory: a function that builds your model",
        find=_find,
        names=list,
    )
)
