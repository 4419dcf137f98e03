"""The layers to blame: what became of each, and that nothing is lost or counted twice."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn

import resflops
from resflops.errors import UsageError
from resflops.gate.alignment import LARGEST_TABLE, _pair_between, align
from resflops.gate.diff import Diff, Form, diff_snapshots, summarize_change
from resflops.gate.snapshot import METRICS, Snapshot, SnapshotLine, snapshot_cost


def snapshot(model: nn.Module, size: int = 32, **settings) -> Snapshot:
    return snapshot_cost(resflops.count(model, (1, 3, size, size), **settings))


def stack(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((3, *widths), widths, strict=False):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers).eval()


class Named(nn.Module):
    """A network whose blocks are called as they are given, in their order."""

    def __init__(self, **blocks: nn.Module) -> None:
        super().__init__()
        for name, block in blocks.items():
            self.add_module(name, block)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.children():
            x = block(x)
        return x


def list_changes(diff: Diff) -> list[tuple[str, str, str, int]]:
    return [(change.kind, change.name, change.new_name, change.macs) for change in diff.changes]


def adds_up(diff: Diff) -> bool:
    return all(sum(change.of(metric) for change in diff.changes) == diff.of(metric) for metric in METRICS)


PLANE = 32 * 32 * 9


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param(stack(8, 16), stack(8, 16), [], id="nothing"),
        pytest.param(
            stack(8, 16, 16, 8),
            stack(8, 16, 32, 8),
            [
                ("changed", "6", "", PLANE * 16 * 16),
                ("changed", "9", "", PLANE * 16 * 8),
                ("changed", "7", "", 0),
            ],
            id="a wider layer",
        ),
        pytest.param(
            stack(8, 16, 16),
            stack(8, 8, 16, 16),
            [
                ("added", "3", "", PLANE * 8 * 8),
                ("added", "4", "", 0),
                *(("moved", str(place), str(place + 3), 0) for place in (3, 4, 6, 7)),
            ],
            id="a layer put in before others, whose numbers shift",
        ),
        pytest.param(
            Named(layer=stack(8, 16), head=nn.Conv2d(16, 4, 1)),
            Named(stage=stack(8, 16), head=nn.Conv2d(16, 4, 1)),
            [("renamed", "layer", "stage", 0)],
            id="a renamed block",
        ),
        pytest.param(
            stack(8, 16), Named(backbone=stack(8, 16)), [("renamed", "", "backbone", 0)], id="a model put into another"
        ),
        pytest.param(
            Named(a=nn.Conv2d(3, 3, 3, padding=1), b=nn.Conv2d(3, 3, 5, padding=2)),
            Named(b=nn.Conv2d(3, 3, 5, padding=2), a=nn.Conv2d(3, 3, 3, padding=1)),
            [("moved", "a", "", 0)],
            id="two layers in the other order",
        ),
        pytest.param(
            Named(layer=Named(a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(8, 8, 3))),
            Named(stage=Named(a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(8, 8, 1))),
            [("changed", "layer.b", "stage.b", 8 * 8 * (30 * 30 - 28 * 28 * 9)), ("renamed", "layer.a", "stage.a", 0)],
            id="a change inside a renamed block",
        ),
        pytest.param(
            Named(a=stack(8), fc=nn.Conv2d(8, 8, 3)),
            Named(a=stack(8), fc=nn.ConvTranspose2d(8, 8, 3)),
            [("changed", "fc", "", 8 * 8 * 9 * (32 * 32 - 30 * 30))],
            id="another op under the same name",
        ),
        pytest.param(
            Named(a=stack(8), b=nn.Conv2d(8, 3, 1)),
            Named(a=stack(8)),
            [("removed", "b", "", -32 * 32 * 8 * 3)],
            id="a removed layer",
        ),
    ],
)  # fmt: skip
def test_what_became_of_each_layer(before, after, changes) -> None:
    diff = diff_snapshots(snapshot(before), snapshot(after))
    assert list_changes(diff) == changes
    assert adds_up(diff)


def test_a_larger_input_changes_every_layer_and_none_is_added() -> None:
    diff = diff_snapshots(snapshot(stack(8, 16)), snapshot(stack(8, 16), size=64))
    assert list_changes(diff) == [
        ("changed", "3", "", 3 * PLANE * 8 * 16),
        ("changed", "0", "", 3 * PLANE * 3 * 8),
        ("changed", "1", "", 0),
        ("changed", "4", "", 0),
    ]


def test_a_longer_network_of_equal_blocks_has_its_last_block_added() -> None:
    diff = diff_snapshots(snapshot(resflops.load("resnet20")), snapshot(resflops.load("resnet32")))
    added = {change.name.rpartition(".")[0] for change in diff.changes}
    assert {change.kind for change in diff.changes} == {"added"}
    assert added == {f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (3, 4)}
    assert adds_up(diff)


def test_a_network_too_long_for_the_best_alignment_is_still_aligned() -> None:
    before, after = snapshot(resflops.load("resnet1202")), snapshot(Named(net=resflops.load("resnet1202")))
    assert len(before.lines) * len(after.lines) > LARGEST_TABLE
    (change,) = diff_snapshots(before, after).changes
    assert (change.kind, change.new_name, change.layers) == ("renamed", "net", len(before.lines))


def test_the_wording_of_the_issue() -> None:
    """3×3×256→256 became 3×3×256→512."""
    before = snapshot(nn.Sequential(nn.Conv2d(3, 256, 1), nn.Conv2d(256, 256, 3, padding=1)), size=14)
    after = snapshot(nn.Sequential(nn.Conv2d(3, 256, 1), nn.Conv2d(256, 512, 3, padding=1)), size=14)
    (change,) = diff_snapshots(before, after).changes
    assert change.macs == 115_605_504
    assert summarize_change(change.before, change.after) == (
        Form(kernel=(3, 3), features=(256, 256)),
        Form(kernel=(3, 3), features=(256, 512)),
    )


def test_a_form_shows_only_what_differs() -> None:
    plain = SnapshotLine(
        layer="c", op="conv2d", input=(1, 8, 9, 9), output=(1, 8, 9, 9), kernel=(3, 3), params=576
    )
    with_bias = SnapshotLine(
        **{**{name: getattr(plain, name) for name in plain.__struct_fields__}, "params": 584}
    )
    assert summarize_change(plain, with_bias)[1] == Form(kernel=(3, 3), features=(8, 8), params=584)
    assert summarize_change(None, plain) == (None, Form(kernel=(3, 3), features=(8, 8), size=(9, 9)))
    add = SnapshotLine(layer="", op="add", input=(1, 4), output=(1, 4))
    assert summarize_change(add, None)[0] == Form(shapes=((1, 4),))


@pytest.mark.parametrize(
    ("pairs", "before", "after", "extended"),
    [
        pytest.param([(2, 2)], "xyz", "xyz", [(0, 0), (1, 1), (2, 2)], id="in front of a pair"),
        pytest.param([(0, 0)], "zpx", "zqx", [(0, 0), (2, 2)], id="behind what is new"),
        pytest.param([(0, 0)], "zpx", "zx", [(0, 0), (2, 1)], id="behind what is gone"),
        pytest.param([(0, 0)], "zx", "zqx", [(0, 0), (1, 2)], id="behind what was put in"),
        pytest.param([(0, 0), (3, 1)], "zpxz", "zzx", [(0, 0), (3, 1)], id="never across a pair"),
    ],
)
def test_lines_are_paired_between_those_that_are_known(pairs, before, after, extended) -> None:
    lines = [[SnapshotLine(layer=name, op="relu") for name in names] for names in (before, after)]
    assert _pair_between(pairs, *lines, lambda line: line.layer) == extended


def line(**fields) -> SnapshotLine:
    return SnapshotLine(layer="x", **fields)


@pytest.mark.parametrize(
    ("given", "features", "size"),
    [
        pytest.param({"op": "linear", "input": (2, 7, 3), "output": (2, 7, 5)}, (3, 5), (2, 7), id="sequence"),
        pytest.param({"op": "linear", "input": (3,), "output": (5,)}, (3, 5), (), id="vector"),
        pytest.param(
            {"op": "conv2d", "kernel": (3, 3), "input": (2, 3, 8, 9), "output": (2, 5, 6, 7)}, (3, 5), (6, 7), id="images",
        ),
        pytest.param(
            {"op": "conv2d", "kernel": (3, 3), "input": (3, 8, 9), "output": (5, 6, 7)}, (3, 5), (6, 7), id="image",
        ),
        pytest.param(
            {"op": "conv_transpose1d", "kernel": (2,), "input": (2, 4, 8), "output": (2, 6, 16)}, (4, 6), (16,), id="signal",
        ),
    ],
)  # fmt: skip
def test_a_layer_that_maps_features_is_described_by_them(given, features, size) -> None:
    _, added = summarize_change(None, line(**given))
    assert (added.features, added.size, added.shapes) == (features, size, ())


def test_any_other_layer_is_described_by_its_shapes() -> None:
    _, added = summarize_change(None, line(op="relu", input=(2, 3), output=(2, 3)))
    assert (added.features, added.size, added.shapes) == (None, (), ((2, 3),))


def test_snapshots_of_different_conventions_do_not_compare() -> None:
    with pytest.raises(UsageError, match="count both under the same convention to compare them"):
        diff_snapshots(snapshot(stack(8)), snapshot(stack(8), convention="flops"))


lines = some.builds(
    SnapshotLine,
    layer=some.sampled_from(["a", "b", "a.0", "a.1", "b.0", "b.1", ""]),
    op=some.sampled_from(["conv2d", "linear"]),
    params=some.integers(0, 2),
    macs=some.integers(0, 3),
)
lists = some.lists(lines, max_size=12)


@given(lists, lists)
def test_every_line_is_in_one_pair_at_most_and_the_changes_add_up(before: list, after: list) -> None:
    ordered, jumped = align(before, after)
    pairs = [*ordered, *jumped]
    assert len({old for old, _ in pairs}) == len({new for _, new in pairs}) == len(pairs)
    assert ordered == sorted(ordered)
    assert [new for _, new in ordered] == sorted(new for _, new in ordered)
    diff = diff_snapshots(
        Snapshot(model="a", spec="a", inputs=(), convention="macs", lines=tuple(before)),
        Snapshot(model="a", spec="a", inputs=(), convention="macs", lines=tuple(after)),
    )
    assert adds_up(diff)
    assert (before == after) <= (not diff.changes)


@given(lists)
def test_no_line_is_to_blame_for_nothing(same: list) -> None:
    assert align(same, same) == ([(place, place) for place in range(len(same))], [])
