"""The form of a call, with torch's own element types."""

from typing import Any

import torch

from resflops.ops import Call, Form, Formed, Promoted, name_dtype, plain_shapes

__all__ = ["Call", "Form", "Formed", "form_of", "plain_shapes"]

_NAMED = {
    name: getattr(torch, name)
    for name in ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64")
}


def _resolve(dtype: Any, first: Any) -> Any:
    """Torch's own element type, from what a call says of it and its first input's type."""
    if dtype is None:
        return first
    if isinstance(dtype, torch.dtype):
        return dtype
    if isinstance(dtype, Promoted):
        return torch.result_type(dtype.left, dtype.right)
    return torch.get_default_dtype() if dtype == "default" else _NAMED[dtype]


_PACKS = {name: getattr(torch.return_types, name) for name in ("max", "min", "sort", "topk")}
"""Torch's own named pairs, of values and places."""


def form_of(call: Call, inputs: tuple[int, ...] = (), affine: tuple[int, ...] = ()) -> Form:
    """The form of a call; of one that serves again, with the places of its tensors."""
    first = call.inputs[0].dtype if call.inputs else None
    kind = _resolve(call.dtype, first)
    others = [(shape, _resolve(other, first)) for shape, other in call.others]
    pack = call.pack
    return Form(
        op=call.op,
        input_shapes=plain_shapes(tuple([tensor.shape for tensor in call.inputs])),
        output_shapes=plain_shapes((call.shape, *[shape for shape, _ in call.others])),
        dtype=name_dtype(kind),
        attributes=call.attributes,
        blank=None if call.in_place else (call.shape, kind),
        others=tuple(others),
        pack=_PACKS[pack] if isinstance(pack, str) else pack,
        inputs=inputs,
        affine=affine,
    )
