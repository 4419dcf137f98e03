"""The laws of real networks are those that their architectures have, and are exact at every side."""

from fractions import Fraction
from inspect import getsource
from math import ceil, isqrt

import pytest
import torch
from torch import nn

import resflops
from resflops.sweeps.curves.law import format_law
from resflops.sweeps.curves.records import Lawless
from resflops.sweeps.curves.sizes import Size

SIDES = range(32, 100)


@pytest.fixture(scope="module")
def resnet34():
    return resflops.curve("resnet34", over="side", values=SIDES, backward=True)


def test_resnet34_follows_its_five_strides(resnet34):
    assert format_law(resnet34.law) == (
        "9,408·⌈side/2⌉² + 221,184·⌈side/4⌉² + 1,114,112·⌈side/8⌉² + 6,815,744·⌈side/16⌉² + "
        "13,107,200·⌈side/32⌉² + 512,000"
    )
    # By hand: 7×7 convolutions from 3 to 64 channels; two 3×3 of 64 channels in each of three blocks; …
    coefficients = [7 * 7 * 3 * 64, 6 * 9 * 64 * 64]
    for width, blocks in ((128, 4), (256, 6), (512, 3)):
        shortcut = width * width // 2
        coefficients.append(9 * width * width // 2 + (2 * blocks - 1) * 9 * width * width + shortcut)
    assert [term.coefficient for term in resnet34.law.pieces[0]] == [*coefficients, 512_000]
    assert (resnet34.law.fitted, resnet34.law.verified) == (55, 13)


def test_the_law_gives_the_paper_s_figure_at_a_side_that_was_not_counted(resnet34):
    assert resnet34.law.last < 224
    assert resnet34.law.evaluate(224) == resflops.count("resnet34").macs == 3_663_761_408


def test_the_backward_pass_has_a_law_of_its_own(resnet34):
    backward = resnet34.find_law("backward")
    assert backward.evaluate(224) == 3_545_747_456 + 3_663_761_408
    assert [term.coefficient for term in backward.pieces[0]] == [
        9_408, 442_368, 2_228_224, 13_631_488, 26_214_400, 1_024_000,
    ]  # fmt: skip


def test_the_steps_are_where_the_sizes_step(resnet34):
    steps = {step.value: step.rise for step in resnet34.steps}
    assert list(steps) == [side for side in SIDES[1:] if side % 2]
    # At 97 all five step: ⌈97/2⌉ is 49, after 48, and so on down to 4 after 3.
    assert steps[97] == (
        9_408 * (49**2 - 48**2)
        + 221_184 * (25**2 - 24**2)
        + 1_114_112 * (13**2 - 12**2)
        + 6_815_744 * (7**2 - 6**2)
        + 13_107_200 * (4**2 - 3**2)
    )
    assert steps[35] == 9_408 * (18**2 - 17**2)


def test_a_model_s_parameters_do_not_depend_on_the_side(resnet34):
    assert format_law(resnet34.find_law("params")) == "21,797,672"


def test_multiples_of_all_strides_follow_a_plain_polynomial():
    law = resflops.curve("resnet34", over="side", values=range(32, 225, 32)).law
    assert format_law(law) == "73,008·side² + 512,000"
    assert law.sizes == (Size(1, 0),)
    assert (law.stride, law.fitted, law.verified) == (32, 3, 4)


def test_vgg_rounds_down_where_resnet_rounds_up():
    curve = resflops.curve("vgg16", over="side", values=range(32, 70))
    assert format_law(curve.law) == (
        "38,592·side² + 221,184·⌊side/2⌋² + 1,474,560·⌊side/4⌋² + 5,898,240·⌊side/8⌋² + "
        "7,077,888·⌊side/16⌋² + 123,633,664"
    )
    assert curve.law.evaluate(224) == 15_470_264_320
    # The fully connected layers, and the two convolutions of the first stage, as the architecture has them.
    assert curve.law.pieces[0][-1].coefficient == 25_088 * 4096 + 4096 * 4096 + 4096 * 1000
    assert curve.law.pieces[0][0].coefficient == 9 * 3 * 64 + 9 * 64 * 64


def test_a_pooling_to_a_fixed_size_has_no_law_where_it_counts():
    curve = resflops.curve("vgg16", over="side", values=range(32, 70), convention="flops")
    assert curve.law is None
    assert curve.lawless == (Lawless(figure="total", layers=("avgpool",)),)
    assert len(curve.counted) == 38


class Attention(nn.Module):
    def __init__(self, width=8, depth=1):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))

    def forward(self, x):
        for layer in self.layers:
            query, key, value = layer(x).chunk(3, -1)
            x = x + (query @ key.transpose(1, 2)).softmax(-1) @ value
        return x


def test_attention_is_quadratic_in_the_length():
    law = resflops.curve(Attention(), (1, 5, 8), over="seq", values=range(1, 12)).law
    # Two products of n×8 and 8×n, and one of 8 to 24.
    assert format_law(law) == "16·seq² + 192·seq"


def test_depth_and_batch_are_linear_and_width_is_quadratic():
    def find(over, values):
        return resflops.curve(Attention, (2, 5, 8), over=over, values=values)

    assert format_law(find("depth", range(1, 6)).law) == "2,720·depth"
    assert format_law(find("depth", range(1, 6)).find_law("params")) == "216·depth"
    module = Attention(depth=3)
    assert format_law(resflops.curve(module, (2, 5, 8), over="batch", values=(1, 4, 9)).law) == "4,080·batch"

    def make(width):
        return nn.Sequential(nn.Linear(8, width), nn.Linear(width, width))

    wide = resflops.curve(make, (1, 8), over="width", values=range(1, 9))
    assert format_law(wide.law) == "width² + 8·width"
    assert format_law(wide.find_law("params")) == "width² + 10·width"


def test_a_remainder_that_costs_nothing_is_told_from_one_that_was_not_counted():
    def make(width):
        return nn.Sequential(*([nn.Linear(8, width)] if width % 2 else []))

    law = resflops.curve(make, (1, 8), over="width", values=range(1, 20)).law
    assert format_law(law) == "0 if width mod 2 = 0; 8·width if width mod 2 = 1"
    assert (law.evaluate(100), law.evaluate(101)) == (0, 808)


def test_a_width_that_is_halved_has_a_law_for_each_remainder():
    def make(width):
        return nn.Sequential(nn.Linear(1, width), nn.Linear(width, width // 2))

    curve = resflops.curve(make, (1, 1), over="width", values=range(2, 14))
    assert curve.law.period == 2
    assert format_law(curve.law) == (
        "1/2·width² + width if width mod 2 = 0; 1/2·width² + 1/2·width if width mod 2 = 1"
    )
    assert curve.law.evaluate(100) == 5100
    assert (curve.law.fitted, curve.law.verified) == (6, 6)
    assert curve.law.pieces[1][0].coefficient == Fraction(1, 2)


class Rooted(nn.Module):
    """Runs as often as the square root of its length says, which no law that is looked for gives."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        for _ in range(isqrt(x.shape[1])):
            x = self.fc(x)
        return self.out(x)


class Patches(nn.Module):
    """A class token before the patches of 4 pixels, attention among them, and a position for each."""

    def __init__(self, image_size):
        super().__init__()
        self.patches = nn.Conv2d(1, 2, 4, stride=4)
        self.positions = nn.Parameter(torch.zeros(1, (image_size // 4) ** 2 + 1, 2))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([x[:, :1], x], 1) + self.positions
        return x @ x.transpose(1, 2)


def test_what_attention_costs_follows_from_few_sizes_by_the_length_of_the_patches(tmp_path, monkeypatch):
    (tmp_path / "vit.py").write_text(
        f"import torch\nfrom torch import nn\n{getsource(Patches)}", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    curve = resflops.curve("vit.py:Patches,image_size=16", (1, 1, 16, 16), over="side", values=range(12, 28))
    assert curve.size_option == "image_size"
    # Of n = 3, 4, 5, 6 patches along the side: (n² + 1)²·2 products, after 32 for each patch.
    assert format_law(curve.law) == "2·⌊side/4⌋⁴ + 36·⌊side/4⌋² + 2"
    assert format_law(curve.find_law("params")) == "2·⌊side/4⌋² + 36"


def test_a_size_that_steps_at_a_point_that_is_left_out_is_found_from_others():
    net = nn.Sequential(nn.Conv2d(1, 1, 1, stride=2), nn.AvgPool2d(2), nn.Conv2d(1, 1, 1), nn.AvgPool2d(2))
    net.append(nn.Conv2d(1, 1, 1))
    for first in range(20, 26):
        curve = resflops.curve(net, (1, 1, 9, 9), over="side", values=range(first, first + 16))
        assert format_law(curve.law) == "⌈side/2⌉² + ⌊(side + 1)/4⌋² + ⌊(side + 1)/8⌋²"


def test_what_follows_no_law_names_the_layer_and_keeps_its_points():
    curve = resflops.curve(Rooted(), (1, 4, 4), over="seq", values=range(1, 31))
    assert curve.law is None
    assert curve.lawless == (Lawless(figure="total", layers=("fc",)),)
    assert [point.macs for point in curve.points] == [16 * n * isqrt(n) + 8 * n for n in range(1, 31)]
    assert {step.value for step in curve.steps} == set(range(2, 31))


def test_a_law_holds_only_where_every_point_follows_it():
    # Of perfect squares and others: over squares alone, the root is a size that the trace does not show.
    curve = resflops.curve(Rooted(), (1, 4, 4), over="seq", values=(9, 10, 11, 12, 13, 14, 15))
    assert format_law(curve.law) == "56·seq"
    assert (curve.law.first, curve.law.last) == (9, 15)


@pytest.mark.parametrize("values", [(224,), (224, 225)])
def test_of_too_few_points_nothing_is_claimed(values):
    curve = resflops.curve("resnet20", over="side", values=values)
    assert curve.law is None
    assert next(each.figure for each in curve.lawless) == "total"
    assert len(curve.counted) == len(values)


class Padded(nn.Module):
    """Pads its image to whole windows of 7, as Swin does."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 4, stride=4)
        self.proj = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        x = self.stem(x)
        height, width = x.shape[2:]
        x = nn.functional.pad(x, (0, -width % 7, 0, -height % 7))
        return self.proj(x.unfold(2, 7, 7).unfold(3, 7, 7).reshape(1, 2, -1, 49))


def test_windows_are_rounded_up_to():
    curve = resflops.curve(Padded(), (1, 1, 8, 8), over="side", values=range(8, 120))
    law = curve.law
    for side in (28, 31, 32, 111, 112, 500):
        patches = side // 4
        assert law.evaluate(side) == 32 * patches**2 + 4 * (7 * ceil(patches / 7)) ** 2


def test_swin_has_no_law_where_the_arithmetic_of_its_shifts_counts():
    curve = resflops.curve("torchvision/swin_t", over="side", values=range(32, 64, 4), convention="flops")
    assert curve.law is None
    assert [each.figure for each in curve.lawless] == ["total"]
    assert len(curve.counted) == 8


def test_a_vision_transformer_is_built_for_each_side_and_refuses_what_is_no_multiple_of_its_patch():
    curve = resflops.curve("torchvision/vit_b_32", over="side", values=(32, 33, 64, 96, 128, 160, 192, 224))
    assert curve.size_option == "image_size"
    refused = [point for point in curve.points if point.error]
    assert [point.value for point in refused] == [33]
    assert "indivisible by patch size" in refused[0].error
    # n patches of 32 pixels along the side: n² + 1 tokens through 12 blocks, and the class token alone at the end.
    tokens = {n: n * n + 1 for n in (1, 7, 10)}
    for n, count in tokens.items():
        blocks = 12 * (count * 12 * 768**2 + 2 * count**2 * 768)
        assert curve.law.evaluate(32 * n) == n * n * 32 * 32 * 3 * 768 + blocks + 768 * 1000
    # A position of 768 numbers for each patch of 32² pixels; at 224, where there are 49 patches, torchvision
    # documents 88,224,232 parameters in all.
    assert format_law(curve.find_law("params")) == f"3/4·side² + {88_224_232 - 49 * 768:,}"


def test_bert_is_quadratic_in_its_length_and_linear_in_its_depth():
    length = resflops.curve("hf/bert,num_hidden_layers=2", over="seq", values=(8, 16, 40, 64)).law
    # By hand, of each layer: four projections of 768², two of 768·3072, and two products of n×768 and 768×n.
    quadratic, linear = 2 * 2 * 768, 2 * (4 * 768**2 + 2 * 768 * 3072)
    pooler = 768**2
    assert format_law(length) == f"{quadratic:,}·seq² + {linear:,}·seq + {pooler:,}"
    depth = resflops.curve("hf/bert", (1, 16), over="num_hidden_layers", values=(1, 2, 3))
    assert (
        format_law(depth.law) == f"{(quadratic * 16**2 + linear * 16) // 2:,}·num_hidden_layers + {pooler:,}"
    )
    assert depth.find_law("params").pieces[0][0].coefficient == 7_087_872


def test_a_value_that_is_refused_is_a_point_that_says_why():
    net = nn.Sequential(nn.Conv2d(3, 4, 5), nn.Conv2d(4, 2, 3))
    curve = resflops.curve(net, (1, 3, 9, 9), over="side", values=range(4, 12))
    assert [point.value for point in curve.points if point.error] == [4, 5, 6]
    # 300·(side − 4)² + 72·(side − 6)²
    assert format_law(curve.law) == "372·side² − 3,264·side + 7,392"


def test_an_op_without_a_rule_leaves_a_lower_bound():
    class Unknown(nn.Module):
        def forward(self, x):
            return torch.linalg.matrix_exp(x)

    curve = resflops.curve(Unknown(), (2, 3, 3), over="batch", values=(1, 2, 3))
    assert [point.complete for point in curve.points] == [False] * 3
    assert curve.points[0].uncounted
