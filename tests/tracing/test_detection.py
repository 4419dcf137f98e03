"""Detectors without weights are counted on shapes, as if they found the most that they keep."""

from functools import partialmethod
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torchvision.models import detection as detectors
from torchvision.models import get_model

import resflops
from resflops.cost.convention import MACS
from resflops.ops import is_free
from resflops.sources import find
from resflops.sources.counting import count_model
from resflops.tracing import detection
from resflops.tracing.observers import InputValues, SparseValues

SMALL = {"min_size": 96, "max_size": 128}
FINDING = {
    detectors.rpn.RegionProposalNetwork: ("filter_proposals", detection.propose_most),
    detectors.roi_heads.RoIHeads: ("postprocess_detections", detection.keep_most_of_proposals),
    detectors.ssd.SSD: ("postprocess_detections", detection.keep_most_of_ssd),
    detectors.retinanet.RetinaNet: ("postprocess_detections", detection.keep_most_of_retinanet),
    detectors.fcos.FCOS: ("postprocess_detections", detection.keep_most_of_fcos),
}


class Written(InputValues):
    """Writes the values that are made up into the tensors of a real run."""

    def remember(self, tensor, value, **_):
        tensor.copy_(value.fill() if isinstance(value, SparseValues) else value)


def call(self, recorder, find_most, own, *args):
    return find_most(recorder, own, self, *args)


@pytest.fixture
def find_the_same(monkeypatch):
    """Let the detectors of this process find in a real run what a pass on shapes makes up."""
    recorder = SimpleNamespace(made_up_values=Written())
    for owner, (name, find_most) in FINDING.items():
        replaced = partialmethod(call, recorder, find_most, getattr(owner, name))
        monkeypatch.setattr(owner, name, replaced)


def build(name, **options):
    return get_model(name, weights=None, weights_backbone=None, **options).eval()


def build_on_meta(name, **options):
    return resflops.load(
        ",".join([f"torchvision/{name}", *(f"{key}={value}" for key, value in options.items())])
    )


def list_work(trace):
    """List the ops that do work: the two executions differ in how they ask for numbers."""
    return [(op.op, op.layer, op.input_shapes, op.output_shapes) for op in trace.ops if not is_free(op.op)]


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("fasterrcnn_mobilenet_v3_large_320_fpn", 320, {}),
        ("fasterrcnn_resnet50_fpn_v2", 96, SMALL),
        ("maskrcnn_resnet50_fpn", 96, {**SMALL, "box_detections_per_img": 7}),
        ("keypointrcnn_resnet50_fpn", 96, {**SMALL, "box_detections_per_img": 3}),
        ("retinanet_resnet50_fpn", 96, SMALL),
        ("fcos_resnet50_fpn", 96, SMALL),
        ("ssdlite320_mobilenet_v3_large", 320, {}),
    ],
)
def test_a_pass_on_shapes_does_what_a_real_run_does_that_finds_as_much(name, size, options, request):
    image = (3, size, size)
    on_shapes = resflops.trace(build_on_meta(name, **options), [resflops.shape(*image)])
    request.getfixturevalue("find_the_same")
    real = resflops.trace(build(name, **options), [torch.zeros(image)], real=True)
    assert (on_shapes.execution, real.execution) == ("meta", "real")
    assert list_work(on_shapes) == list_work(real)


FOUND = (
    "counted as if it found the most that it keeps, {}: what it finds depends on its weights and on the image"
)


@pytest.mark.parametrize(
    ("spec", "found", "bound"),
    [
        (
            "fasterrcnn_mobilenet_v3_large_320_fpn",
            "150 proposals and 100 detections an image, an upper bound of its multiply-accumulates",
            True,
        ),
        (
            "fasterrcnn_mobilenet_v3_large_320_fpn,rpn_post_nms_top_n_test=1",
            # Of classes that add up to one, 19 are over 0.05.
            "1 proposal and 19 detections an image, an upper bound of its multiply-accumulates",
            True,
        ),
        (
            "ssdlite320_mobilenet_v3_large",
            "300 detections an image, on which its multiply-accumulates do not depend",
            False,
        ),
    ],
)
def test_what_it_is_taken_to_find_is_said(spec, found, bound):
    trace = count_model(find(f"torchvision/{spec}"), input_shape=None, convention=MACS).trace
    assert (trace.execution, trace.notes, trace.upper_bound) == ("meta", (FOUND.format(found),), bound)


def test_each_of_two_images_has_its_own_boxes():
    model = build_on_meta("fasterrcnn_mobilenet_v3_large_320_fpn")
    one, two = (resflops.trace(model, [resflops.shape(3, 320, 320)] * images) for images in (1, 2))
    assert two.notes == one.notes
    assert resflops.count(two).macs == 2 * resflops.count(one).macs


def test_a_detector_with_weights_is_run_for_real():
    model = build("fasterrcnn_mobilenet_v3_large_320_fpn")
    trace = resflops.trace(model, [resflops.shape(3, 320, 320)])
    assert (trace.execution, trace.upper_bound) == ("real", False)


def test_a_detector_is_left_as_it_was():
    before = [vars(owner)[name] for owner, (name, _) in FINDING.items()]
    model = build_on_meta("ssdlite320_mobilenet_v3_large")
    attributes = dict(vars(model))
    resflops.trace(model, [resflops.shape(3, 320, 320)])
    assert dict(vars(model)) == attributes
    assert [vars(owner)[name] for owner, (name, _) in FINDING.items()] == before


def test_boxes_apart_are_all_kept():
    boxes = detection._lay_out(torch.empty(1000, 4), (600, 800), apart=1000)
    kept = torch.ops.torchvision.nms(boxes, detection._rank(1000), 0.01)
    assert len(kept) == 1000
    assert (boxes.amin(), boxes[:, ::2].amax() <= 800, boxes[:, 1::2].amax() <= 600) == (0, True, True)


class Selecting(nn.Module):
    """Sizes that follow from whole numbers alone, with buffers that a weight's results are written into."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, rows, owners):
        kinds, counts = torch.unique(owners, return_counts=True)
        place = torch.where(owners == kinds[0])[0]
        assert place.tolist() == (owners == kinds[0]).nonzero().flatten().tolist()
        buffer = torch.zeros(len(rows), 3)
        buffer[: counts[0]] = self.layer(rows[place])
        # Known still, since nothing unknown was written into its memory.
        return buffer[counts[1] :], rows[: int(counts.max())]


def test_sizes_that_follow_from_given_values_need_no_real_run():
    trace = resflops.trace(Selecting(), torch.zeros(5, 4), torch.tensor([2, 7, 7, 2, 2]))
    assert trace.execution == "meta"
    assert [op.input_shapes[0] for op in trace.ops if op.op == "linear"] == [(3, 4)]
    assert [op.output_shapes for op in trace.ops if op.op == "unique"] == [((2,), (0,), (2,))]


class Looking(nn.Module):
    """Writes what a weight gives into a tensor whose values were known, and then looks into a view of it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, rows, numbers):
        buffer = torch.ones(2, 2)
        view = buffer[0] + 0 if numbers[0] else buffer[0]
        buffer[:] = self.layer(rows)
        return rows if view.sum() > 0 else self.layer(rows)


def test_a_view_is_unknown_once_something_unknown_is_written_into_its_memory():
    known, unknown = (
        resflops.trace(Looking(), torch.zeros(2, 2), torch.tensor([copied])) for copied in (1, 0)
    )
    assert (known.execution, unknown.execution) == ("meta", "real")
