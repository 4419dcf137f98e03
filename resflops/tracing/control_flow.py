"""Control flow that is an operator of torch's own: ``cond``, ``while_loop``, ``map``, ``scan``.

Torch compiles the functions that such an operator is given and runs the operator on what came of it. In a
trace they are called as they are, as often as a real run would call them, so that what runs inside is
recorded, in its layer. Which branch of ``cond`` runs, and how often the body of ``while_loop``, is a matter
of values. How often the body of ``map`` and ``scan`` runs is a matter of shapes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect
from resflops.tracing.torch_functions import run_operator

__all__ = ["call_uncompiled"]


@redirect("torch", "compile")
def call_uncompiled(
    recorder: Recorder, own: Callable[..., Any], model: Callable[..., Any] | None = None, **how: Any
) -> Any:
    """Give the function itself, whose ops a recorder can see."""
    return (lambda function: function) if model is None else model


@run_operator("cond")
def run_cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()
) -> Any:
    """Call the branch that runs. On shapes, torch refuses to say which."""
    return true_fn(*operands) if bool(pred) else false_fn(*operands)


@run_operator("while_loop")
def run_while_loop(
    cond_fn: Callable[..., Any],
    body_fn: Callable[..., Any],
    carried_inputs: Sequence[Any],
    additional_inputs: Sequence[Any] = (),
    **_: Any,
) -> Any:
    """Call the body as long as the condition holds."""
    carried = tuple(carried_inputs)
    while bool(cond_fn(*carried, *additional_inputs)):
        carried = tuple(body_fn(*carried, *additional_inputs))
    return carried


@run_operator("map_impl")
def run_map(f: Callable[..., Any], xs: Sequence[Any], pos_args: Sequence[Any] = (), **_: Any) -> Any:
    """Call the body on each slice, and stack what it gives."""
    results = [f(*(each[step] for each in xs), *pos_args) for step in range(len(xs[0]))]
    return _stack(results)


@run_operator("scan")
def run_scan(
    combine_fn: Callable[..., Any], init: Sequence[Any], xs: Sequence[Any], *more: Any, **named: Any
) -> Any:
    """Call the body on each slice with what it handed on; stack what it gives besides."""
    # Torch 2.6 has the dimension and the direction before the further inputs.
    *where, additional = more or ((),)
    additional = named.get("additional_inputs", additional)
    dim = named.get("dim", where[0] if where else 0)
    reverse = named.get("reverse", where[1] if len(where) > 1 else False)
    carry, results = list(init), []
    steps = range(xs[0].shape[dim])
    for step in reversed(steps) if reverse else steps:
        given = combine_fn(*carry, *(each.select(dim, step) for each in xs), *additional)
        flat, _ = tree_flatten(given)
        carry, out = flat[: len(carry)], flat[len(carry) :]
        results.append(out)
    return [*carry, *_stack(results[::-1] if reverse else results)]


def _stack(results: list[Any]) -> Any:
    flat = [tree_flatten(each)[0] for each in results]
    _, spec = tree_flatten(results[0])
    return tree_unflatten([torch.stack(parts) for parts in zip(*flat, strict=True)], spec)
