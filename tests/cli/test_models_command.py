"""``resflops models`` with a pattern: what is installed, by name."""

import json

import pytest

from resflops.cli import main
from resflops.sources import names


def list_rows(capsys, *arguments):
    assert main(["models", *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)["rows"]


@pytest.mark.parametrize("source", ["timm", "torchvision", "torchvision/", "hf"])
def test_a_source_lists_all_its_models(capsys, source):
    listed = [row["model"] for row in list_rows(capsys, source)]
    assert sorted(listed) == sorted(names(source.rstrip("/")))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("torchvision/vit_b", ["torchvision/vit_b_16", "torchvision/vit_b_32"]),
        ("torchvision/vit_?_16", ["torchvision/vit_b_16", "torchvision/vit_l_16"]),
        ("ViT_H_14", ["torchvision/vit_h_14"]),
        (
            "vgg1[69]",
            ["vgg16", "vgg19", "timm/vgg16", "timm/vgg19", "torchvision/vgg16", "torchvision/vgg19"],
        ),
    ],
)
def test_a_pattern_or_a_part_of_a_name_finds_models_of_every_source(capsys, pattern, found):
    assert [row["model"] for row in list_rows(capsys, pattern)] == found


def test_built_in_networks_keep_their_inputs_and_options(capsys):
    (row,) = list_rows(capsys, "plain34")
    assert (row["model"], row["input"]) == ("plain34", [3, 224, 224])


def test_what_matches_nothing_is_refused(capsys):
    assert main(["models", "torchvision/resnet5000"]) == 2
    assert "no installed model matches 'torchvision/resnet5000'; closest: resnet50" in capsys.readouterr().err
