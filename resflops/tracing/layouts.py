"""How the elements of a described call's outputs lie in memory, and whether that is an input's memory.

Shapes do not tell whether ``reshape`` copies, or what ``is_contiguous`` answers. So a blank has the strides
that the tensor would have for which it stands. Torch itself says what they are: it runs the call on tensors
without memory. This is done where the elements may lie in another order than that of the shape: for views,
and for calls on such tensors. It is done once for all calls whose signature is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes
from torch._prims_common import suggest_memory_format

from resflops.ops import OPS, Blank, Call, CallSignature, SharedWith, SignedCall
from resflops.records import Shape
from resflops.tracing.call_through import call_through
from resflops.tracing.fused_attention import SHARES_KEYS
from resflops.tracing.meta import find_tensors, make_meta_doubles

__all__ = ["REORDERING", "are_in_order", "lay_out"]

Strides = tuple[Shape | None, ...]
"""Strides for each output; None where the elements lie in the order of the shape."""

_ATTENTION = "scaled_dot_product_attention"
_VIEWS = frozenset(name for name, declared in OPS.items() if declared.shares)
REORDERING = _VIEWS | {_ATTENTION}
"""The ops whose outputs may lie in another order than that of the shape although their inputs do not."""

_CAPACITY = 1 << 14
_STRIDES: dict[Any, Strides] = {}
"""What torch has said, by function and by the shapes and strides of the inputs. All threads share it without
a lock, as they do the signatures in ``call_cache``."""


def are_in_order(tensors: Sequence[Tensor]) -> bool:
    """Whether the elements of all tensors lie in the order of their shapes."""
    # A loop, since a generator takes longer for the one or two inputs of an op.
    for tensor in tensors:  # noqa: SIM110
        if not tensor.is_contiguous():
            return False
    return True


def lay_out(
    signature: CallSignature,
    call: Call | SignedCall,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> CallSignature:
    """Give the signature of a view, or of a call on such, its strides, and say in whose memory they lie."""
    if signature.blank is None:
        return signature
    inputs = call.inputs
    # Indexing by a tensor copies.
    if signature.op in _VIEWS and not (signature.op == "getitem" and len(inputs) > 1):
        taken, given = _run(func, args, kwargs)
        if not _fit(given, signature):
            return replace(signature, shares="first" if OPS[signature.op].shares == "always" else "")
        return _set_strides(signature, tuple(map(_read_strides, given)), _find_shared(taken, given))
    if signature.op == _ATTENTION and _is_fused(signature, inputs):
        # On meta torch splits attention into products, and on the CPU it fuses it.
        func, args, kwargs = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu, tuple(inputs), {}
    if _gives_order(signature.op, inputs):
        return signature
    key = (func, signature.output_shapes, *[(each.shape, each.stride()) for each in inputs])
    strides = _STRIDES.get(key)
    if strides is None:
        _, given = _run(func, args, kwargs)
        # The fused attention has statistics as another output.
        given = given[: len(signature.output_shapes)]
        strides = tuple(map(_read_strides, given)) if _fit(given, signature) else ()
        if len(_STRIDES) >= _CAPACITY:
            _STRIDES.clear()
        _STRIDES[key] = strides
    return _set_strides(signature, strides, "") if any(strides) else signature


def _run(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Tensor], list[Tensor]]:
    """Run a call on tensors without memory; list those that it took, and those that it gave if it can run."""
    with unseen_by_dispatch_modes():
        args, kwargs = make_meta_doubles((args, kwargs), {}, on_double=lambda *_: None)
        taken = list(find_tensors((args, kwargs)))
        try:
            return taken, list(find_tensors(call_through(func, args, kwargs)))
        except (RuntimeError, TypeError, ValueError, IndexError):
            # The call itself may be refused on meta although its shapes are known.
            return taken, []


def _gives_order(op: str, inputs: Sequence[Tensor]) -> bool:
    """Whether the elements of an op's output lie in order although those of its inputs may not.

    Torch would say so, too. But its meta kernels of these ops are written in Python, and the first to run
    loads torch's compiler, which takes longer than a count.
    """
    # Only tensors that are all laid out channels last are concatenated so.
    return op == "layer_norm" or (
        op == "cat" and any(suggest_memory_format(tensor) is torch.contiguous_format for tensor in inputs)
    )


def _is_fused(signature: CallSignature, inputs: Sequence[Tensor]) -> bool:
    """Whether the CPU fuses attention; ``cost.quantities`` says where torch decides it."""
    attributes = signature.attributes
    widths = {tensor.shape[-1] for tensor in inputs}
    if attributes["dropout"] or attributes["mask_dims"] not in {0, 2, 4} or len(widths) > 1:
        return False
    if len(signature.output_shapes[0]) != 4:
        return False
    if attributes["grouped"]:
        return SHARES_KEYS and len({tensor.shape[0] for tensor in inputs}) == 1
    return len({tensor.shape[:-2] for tensor in inputs}) == 1


def _fit(given: list[Tensor], signature: CallSignature) -> bool:
    return tuple([tuple(tensor.shape) for tensor in given]) == signature.output_shapes


def _read_strides(tensor: Tensor) -> Shape | None:
    return None if tensor.is_contiguous() else tensor.stride()


def _find_shared(taken: list[Tensor], given: list[Tensor]) -> SharedWith:
    """Find out in whose memory some outputs lie."""
    bases = [tensor.untyped_storage()._cdata for tensor in taken]
    outs = [tensor.untyped_storage()._cdata for tensor in given]
    if outs == [bases[0]] * len(outs):
        return "first"
    return "each" if outs == bases else ""


def _set_strides(signature: CallSignature, strides: Strides, shares: SharedWith) -> CallSignature:
    if not any(strides) and shares == signature.shares:
        return signature
    kinds: list[Blank] = [
        (shape, dtype) if each is None else (shape, dtype, each)
        for (shape, dtype), each in zip(_list_kinds(signature), strides, strict=True)
    ]
    return replace(signature, blank=kinds[0], others=tuple(kinds[1:]), shares=shares)


def _list_kinds(signature: CallSignature) -> Iterator[tuple[Shape, Any]]:
    for kind in (signature.blank, *signature.others):
        if kind is not None:
            yield kind[0], kind[1]
