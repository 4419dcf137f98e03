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


DETECTORS = [
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_320_fpn,rpn_post_nms_top_n_test=0",
    "fcos_resnet50_fpn",
    "keypointrcnn_resnet50_fpn,box_detections_per_img=1",
    "maskrcnn_resnet50_fpn,box_detections_per_img=0",
    "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn",
    "ssd300_vgg16",
    "ssdlite320_mobilenet_v3_large",
]
"""Each with as many boxes as were found when its figure was made, where these are not as many as it keeps."""


@pytest.mark.parametrize("spec", DETECTORS)
def test_the_macs_of_a_detector_are_those_published_if_it_finds_as_many_boxes(spec):
    published = get_model_weights(spec.partition(",")[0]).DEFAULT.meta
    opened = open_model(f"torchvision/{spec}")
    cost = resflops.count(opened.module, *opened.args, **opened.kwargs)
    assert (cost.complete, cost.trace.execution) == (True, "meta")
    printed = f"{published['_ops']:.3f}"
    assert f"{cost.macs / 1e9:.3f}" == printed
