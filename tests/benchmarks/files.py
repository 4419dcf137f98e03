"""Count 20 networks of torchvision from four kinds of files, beside the networks themselves.

    python tests/benchmarks/files.py [NETWORK …] [--save FILE]

Each network is exported with random weights to a .pt2 program, to TorchScript (traced, and scripted where torch
can), and to ONNX by both of torch's exporters. Each file is counted by its path, and its multiply-accumulates and
parameters are compared with those of the network's own trace, in all and layer by layer; so is the backward pass
of a .pt2 program and of TorchScript. What differs stands in the row. With --save, networks that are in the file
already are left out, so that an interrupted sweep goes on.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
import torchvision  # type: ignore[import-untyped]
from onnx_graphs import NETWORKS, SIZES
from torch import nn

import resflops
from resflops.cost import Cost

Row = dict[str, Any]


def export_program(module: nn.Module, image: torch.Tensor, path: Path) -> None:
    """Export by torch.export."""
    torch.export.save(torch.export.export(module, (image,)), path)


def export_traced(module: nn.Module, image: torch.Tensor, path: Path) -> None:
    """Trace to TorchScript."""
    # ViT takes its attention's fast path at random in the check that torch makes.
    torch.jit.trace(module, image, check_trace=False).save(path)  # type: ignore[no-untyped-call]


def export_scripted(module: nn.Module, image: torch.Tensor, path: Path) -> None:
    """Script to TorchScript."""
    del image
    torch.jit.script(module).save(path)  # type: ignore[no-untyped-call]


def export_old(module: nn.Module, image: torch.Tensor, path: Path) -> None:
    """Export to ONNX by the older exporter."""
    torch.onnx.export(module, (image,), path, dynamo=False)


def export_new(module: nn.Module, image: torch.Tensor, path: Path) -> None:
    """Export to ONNX by the newer exporter."""
    torch.onnx.export(module, (image,), path, dynamo=True, external_data=False, verbose=False)


FORMATS: dict[str, tuple[str, Callable[[nn.Module, torch.Tensor, Path], None]]] = {
    "program": (".pt2", export_program),
    "traced": (".pt", export_traced),
    "scripted": (".pt", export_scripted),
    "ONNX, older exporter": (".onnx", export_old),
    "ONNX, newer exporter": (".onnx", export_new),
}


def add_up_layers(cost: Cost) -> Counter[str]:
    """Add up the multiply-accumulates of each layer that has some."""
    macs: Counter[str] = Counter()
    for row in cost.layers:
        macs[row.name] += row.macs
    return +macs


def compare(own: Cost, cost: Cost) -> Row:
    """Compare the count of a file with that of its network."""
    layers, theirs = add_up_layers(own), add_up_layers(cost)
    differing = sorted(name for name in layers | theirs if layers[name] != theirs[name])
    row: Row = {
        "macs": cost.macs,
        "of_network": own.macs,
        "layers_that_differ": differing,
        "parameters": cost.params,
        "parameters_of_network": own.params,
        "uncounted": [each.op for each in cost.uncounted],
        "flops_more": cost.under("flops").total - own.under("flops").total,
        "notes": list(cost.trace.notes),
    }
    if own.backward is not None and cost.backward is not None:
        row["backward_macs_more"] = cost.backward.macs - own.backward.macs
    return row


def count_file(module: nn.Module, image: torch.Tensor, own: Cost, kind: str, folder: Path) -> Row:
    """Export a network to one kind of file and count it."""
    ending, export = FORMATS[kind]
    path = folder / f"network{ending}"
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            export(module, image, path)
    # Torch may raise anything: not every network goes into every format.
    except Exception as error:
        return {"not_exported": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"}
    start = time.perf_counter()
    try:
        cost = resflops.count(path, tuple(image.shape), backward=ending != ".onnx")
    except resflops.ResflopsError as error:
        return {"not_counted": str(error)}
    finally:
        megabytes = path.stat().st_size / 1e6
        path.unlink()
    return {
        "seconds": round(time.perf_counter() - start, 3),
        "megabytes": round(megabytes, 1),
        **compare(own, cost),
    }


def count_network(name: str) -> dict[str, Row]:
    """Count a network from each kind of file."""
    options: dict[str, Any] = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    module = getattr(torchvision.models, name)(**options).eval()
    size = SIZES.get(name, 224)
    image = torch.zeros(1, 3, size, size)
    own = resflops.count(module, tuple(image.shape), backward=True)
    with tempfile.TemporaryDirectory() as folder:
        return {kind: count_file(module, image, own, kind, Path(folder)) for kind in FORMATS}


def describe(row: Row) -> str:
    """Describe how a file differs from its network, in one line."""
    if reason := row.get("not_exported") or row.get("not_counted"):
        return str(reason)
    differences = [
        f"MACs {row['macs'] - row['of_network']:+,}" if row["macs"] != row["of_network"] else "",
        f"{len(row['layers_that_differ'])} layers" if row["layers_that_differ"] else "",
        f"backward MACs {row['backward_macs_more']:+,}" if row.get("backward_macs_more") else "",
        f"uncounted: {', '.join(row['uncounted'])}" if row["uncounted"] else "",
        f"parameters {row['parameters'] - row['parameters_of_network']:+,}"
        if row["parameters"] != row["parameters_of_network"]
        else "",
    ]
    folded = [note for note in row["notes"] if note.startswith("BatchNorm")]
    return "; ".join([*filter(None, differences), *folded]) or "equal, layer by layer"


def main() -> None:
    """Run the sweep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--save", type=Path, metavar="FILE")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    done: dict[str, dict[str, Row]] = {}
    if args.save and args.save.exists():
        done = json.loads(args.save.read_text(encoding="utf-8"))["networks"]
    for name in args.networks or NETWORKS:
        if name in done:
            continue
        done[name] = count_network(name)
        for kind, row in done[name].items():
            print(f"{name:20} {kind:22} {row.get('macs', 0):>15,}  {describe(row)}", flush=True)
        if args.save:
            versions = {"torch": str(torch.__version__), "torchvision": torchvision.__version__}
            text = json.dumps({"versions": versions, "networks": done}, indent=1, sort_keys=True)
            args.save.write_text(text + "\n", encoding="utf-8")
    rows = [row for kinds in done.values() for row in kinds.values() if "macs" in row]
    equal = sum(row["macs"] == row["of_network"] for row in rows)
    layers = sum(not row["layers_that_differ"] for row in rows)
    print(f"{len(rows)} files: MACs equal in {equal}, layer by layer in {layers}")
    sys.exit(equal != len(rows))


if __name__ == "__main__":
    main()
