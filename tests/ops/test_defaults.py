"""An argument that is left out is what torch takes it for: the defaults of every ``infer`` are torch's own."""

import inspect
from collections import defaultdict

import torch

from resflops.tracing.binding import bind_functions


def join_equal(default):
    """One number for a list of equal ones, as a kernel's ``[1, 1]`` may be given as 1."""
    return default[0] if isinstance(default, list) and len(set(default)) == 1 else default


def find_defaults(function):
    """What torch gives each parameter, by the function's signature and the schemas of its aten overloads."""
    found = defaultdict(list)
    try:
        for name, parameter in inspect.signature(function).parameters.items():
            found[name].append(parameter.default)
    except ValueError:
        pass  # Functions that are written in C++ have no signature.
    name = getattr(function, "__name__", "")
    for aten_name in {name, name.rstrip("_")} - {""}:
        packet = getattr(torch.ops.aten, aten_name, None)
        for overload in packet.overloads() if hasattr(packet, "overloads") else ():
            for argument in getattr(packet, overload)._schema.arguments:
                if argument.has_default_value():
                    found[argument.name].append(join_equal(argument.default_value))
    return found


def test_defaults_are_those_of_torch():
    different, compared = [], 0
    for function, infer in bind_functions()[0].items():
        defaults = find_defaults(function)
        for name, parameter in inspect.signature(infer).parameters.items():
            # None stands for what torch has: a stride as long as the kernel, all dimensions.
            if parameter.default in (parameter.empty, None) or name not in defaults:
                continue
            compared += 1
            if parameter.default not in defaults[name]:
                different.append((function, name, parameter.default, defaults[name]))
    assert different == []
    assert compared > 250
