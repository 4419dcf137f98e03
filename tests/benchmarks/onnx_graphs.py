"""Store the graphs that torch's two ONNX exporters make of torchvision's networks, without their weights.

    python tests/benchmarks/onnx_graphs.py [NETWORK …]

The tests read them: what an exporter writes changes with its version, and exporting takes minutes. Each network
is exported on the CPU with random weights, and of its file are kept the nodes with their names and scopes and the
types and sizes of the initialisers. A stored network is left out unless it is named.
"""

import io
import sys
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
import torchvision  # type: ignore[import-untyped]
from onnx import ModelProto
from onnx_archive import read, strip, write

import resflops

ARCHIVE = Path(__file__).parents[1] / "sources" / "onnx_files" / "networks.zip"
SIZES = {"inception_v3": 299}
NETWORKS = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet",
    "inception_v3", "maxvit_t", "mnasnet1_0", "mobilenet_v2", "mobilenet_v3_large", "regnet_y_400mf",
    "resnet18", "resnet34", "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_1", "swin_t", "vgg19",
    "vit_b_16",
)  # fmt: skip


def export(name: str, *, dynamo: bool) -> ModelProto:
    """Export a network."""
    options: dict[str, Any] = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    module = getattr(torchvision.models, name)(**options).eval()
    size = SIZES.get(name, 224)
    image = torch.zeros(1, 3, size, size)
    if dynamo:
        program = torch.onnx.export(module, (image,), dynamo=True, verbose=False)
        made: ModelProto = program.model_proto  # type: ignore[union-attr]
        return made
    file = io.BytesIO()
    torch.onnx.export(module, (image,), file, dynamo=False)  # type: ignore[arg-type]
    return onnx.load_model_from_string(file.getvalue())


def main() -> None:
    """Store the graphs."""
    asked = sys.argv[1:]
    warnings.simplefilter("ignore")
    stored = read(ARCHIVE)
    for name in asked or NETWORKS:
        for dynamo in (False, True):
            entry = f"{name}-{'new' if dynamo else 'old'}.onnx"
            if entry in stored and not asked:
                continue
            model = export(name, dynamo=dynamo)
            stored[entry] = strip(model)
            print(entry, resflops.count(model).macs, len(stored[entry]), flush=True)
            write(ARCHIVE, stored)


if __name__ == "__main__":
    main()
