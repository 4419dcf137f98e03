"""Normalisations and dropout."""

from itertools import product
from math import prod

import torch.nn.functional as F
from torch import Tensor

from resflops.records import Attribute
from resflops.tracing.functions.registry import Call, Mismatch, describes


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
) -> Call:
    """Normalise each channel, by its own statistics in training, else by the running ones."""
    del running_var, momentum, eps
    shape = input.shape
    channels = shape[1] if len(shape) > 1 else shape[0]
    for given in (weight, running_mean):
        if given is not None and given.shape[0] != channels:
            raise Mismatch(f"takes {given.shape[0]} channels, and its input has {channels}")
    if training and prod(shape) == channels:
        raise Mismatch(
            f"in training mode needs more than one value per channel, and its input is "
            f"{'×'.join(map(str, shape))}; use a larger batch or input, or model.eval()"
        )
    attributes = _BATCH_NORM[bool(training), weight is not None, bias is not None]
    return Call("batch_norm", (input,), tuple(shape), attributes, affine=(weight, bias))


_BATCH_NORM: dict[tuple[bool, bool, bool], dict[str, Attribute]] = {
    (training, weight, bias): {"training": training, "weight": weight, "bias": bias}
    for training, weight, bias in product((False, True), repeat=3)
}


@describes(F.layer_norm)
def layer_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Call:
    """Normalise over the last dimensions."""
    del eps
    attributes = _over_last(input, normalized_shape, weight, bias)
    return Call("layer_norm", (input,), tuple(input.shape), attributes, affine=(weight, bias))


@describes(F.rms_norm)
def rms_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Call:
    """Scale by the root of the mean square over the last dimensions."""
    del eps
    attributes = _over_last(input, normalized_shape, weight, None)
    return Call("rms_norm", (input,), tuple(input.shape), attributes, affine=(weight,))


def _over_last(
    tensor: Tensor, normalized_shape: list[int], weight: Tensor | None, bias: Tensor | None
) -> dict[str, Attribute]:
    shape = tuple(tensor.shape)
    last = tuple(normalized_shape)
    if shape[len(shape) - len(last) :] != last:
        raise Mismatch(
            f"normalises over {'×'.join(map(str, last))}, and its input is {'×'.join(map(str, shape))}"
        )
    groups = prod(shape[: len(shape) - len(last)])
    return {"groups": groups, "weight": weight is not None, "bias": bias is not None}


@describes(F.group_norm)
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
    @describes(getattr(F, name))
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
