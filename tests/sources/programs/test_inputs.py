"""What an exported program takes: shapes set its symbols, within what it was exported for."""

import pytest
import torch
from torch import nn
from torch.export import Dim

import resflops
from resflops.errors import InputError
from resflops.sources.programs import make_module
from tests.sources.programs.exporting import OF_2_6, export


class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


class Several(nn.Module):
    """A dict, a tuple, a number that the program keeps, and a keyword."""

    def __init__(self):
        super().__init__()
        self.embedding, self.fc = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, batch, pair, scale, *, weight=None):
        x = self.fc(self.embedding(batch["ids"]))
        return (x * pair[0][:, None] * scale + pair[1]) * (1 if weight is None else weight)


@pytest.fixture(scope="module")
def fixed():
    return export(Image(), (torch.zeros(2, 3, 8, 8),))


@pytest.fixture(scope="module")
def dynamic():
    shapes = {"x": {0: Dim("batch", min=2, max=64), 2: 8 * Dim("rows", min=2, max=10)}}
    return export(Image(), (torch.zeros(4, 3, 16, 8),), dynamic_shapes=shapes)


@pytest.fixture(scope="module")
def several():
    batch = Dim("batch", min=2, max=50)
    inputs = ({"ids": torch.zeros(4, 6, dtype=torch.int64)}, (torch.ones(4, 1), torch.ones(3)), 0.5)
    return export(
        Several(), inputs, {"weight": torch.ones(3)},
        dynamic_shapes={"batch": {"ids": {0: batch}}, "pair": ({0: batch}, None), "scale": None, "weight": None},
    )  # fmt: skip


def count(program, *inputs, **named):
    return resflops.count(program, *inputs, **named).macs


def of_image(batch, rows, columns):
    return batch * (rows * columns * 4 * 27 + 20)


def test_a_program_brings_its_inputs(fixed, dynamic, several):
    assert count(fixed) == of_image(2, 8, 8)
    assert count(dynamic) == of_image(4, 16, 8)
    assert count(several) == 4 * 6 * 12


@pytest.mark.parametrize(("batch", "rows"), [(2, 16), (7, 24), (64, 80)])
def test_shapes_set_the_symbols(dynamic, batch, rows):
    assert count(dynamic, (batch, 3, rows, 8)) == of_image(batch, rows, 8)
    assert count(dynamic, torch.zeros(batch, 3, rows, 8)) == of_image(batch, rows, 8)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        pytest.param(
            (1, 3, 16, 8), r"size 0 of x is 1, but the program was exported for 2 to 64 there: x \(", id="few"
        ),
        pytest.param((65, 3, 16, 8), "size 0 of x is 65, but .* 2 to 64 there", id="many"),
        pytest.param(
            (4, 3, 20, 8), r"size 2 of x is 20, but .* for 8\*\w+ with \w+ 2 to 10 there", id="no multiple"
        ),
        pytest.param(
            (4, 3, 88, 8), r"size 2 of x is 88, but .* for 8\*\w+ with \w+ 2 to 10 there", id="large"
        ),
        pytest.param((4, 3, 16, 9), "size 3 of x is 9, but the program was exported for 8 there", id="fixed"),
        pytest.param((3, 16, 8), "x has 3 sizes, 3×16×8, but the program takes 4: x ", id="dimensions"),
    ],
)
def test_a_shape_that_a_program_was_not_exported_for_is_refused(dynamic, shape, message):
    with pytest.raises(InputError, match=message):
        count(dynamic, shape)


def test_a_program_without_symbols_takes_one_shape(fixed):
    with pytest.raises(
        InputError, match=r"exported for 2 there: x \(2×3×8×8\); give such a size, or export it with"
    ):
        count(fixed, (1, 3, 8, 8))


def test_several_inputs_share_their_symbols(several):
    ids, weights, scale = torch.zeros(7, 6, dtype=torch.int64), torch.ones(7, 1), 0.5
    pair = (weights, torch.ones(3))
    assert count(several, {"ids": ids}, pair, scale, weight=(3,)) == 7 * 6 * 12
    assert (
        count(several, {"ids": resflops.shape(7, 6, dtype="int64")}, pair, scale, weight=(3,)) == 7 * 6 * 12
    )
    # By their names, all of them.
    assert count(several, batch={"ids": ids}, pair=pair, scale=scale, weight=torch.ones(3)) == 7 * 6 * 12


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        pytest.param(
            ({"ids": torch.zeros(7, 6, dtype=torch.int64)}, (torch.ones(8, 1), torch.ones(3)), 0.5),
            r"size 0 of pair\.0 is 8, but the program was exported for 7 there",
            id="two batches",
        ),
        pytest.param(
            ({"ids": torch.zeros(7, 6)}, (torch.ones(7, 1), torch.ones(3)), 0.5),
            r"takes int64 for batch\.ids \(\w+×6\), got float32; give a tensor of that type",
            id="type",
        ),
        pytest.param(
            ({"ids": torch.zeros(7, 6, dtype=torch.int64)}, (torch.ones(7, 1), torch.ones(3)), 2.0),
            r"was exported with scale = 0\.5, and takes nothing else for it; got 2\.0",
            id="value",
        ),
        pytest.param(
            ({"ids": torch.zeros(7, 6, dtype=torch.int64)},),
            r"takes 5 inputs, batch\.ids \(\w+×6\), pair\.0 .*, scale, weight \(3\), got 2; give each",
            id="number",
        ),
        pytest.param(
            ({"ids": 3}, (torch.ones(7, 1), torch.ones(3)), 0.5),
            r"takes a tensor for batch\.ids \(\w+×6\), got 3",
            id="no tensor",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_named(several, inputs, message):
    with pytest.raises(InputError, match=message):
        count(several, *inputs, weight=torch.ones(3))


def test_shapes_are_of_the_types_that_the_program_takes(several):
    module = make_module(several)
    assert module.plan.inputs.make_inputs(main=(7, 6)).args[0]["ids"].dtype == "int64"
    half = export(nn.Embedding(9, 4), (torch.zeros(2, 6, dtype=torch.int64),))
    assert count(half, (2, 6)) == 0


def test_a_spec_takes_the_shape_of_the_first_input_and_makes_the_others(
    several, dynamic, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.export.save(several, "several.pt2")
    torch.export.save(dynamic, "dynamic.pt2")
    assert count("several.pt2") == 4 * 6 * 12
    assert count("several.pt2", (9, 6)) == 9 * 6 * 12
    # Without the batch, it is the smallest that the program takes.
    assert count("dynamic.pt2", (3, 24, 8)) == of_image(2, 24, 8)


def test_a_batch_is_put_in_place_of_the_programs_own(dynamic, fixed):
    made = make_module(dynamic).plan.inputs.make_inputs(batch=9)
    assert made.args[0].shape == (9, 3, 16, 8)
    with pytest.raises(InputError, match="size 0 of x is 9, but the program was exported for 2 there"):
        make_module(fixed).plan.inputs.make_inputs(batch=9)


def test_a_program_without_example_inputs_takes_the_sizes_that_it_was_exported_with(dynamic):
    dynamic_inputs = make_module(dynamic).plan.inputs
    bare = type(dynamic_inputs)(
        leaves=dynamic_inputs.leaves, in_spec=dynamic_inputs.in_spec, positional=("x",), keywords=(),
        limits=dynamic_inputs.limits, example=None, hints=dynamic_inputs.hints,
    )  # fmt: skip
    assert bare.make_inputs().args[0].shape == (4, 3, 16, 8)


def test_sizes_that_are_not_known_are_asked_for(dynamic):
    known = make_module(dynamic).plan.inputs
    unknown = type(known)(
        leaves=known.leaves, in_spec=known.in_spec, positional=("x",), keywords=(), limits=known.limits, example=None
    )  # fmt: skip
    message = (
        r"has sizes without a number: \w+ \(2 to (10|64)\), \w+ \(2 to (10|64)\) in input x \(\w+×3×8·\w+×8\); "
        r"give its input, as in --input 2x3x16x8 or \(2, 3, 16, 8\)"
    )
    with pytest.raises(InputError, match=message):
        unknown.make_inputs()
    assert unknown.make_inputs(main=(5, 3, 24, 8)).args[0].shape == (5, 3, 24, 8)


def test_other_floating_point_types_are_taken_with_converted_weights(fixed):
    module = make_module(fixed).to(torch.bfloat16)
    assert module(torch.zeros(2, 3, 8, 8, dtype=torch.bfloat16)).dtype is torch.bfloat16


@pytest.mark.skipif(OF_2_6, reason="torch 2.6 exports no such number")
def test_a_number_may_be_an_input():
    class Scaling(nn.Module):
        def forward(self, x, n):
            return x * n

    program = export(Scaling(), (torch.ones(2, 3), 4), dynamic_shapes={"x": None, "n": Dim.DYNAMIC})
    assert resflops.count(program, (2, 3), 7, convention="flops").total == 6
