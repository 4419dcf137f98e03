"""An input that a model refuses: which option changes the size, and what was left out of the shape."""

import pytest

from resflops.cli import main

OWN = """
from torch import nn


class Net(nn.Module):
    def __init__(self, img_size=8):
        super().__init__()
        self.head = nn.Linear(3 * img_size * img_size, 2)

    def forward(self, x):
        return self.head(x.flatten(1))
"""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("torchvision/vit_b_16 --input 8x3x384x384", "torchvision/vit_b_16,image_size=384 takes this size"),
        ("torchvision/vit_b_16 --input 384", "torchvision/vit_b_16,image_size=384 takes this size"),
        ("timm/vit_tiny_patch16_224 --input 192x256", "timm/vit_tiny_patch16_224,img_size=[192,256] takes this size"),
        ("hf/vit,num_hidden_layers=1 --input 384", "hf/vit,num_hidden_layers=1,image_size=384 takes this size"),
        ("own.py:Net --input 1x3x16x16", "own.py:Net,img_size=16 takes this size"),
        ("resnet20 --input 224,224,3", "channels come before height and width, as in 3x224x224"),
        ("vgg11 --input 2x224x225x3", "channels come before height and width, as in 2x3x224x225"),
        ("torchvision.models:resnet18 --input 224", "give the whole shape, with the batch, as in 1x3x224x224"),
        ("own.py:Net --input 3x8x8", "give the whole shape, with the batch, as in 1x3x8x8"),
    ],
)  # fmt: skip
def test_a_size_that_a_model_refuses_gets_the_option_that_changes_it(
    capsys, tmp_path, monkeypatch, line, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    assert main(["table", *line.split()]) == 2
    assert capsys.readouterr().err.rstrip().endswith(f"; {says}")


def test_an_option_that_does_not_help_is_not_named(capsys):
    assert main(["table", "torchvision/vit_b_16", "--input", "225"]) == 2
    assert "image_size" not in capsys.readouterr().err


def test_the_option_counts_what_it_says(capsys):
    assert main(["table", "torchvision/vit_b_16,image_size=384", "--batch", "8"]) == 0
    assert "8×3×384×384" in capsys.readouterr().out
