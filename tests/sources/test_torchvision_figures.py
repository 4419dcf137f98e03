"""A sample of what torchvision publishes of its models; tests/benchmarks/torchvision_figures.py has them all."""

import pytest
from torchvision.models import get_model_weights

import resflops
from resflops.sources import open_model

SAMPLE = [
    "alexnet", "convnext_tiny", "deeplabv3_resnet50,aux_loss=true", "densenet121", "efficientnet_b0",
    "googlenet,aux_logits=false",
    "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v3_large", "r3d_18", "raft_small", "regnet_y_400mf",
    "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_1", "swin_t", "swin_v2_t", "swin3d_t", "vgg19_bn",
    "vit_b_16", "wide_resnet50_2",
]  # fmt: skip


@pytest.mark.parametrize("spec", SAMPLE)
def test_macs_and_parameters_are_those_that_torchvision_publishes(spec):
    # The weights were published with or without a second classifier, which the options ask for.
    published = get_model_weights(spec.partition(",")[0]).DEFAULT.meta
    opened = open_model(f"torchvision/{spec}")
    cost = resflops.count(opened.module, *opened.args, **opened.kwargs)
    assert cost.complete
    assert cost.params == published["num_params"]
    assert f"{cost.macs / 1e9:.3f}" == f"{published['_ops']:.3f}"
