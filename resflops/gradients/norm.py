"""Gradients of normalisations."""

from math import prod

from resflops.gradients.registry import Needed, gradient_rule, joint_gradient_rule
from resflops.records import OpRecord, Work

_INPUT = 0
# The normalised input anew: subtract the mean, multiply by the reciprocal deviation.
_NORMALISED = 2
# A product and an addition, and an addition: the sums of y'·x̂ and of y'.
_WEIGHT_SUM = 2
_BIAS_SUM = 1
# x' = σ⁻¹·(y' - mean(y') - x̂·mean(y'·x̂)), the means known: two products, two differences.
_COMBINED = 4


def _affine(record: OpRecord, operand: int) -> str:
    """Which of weight and bias an operand after the inputs is."""
    names = [name for name in ("weight", "bias") if record.attributes.get(name)]
    return names[operand - len(record.input_shapes)]


def _per_element(record: OpRecord, counts: list[int]) -> tuple[Work, ...]:
    points = prod(record.input_shapes[0])
    return tuple(Work(arithmetic=count * points) for count in counts)


@joint_gradient_rule("batch_norm")
def batch_norm_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Per element 9 for the input in training (its two sums are weight's and bias's too), 1 in eval mode.

    In training the mean and the deviation depend on the input, and ``x'`` takes the sums of
    ``y'`` and of ``y'·x̂`` over each channel: those are the gradients of bias and weight,
    which then take nothing more. Where the input needs none, or in eval mode, the weight
    takes 4 per element (x̂ 2, product, sum) and the bias 1. In eval mode the input's
    gradient is one multiplication by ``weight/deviation``.
    """
    training = bool(record.attributes.get("training"))
    shared = training and _INPUT in needed
    alone = {"weight": _NORMALISED + _WEIGHT_SUM, "bias": _BIAS_SUM}
    whole = _NORMALISED + _WEIGHT_SUM + _BIAS_SUM + _COMBINED if training else 1
    counts = [
        whole if operand == _INPUT else 0 if shared else alone[_affine(record, operand)] for operand in needed
    ]
    return _per_element(record, counts)


@joint_gradient_rule("layer_norm", "group_norm", "instance_norm")
def normalisation_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Per element 9 for the input, 1 more with a weight; 2 for the weight; 1 for the bias.

    As batch normalisation in training, but the sums run over the features and those of
    weight and bias over the rows, so that nothing is shared but x̂: the weight takes 2 more
    where the input needs no gradient.
    """
    scaled = bool(record.attributes.get("weight"))
    whole = _NORMALISED + _WEIGHT_SUM + _BIAS_SUM + _COMBINED + scaled
    alone = {"weight": _WEIGHT_SUM + (0 if _INPUT in needed else _NORMALISED), "bias": _BIAS_SUM}
    return _per_element(
        record, [whole if operand == _INPUT else alone[_affine(record, operand)] for operand in needed]
    )


@joint_gradient_rule("rms_norm")
def rms_norm_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Per element 6 for the input, 1 more with a weight; 2 for the weight.

    x̂ takes one product here, and there is no mean to subtract: ``x' = r·(y' - x̂·mean(y'·x̂))``
    is x̂ 1, product and sum 2, and 3 to combine. The weight takes 1 more where the input
    needs no gradient.
    """
    whole = 6 + bool(record.attributes.get("weight"))
    weight = _WEIGHT_SUM + (0 if _INPUT in needed else 1)
    return _per_element(record, [whole if operand == _INPUT else weight for operand in needed])


@gradient_rule("local_response_norm", takes=(0,))
def local_response_norm_gradient(record: OpRecord, operand: int) -> Work:
    """Per element, with a window of n channels: n + 5 arithmetic operations and one power.

    With ``y = x·s^-β``: ``x' = y'·s^-β - c·x·Σ y'·y/s``. The power, its product; y'·y/s 2; n-1
    additions over the window; times x, times c; and a subtraction.
    """
    del operand
    points, size = prod(record.input_shapes[0]), record.attributes["size"]
    assert isinstance(size, int)  # noqa: S101 - the tracer writes it so
    return Work(arithmetic=points * (size + 5), transcendental=points)


@joint_gradient_rule("_weight_norm_interface")
def weight_norm_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Per weight 5 for the direction v (project, scale), 2 for the length g; shared sums once.

    With ``w = g·v/|v|``: ``g' = Σ w'·v/|v|`` (a product and an addition each, a division per norm)
    and ``v' = g/|v|·(w' - g'·v/|v|)``: g', a product, a difference and a product.
    """
    points, norms = prod(record.output_shape), prod(record.output_shapes[-1])
    length = Work(arithmetic=2 * points + norms)
    direction = Work(arithmetic=3 * points + norms)
    both = Work(arithmetic=length.arithmetic + direction.arithmetic)
    return tuple((both if operand == 0 else Work() if 0 in needed else length) for operand in needed)
