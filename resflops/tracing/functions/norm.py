"""Normalisations and dropout."""

from functools import lru_cache
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from resflops.records import Attribute, Shape
from resflops.tracing.functions.call import Call, Form, Formed
from resflops.tracing.functions.registry import Mismatch, describes


@describes(F.batch_norm)
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Formed:
    """Normalise each channel, by its own statistics in training, else by the running ones."""
    del running_var, momentum, eps
    form = _batch_normed(
        input.dtype,
        input.shape,
        None if weight is None else weight.shape,
        None if running_mean is None else running_mean.shape,
        bias is not None,
        training,
    )
    return Formed(form, (input,), (weight, bias))


@lru_cache(maxsize=1 << 14)
def _batch_normed(
    dtype: torch.dtype, shape: Shape, weight: Shape | None, mean: Shape | None, bias: bool, training: bool
) -> Form:
    """The form of a batch normalisation."""
    channels = shape[1] if len(shape) > 1 else shape[0]
    for given in (weight, mean):
        if given is not None and given[0] != channels:
            raise Mismatch(f"takes {given[0]} channels, and its input has {channels}")
    if training and prod(shape) == channels:
        raise Mismatch(
            f"in training mode needs more than one value per channel, and its input is "
            f"{'×'.join(map(str, shape))}; use a larger batch or input, or model.eval()"
        )
    attributes: dict[str, Attribute] = {
        "training": bool(training),
        "weight": weight is not None,
        "bias": bias,
    }
    return Form.single("batch_norm", (shape,), shape, dtype, attributes)


@describes(F.layer_norm)
def layer_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Formed:
    """Normalise over the last dimensions."""
    del eps
    form = _layer_normed(
        "layer_norm", input.dtype, input.shape, tuple(normalized_shape), weight is not None, bias is not None
    )
    return Formed(form, (input,), (weight, bias))


@describes(F.rms_norm)
def rms_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Formed:
    """Scale by the root of the mean square over the last dimensions."""
    del eps
    form = _layer_normed(
        "rms_norm", input.dtype, input.shape, tuple(normalized_shape), weight is not None, bias=False
    )
    return Formed(form, (input,), (weight,))


@lru_cache(maxsize=1 << 14)
def _layer_normed(op: str, dtype: torch.dtype, shape: Shape, last: Shape, weight: bool, bias: bool) -> Form:
    """The form of a normalisation over the last dimensions."""
    if shape[len(shape) - len(last) :] != last:
        raise Mismatch(
            f"normalises over {'×'.join(map(str, last))}, and its input is {'×'.join(map(str, shape))}"
        )
    groups = prod(shape[: len(shape) - len(last)])
    attributes: dict[str, Attribute] = {"groups": groups, "weight": weight, "bias": bias}
    return Form.single(op, (shape,), shape, dtype, attributes)


@describes(F.group_norm, repeated=True)
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Call:
    """Normalise groups of channels, each sample apart."""
    del eps
    if input.shape[1] % num_groups:
        raise Mismatch(f"has {num_groups} groups, and {input.shape[1]} channels do not divide into them")
    groups = input.shape[0] * num_groups
    attributes = {"groups": groups, "weight": weight is not None, "bias": bias is not None}
    return Call("group_norm", (input,), tuple(input.shape), {**attributes}, affine=(weight, bias))


@describes(F.instance_norm)
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Call:
    """Normalise each channel of each sample."""
    del running_mean, running_var, use_input_stats, momentum, eps
    shape = tuple(input.shape)
    attributes = {"groups": prod(shape[:2]), "weight": weight is not None, "bias": bias is not None}
    return Call("instance_norm", (input,), shape, {**attributes}, affine=(weight, bias))


@describes(F.local_response_norm)
def local_response_norm(
    input: Tensor,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Call:
    """Divide by a power of the mean square over neighbouring channels."""
    del alpha, beta, k
    return Call("local_response_norm", (input,), tuple(input.shape), {"size": size})


def _dropout(name: str) -> None:
    @describes(getattr(F, name), repeated=True)
    def dropout(
        input: Tensor,
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> Call:
        # A rate of zero is how networks switch dropout off.
        return Call(name, (input,), tuple(input.shape), {"training": training and p > 0}, in_place=inplace)


for _name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
    _dropout(_name)
