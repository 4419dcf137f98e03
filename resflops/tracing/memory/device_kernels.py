"""The kernels of a device where they save other tensors than those of the CPU, on which fake tensors are.

A fake tensor that says it is on a GPU needs a GPU for its gradient. So the tensors say that they are on the
CPU, and the functions whose kernels differ are answered by the very ops that a GPU would run.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.functional import (  # type: ignore[attr-defined]
    _in_projection_packed,
    dropout,
    linear,
    multi_head_attention_forward,
    scaled_dot_product_attention,
)
from torch.overrides import TorchFunctionMode

from resflops.errors import UsageError
from resflops.peak_memory.attention import choose_on_gpu
from resflops.peak_memory.options import Attention, Options
from resflops.tracing.memory.accumulation import add_biases_in_place
from resflops.tracing.memory.cuda_autocast import run_in_float32
from resflops.tracing.memory.multihead_attention import replace_calls

__all__ = ["attend", "choose_kernels"]


@contextmanager
def choose_kernels(options: Options) -> Iterator[None]:
    """Let functions run as the kernels that were asked for, or that the device would take.

    Raises:
        UsageError: the device has no such kernel of attention.
    """
    with ExitStack() as stack:
        if options.device == "cuda":
            stack.enter_context(_CudaKernels(options.attention))
        elif options.attention is not None:
            from torch.nn.attention import SDPBackend, sdpa_kernel

            kernels = {"math": SDPBackend.MATH, "flash": SDPBackend.FLASH_ATTENTION}
            if options.attention not in kernels:
                raise UsageError(
                    f"{options.attention} attention is a kernel of CUDA; the CPU has math and flash"
                )
            stack.enter_context(sdpa_kernel(kernels[options.attention]))
        yield


class _CudaKernels(TorchFunctionMode):
    """Runs attention and dropout as a GPU does."""

    def __init__(self, attention: Attention | None) -> None:
        super().__init__()
        self._attention = attention
        # No mode sees what is called inside of multi-head attention.
        replaced: dict[str, Callable[..., Any]] = {
            "scaled_dot_product_attention": partial(attend, attention), "dropout": drop_out, "linear": project
        }  # fmt: skip
        packed = replace_calls(_in_projection_packed, replaced)
        self._multi_head_attention = replace_calls(
            multi_head_attention_forward, {**replaced, "_in_projection_packed": packed}
        )

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is scaled_dot_product_attention:
            return attend(self._attention, *args, **(kwargs or {}))
        if func is dropout:
            return drop_out(*args, **(kwargs or {}))
        if func is multi_head_attention_forward:
            func = self._multi_head_attention
        elif func is linear:
            return project(*args, **(kwargs or {}))
        if torch.is_autocast_enabled("cpu"):
            return run_in_float32(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


def drop_out(
    input: Tensor,  # noqa: A002 - torch's own signature
    p: float = 0.5,
    training: bool = True,  # noqa: FBT001, FBT002
    inplace: bool = False,  # noqa: FBT001, FBT002
) -> Tensor:
    """Drop out as CUDA does, which keeps one byte an element; the CPU keeps a factor."""
    if training and 0 < p < 1 and not inplace:
        out: Tensor = torch.native_dropout(input, p, True)[0]  # noqa: FBT003
        return out
    return dropout(input, p, training, inplace)


def project(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
    """Multiply by a weight, and add the bias in place where torch does, which it does not while watched."""
    with add_biases_in_place():
        return linear(input, weight, bias)


def attend(
    kernel: Attention | None,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002
) -> Tensor:
    """Attend by a kernel of CUDA's."""
    if torch.is_autocast_enabled("cpu"):
        kind = torch.get_autocast_dtype("cpu")
        query, key, value = (tensor.to(kind) for tensor in (query, key, value))
        if attn_mask is not None and attn_mask.is_floating_point():
            attn_mask = attn_mask.to(kind)
    if query.dim() == key.dim() == value.dim() == 3:
        heads = attend(
            kernel, query[:, None], key[:, None], value[:, None],
            None if attn_mask is None else attn_mask if attn_mask.dim() == 2 else attn_mask[:, None],
            dropout_p, is_causal, scale, enable_gqa,
        )  # fmt: skip
        return heads[:, 0]
    grouped = enable_gqa and query.shape[-3] != key.shape[-3]
    kernel = kernel or choose_on_gpu(
        small=query.dtype in (torch.float16, torch.bfloat16),
        masked=attn_mask is not None,
        widths=(query.shape[-1], value.shape[-1]),
        grouped=grouped,
    )
    if kernel != "math" and not isinstance(query, FakeTensor):
        # A real pass is on the CPU, whose own fused kernel saves alike.
        return scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    aten = torch.ops.aten
    if query.dim() != 4 or (kernel == "flash" and attn_mask is not None) or kernel == "math":
        return _attend_step_by_step(
            query, key, value, attn_mask, dropout_p, is_causal=is_causal, scale=scale, gqa=enable_gqa
        )
    if grouped and kernel != "flash":
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    if kernel == "flash":
        return _flash(query, key, value, dropout_p, is_causal=is_causal, scale=scale)
    keeps = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (query, key, value))
    if attn_mask is not None:
        attn_mask = _make_bias(attn_mask, query, key)
    if kernel == "efficient":
        out: Tensor = aten._scaled_dot_product_efficient_attention(
            query, key, value, attn_mask, keeps, dropout_p, is_causal, scale=scale
        )[0]
        return out
    debugging = False
    fused: Tensor = aten._scaled_dot_product_cudnn_attention(
        query, key, value, attn_mask, keeps, dropout_p, is_causal, debugging, scale=scale
    )[0]
    return fused


def _make_bias(mask: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """Make of a mask what is added to the scores."""
    if mask.dtype is torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, -math.inf)
    return mask.expand(*query.shape[:-1], key.shape[-2])


def _flash(
    query: Tensor, key: Tensor, value: Tensor, dropout_p: float, *, is_causal: bool, scale: float | None
) -> Tensor:
    """Attend by flash attention, which takes heads of a multiple of eight."""
    width = query.shape[-1]
    scale = scale if scale is not None else 1 / math.sqrt(width)
    if missing := -width % 8:
        query, key, value = (torch.nn.functional.pad(each, (0, missing)) for each in (query, key, value))
    debugging = False
    out: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(
        query, key, value, dropout_p, is_causal, debugging, scale=scale
    )[0]
    return out[..., :width] if missing else out


def _attend_step_by_step(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float, *, is_causal: bool,
    scale: float | None, gqa: bool,
) -> Tensor:  # fmt: skip
    """Attend as torch does without a fused kernel."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.MATH):
        return scaled_dot_product_attention(
            query, key, value, mask, dropout_p, is_causal, scale=scale, enable_gqa=gqa
        )
