"""A state dict is told to fit a network by its names and shapes."""

import pytest

import resflops
from resflops.sources.checkpoints.fitting import find_network


def list_shapes(spec):
    return {name: tuple(tensor.shape) for name, tensor in resflops.load(spec).state_dict().items()}


@pytest.mark.parametrize(
    "spec",
    ["torchvision/resnet18", "torchvision/resnet18,num_classes=10", "torchvision/squeezenet1_1,num_classes=7",
     "torchvision/swin_t", "torchvision/vit_b_16", "torchvision/googlenet", "torchvision/mobilenet_v3_small",
     "torchvision/raft_small", "resnet20", "resnet34,shortcut=A"],
)  # fmt: skip
def test_a_network_is_found_by_its_own_state_dict(spec):
    # Parameters of shortcuts that the other networks have are missing here.
    assert find_network(list_shapes(spec)) == ("plain34" if spec == "resnet34,shortcut=A" else spec)


def test_a_prefix_of_all_names_and_what_older_versions_did_not_store_change_nothing():
    shapes = list_shapes("torchvision/resnet18")
    wrapped = {f"model.module.{name}": shape for name, shape in sorted(shapes.items())}
    assert find_network(wrapped) == "torchvision/resnet18"
    older = {name: shape for name, shape in shapes.items() if not name.endswith("num_batches_tracked")}
    assert find_network(older) == "torchvision/resnet18"


def test_another_shape_or_a_tensor_more_is_another_network():
    shapes = list_shapes("torchvision/resnet18")
    assert find_network({**shapes, "conv1.weight": (64, 4, 7, 7)}) == ""
    assert find_network({**shapes, "more": (1,)}) == ""
    assert find_network({}) == ""
