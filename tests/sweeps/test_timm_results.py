"""What timm prints of its networks, joined to a sweep.

timm_results.csv has 31 rows of results/benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv in timm's repository
(huggingface/pytorch-image-models, commit 5c33776): millions of parameters, and multiply-accumulates (10⁹) as fvcore
counts them.
"""

from pathlib import Path

import pandas as pd
import pytest

import resflops

PRINTED = Path(__file__).with_name("timm_results.csv")
NAMES = (
    "resnet18",
    "resnet18d",
    "resnext50_32x4d",
    "seresnet18",
    "regnetx_002",
    "mobilenetv3_large_100",
    "vit_tiny_patch16_224",
)


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "zoo.csv"
    resflops.sweep(
        [f"timm/{name}" for name in NAMES],
        inputs=[(3, side, side) for side in (160, 224, 288)],
        conventions=("macs", "fvcore"),
        workers=1,
        out=path,
    )
    zoo, printed = pd.read_csv(path), pd.read_csv(PRINTED)
    return zoo.merge(printed, left_on=["name", "size"], right_on=["model", "infer_img_size"])


def test_every_row_that_timm_prints_of_them_is_found(joined):
    printed = pd.read_csv(PRINTED)
    assert sorted(zip(joined.name, joined["size"], strict=True)) == sorted(
        (row.model, row.infer_img_size) for row in printed.itertuples() if row.model in NAMES
    )


def test_parameters_are_those_that_timm_prints(joined):
    assert (joined.params / 1e6).round(2).tolist() == joined.param_count.tolist()


def test_macs_are_those_that_timm_prints_under_its_convention(joined):
    # Those of ViT were printed without fused attention, which fvcore does not see.
    convolutional = joined[joined.name != "vit_tiny_patch16_224"]
    assert (convolutional.fvcore / 1e9).round(2).tolist() == convolutional.infer_gmacs.tolist()
    assert (convolutional.macs < convolutional.fvcore).all()
