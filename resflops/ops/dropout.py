"""Dropout."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, TensorLike
from resflops.ops._declaration import AtenBinding, Binding, Op, binding, each_gradient, op
from resflops.records import OpRecord, Work

FAMILY = "dropout"


class Dropping(Attributes, frozen=True):
    """A dropout."""

    training: bool
    """Whether it drops anything: it does in training, at a rate that is not zero."""


def _infer(name: str) -> Callable[..., Call]:
    def infer(input: TensorLike, p: float = 0.5, training: bool = True, inplace: bool = False) -> Call:
        # Networks switch dropout off by a rate of zero.
        dropping = bool(training and p > 0)
        # Where it drops nothing, torch gives the tensor itself.
        return Call(
            name, (input,), tuple(input.shape), {"training": dropping}, in_place=inplace or not dropping
        )

    return infer


def _infer_alpha(name: str) -> Callable[..., Call]:
    def infer(input: TensorLike, p: float = 0.5, training: bool = False, inplace: bool = False) -> Call:
        # Of torch's functions, these two alone drop nothing unless they are told to.
        return _infer(name)(input, p, training, inplace)

    return infer


def dropout(record: OpRecord, attributes: Dropping) -> Work:
    """Nothing in eval mode; in training a comparison with a random number and a scaling per element."""
    if not attributes.training:
        return Work()
    points = prod(record.output_shape)
    return Work(comparisons=points, arithmetic=points)


def dropout_gradient(record: OpRecord, attributes: Dropping, operand: int) -> Work:
    """Nothing in eval mode; in training a multiplication by the scaled mask per element."""
    del operand
    return Work(arithmetic=prod(record.output_shape) if attributes.training else 0)


def _declare(
    name: str,
    *functions: str,
    aten: Mapping[str, AtenBinding] | tuple[str, ...] = (),
    more: tuple[Binding, ...] = (),
    infer: Callable[..., Call] | None = None,
) -> Op:
    return op(
        name,
        family=FAMILY,
        attributes=Dropping,
        bindings=(binding(infer or _infer(name), *functions, repeated=True), *more),
        aten=aten,
        work=dropout,
        # The random number and the scale are real.
        on_complex=Work(comparisons=1, arithmetic=2),
        gradient=each_gradient(dropout_gradient, takes=(0,)),
        saves=("mask",),
    )


def read_native_dropout(given: dict[str, Any]) -> Call:
    """Read the dropout of some devices, which trains if its mode is left out."""
    return _infer("dropout")(given["input"], given["p"], given["train"] is not False)


def infer_feature_dropout(input: TensorLike, p: float, train: bool) -> Call:
    """Drop whole channels: torch makes this op of three functions, which only the dimensions distinguish."""
    name = {2: "dropout1d", 3: "dropout1d", 5: "dropout3d"}.get(input.dim(), "dropout2d")
    return _infer(name)(input, p, train)


# An exported program calls these aten ops by name, before they are decomposed. Where only the dispatcher
# sees a dropout that trains (scripted, by make_fx), torch has written it as a scaled random mask and a
# product. That, too, takes two operations an element; but a dropout of whole channels scales the mask once
# a channel, and alpha dropout adds a shift.
DROPOUT = _declare(
    "dropout", "*.dropout", "ops.aten.dropout.default", aten={"native_dropout": read_native_dropout}
)
_declare("dropout1d", "nn.functional.dropout1d")
_declare(
    "dropout2d",
    "nn.functional.dropout2d",
    more=(binding(infer_feature_dropout, "feature_dropout", "ops.aten.feature_dropout.default"),),
)
_declare("dropout3d", "nn.functional.dropout3d")
for _name in ("alpha_dropout", "feature_alpha_dropout"):
    _declare(_name, f"*.{_name}", f"ops.aten.{_name}.default", infer=_infer_alpha(_name))
