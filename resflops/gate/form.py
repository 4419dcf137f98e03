"""What a layer is, in the few numbers that tell it from what it was: ``3×3×256→512``."""

from msgspec import Struct

from resflops.gate.bill import BillLine
from resflops.ops import is_of_family
from resflops.records import Shape

__all__ = ["Form", "forms"]


class Form(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The telling parts of a layer; what tells nothing is left empty."""

    op: str = ""
    kernel: Shape = ()
    features: tuple[int, int] | None = None
    """Channels or features that go in and come out."""
    shapes: tuple[Shape, ...] = ()
    """Of the input and the output, where there are no features; once if they are the same."""
    stride: Shape = ()
    padding: Shape = ()
    groups: int = 1
    size: Shape = ()
    """Of the output, without its features."""
    calls: int = 1
    params: int | None = None


def forms(before: BillLine | None, after: BillLine | None) -> tuple[Form | None, Form | None]:
    """What a layer was and what it is: its kernel and features, and else what differs.

    A layer that was added or removed shows all that tells it from others.
    """
    return _form(before, after), _form(after, before)


def _form(line: BillLine | None, other: BillLine | None) -> Form | None:
    if line is None:
        return None
    features, size = _features(line)
    shapes = tuple(dict.fromkeys((line.input, line.output))) if features is None else ()
    only_params = other is not None and _shape_of_work(line) == _shape_of_work(other)

    def differs(field: str) -> bool:
        return other is None or getattr(line, field) != getattr(other, field)

    return Form(
        op=line.op if other is not None and differs("op") else "",
        kernel=line.kernel,
        features=features,
        shapes=shapes,
        stride=line.stride if differs("stride") else (),
        # A kernel that grows takes its padding along, which tells nothing more.
        padding=line.padding if other is not None and differs("padding") and not differs("kernel") else (),
        groups=line.groups,
        size=size if other is None or size != _features(other)[1] else (),
        calls=line.calls if differs("calls") else 1,
        params=line.params if only_params and differs("params") else None,
    )


def _features(line: BillLine) -> tuple[tuple[int, int] | None, Shape]:
    """What goes in and comes out of a layer that turns features into others, and the rest of its output."""
    if (
        is_of_family(line.op, "convolution")
        and line.kernel
        and min(len(line.input), len(line.output)) > len(line.kernel)
    ):
        place = -len(line.kernel) - 1
        return (line.input[place], line.output[place]), line.output[place + 1 :]
    if line.op == "linear" and line.input and line.output:
        return (line.input[-1], line.output[-1]), line.output[:-1]
    return None, ()


def _shape_of_work(line: BillLine) -> tuple[object, ...]:
    return (line.op, line.calls, line.input, line.output, line.kernel, line.stride, line.padding, line.groups)
