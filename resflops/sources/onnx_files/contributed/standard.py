"""Operators that give what one of ONNX's own gives, of some of their inputs."""

from collections.abc import Iterable, Sequence

from resflops.sources.onnx_files.contributed._rules import Given, Output, Rule, Sizes, Unknown, outputs
from resflops.sources.onnx_files.tensors import GraphTensor


def _as_first(given: Given) -> Iterable[Output]:
    yield given.get(0), given.get(0).sizes


# Elements stay in their places. The operators from LayerNormalization on are in ONNX's own domain, where
# onnxruntime writes the first of them to files of any opset.
outputs(
    "BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax", "FastGelu", "Gelu", "GroupNorm", "Inverse", "MoE",
    "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QMoE", "QuickGelu", "RotaryEmbedding", "Trilu",
)(_as_first)  # fmt: skip
outputs("LayerNormalization", "SimplifiedLayerNormalization", domain="")(_as_first)
# Of TensorFlow: tf2onnx leaves it in the domain, too.
outputs("Erfc", domain="")(_as_first)


def infer_as(given: Given, operator: str, inputs: Sequence[GraphTensor], *kept: str) -> Sizes | None:
    """Infer the sizes that an operator of ONNX's own would give.

    Args:
        given: the node, whose attributes it has.
        operator: the operator.
        inputs: what it takes; the element types of numbers do not matter.
        kept: the attributes that it has, too.
    """
    from onnx import helper

    names = [f"input {place}" for place in range(len(inputs))]
    attributes = {name: given.attributes[name] for name in kept if name in given.attributes}
    node = helper.make_node(operator, names, ["output"], **attributes)
    plain = [
        # What says how a node works keeps its values.
        each if each.dtype == "int64" else GraphTensor(name=name, dtype="float32", sizes=each.sizes)
        for name, each in zip(names, inputs, strict=True)
    ]
    found = given.infer(node, plain).get("output")
    return None if found is None else found.sizes


WINDOW = ("auto_pad", "ceil_mode", "dilations", "group", "kernel_shape", "pads", "strides")


def as_standard(operator: str, *places: int, like: int = 0, kept: tuple[str, ...] = ()) -> Rule:
    """Make the rule of an operator that gives what another does of these inputs, in the type of one."""

    def rule(given: Given) -> Iterable[Output]:
        inputs = [given.get(place) for place in places]
        yield given.get(like), infer_as(given, operator, inputs, *kept)

    return rule


outputs("QLinearAdd", "QLinearMul")(as_standard("Add", 0, 3))
outputs("QLinearReduceMean")(as_standard("ReduceMean", 0, kept=("axes", "keepdims")))
outputs("FusedConv")(as_standard("Conv", 0, 1, kept=WINDOW))
outputs("FusedGemm")(as_standard("Gemm", 0, 1, kept=("transA", "transB")))
outputs("DynamicQuantizeMatMul", "GemmFastGelu")(as_standard("MatMul", 0, 1))
outputs("MatMulIntegerToFloat")(as_standard("MatMul", 0, 1, like=2))
outputs("GatherND")(as_standard("GatherND", 0, 1, kept=("batch_dims",)))
outputs("GridSample")(as_standard("GridSample", 0, 1))
outputs("Pad")(as_standard("Pad", 0, 1, kept=("mode",)))
outputs("MulInteger")(as_standard("Add", 0, 2))


@outputs("QLinearWhere")
def _choose(given: Given) -> Iterable[Output]:
    chosen = infer_as(given, "Add", (given.get(1), given.get(4)))
    both = GraphTensor(name="", dtype="", sizes=chosen)
    yield given.get(1), infer_as(given, "Add", (given.get(0), both))


@outputs("QGemm")
def _multiply_integers(given: Given) -> Iterable[Output]:
    # It gives integers if it is told their zero point, else numbers of the type that the scales have.
    like = given.get(8 if given.has(8) else 1)
    yield like, infer_as(given, "Gemm", (given.get(0), given.get(3)), "transA", "transB")


@outputs("QLinearConcat")
def _join(given: Given) -> Iterable[Output]:
    # The scale and the zero point of the result come first, then three inputs a tensor.
    tensors = [given.get(place) for place in range(2, len(given.inputs), 3)]
    yield tensors[0], infer_as(given, "Concat", tensors, "axis")


def with_channels_last(operator: str, *places: int, always: bool = False) -> Rule:
    """Make the rule of an operator on images that have their channels last, always or as it says."""

    def rule(given: Given) -> Iterable[Output]:
        image, *others = [given.get(place) for place in places]
        if not always and not given.number("channels_last"):
            yield image, infer_as(given, operator, [image, *others], *kept)
            return
        batch, *spatial, channels = given.sizes(places[0])
        first = GraphTensor(name="", dtype="", sizes=(batch, channels, *spatial))
        found = infer_as(given, operator, [first, *others], *kept)
        if found is None:
            raise Unknown
        yield image, (found[0], *found[2:], found[1])

    kept = () if operator.startswith("Global") else WINDOW
    return rule


outputs("QLinearAveragePool")(with_channels_last("AveragePool", 0))
outputs("QLinearGlobalAveragePool")(with_channels_last("GlobalAveragePool", 0))
outputs("NhwcConv", "NhwcFusedConv")(with_channels_last("Conv", 0, 1, always=True))
outputs("NhwcMaxPool")(with_channels_last("MaxPool", 0, always=True))
outputs("QLinearConv")(with_channels_last("Conv", 0, 3))


@outputs("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul")
def _multiply(given: Given) -> Iterable[Output]:
    factors = []
    for place, side in enumerate("AB"):
        sizes = list(given.sizes(place))
        if len(sizes) > 1 and given.number(f"transBatch{side}"):
            sizes = [*sizes[1:-1], sizes[0], sizes[-1]]
        if len(sizes) > 1 and given.number(f"trans{side}"):
            sizes[-2:] = sizes[:-3:-1]
        factors.append(GraphTensor(name="", dtype="", sizes=tuple(sizes)))
    yield given.get(0), infer_as(given, "MatMul", factors)


@outputs("MatMulNBits", "MatMulBnb4")
def _multiply_packed(given: Given) -> Iterable[Output]:
    yield given.get(0), (*given.sizes(0)[:-1], given.number("N"))


@outputs("GatherBlockQuantized")
def _gather(given: Given) -> Iterable[Output]:
    data, indices = list(given.sizes(0)), given.sizes(1)
    axis = given.number("gather_axis") % len(data)
    if given.get(0).dtype == "uint8" and data[-1] is not None:
        data[-1] *= 8 // given.number("bits", 4)
    yield given.get(2), (*data[:axis], *indices, *data[axis + 1 :])


@outputs("DynamicQuantizeLSTM")
def _step(given: Given) -> Iterable[Output]:
    steps, batch, _ = given.sizes(0)
    directions, _, gates = given.sizes(1)
    if gates is None:
        raise Unknown
    state = (directions, batch, gates // 4)
    yield given.get(0), (steps, directions, batch, gates // 4)
    yield given.get(0), state
    yield given.get(0), state


@outputs("TorchEmbedding")
def _look_up(given: Given) -> Iterable[Output]:
    yield given.get(0), (*given.sizes(1), given.sizes(0)[1])


@outputs("Rfft")
def _transform(given: Given) -> Iterable[Output]:
    *outer, points = given.sizes(0)
    if points is None or given.number("signal_ndim", 1) != 1:
        raise Unknown
    yield given.get(0), (*outer, points // 2 + 1 if given.number("onesided", 1) else points, 2)


@outputs("Irfft")
def _transform_back(given: Given) -> Iterable[Output]:
    *outer, points, _ = given.sizes(0)
    if points is None or given.number("signal_ndim", 1) != 1:
        raise Unknown
    yield given.get(0), (*outer, 2 * (points - 1) if given.number("onesided", 1) else points)


@outputs("QuantizeLinear")
def _quantise(given: Given) -> Iterable[Output]:
    yield given.get(2), given.get(0).sizes


@outputs("DequantizeLinear")
def _dequantise(given: Given) -> Iterable[Output]:
    yield given.get(1), given.get(0).sizes
