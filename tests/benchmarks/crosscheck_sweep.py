"""Every installed peer on one model of each family of torchvision, timm and transformers: what is left over.

    python tests/benchmarks/crosscheck_sweep.py FILE [--models SPEC[@SHAPE] ...] [--peers NAME ...]

Failures are tried again. It writes one line to the file for each pair of model and peer as soon as it is there, and goes on where it
was stopped: what the file has in the peer's present version is not run again (``--anew`` runs it). At the end it
prints model × convention × remainder, for all that the file has and these models name.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from crosscheck_matrix import warm_up

from resflops.counters import Peer
from resflops.counters.installed import find_installed_version
from resflops.crosschecking import reconcile_model, select_peers
from resflops.crosschecking.reconciliation import Reconciliation
from resflops.errors import ResflopsError
from resflops.sources import find
from resflops.sources.live_traces import trace_found
from resflops.tracing.generators import fix_generators

IMAGE, SMALL, VIDEO = "3x224x224", "3x64x64", "3x4x64x64"

TORCHVISION = {
    SMALL: (
        "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "mnasnet0_5",
        "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50",
        "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn",
        "wide_resnet50_2", "fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large",
        "fasterrcnn_mobilenet_v3_large_320_fpn", "retinanet_resnet50_fpn", "ssd300_vgg16",
        "ssdlite320_mobilenet_v3_large", "fcos_resnet50_fpn", "maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn",
    ),
    IMAGE: ("googlenet", "inception_v3", "maxvit_t", "vit_b_32"),
    VIDEO: ("mc3_18", "r2plus1d_18", "r3d_18", "swin3d_t"),
    "3x16x64x64": ("s3d",),
    "3x16x224x224": ("mvit_v1_b", "mvit_v2_s"),
    "3x128x128": ("raft_small",),
}  # fmt: skip

TIMM = {
    SMALL: (
        "resnet10t", "efficientnet_lite0", "convnextv2_atto", "ghostnet_100", "hrnet_w18_small",
        "mobilenetv4_conv_small", "nfnet_f0", "regnetz_b16", "resnest14d", "rexnet_100", "tinynet_e",
        "darknet53", "cspresnet50", "vgg11",
    ),
    IMAGE: (
        "vit_tiny_patch16_224", "deit_tiny_patch16_224", "beit_base_patch16_224", "cait_xxs24_224",
        "convit_tiny", "coat_tiny", "crossvit_9_240@3x240x240", "eva02_tiny_patch14_224", "levit_128s",
        "mixer_s32_224", "mvitv2_tiny", "poolformer_s12", "pvt_v2_b0", "swinv2_cr_tiny_224", "tnt_s_legacy_patch16_224",
        "twins_svt_small", "volo_d1_224", "xcit_nano_12_p16_224", "edgenext_xx_small", "fastvit_t8",
    ),
}  # fmt: skip

TRANSFORMERS = (
    "hf/bert,num_hidden_layers=2", "hf/gpt2,n_layer=2", "hf/llama,num_hidden_layers=2,hidden_size=128,intermediate_size=256",
    "hf/t5,num_layers=2", "hf/vit,num_hidden_layers=2", "hf/qwen2,num_hidden_layers=2,hidden_size=256,intermediate_size=256,num_attention_heads=4,num_key_value_heads=2",
    "hf/mamba,num_hidden_layers=2,hidden_size=64", "hf/whisper,encoder_layers=2,decoder_layers=2",
)  # fmt: skip


class Remainder(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a peer on one model, as far as its remainder goes."""

    model: str
    peer: str
    version: str
    convention: str
    figure: int | None
    unexplained: int
    unexplained_params: int
    causes: dict[str, int]
    failure: str
    uncounted: tuple[str, ...]


def list_models() -> list[str]:
    """List the sweep's models, each with its input."""
    return [
        *(f"torchvision/{name}@{shape}" for shape, names in TORCHVISION.items() for name in names),
        *(
            f"timm/{name}" if "@" in name else f"timm/{name}@{shape}"
            for shape, names in TIMM.items()
            for name in names
        ),
        *TRANSFORMERS,
    ]


def sweep(models: Iterable[str], peers: Sequence[Peer], *, seconds: float = 300) -> Iterator[Remainder]:
    """Run peers on models, and yield each figure with what is left of it."""
    for model in models:
        yield from sweep_model(model, peers, seconds=seconds)


def sweep_model(model: str, peers: Sequence[Peer], *, seconds: float) -> Iterator[Remainder]:
    """Run peers on one model; what cannot be built or traced is a row for each of them."""
    spec, _, shape = model.partition("@")
    try:
        # As on the command line: the very model that a count takes, and the same random numbers for every peer.
        opened, _ = trace_found(find(spec), input_shape=tuple(map(int, shape.split("x"))) if shape else None)
        with fix_generators():
            for row in reconcile_model(
                opened.module, opened.args, opened.kwargs, peers=peers, spec=model, seconds=seconds
            ):
                yield make_remainder(row)
    except ResflopsError as error:
        for peer in peers:
            yield Remainder(
                model=model, peer=peer.name, version=find_installed_version(peer) or "",
                convention=peer.convention.name, figure=None, unexplained=0, unexplained_params=0, causes={},
                failure=str(error), uncounted=(),
            )  # fmt: skip


def make_remainder(row: Reconciliation) -> Remainder:
    """Keep of a row what the table shows."""
    return Remainder(
        model=row.model,
        peer=row.peer,
        version=row.version,
        convention=row.convention,
        figure=row.figure,
        unexplained=row.unexplained,
        unexplained_params=row.unexplained_params,
        causes={cause.name: cause.amount for cause in row.causes},
        failure=row.failure,
        uncounted=row.uncounted,
    )


def read(path: Path) -> dict[tuple[str, str], Remainder]:
    """Read a file of earlier rows, the last one of each model and convention."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [msgspec.json.decode(line, type=Remainder) for line in lines]
    return {(row.model, row.convention): row for row in rows}


def render(rows: Iterable[Remainder]) -> str:
    """Write the table: each remainder, each failure, and how many figures are explained."""
    rows = list(rows)
    open_ones = [row for row in rows if row.failure or row.unexplained or row.unexplained_params]
    lines = []
    for row in open_ones:
        left = f"{row.unexplained:>16,}" + (
            f"  parameters {row.unexplained_params:,}" if row.unexplained_params else ""
        )
        lines.append(f"{row.model:<60} {row.convention:<22} {row.failure[:200] or left}")
    failed = sum(bool(row.failure) for row in open_ones)
    lines.append(
        f"{len(rows)} figures of {len({row.model for row in rows})} models: "
        f"{len(rows) - len(open_ones)} explained, {len(open_ones) - failed} with a remainder, {failed} failed"
    )
    return "\n".join(lines)


def main() -> None:
    """Run what the file lacks, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--models", nargs="+", metavar="SPEC[@SHAPE]", help="all of the sweep if not given")
    parser.add_argument("--peers", nargs="+")
    parser.add_argument("--seconds", type=float, default=300, help="the time limit for each peer")
    parser.add_argument("--anew", action="store_true", help="run also what the file has already")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    models, peers = given.models or list_models(), select_peers(given.peers)
    known = {} if given.anew else read(given.file)
    there = {(row.model, row.peer, row.version) for row in known.values() if not row.failure}
    warm_up()
    with given.file.open("a") as out:
        for model in models:
            todo = [
                peer for peer in peers
                if (model, peer.name, find_installed_version(peer) or "") not in there
            ]  # fmt: skip
            started = time.monotonic()
            rows = []
            for row in sweep_model(model, todo, seconds=given.seconds) if todo else ():
                out.write(msgspec.json.encode(row).decode() + "\n")
                out.flush()
                rows.append(row)
            if rows:
                sys.stderr.write(f"{time.monotonic() - started:.0f} s\n{render(rows)}\n")
    names = {peer.name for peer in peers}
    print(render(row for row in read(given.file).values() if row.model in models and row.peer in names))


if __name__ == "__main__":
    main()
