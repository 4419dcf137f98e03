"""The page of memory answers first what the paper's two networks need, and then how near that is to the truth."""

import json

import pytest
from msgspec.structs import replace

from resflops.errors import SchemaError
from resflops.peak_memory.comparison import (
    WAYS,
    Comparison,
    LargeModel,
    NetworkFigures,
    PairFigures,
    PassFigures,
)
from resflops.report.context import Context
from resflops.report.environment import read_versions
from resflops.report.pages.memory import PAGE

MB = 1_000_000


def of_pair(model, way, batch, peak, weights):
    split = {"parameters": weights, "temporary": peak - weights}
    parameters = {"resnet34": 10, "vgg19": 66}[model]
    return PairFigures(
        model=model, way=way, batch=batch, parameters=parameters, weights=weights, peak=peak, split=split
    )


def of_pass(network, way, shapes, *, missing=0, workspace=0, rules=None, tools=None):
    return PassFigures(
        network=network, way=way, shapes=shapes, real=shapes, alike=True, before=10 * MB,
        allocator=shapes + missing + workspace, without_workspace=shapes + missing,
        workspace={"convolution": workspace} if workspace else {}, rules=rules,
        tools=tools or {"MemTracker": shapes, "torchinfo": 2 * shapes, "accelerate": shapes // 2},
    )  # fmt: skip


def of_network(network, parameters, theirs=0.2):
    seconds = {"resflops, inference": 0.1, "resflops, training": 0.1, "torchinfo": 0.5}
    if theirs:
        seconds |= {"MemTracker, inference": theirs, "MemTracker, training": 2 * theirs}
    return NetworkFigures(
        network=network, parameters=parameters, largest_workspace={"convolution": 4 << 20}, seconds=seconds
    )


FOUND = Comparison(
    torch="2.14.1", python="3.11", started="2026-11-27", batch=4,
    passes=(
        of_pass("resnet34", "inference", 100 * MB, workspace=MB, rules=103 * MB),
        of_pass("vgg19", "training", 400 * MB, missing=5056, rules=500 * MB,
                tools={"MemTracker": "DataDependentOutputException", "torchinfo": 300 * MB, "accelerate": 40 * MB}),
    ),
    networks=(of_network("resnet34", 10), of_network("vgg19", 66, theirs=0)),
    pair=tuple(
        of_pair(model, way, batch, factor * size * MB, size * MB // 2)
        for way, factor in zip(WAYS, (1, 2, 4, 2), strict=True)
        for batch, sizes in ((1, (100, 600)), (32, (400, 1000)))
        for model, size in zip(("resnet34", "vgg19"), sizes, strict=True)
    ),
    large=LargeModel(name="Llama 70B", parameters=70_000_000_000, peak=10**12, process=50 * MB, seconds=4.0),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    FOUND.save(tmp_path / "data" / "memory-cpu.json")
    return tmp_path


def build(folder):
    (document,) = PAGE.build(Context(folder, environment=read_versions()))
    return document


def test_the_answer_comes_first(folder):
    lines = build(folder).text.splitlines()
    assert lines[2] == (
        "**VGG-19 has 6.60× the parameters of ResNet-34. Of the memory at the peak it needs 6.00× in inference "
        "on one image and 2.50× on 32; in training 6.00× and 2.50×, with AdamW 6.00× and 2.50×.**"
    )
    assert "| 1 | inference | 100 MB (95.4 MiB) | 600 MB (572 MiB) | 6.00× |" in "\n".join(lines)


def test_each_figure_stands_beside_the_truth(folder):
    text = build(folder).text
    assert "finds the same peak, to the byte, in 2 of 2 passes**, and the same blocks in 2:" in text
    assert "is met to the byte in 1 of 2 passes" in text
    assert "With workspace, 2 of 2 are within 2 %" in text
    assert "1 of 2 are within 5 %" in text
    assert (
        "| resnet34 | inference | 100,000,000 | the same | 101,000,000 | −0.99 % | 1,000,000 | 0 | +3.00 % |"
        in text
    )
    assert (
        "| vgg19 | training | 400,000,000 | the same | 400,005,056 | −\\<0.01 % | 0 | −5,056 | +25.00 % |"
        in text
    )
    assert "| convolution | 4.19 MB (4.00 MiB) |" in text


def test_a_tool_that_says_nothing_is_named_with_its_reason(folder):
    text = build(folder).text
    assert "it fails on 1 of the networks (vgg19), and elsewhere is off by" in text
    assert "| vgg19 | training | 400 MB (381 MiB) | −0.0 % | DataDependentOutputException | −25.0 % |" in text
    assert "MemTracker takes 2.00× to 4.00× the CPU time of resflops" in text
    assert "the process grew by 50.0 MB (47.7 MiB)" in text


def test_the_picture_splits_what_the_table_sums(folder):
    (picture,) = build(folder).pictures
    assert [panel.title for panel in picture.data.panels] == ["Batch 1", "Batch 32"]
    first = picture.data.panels[0].bars[0]
    assert (first.model, first.way, first.text) == ("resnet34", "inference", "100 MB (95.4 MiB)")
    assert dict(zip(picture.data.parts, first.parts, strict=True)) == {
        "weights": 50 * MB, "optimiser state": 0, "gradients of weights": 0,
        "activations kept for backward": 0, "temporary": 50 * MB, "input": 0,
    }  # fmt: skip


def test_a_tool_that_never_fails_is_not_said_to_fail(folder):
    replace(FOUND, passes=FOUND.passes[:1]).save(folder / "data" / "memory-cpu.json")
    assert "fake tensors, too; it is off by" in build(folder).text


def test_a_gpu_stands_beside_if_its_figures_are_there(folder):
    figures = {"requested": 1000, "allocated": 1024, "reserved": 2048}
    predicted = {"requested": 1000, "allocated": 1024, "reserved": 1024}
    run = {
        "network": "vgg19", "batch": 4, "training": True, "optimizer": "adamw", "dtype": "bfloat16",
        "autocast": True, "loss": "cross-entropy", "gpu": [figures], "with_workspaces": [predicted],
        "only_gpu_at_peak": [{"size": 40, "after": "convolution"}],
    }  # fmt: skip
    file = folder / "data" / "memory-some-gpu-compared.json"
    file.write_text(json.dumps({"device": "Some GPU", "torch": "2.11.0+cu130", "results": [run]}))
    text = build(folder).text
    assert "## On Some GPU" in text
    assert "Networks: 1; runs: 1, each from an empty allocator, with torch 2.11.0." in text
    assert "1 of 1 peaks of allocated memory are predicted within 2 %" in text
    assert (
        "| vgg19 | 4 | training, adamw, bfloat16 autocast, cross-entropy | 1,000 | 0.00 % | 40 | 1,024 | 0.00 % "
        "| 2,048 | −50.00 % |"
    ) in text
    file.write_text("[]")
    with pytest.raises(SchemaError, match=r"is not what memory_compare\.py writes"):
        build(folder)


def test_the_stored_figures_hold_what_is_promised(request):
    """What the benchmark found last, as it is stored: shapes like a real pass, and near the allocator."""
    found = Comparison.load(request.config.rootpath / "reports" / "data" / "memory-cpu.json")
    assert (len(found.networks), len(found.passes)) == (15, 60)
    assert all(each.shapes == each.real for each in found.passes)
    assert all(abs(each.difference_without_workspace) < 0.0005 for each in found.passes)
    assert all(
        each.seconds[f"resflops, {way}"] < each.seconds.get(f"MemTracker, {way}", float("inf"))
        for each in found.networks
        for way in ("inference", "training")
    )
    assert found.large is not None
    assert found.large.process < 300 * MB


def test_a_file_with_a_peak_of_zero_is_refused(tmp_path):
    Comparison(
        torch="2", python="3", started="now", batch=4, pair=(of_pair("resnet34", "inference", 1, 0, 0),)
    ).save(tmp_path / "memory-cpu.json")
    with pytest.raises(SchemaError, match="a peak is not above zero"):
        Comparison.load(tmp_path / "memory-cpu.json")
