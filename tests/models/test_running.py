"""The networks run, learn, and compute what torchvision's compute."""

import pytest
import torch
import torchvision  # type: ignore[import-untyped]
from torch import nn
from torch.nn import functional

from resflops.models import NETWORKS, build
from resflops.models.blocks import ZeroPaddedIdentity
from resflops.models.tf_cifar import SamePadding


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 64),
        ("plain18", 64),
        ("resnet50", 64),
        ("resnet20", 32),
        ("preact_resnet18", 64),
        ("preact_resnet50", 32),
        ("preact_resnet110", 8),
        ("preact_resnet164", 8),
        ("wrn_16_4", 8),
        ("resnext50_32x4d", 32),
        ("resnext29_8x64d", 8),
        ("keras_resnet50", 32),
        ("keras_resnet50_v2", 64),
        ("tf_resnet18_cifar", 32),
    ],
)
def test_a_network_runs_and_every_parameter_learns(name: str, size: int) -> None:
    torch.manual_seed(0)
    model = build(NETWORKS[name], num_classes=3).train()
    logits = model(torch.randn(2, 3, size, size))
    assert logits.shape == (2, 3)
    torch.autograd.backward(functional.cross_entropy(logits, torch.tensor([0, 2])))
    assert [key for key, value in model.named_parameters() if value.grad is None] == []
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", ["vgg11_lrn", "vgg16_c_bn"])
def test_vgg_runs_and_every_parameter_learns(name: str) -> None:
    model = build(NETWORKS[name], num_classes=3).train()
    logits = model(torch.randn(2, 3, 32, 32))
    torch.autograd.backward(logits.sum())
    assert logits.shape == (2, 3)
    assert all(value.grad is not None for value in model.parameters())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("resnet18", "resnet18"), ("resnet50_v1_5", "resnet50"), ("resnext50_32x4d", "resnext50_32x4d")],
)
def test_torchvisions_weights_give_torchvisions_outputs(ours: str, theirs: str) -> None:
    torch.manual_seed(0)
    expected = torchvision.models.get_model(theirs, weights=None).eval()
    actual = build(NETWORKS[ours]).eval()
    actual.load_state_dict(expected.state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(actual(images), expected(images), rtol=0, atol=0)


@pytest.mark.parametrize(
    "name", ["resnet20", "resnet18", "preact_resnet110", "wrn_16_4", "tf_resnet18_cifar"]
)
def test_convolutions_start_with_kaimings_variance(name: str) -> None:
    model = build(NETWORKS[name])
    weight = model.get_parameter("layer3.0.conv2.weight")
    fan_out = weight.shape[0] * weight[0, 0].numel()
    assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)


def test_shortcut_a_subsamples_and_appends_zeros() -> None:
    images = torch.randn(1, 2, 5, 5)
    out = ZeroPaddedIdentity(3, stride=2)(images)
    assert out.shape == (1, 5, 3, 3)
    assert torch.equal(out[:, :2], images[:, :, ::2, ::2])
    assert not out[:, 2:].any()


@pytest.mark.parametrize("size", range(3, 12))
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding_makes_an_output_of_the_size_over_the_stride_rounded_up(size: int, stride: int) -> None:
    padded = SamePadding(3, stride=stride)(torch.zeros(1, 1, size, size))
    out = nn.Conv2d(1, 1, 3, stride=stride)(padded)
    assert out.shape[2:] == (-(-size // stride),) * 2


def test_the_tensorflow_network_shrinks_as_its_description_says() -> None:
    with torch.device("meta"):
        model = build(NETWORKS["tf_resnet18_cifar"]).eval()
        sizes: list[int] = []
        for layer in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            model.get_submodule(layer).register_forward_hook(lambda *call: sizes.append(call[2].shape[-1]))
        model(torch.empty(1, 3, 32, 32))
    assert sizes == [30, 29, 29, 15, 8, 4]


def test_keras_v2_pads_with_zeros_before_it_pools() -> None:
    with torch.no_grad():
        model = build(NETWORKS["keras_resnet50_v2"])
        pool = model.get_submodule("maxpool")
        assert torch.equal(pool(-torch.ones(1, 1, 4, 4))[0, 0], torch.tensor([[0.0, 0.0], [0.0, -1.0]]))
