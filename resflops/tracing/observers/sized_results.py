"""Functions the size of whose result depends on values, so that torch has no meta kernel for them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor

__all__ = ["SizedCall", "find_sized"]

_aten = torch.ops.aten


class SizedCall(Struct, frozen=True, kw_only=True):
    """A call of such a function, as the aten op that it is recorded as."""

    op: Any
    args: tuple[Any, ...]
    places: tuple[int, ...] = ()
    """Which of the op's outputs the function gives, if it does not give all."""
    several: bool = False
    """Whether the function gives a tuple, also of one tensor."""

    def run(self, *values: Any) -> list[Tensor]:
        """Run the op on values, and list its outputs."""
        outs = self.op(*values)
        return [outs] if isinstance(outs, Tensor) else list(outs)

    def select(self, outs: Sequence[Tensor]) -> Any:
        """Give of the op's outputs what the function gives."""
        chosen = tuple([outs[place] for place in self.places] if self.places else outs)
        return chosen if self.several or len(chosen) > 1 else chosen[0]


def find_sized(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> SizedCall | None:
    """Read a call of a function the size of whose result depends on values; None for any other call."""
    # By its name, since importing torchvision takes longer than a count.
    if getattr(func, "_qualified_op_name", None) == "torchvision::nms":
        return SizedCall(op=func.default, args=args) if not kwargs else None  # type: ignore[attr-defined]
    read = _SIZED.get(func)
    return None if read is None else read(*args, **kwargs)


def _read_where(condition: Tensor | None = None, *others: object, **named: Any) -> SizedCall | None:
    condition = named.pop("input", condition)
    if others or named or condition is None:
        return None
    return SizedCall(op=_aten.where.default, args=(condition,), several=True)


def _read_nonzero(input: Tensor, *, as_tuple: bool = False) -> SizedCall | None:  # noqa: A002 - torch's name
    return None if as_tuple else SizedCall(op=_aten.nonzero.default, args=(input,))


def _read_unique(
    input: Tensor,  # noqa: A002
    sorted: bool = True,  # noqa: A002, FBT001, FBT002
    return_inverse: bool = False,  # noqa: FBT001, FBT002
    return_counts: bool = False,  # noqa: FBT001, FBT002
    dim: int | None = None,
) -> SizedCall | None:
    if dim is not None:
        return None
    # The op gives all three; those that are not asked for are empty.
    places = [place for place, asked in enumerate((True, return_inverse, return_counts)) if asked]
    args = (input, sorted, return_inverse, return_counts)
    return SizedCall(op=_aten._unique2.default, args=args, places=tuple(places))


_SIZED: dict[Callable[..., Any], Callable[..., SizedCall | None]] = {
    torch.where: _read_where,
    torch.nonzero: _read_nonzero,
    torch.Tensor.nonzero: _read_nonzero,
    torch.unique: _read_unique,
    torch.Tensor.unique: _read_unique,
}
