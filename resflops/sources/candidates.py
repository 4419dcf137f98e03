"""What a Python file or a module has that could be a model, where none is named."""

from collections.abc import Callable, Mapping
from inspect import Parameter, isfunction, signature
from types import ModuleType
from typing import Any

from msgspec import Struct
from torch import nn

from resflops.errors import SpecError, UnknownModelError

__all__ = ["choose_candidate", "describe_candidates"]


class _Candidate(Struct, frozen=True, kw_only=True):
    name: str
    value: Any
    needs: tuple[str, ...] = ()
    """The arguments that it cannot do without and that are not given."""

    def describe(self, place: str) -> str:
        arguments = f"({', '.join(self.needs)})" if self.needs else ""
        return f"{place}:{self.name}{arguments}"


def choose_candidate(module: ModuleType, place: str, options: Mapping[str, Any]) -> str:
    """Choose the one model that a module has: an instance, a class, or else a function that may make one.

    Args:
        module: the module.
        place: what a spec calls it.
        options: the arguments that the spec gives.

    Raises:
        UnknownModelError: it has no model.
        SpecError: it has several, or one that needs arguments.
    """
    found = _list_candidates(module, options)
    ready = [each for each in found if not each.needs and _accepts(each.value, options)]
    models = [each for each in ready if not isfunction(each.value)]
    # What a function does is known only by calling it, so that a class is taken first, and never a main().
    chosen = _leave_out_parts(models) or [each for each in ready if each.name != "main"]
    if len(chosen) == 1:
        return chosen[0].name
    if not found:
        raise UnknownModelError(
            f"{place} has no torch.nn.Module and no function that could make one; "
            "write one, and name it as in model.py:Net"
        )
    listed = ", ".join(each.describe(place) for each in chosen or found)
    if chosen:
        raise SpecError(f"{place} has {len(chosen)} models; name one of {listed}")
    first = found[0]
    example = ",".join([f"{place}:{first.name}", *(f"{name}=…" for name in first.needs)])
    raise SpecError(f"{place}: what it defines needs arguments: {listed}; give them as in {example}")


def describe_candidates(module: ModuleType, place: str) -> str:
    """Describe what could be named instead, as the end of a message; ``""`` if there is nothing."""
    listed = ", ".join(each.describe(place) for each in _list_candidates(module, {}))
    return f"; it has {listed}" if listed else ""


def _list_candidates(module: ModuleType, options: Mapping[str, Any]) -> list[_Candidate]:
    found = []
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        is_class = isinstance(value, type) and issubclass(value, nn.Module)
        if name.startswith("_"):
            continue
        if isinstance(value, nn.Module):
            found.append(_Candidate(name=name, value=value))
        elif is_own and (is_class or isfunction(value)):
            found.append(_Candidate(name=name, value=value, needs=_list_needs(value, options)))
    return found


def _list_needs(maker: Callable[..., Any], options: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        name
        for name, parameter in signature(maker).parameters.items()
        if parameter.default is Parameter.empty
        and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        and name not in options
    )


def _accepts(value: Any, options: Mapping[str, Any]) -> bool:  # noqa: ANN401 - a model or what makes one
    if isinstance(value, nn.Module):
        return not options
    try:
        signature(value).bind(**options)
    except TypeError:
        return False
    return True


def _leave_out_parts(models: list[_Candidate]) -> list[_Candidate]:
    """Leave out the classes that a model at hand is made of."""
    kinds = {
        type(part) for each in models if isinstance(each.value, nn.Module) for part in each.value.modules()
    }
    return [each for each in models if each.value not in kinds] if kinds else models
