"""Normalisations."""

from functools import lru_cache
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, CallSignature, Mismatch, NotDescribed, SignedCall, TensorLike
from resflops.ops._declaration import Needed, binding, each_gradient, joint_gradient, op
from resflops.ops._elementwise import is_inexact
from resflops.records import Attribute, OpRecord, Shape, Work

FAMILY = "normalization"

# Per element: one addition for the mean; a subtraction, a multiplication and an addition for the variance.
_STATISTICS = 4
# Per element: subtract the mean, multiply by the reciprocal deviation.
_NORMALISE = 2

# In the backward pass, with y' the gradient that arrives, and x̂ the normalised input:
_INPUT = 0
# To compute x̂ again, subtract the mean and multiply by the reciprocal deviation.
_NORMALISED = 2
# The sum of y'·x̂ takes a product and an addition, that of y' an addition.
_WEIGHT_SUM = 2
_BIAS_SUM = 1
# x' = σ⁻¹·(y' - mean(y') - x̂·mean(y'·x̂)), the means known: two products, two differences.
_COMBINED = 4


class Affine(Attributes, frozen=True):
    """Whether a normalisation has a weight and a bias of its own."""

    weight: bool
    bias: bool

    @property
    def parts(self) -> int:
        """How many of the two there are."""
        return self.weight + self.bias


class BatchStatistics(Affine, frozen=True):
    """A batch normalisation."""

    training: bool
    """Whether it computes its statistics; else they are constants."""


class GroupStatistics(Affine, frozen=True):
    """A normalisation with statistics of its own for every group of elements."""

    groups: int
    """How many groups the whole batch has; each takes one root."""


class InstanceStatistics(GroupStatistics, frozen=True):
    """What is normalised, and by which statistics."""

    running: bool = False
    """Whether by statistics that were kept in training; recorded where it is so."""


class Neighbours(Attributes, frozen=True):
    """A normalisation over neighbouring channels."""

    size: int
    """How many channels a window has."""


def _operand(record: OpRecord, attributes: Affine, operand: int) -> str:
    """Tell whether an operand after the inputs is the weight or the bias."""
    names = [name for name in ("weight", "bias") if getattr(attributes, name)]
    return names[operand - len(record.input_shapes)]


def _per_element(record: OpRecord, counts: list[int]) -> tuple[Work, ...]:
    points = prod(record.input_shapes[0])
    return tuple(Work(arithmetic=count * points) for count in counts)


def infer_batch_norm(
    input: TensorLike,
    running_mean: TensorLike | None,
    running_var: TensorLike | None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> SignedCall:
    """Normalise each channel, by its own statistics in training, else by the running ones."""
    del running_var, momentum, eps
    signature = _sign_batch_norm(
        input.dtype,
        input.shape,
        None if weight is None else weight.shape,
        None if running_mean is None else running_mean.shape,
        bias is not None,
        training,
    )
    return SignedCall(signature, (input,), (weight, bias))


@lru_cache(maxsize=1 << 14)
def _sign_batch_norm(
    dtype: Any, shape: Shape, weight: Shape | None, mean: Shape | None, bias: bool, training: bool
) -> CallSignature:
    # Torch's kernels refuse it, and its meta kernel does not.
    if len(shape) < 2:
        raise Mismatch(f"takes a batch of channels, but its input has the shape {'×'.join(map(str, shape))}")
    channels = shape[1]
    for per_channel in (weight, mean):
        if per_channel is not None and per_channel[0] != channels:
            raise Mismatch(f"takes {per_channel[0]} channels, but its input has {channels}")
    # Torch refuses the same, but names neither the layer nor a way out.
    if training and shape[0] * prod(shape[2:]) == 1:
        raise Mismatch(
            f"needs more than one value per channel in training mode, but its input is "
            f"{'×'.join(map(str, shape))}; use a larger batch or input, or call model.eval()"
        )
    attributes: dict[str, Attribute] = {
        "training": bool(training),
        "weight": weight is not None,
        "bias": bias,
    }
    return CallSignature.single("batch_norm", (shape,), shape, dtype, attributes)


def _infer_without_training(given: dict[str, Any]) -> SignedCall:
    """Read the aten ops that do not train, by their name or for lack of such an argument."""
    return infer_batch_norm(given["input"], None, None, given["weight"], given["bias"])


def _read_functional(given: dict[str, Any]) -> SignedCall:
    """Read the aten op that is called with running statistics or, in training, without any."""
    return infer_batch_norm(
        given["input"], None, None, given["weight"], given["bias"], training=given["training"]
    )


def _infer_training(given: dict[str, Any]) -> SignedCall:
    return infer_batch_norm(given["input"], None, None, given["weight"], given["bias"], training=True)


def batch_norm(record: OpRecord, attributes: BatchStatistics) -> Work:
    """In eval mode 2 per element, scale and shift being folded; in training 6, and 2 for weight and bias.

    In eval mode the statistics, the weight and the bias are constants, which leave one
    multiplication and one addition an element. In training: mean 1, variance 3, normalise
    2, weight 1, bias 1, and one root per channel.
    """
    shape = record.input_shapes[0]
    points = prod(shape)
    if not attributes.training:
        return Work(arithmetic=2 * points)
    return Work(
        arithmetic=(_STATISTICS + _NORMALISE + attributes.parts) * points,
        transcendental=shape[1] if len(shape) > 1 else 1,
    )


def batch_norm_gradient(record: OpRecord, attributes: BatchStatistics, needed: Needed) -> tuple[Work, ...]:
    """Per element 9 for the input in training (its two sums are weight's and bias's too), 1 in eval mode.

    In training the mean and the deviation depend on the input, and ``x'`` takes the sums of
    ``y'`` and of ``y'·x̂`` over each channel: those are the gradients of bias and weight,
    which then take nothing more. Where the input needs no gradient, or in eval mode, the weight
    takes 4 per element (x̂ 2, product, sum) and the bias 1. In eval mode the gradient of the
    input is one multiplication by ``weight/deviation``.
    """
    shared = attributes.training and _INPUT in needed
    alone = {"weight": _NORMALISED + _WEIGHT_SUM, "bias": _BIAS_SUM}
    for_input = _NORMALISED + _WEIGHT_SUM + _BIAS_SUM + _COMBINED if attributes.training else 1
    counts = [
        for_input if operand == _INPUT else 0 if shared else alone[_operand(record, attributes, operand)]
        for operand in needed
    ]
    return _per_element(record, counts)


BATCH_NORM = op(
    "batch_norm",
    family=FAMILY,
    window="spans",
    attributes=BatchStatistics,
    bindings=binding(infer_batch_norm, "nn.functional.batch_norm"),
    aten={
        "native_batch_norm": {},
        "_native_batch_norm_legit": _read_functional,
        "_native_batch_norm_legit_functional": _read_functional,
        "_native_batch_norm_legit_no_training": _infer_without_training,
        "_batch_norm_with_update": _infer_training,
        "_batch_norm_with_update_functional": _infer_training,
        "_batch_norm_no_update": _infer_without_training,
        "cudnn_batch_norm": {},
        "miopen_batch_norm": {},
    },
    work=batch_norm,
    gradient=joint_gradient(batch_norm_gradient),
    saves=("input", "weight", "statistics"),
)


def infer_layer_norm(
    input: TensorLike,
    normalized_shape: list[int],
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> SignedCall:
    """Normalise over the last dimensions."""
    del eps
    signature = _sign_layer_norm(
        "layer_norm", input.dtype, input.shape, tuple(normalized_shape), weight is not None, bias is not None
    )
    return SignedCall(signature, (input,), (weight, bias))


def infer_rms_norm(
    input: TensorLike,
    normalized_shape: list[int],
    weight: TensorLike | None = None,
    eps: float | None = None,
) -> SignedCall:
    """Scale by the root of the mean square over the last dimensions."""
    del eps
    signature = _sign_layer_norm(
        "rms_norm", input.dtype, input.shape, tuple(normalized_shape), weight is not None, bias=False
    )
    return SignedCall(signature, (input,), (weight,))


@lru_cache(maxsize=1 << 14)
def _sign_layer_norm(
    op: str, dtype: Any, shape: Shape, last: Shape, weight: bool, bias: bool
) -> CallSignature:
    """Make the signature of a normalisation over the last dimensions."""
    if shape[len(shape) - len(last) :] != last:
        raise Mismatch(
            f"normalises over {'×'.join(map(str, last))}, but its input is {'×'.join(map(str, shape))}"
        )
    groups = prod(shape[: len(shape) - len(last)])
    attributes: dict[str, Attribute] = {"groups": groups, "weight": weight, "bias": bias}
    return CallSignature.single(op, (shape,), shape, dtype, attributes)


def infer_group_norm(
    input: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Call:
    """Normalise groups of channels, each sample by itself."""
    del eps
    if input.shape[1] % num_groups:
        raise Mismatch(
            f"has {num_groups} groups, which do not divide the {input.shape[1]} channels of its input"
        )
    groups = input.shape[0] * num_groups
    attributes = {"groups": groups, "weight": weight is not None, "bias": bias is not None}
    return Call("group_norm", (input,), tuple(input.shape), {**attributes}, affine=(weight, bias))


def infer_instance_norm(
    input: TensorLike,
    running_mean: TensorLike | None = None,
    running_var: TensorLike | None = None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Call:
    """Normalise each channel of each sample, by its own statistics or by the running ones."""
    del running_mean, running_var, momentum, eps
    shape = tuple(input.shape)
    attributes = {"groups": prod(shape[:2]), "weight": weight is not None, "bias": bias is not None}
    if not use_input_stats:
        attributes["running"] = True
    return Call("instance_norm", (input,), shape, {**attributes}, affine=(weight, bias))


def normalisation(record: OpRecord, attributes: GroupStatistics) -> Work:
    """Per element 6 (mean 1, variance 3, normalise 2), 1 for a weight, 1 for a bias; one root per group."""
    return Work(
        arithmetic=(_STATISTICS + _NORMALISE + attributes.parts) * prod(record.input_shapes[0]),
        transcendental=attributes.groups,
    )


def normalisation_gradient(record: OpRecord, attributes: GroupStatistics, needed: Needed) -> tuple[Work, ...]:
    """Per element 9 for the input, 1 more with a weight; 2 for the weight; 1 for the bias.

    This is as in batch normalisation in training, except that the sums run over the features,
    but those of weight and bias over the rows. So only x̂ is shared: the weight takes 2 more
    where the input needs no gradient.
    """
    for_input = _NORMALISED + _WEIGHT_SUM + _BIAS_SUM + _COMBINED + attributes.weight
    alone = {"weight": _WEIGHT_SUM + (0 if _INPUT in needed else _NORMALISED), "bias": _BIAS_SUM}
    return _per_element(
        record,
        [
            for_input if operand == _INPUT else alone[_operand(record, attributes, operand)]
            for operand in needed
        ],
    )


LAYER_NORM = op(
    "layer_norm",
    family=FAMILY,
    window="spans",
    attributes=GroupStatistics,
    bindings=binding(infer_layer_norm, "nn.functional.layer_norm"),
    aten={"native_layer_norm": {}, "quantized.layer_norm": {}},
    work=normalisation,
    gradient=joint_gradient(normalisation_gradient),
    saves=("input", "weight", "statistics"),
)

GROUP_NORM = op(
    "group_norm",
    family=FAMILY,
    window="spans",
    attributes=GroupStatistics,
    bindings=binding(infer_group_norm, "nn.functional.group_norm", repeated=True),
    aten={"native_group_norm": {"num_groups": "group"}, "quantized.group_norm": {}},
    work=normalisation,
    gradient=joint_gradient(normalisation_gradient),
    saves=("input", "weight", "statistics"),
)


def instance_norm(record: OpRecord, attributes: InstanceStatistics) -> Work:
    """As a group normalisation; with running statistics 2 per element, scale and shift being folded."""
    if attributes.running:
        return Work(arithmetic=_NORMALISE * prod(record.input_shapes[0]))
    return normalisation(record, attributes)


def instance_norm_gradient(
    record: OpRecord, attributes: InstanceStatistics, needed: Needed
) -> tuple[Work, ...]:
    """As a group normalisation's; with running statistics as that of batch normalisation in eval mode."""
    if not attributes.running:
        return normalisation_gradient(record, attributes, needed)
    kept = BatchStatistics(weight=attributes.weight, bias=attributes.bias, training=False)
    return batch_norm_gradient(record, kept, needed)


INSTANCE_NORM = op(
    "instance_norm",
    family=FAMILY,
    window="spans",
    attributes=InstanceStatistics,
    bindings=binding(infer_instance_norm, "nn.functional.instance_norm"),
    aten={"quantized.instance_norm": {}},
    work=instance_norm,
    gradient=joint_gradient(instance_norm_gradient),
    saves=("input", "weight", "statistics"),
)


def rms_norm(record: OpRecord, attributes: GroupStatistics) -> Work:
    """Per element: square, add, scale, and 1 for a weight; one root per group.

    Where only aten ops are seen, torch decomposes it, and the parts are counted: the addition of
    eps is then one more per group.
    """
    return Work(
        arithmetic=(3 + attributes.parts) * prod(record.input_shapes[0]), transcendental=attributes.groups
    )


def rms_norm_gradient(record: OpRecord, attributes: GroupStatistics, needed: Needed) -> tuple[Work, ...]:
    """Per element 6 for the input, 1 more with a weight; 2 for the weight.

    x̂ takes one product here, and there is no mean to subtract: ``x' = r·(y' - x̂·mean(y'·x̂))``
    is x̂ 1, product and sum 2, and 3 to combine. The weight takes 1 more where the input
    needs no gradient.
    """
    weight = _WEIGHT_SUM + (0 if _INPUT in needed else 1)
    return _per_element(
        record, [6 + attributes.weight if operand == _INPUT else weight for operand in needed]
    )


RMS_NORM = op(
    "rms_norm",
    family=FAMILY,
    window="spans",
    attributes=GroupStatistics,
    bindings=binding(infer_rms_norm, "nn.functional.rms_norm"),
    aten={"_fused_rms_norm": {}},
    work=rms_norm,
    gradient=joint_gradient(rms_norm_gradient),
    saves=("input", "weight", "statistics"),
)


def infer_local_response_norm(
    input: TensorLike,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Call:
    """Divide by a power of the mean square over neighbouring channels."""
    del alpha, beta, k
    if not is_inexact(input):
        raise NotDescribed
    return Call("local_response_norm", (input,), tuple(input.shape), {"size": size})


def local_response_norm(record: OpRecord, attributes: Neighbours) -> Work:
    """Per element, with a window of n channels: n + 3 arithmetic operations and one power.

    Krizhevsky et al. 2012, section 3.3: a square, n-1 additions over the window, a product with
    alpha, the addition of k, and a division by the power beta.

    Where only aten ops are seen, torch decomposes it, and the parts are counted: it pools the
    squares by their mean, whose division is then one more per element.
    """
    points = prod(record.input_shapes[0])
    return Work(arithmetic=points * (attributes.size + 3), transcendental=points)


def local_response_norm_gradient(record: OpRecord, attributes: Neighbours, operand: int) -> Work:
    """Per element, with a window of n channels: n + 5 arithmetic operations and one power.

    With ``y = x·s^-β``: ``x' = y'·s^-β - c·x·Σ y'·y/s``. That is the power and its product, 2 for
    ``y'·y/s``, n-1 additions over the window, the products with x and c, and a subtraction.
    """
    del operand
    points = prod(record.input_shapes[0])
    return Work(arithmetic=points * (attributes.size + 5), transcendental=points)


LOCAL_RESPONSE_NORM = op(
    "local_response_norm",
    family=FAMILY,
    attributes=Neighbours,
    bindings=binding(infer_local_response_norm, "nn.functional.local_response_norm"),
    work=local_response_norm,
    gradient=each_gradient(local_response_norm_gradient, takes=(0,)),
    saves=("input", "output"),
)


def weight_norm(record: OpRecord) -> Work:
    """Per weight: square, add, scale; per norm a root and a division.

    Salimans & Kingma 2016 (arXiv 1602.07868), equation 2: ``w = g / |v| · v``.
    """
    points, norms = prod(record.output_shape), prod(record.output_shapes[-1])
    return Work(arithmetic=3 * points + norms, transcendental=norms)


def weight_norm_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Per weight 5 for the direction v (project, scale), 2 for the length g; shared sums count once.

    With ``w = g·v/|v|``: ``g' = Σ w'·v/|v|`` (a product and an addition each, a division per norm)
    and ``v' = g/|v|·(w' - g'·v/|v|)``: g', a product, a difference and a product.
    """
    points, norms = prod(record.output_shape), prod(record.output_shapes[-1])
    length = Work(arithmetic=2 * points + norms)
    direction = Work(arithmetic=3 * points + norms)
    both = Work(arithmetic=length.arithmetic + direction.arithmetic)
    return tuple((both if operand == 0 else Work() if 0 in needed else length) for operand in needed)


WEIGHT_NORM = op(
    "_weight_norm_interface",
    family=FAMILY,
    work=weight_norm,
    gradient=joint_gradient(weight_norm_gradient),
    saves=("input", "weight", "statistics"),
)
