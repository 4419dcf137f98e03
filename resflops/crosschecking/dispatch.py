"""What a trace does not tell and decides which aten ops a call turns into: strides, and gradients to come."""

from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from resflops.cost.convention import Convention
from resflops.cost.quantities import QUANTITIES
from resflops.records import OpRecord, Work
from resflops.tracing.call_through import call_through

__all__ = ["SPLIT_ATTENTION", "UNFUSED_BIAS", "DispatchReasons"]

UNFUSED_BIAS = "biases of linear layers that torch adds separately"
SPLIT_ATTENTION = "attention that torch does not fuse, since its mask needs a gradient"


class DispatchReasons(TorchFunctionMode):
    """Looks, while a counter of aten ops runs, at the calls that turn into other ops than their shapes tell.

    Args:
        convention: the convention of the counter.
    """

    def __init__(self, convention: Convention) -> None:
        super().__init__()
        self.charges: Counter[str] = Counter()
        """What the counter charges more than its convention, by reason."""
        prices = convention.views[0].charges
        self._bias = prices.get("linear", {}).get("bias_adds", 0)
        self._attention = prices.get("scaled_dot_product_attention", {})
        self._per_mac = convention.per_mac

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 - torch's signature
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Pass a call on, and look at what it turned into."""
        kwargs = kwargs or {}
        if func is nn.functional.linear and self._bias:
            with _AtenOps() as seen:
                result = call_through(func, args, kwargs)
            bias = args[2] if len(args) > 2 else kwargs.get("bias")
            if bias is not None and "addmm" not in seen.names:
                self.charges[UNFUSED_BIAS] -= self._bias * result.numel()
            return result
        if func is nn.functional.scaled_dot_product_attention and self._attention:
            mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
            if isinstance(mask, Tensor) and mask.requires_grad:
                self.charges[SPLIT_ATTENTION] += self._compute_missing_macs(args, kwargs, mask)
        return call_through(func, args, kwargs)

    def _compute_missing_macs(self, args: tuple[Any, ...], kwargs: dict[str, Any], mask: Tensor) -> int:
        """Compute the charge for an attention as products, less what the convention charges by its shapes."""
        given = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
        shapes = tuple(tuple(given[name].shape) for name in ("query", "key", "value"))
        query, key, value = shapes
        work = Work(macs=prod(query[:-1]) * key[-2] * (query[-1] + value[-1]))
        record = OpRecord(
            op="scaled_dot_product_attention",
            layer="",
            input_shapes=shapes,
            output_shapes=(),
            attributes={
                "masked": True,
                "causal": False,
                "grouped": bool(given.get("enable_gqa", False)),
                "mask_dims": mask.dim(),
                "dropout": bool(given.get("dropout_p", 0.0)),
            },
        )
        charged = sum(
            price * QUANTITIES[name].measure(record, work, None) for name, price in self._attention.items()
        )
        return self._per_mac * work.macs - charged


class _AtenOps(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the names of the aten ops that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Note one op, and hand it on to the counter below."""
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))
