"""Models of torchvision and timm, and what is said where a package is missing."""

import subprocess
import sys

import pytest
import torch

import resflops
from resflops.errors import ModelError, SpecError, UnknownModelError
from resflops.sources import expand, find, names, open_model


def count_spec(spec, **settings):
    opened = open_model(spec, **settings)
    return resflops.count(opened.module, *opened.args, **opened.kwargs)


@pytest.mark.parametrize(
    ("spec", "shapes", "family"),
    [
        ("torchvision/resnet50", [(1, 3, 224, 224)], "classification"),
        ("torchvision/inception_v3", [(1, 3, 299, 299)], "classification"),
        ("torchvision/efficientnet_b7", [(1, 3, 600, 600)], "classification"),
        ("torchvision/vit_h_14", [(1, 3, 518, 518)], "classification"),
        ("torchvision/vit_h_14,image_size=224", [(1, 3, 224, 224)], "classification"),
        ("torchvision/deeplabv3_resnet50", [(1, 3, 520, 520)], "segmentation"),
        ("torchvision/r3d_18", [(1, 3, 16, 112, 112)], "video"),
        ("torchvision/swin3d_t", [(1, 3, 16, 224, 224)], "video"),
        ("torchvision/raft_small", [(1, 3, 512, 512), (1, 3, 512, 512)], "optical_flow"),
        ("torchvision/quantized_resnet18", [(1, 3, 224, 224)], "quantization"),
        ("torchvision/ssd300_vgg16", [(3, 300, 300)], "detection"),
        ("timm/vit_base_patch16_224", [(1, 3, 224, 224)], "classification"),
        ("timm/resnet18,in_chans=1", [(1, 1, 224, 224)], "classification"),
        ("timm/vit_tiny_patch16_224,img_size=96", [(1, 3, 96, 96)], "classification"),
        ("timm/efficientnet_b3.ra2_in1k", [(1, 3, 288, 288)], "classification"),
    ],
)
def test_a_model_takes_the_input_it_was_made_for(spec, shapes, family):
    opened = open_model(spec)
    assert [tuple(tensor.shape) for tensor in torch.utils._pytree.tree_leaves(opened.args)] == shapes
    assert opened.found.family == family
    assert {tensor.device.type for tensor in opened.module.parameters()} == {"meta"}
    assert opened.notes == ()


def test_a_batch_of_a_detector_is_a_list_of_images():
    (images,) = open_model("torchvision/ssd300_vgg16", input_shape=(2, 3, 320, 320)).args
    assert [tuple(image.shape) for image in images] == [(3, 320, 320)] * 2


@pytest.mark.parametrize(
    ("spec", "macs", "params"),
    [
        ("torchvision/resnet50", 4_089_184_256, 25_557_032),
        ("torchvision/regnet_y_400mf", 401_842_848, 4_344_144),
        ("torchvision/resnet18,num_classes=10", 1_813_566_464, 11_181_642),
        ("timm/resnet50", 4_089_184_256, 25_557_032),
    ],
)
def test_a_model_costs_what_it_costs(spec, macs, params):
    cost = count_spec(spec)
    assert (cost.macs, cost.params, cost.complete) == (macs, params, True)


@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "inception_v3",
        "efficientnet_b1",
        "mnasnet0_5",
        "vit_b_32",
        "swin_t",
        "r2plus1d_18",
        "vgg11_bn",
    ],
)
def test_the_figures_that_torchvision_publishes_come_out(name):
    import torchvision

    meta = torchvision.models.get_model_weights(name).DEFAULT.meta
    cost = count_spec(f"torchvision/{name}")
    assert f"{cost.macs / 1e9:.3f}" == f"{meta['_ops']:.3f}"
    assert cost.params == meta["num_params"]


def test_patterns_reach_into_packages():
    assert expand("torchvision/vgg1?_bn") == ["torchvision/vgg11_bn", "torchvision/vgg13_bn", "torchvision/vgg16_bn",
                                              "torchvision/vgg19_bn"]  # fmt: skip
    assert "timm/resnet50d" in expand("timm/resnet*")
    assert expand("torchvision/*") == names("torchvision")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("torchvision/resnet5O", "torchvision/resnet5|closest: resnet50"),
        ("torchvision/", "no model named ''"),
        ("timm/vit_base_patch16_244", "closest: .*vit_base_patch16_224"),
        ("timm/resnet50.a1_in2k", r"closest: .*resnet50\.a1_in1k"),
    ],
)
def test_an_unknown_name_is_an_error_with_near_names(text, near):
    with pytest.raises(UnknownModelError, match=near):
        find(text)


@pytest.mark.parametrize(
    "spec",
    [
        "torchvision/resnet50,weights=DEFAULT",
        "torchvision/deeplabv3_resnet50,weights_backbone=DEFAULT",
        "torchvision/vit_b_16,image_size=large",
        "timm/resnet50,pretrained=true",
        "timm/resnet50,in_chans=x",
    ],
)
def test_an_option_that_makes_no_sense_is_an_error(spec):
    with pytest.raises(SpecError):
        find(spec)


@pytest.mark.parametrize(
    "spec", ["torchvision/resnet50,depth=3", "timm/resnet50,depth=3", "torchvision/vit_b_16,image_size=225"]
)
def test_an_option_that_the_constructor_refuses_is_an_error_with_its_reason(spec):
    with pytest.raises(ModelError, match=r"could not be built: \w+Error: "):
        open_model(spec)


BLOCKED = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
from resflops.errors import ModelError
from resflops.sources import expand, find
for ask in (find, expand):
    try:
        ask({spec!r} if ask is find else {spec!r} + "*")
    except ModelError as error:
        print(error)
find("resnet34")
"""


@pytest.mark.parametrize(
    ("package", "spec"),
    [
        ("torchvision", "torchvision/resnet50"),
        ("timm", "timm/resnet50"),
        ("transformers", "hf/bert"),
    ],
)
def test_a_missing_package_is_an_error_that_says_what_to_install_wherever_it_is_read(package, spec):
    script = BLOCKED.format(package=package, spec=spec)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.endswith(f"which is not installed; pip install {package}") for line in lines)


def test_naming_a_built_in_network_imports_no_torch_and_no_other_package():
    script = (
        "import sys; from resflops.sources import find, expand; find('resnet34'); expand('vgg*');"
        "print({'torch', 'torchvision', 'timm', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
