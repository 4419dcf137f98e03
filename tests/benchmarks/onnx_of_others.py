"""Store ONNX graphs that other programs than torch write, without their weights.

    python tests/benchmarks/onnx_of_others.py [NAME …]

The tests read them and hold their figures against counts by hand or by a run. Each maker needs packages that resflops
does not: tensorflow, keras, tf2onnx and onnxruntime; scikit-learn and skl2onnx; jax and jax2onnx; transformers, torch
and onnxruntime. Where they do not go together, run it once in an environment of each: a graph whose packages are
missing stays as it is stored.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto
from onnx_archive import read, strip, write

ARCHIVE = Path(__file__).parents[1] / "sources" / "onnx_files" / "others.zip"
SIDE = 16

Made = Iterator[tuple[str, ModelProto]]


def make_of_tensorflow(folder: Path) -> Made:
    """Make convolutions, recurrent networks and a transformer of Keras, by tf2onnx and by Keras itself."""
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    net = build_convnet(keras, batch=None)
    net.export(folder / "saved", format="tf_saved_model", verbose=False)
    yield "tf2onnx-convnet", convert("--saved-model", folder / "saved", folder)
    # For integers, the batch is fixed.
    (folder / "net.tflite").write_bytes(quantise_lite(tf, build_convnet(keras, batch=1)))
    yield "tf2onnx-tflite", convert("--tflite", folder / "net.tflite", folder)
    recurrent = build_recurrent(keras)
    recurrent.export(folder / "recurrent", format="tf_saved_model", verbose=False)
    yield "tf2onnx-recurrent", convert("--saved-model", folder / "recurrent", folder)
    yield "keras-transformer", export(build_transformer(keras), np.zeros((1, 9), "int32"), folder)
    mobile = keras.applications.MobileNetV2((96, 96, 3), 0.35, weights=None)
    yield "keras-mobilenet_v2", export(mobile, np.zeros((1, 96, 96, 3), "float32"), folder)
    yield from quantise(export(net, np.zeros((1, SIDE, SIDE, 3), "float32"), folder), folder)


def build_convnet(keras: Any, batch: int | None) -> Any:
    """Build a network of every kind of convolution, in Keras's layout: channels last."""
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3), batch_size=batch, name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU(6.0, name="relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.SeparableConv2D(12, 3, name="separable")(x)
    x += layers.Conv2D(12, 3, dilation_rate=2, padding="same", activation="relu", name="dilated")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="up")(x)
    x = layers.UpSampling2D(interpolation="bilinear", name="larger")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(layers.MaxPooling2D(2, name="pool")(x))
    net = keras.Model(image, layers.Dense(10, activation="softmax", name="head")(x), name="net")
    # A bias or a mean of zero is left out of a file.
    random = np.random.default_rng(0)
    net.set_weights([random.uniform(0.1, 0.9, each.shape) for each in net.get_weights()])
    return net


def build_recurrent(keras: Any) -> Any:
    """Build an LSTM of both directions and a GRU, which becomes a loop."""
    layers = keras.layers
    tokens = keras.Input((7, 6), batch_size=2, name="tokens")
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="both")(tokens)
    return keras.Model(tokens, layers.Dense(3, name="head")(layers.GRU(4, name="gru")(x)), name="net")


def build_transformer(keras: Any) -> Any:
    """Build one block, with GELU by an operator of TensorFlow's that ONNX does not have."""
    layers = keras.layers
    ids = keras.Input((9,), dtype="int32", name="ids")
    x = layers.Embedding(50, 16, name="words")(ids)
    x = layers.LayerNormalization(name="norm1")(x + layers.MultiHeadAttention(2, 8, name="attention")(x, x))
    y = layers.Dense(16, name="fc2")(layers.Dense(32, activation="gelu", name="fc1")(x))
    x = layers.LayerNormalization(name="norm2")(x + y)
    return keras.Model(ids, layers.Dense(4, name="head")(x[:, 0]), name="net")


def convert(kind: str, path: Path, folder: Path) -> ModelProto:
    """Convert a file of TensorFlow's by tf2onnx."""
    made = folder / "converted.onnx"
    command = [sys.executable, "-m", "tf2onnx.convert", kind, str(path), "--output", str(made)]
    subprocess.run([*command, "--opset", "17"], check=True, capture_output=True)
    return onnx.load(made)


def export(net: Any, given: Any, folder: Path) -> ModelProto:
    """Export a network by Keras."""
    net(given)
    net.export(folder / "exported.onnx", format="onnx", verbose=False)
    return onnx.load(folder / "exported.onnx")


def quantise_lite(tf: Any, net: Any) -> bytes:
    """Convert a network to integers by TensorFlow Lite."""
    random = np.random.default_rng(1)
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [random.random((1, SIDE, SIDE, 3), "float32")] for _ in range(3)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    made: bytes = converter.convert()
    return made


def quantise(model: ModelProto, folder: Path) -> Made:
    """Quantise a network in onnxruntime's three ways, and let it optimise the network as it would run it."""
    import onnxruntime
    from onnxruntime import quantization

    class Images(quantization.CalibrationDataReader):  # type: ignore[misc]
        left = 2

        def get_next(self) -> dict[str, Any] | None:
            if not self.left:
                return None
            self.left -= 1
            return {"image": np.random.default_rng(self.left).random((1, SIDE, SIDE, 3), "float32")}

    plain, made = folder / "plain.onnx", folder / "made.onnx"
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(onnx.shape_inference.infer_shapes(model), plain)
    for kind in ("QDQ", "QOperator"):
        form = quantization.QuantFormat[kind]
        quantization.quantize_static(plain, made, Images(), quant_format=form, per_channel=kind == "QDQ")
        yield f"onnxruntime-{kind.lower()}", onnx.load(made)
    quantization.quantize_dynamic(plain, made, weight_type=quantization.QuantType.QUInt8)
    yield "onnxruntime-dynamic", onnx.load(made)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(made)
    # The next level lays channels out by blocks, for the processor at hand.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
    yield "onnxruntime-optimised", onnx.load(made)


def make_of_sklearn(folder: Path) -> Made:
    """Make a perceptron, a linear classifier and a forest, each after a scaling, of scikit-learn."""
    del folder
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(0)
    table, classes = random.random((60, 5), "float32"), random.integers(0, 3, 60)
    for name, last in (
        ("perceptron", MLPClassifier((12, 7), max_iter=5, random_state=0)),
        ("logistic", LogisticRegression()),
        ("forest", RandomForestClassifier(2, max_depth=2, random_state=0)),
    ):
        fitted = make_pipeline(StandardScaler(), last).fit(table, classes)
        yield f"sklearn-{name}", to_onnx(fitted, table[:1], target_opset=17, options={"zipmap": False})


def make_of_jax(folder: Path) -> Made:
    """Make a network of plain functions of JAX."""
    del folder
    import jax
    from jax2onnx import to_onnx

    random = np.random.default_rng(0)
    kernel, weight = random.random((3, 3, 3, 8), "float32"), random.random((8, 5), "float32")

    def net(image: Any) -> Any:
        layout = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(image, kernel, (2, 2), "SAME", dimension_numbers=layout)
        x = jax.numpy.einsum("bhwc,bhwd->bcd", jax.nn.relu(x), x)
        return jax.nn.softmax(x @ weight)

    yield "jax2onnx-net", to_onnx(net, [(2, SIDE, SIDE, 3)])


def make_of_bert(folder: Path) -> Made:
    """Let onnxruntime's optimiser of transformers fuse the parts of a small BERT."""
    import torch
    from onnxruntime.transformers import optimizer
    from transformers import BertConfig, BertModel

    sizes: dict[str, Any] = {
        "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 64, "max_position_embeddings": 24, "attn_implementation": "eager",
    }  # fmt: skip
    config = BertConfig(**sizes)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel(config)
            for parameter in self.parameters():
                torch.nn.init.uniform_(parameter)

        def forward(self, ids: torch.Tensor, mask: torch.Tensor, kinds: torch.Tensor) -> Any:
            given = self.bert(input_ids=ids, attention_mask=mask, token_type_ids=kinds)
            return given.last_hidden_state, given.pooler_output

    ids, names = torch.ones(1, 8, dtype=torch.long), ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(
        Net().eval(), (ids, ids, torch.zeros_like(ids)), folder / "bert.onnx", dynamo=False,
        opset_version=17, input_names=names, output_names=["states", "pooled"],
        dynamic_axes={name: {0: "batch", 1: "sequence"} for name in names},
    )  # fmt: skip
    fused = optimizer.optimize_model(str(folder / "bert.onnx"), "bert", num_heads=4, hidden_size=32)
    yield "onnxruntime-bert", fused.model


MAKERS: tuple[Callable[[Path], Made], ...] = (
    make_of_tensorflow, make_of_sklearn, make_of_jax, make_of_bert,
)  # fmt: skip


def main() -> None:
    """Store the graphs."""
    asked, stored = sys.argv[1:], read(ARCHIVE)
    for make in MAKERS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                for name, model in make(Path(folder)):
                    if not asked or name in asked:
                        stored[f"{name}.onnx"] = strip(model)
                        print(name, len(stored[f"{name}.onnx"]), flush=True)
            except ImportError as error:
                print(f"{make.__name__}: {error}; left as it is")
    write(ARCHIVE, stored)


if __name__ == "__main__":
    main()
