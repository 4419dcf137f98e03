"""Make the table by which a state dict is told to fit a network, or check it.

    python tests/benchmarks/list_state_dicts.py [--check]

To be run when torchvision or the built-in networks change. With ``--check`` nothing is written, and the
script ends with 1 if the table differs from what is installed.
"""

import argparse
import sys
from pathlib import Path

import msgspec

import resflops
from resflops.errors import ResflopsError
from resflops.sources import checkpoints, names
from resflops.sources.checkpoints.fitting import (
    FILE,
    KnownNetworks,
    NetworkDigest,
    digest_shapes,
    find_heads,
)

TABLE = Path(checkpoints.__file__).parent / FILE
CLASSES = (1000, 400, 101, 91, 21, 10)
"""As many as networks for ImageNet, Kinetics, UCF, COCO, VOC and CIFAR have."""


def list_networks() -> KnownNetworks:
    """Build every network of torchvision and every built-in one on meta, and digest its state dict."""
    heads: list[list[str]] = [[]]
    networks: dict[str, NetworkDigest] = {}
    for spec in (*names("torchvision"), *names()):
        # The weights of these are packed in other tensors than those of the network that is built.
        if spec.startswith("torchvision/quantized"):
            continue
        try:
            model = resflops.load(spec)
        except ResflopsError as error:
            print(f"{spec}: {error}", file=sys.stderr)
            continue
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        classes = next((number for number in CLASSES if find_heads(shapes, number)), 0)
        own = find_heads(shapes, classes) if classes else []
        if own not in heads:
            heads.append(own)
        # The same names and shapes may be another network, as two strides may be exchanged: torchvision's,
        # whose weights people have, comes first.
        networks.setdefault(digest_shapes(shapes, own), NetworkDigest(spec, heads.index(own), classes))
    return KnownNetworks(heads=heads, networks=networks)


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(
        description="The state dicts of torchvision's and the built-in networks."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if the table differs")
    found = list_networks()
    if parser.parse_args().check:
        return int(msgspec.json.decode(TABLE.read_bytes(), type=KnownNetworks) != found)
    # A network a line, so that a change shows which ones it concerns.
    heads, networks = (msgspec.json.encode(part).decode() for part in (found.heads, found.networks))
    TABLE.write_text('{"heads": ' + heads + ',\n"networks": ' + networks.replace("],", "],\n") + "}\n")
    print(f"{TABLE}: {len(found.networks)} networks, {TABLE.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
