"""Detection: what torchvision's detectors find is made up where there are no weights to find it with.

What a detector does after its backbone goes by values: which boxes score high enough, which overlap, and so
how many its second stage works on. A pass on shapes goes on with as many as the detector keeps: every box
that it looks at is taken for an object, and no two overlap. That makes its multiply-accumulates the most that
an image can take.

A run on weights that are made up is no better evidence. How many boxes random weights let through differs
between machines, with the threads and instructions of their kernels: of ``fasterrcnn_resnet50_fpn`` from one
seed 535 on one and 537 on another (torch 2.14), of the 1,000 that torchvision's published figure has. A model
with weights of its own is run for real.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil, isqrt, prod
from typing import Any

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes

from resflops.tracing.observers import InputValues, SparseValues
from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect

__all__ = ["FOUND_MOST", "describe_found", "is_bound"]

Own = Callable[..., Any]
Size = tuple[int, int]
"""Height and width of an image."""

_HIGH, _LOW, _NONE = 4.0, 2.0, -8.0
"""The logits of objects, from the first to the last, and of what is none. Sigmoid and softmax tell objects of
any number apart in float32, so that no order among equals decides which are kept; a sigmoid or softmax of the
others is below every threshold of torchvision's."""


@redirect("torchvision.models.detection.rpn", "RegionProposalNetwork.filter_proposals", values=True)
def propose_most(recorder: Recorder, own: Own, network: Any, *args: Any, **kwargs: Any) -> Any:
    """Propose as many boxes as the network keeps."""
    if (values := _find_values(recorder, network, kwargs)) is None:
        return own(network, *args, **kwargs)
    proposals, objectness, sizes, _ = args
    with _make_up():
        images, boxes, _ = proposals.shape
        # Those of one level are chosen by their scores, and follow each other.
        apart = min(boxes, network.pre_nms_top_n())
        proposed = torch.empty(proposals.shape)
        for image, size in zip(proposed, sizes, strict=True):
            _lay_out(image, size, apart=apart)
        values.remember(proposals, proposed)
        values.remember(objectness, _rank(boxes).repeat(images).reshape(objectness.shape))
    found = values.run(own, network, *args)
    _note_found(values, "proposal", found[0])
    return found


@redirect("torchvision.models.detection.roi_heads", "RoIHeads.postprocess_detections", values=True)
def keep_most_of_proposals(recorder: Recorder, own: Own, heads: Any, *args: Any, **kwargs: Any) -> Any:
    """Take every proposal for an object, where it was proposed; for several if there are too few."""
    if (values := _find_values(recorder, heads, kwargs)) is None:
        return own(heads, *args, **kwargs)
    logits, regression, proposals, _ = args
    objects = _count_objects(heads.detections_per_img, min(map(len, proposals)), threshold=heads.score_thresh)
    with _make_up():
        values.remember(logits, _classify(logits.shape, objects, background=True))
        values.remember(regression, torch.zeros(regression.shape))
    found = values.run(own, heads, *args)
    _note_found(values, "detection", found[0])
    return found


@redirect("torchvision.models.detection.ssd", "SSD.postprocess_detections", values=True)
def keep_most_of_ssd(recorder: Recorder, own: Own, model: Any, *args: Any, **kwargs: Any) -> Any:
    """Take every anchor for one object, where the anchor is."""
    if (values := _find_values(recorder, model, kwargs)) is None:
        return own(model, *args, **kwargs)
    outputs, anchors, sizes = args
    logits, regression = outputs["cls_logits"], outputs["bbox_regression"]
    objects = _count_objects(model.detections_per_img, logits.shape[1], threshold=model.score_thresh)
    with _make_up():
        values.remember(logits, _classify(logits.shape, objects, background=True))
        values.remember(regression, torch.zeros(regression.shape))
        for anchor, size in zip(anchors, sizes, strict=True):
            values.remember(anchor, _lay_out(torch.empty(len(anchor), 4), size))
    found = values.run(own, model, *args)
    _note_found(values, "detection", [each["boxes"] for each in found])
    return found


@redirect("torchvision.models.detection.retinanet", "RetinaNet.postprocess_detections", values=True)
def keep_most_of_retinanet(recorder: Recorder, own: Own, model: Any, *args: Any, **kwargs: Any) -> Any:
    """Take every anchor of every level for one object, where the anchor is."""
    return _keep_most_of_levels(recorder, own, model, args, kwargs, regression=0.0)


@redirect("torchvision.models.detection.fcos", "FCOS.postprocess_detections", values=True)
def keep_most_of_fcos(recorder: Recorder, own: Own, model: Any, *args: Any, **kwargs: Any) -> Any:
    """Take every anchor of every level for one object, whose edges are half its size from its centre."""
    return _keep_most_of_levels(recorder, own, model, args, kwargs, regression=0.5)


def _keep_most_of_levels(
    recorder: Recorder,
    own: Own,
    model: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    regression: float,
) -> Any:
    if (values := _find_values(recorder, model, kwargs)) is None:
        return own(model, *args, **kwargs)
    outputs, anchors, sizes = args
    objects = _count_objects(model.detections_per_img, sum(map(len, anchors[0])))
    with _make_up():
        for name, levels in outputs.items():
            for level in levels:
                if name == "cls_logits":
                    values.remember(level, _classify(level.shape, objects, background=False))
                else:
                    same = torch.full(level.shape, regression if name == "bbox_regression" else _HIGH)
                    values.remember(level, same)
        for image, size in zip(anchors, sizes, strict=True):
            for anchor in image:
                values.remember(anchor, _lay_out(torch.empty(len(anchor), 4), size))
    found = values.run(own, model, outputs, anchors, sizes)
    _note_found(values, "detection", [each["boxes"] for each in found])
    return found


def describe_found(found: dict[str, int]) -> str:
    """Say what a count assumes that a detector finds, by how many of each kind it was given in an image."""
    counts = [f"{count:,} {kind}{'' if count == 1 else 's'}" for kind, count in found.items()]
    bound = (
        "an upper bound of its multiply-accumulates"
        if is_bound(found)
        else "on which its multiply-accumulates do not depend"
    )
    return f"{FOUND_MOST}, {' and '.join(counts)} an image, {bound}: {_DEPENDS}"


def is_bound(found: dict[str, int]) -> bool:
    """Whether how much of it runs goes by what it finds: only a second stage runs on proposals."""
    return "proposal" in found


FOUND_MOST = "counted as if it found the most that it keeps"
_DEPENDS = "what it finds depends on its weights and on the image"


def _find_values(recorder: Recorder, model: Any, kwargs: dict[str, Any]) -> InputValues | None:
    """Find where values are made up; None if nothing is to be made up for a call of a model's."""
    return None if model.training or kwargs else recorder.made_up_values


def _note_found(values: InputValues, kind: str, found: Sequence[Tensor]) -> None:
    values.made_up[kind] = max([values.made_up.get(kind, 0), *map(len, found)])


@contextmanager
def _make_up() -> Iterator[None]:
    """Make tensors beside the pass, which are no part of it.

    In float32 in any model: nobody computes with them but this pass.
    """
    with DisableTorchFunction(), unseen_by_dispatch_modes():
        yield


def _lay_out(boxes: Tensor, size: Size, *, apart: int = 0) -> Tensor:
    """Lay boxes out side by side in an image, row by row: as many as are to be apart, the next over them.

    Args:
        boxes: where to write them, boxes × 4.
        size: height and width of the image.
        apart: how many are to be apart, all if it is 0.
    """
    side = isqrt(max(apart or len(boxes), 1) - 1) + 1
    # In place and in small types: an image has a quarter of a million boxes.
    place = torch.arange(len(boxes), dtype=torch.int32).remainder_(side**2)
    boxes[:, 0] = place % side
    boxes[:, 1] = place.floor_divide_(side)
    boxes[:, 2:] = boxes[:, :2] + 1
    for axis, length in enumerate(reversed(size)):
        boxes[:, axis::2] *= length
    return boxes.div_(side)


def _rank(boxes: int) -> Tensor:
    return torch.linspace(_HIGH, _LOW, boxes)


def _count_objects(wanted: int, boxes: int, *, threshold: float = 0.0) -> int:
    """Count the objects to take each box for, of different classes, so that there are as many as are kept.

    Of the classes of a softmax, which add up to one, only so many can be over a threshold.
    """
    needed = max(ceil(wanted / max(boxes, 1)), 1)
    return needed if threshold <= 0 else max(min(needed, ceil(1 / threshold) - 1), 1)


def _classify(shape: Sequence[int], objects: int, *, background: bool) -> SparseValues:
    """Make logits that take each box for so many objects, one a class, of the classes in turn."""
    *images, boxes, classes = shape
    first = int(background)
    number = torch.arange(min(objects, classes - first)).repeat(boxes)
    box = torch.arange(boxes).repeat_interleave(min(objects, classes - first))
    place = box * classes + first + (box * objects + number) % (classes - first)
    count = prod(images)
    places = (torch.arange(count).unsqueeze(1) * (boxes * classes) + place).flatten()
    return SparseValues.make(shape, _NONE, places, _rank(boxes)[box].repeat(count))
