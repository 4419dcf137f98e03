"""Control flow that is an operator of torch's own: ``cond``, ``while_loop``, ``map``, ``scan``.

Torch compiles the functions that such an operator is given and runs the operator on what came of it. In a
trace they are called as they are, as often as a real run would call them, so that what runs inside is
recorded, in its layer. Which branch of ``cond`` runs, and how often the body of ``while_loop``, is a matter
of values. How often the body of ``map``, ``scan`` and ``associative_scan`` runs is a matter of shapes.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import find_recorder, redirect
from resflops.tracing.torch_functions import run_operator

__all__ = ["call_uncompiled"]


@redirect("torch", "compile")
def call_uncompiled(
    recorder: Recorder, own: Callable[..., Any], model: Callable[..., Any] | None = None, **how: Any
) -> Any:
    """Give the function itself, whose ops a recorder can see."""
    if model is None:
        return lambda function: function
    # Torch 2.6 compiles this one from within itself, and would never come to an end.
    return scan_in_pairs if model is _find("associative_scan") else model


def scan_in_pairs(
    combine_fn: Callable[..., Any],
    xs: Any,
    dim: int,
    reverse: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
    combine_mode: str = "pointwise",
) -> Any:
    """Do what torch 2.6 compiles ``associative_scan`` to: combine neighbours, all pairs at once."""
    leaves, spec = tree_flatten(xs)
    if combine_mode == "pointwise" and any(not leaf.is_meta and not leaf.is_cuda for leaf in leaves):
        raise ValueError("For combine_mode='pointwise', all input tensors need to be on CUDA")
    dim = range(leaves[0].ndim)[dim]
    if reverse:
        leaves = [leaf.flip(dim) for leaf in leaves]
    dims = tree_unflatten([dim] * len(leaves), spec)
    combine = partial(
        _find("wrap_combine_fn_flat"),
        combine_fn=torch.vmap(combine_fn, in_dims=(dims, dims), out_dims=dim),
        spec=spec,
        num_leaves=len(leaves),
    )
    leaves = _find("generic_associative_scan")(combine, leaves, dim)
    return tree_unflatten([leaf.flip(dim) for leaf in leaves] if reverse else leaves, spec)


def _find(name: str) -> Any:
    """Find a function of torch's module of associative scans, if that has been imported."""
    return getattr(sys.modules.get("torch._higher_order_ops.associative_scan"), name, None)


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
    if _is_tried(combine_fn):
        _forget_trial(lambda: combine_fn(*carry, *[each.select(dim, 0) for each in xs], *additional))
    steps = range(xs[0].shape[dim])
    for step in reversed(steps) if reverse else steps:
        given = combine_fn(*carry, *[each.select(dim, step) for each in xs], *additional)
        flat, _ = tree_flatten(given)
        carry, out = flat[: len(carry)], flat[len(carry) :]
        results.append(out)
    return [*carry, *_stack(results[::-1] if reverse else results)]


@run_operator("associative_scan")
def run_associative_scan(
    combine_fn: Callable[..., Any], xs: Sequence[Any], additional_inputs: Sequence[Any] = ()
) -> Any:
    """Combine neighbours, all pairs at once, as torch does where it has no kernel for it."""
    return _find("generic_associative_scan")(combine_fn, xs, additional_inputs=additional_inputs)


def _is_tried(combine_fn: Callable[..., Any]) -> bool:
    """Whether torch has called the body of a scan before, as torch 2.6 does to learn what it gives.

    It does so in its function. The operator itself, as in an exported model, is given a body of another kind.
    """
    return torch.__version__.startswith("2.6.") and isinstance(combine_fn, partial)


def _forget_trial(run_step: Callable[[], Any]) -> None:
    """Drop the records of the step that was tried: the last ones, as many as the same step makes again."""
    if (recorder := find_recorder()) is not None:
        before = len(recorder.ops)
        run_step()
        del recorder.ops[2 * before - len(recorder.ops) :]


def _stack(results: list[Any]) -> Any:
    flat = [tree_flatten(each)[0] for each in results]
    _, spec = tree_flatten(results[0])
    return tree_unflatten([torch.stack(parts) for parts in zip(*flat, strict=True)], spec)
