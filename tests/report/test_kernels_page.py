"""The page on kernels: what it says of three small convolutions and one large one, against sums made by hand."""

from fractions import Fraction

import pytest

from resflops.report.context import Context
from resflops.report.environment import read_versions
from resflops.report.pages import kernels


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return Context(tmp_path_factory.mktemp("reports"), environment=read_versions())


@pytest.fixture(scope="module")
def document(context):
    (document,) = kernels.PAGE.build(context)
    return document


@pytest.fixture(scope="module")
def cells(document):
    """The cells of every line of a table, by its first two."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in document.text.splitlines()
        if line.startswith("|")
    ]
    filled, first = {}, ""
    for line in lines:
        first = line[0] or first
        filled[first, line[1]] = line[2:]
    return filled


# One 7×7 has 49·c·d weights; three 3×3 have 9·c·d + 9·d·d + 9·d·d, or 9·c·c + 9·c·c + 9·c·d if the last widens.
@pytest.mark.parametrize(
    ("channels", "large", "small", "ratio", "verdict", "narrow"),
    [
        pytest.param("3 → 3", 441, 243, "0.55×", "fewer", 243, id="49·9 and 27·9"),
        pytest.param("3 → 64", 9_408, 75_456, "8.02×", "more", 1_890, id="1,728 + 36,864 + 36,864"),
        pytest.param("3 → 256", 37_632, 1_186_560, "31.53×", "more", 7_074, id="6,912 + 589,824 + 589,824"),
        pytest.param("64 → 64", 200_704, 110_592, "0.55×", "fewer", 110_592, id="49·4,096 and 27·4,096"),
        pytest.param("64 → 256", 802_816, 1_327_104, "1.65×", "more", 221_184, id="147,456 + 2·589,824"),
        pytest.param(
            "256 → 256", 3_211_264, 1_769_472, "0.55×", "fewer", 1_769_472, id="49·65,536 and 27·65,536"
        ),
    ],
)
def test_parameters_are_those_of_the_formula(cells, channels, large, small, ratio, verdict, narrow):
    few = cells[channels, f"{large:,}"]
    assert few[:4] == [f"{small:,}", ratio, verdict, f"{narrow:,}"]


# On 224×224 = 50,176 points: at stride s the large one has 50,176/s² points of 49·c·d; of the small ones the first
# two have all points where the last has the stride, and none of them where the first has it.
@pytest.mark.parametrize(
    ("channels", "stride", "large", "last", "first"),
    [
        ("3 → 64", 1, 50_176 * 9_408, 50_176 * 75_456, 50_176 * 75_456),
        ("3 → 64", 2, 12_544 * 9_408, 50_176 * (1_728 + 36_864) + 12_544 * 36_864, 12_544 * 75_456),
        ("3 → 64", 4, 3_136 * 9_408, 50_176 * (1_728 + 36_864) + 3_136 * 36_864, 3_136 * 75_456),
        ("64 → 64", 2, 12_544 * 200_704, 50_176 * 73_728 + 12_544 * 36_864, 12_544 * 110_592),
        ("256 → 256", 4, 3_136 * 3_211_264, 50_176 * 1_179_648 + 3_136 * 589_824, 3_136 * 1_769_472),
    ],
)  # fmt: skip
def test_multiply_accumulates_are_those_of_the_points(cells, channels, stride, large, last, first):
    found = cells[channels, str(stride)]
    assert [found[0], found[1], found[3]] == [f"{large:,}", f"{last:,}", f"{first:,}"]


# A stride s in the first of three spreads the windows of the two after it: 3 + 2·s + 2·s.
@pytest.mark.parametrize(("stride", "field"), [(1, "7×7"), (2, "11×11"), (4, "19×19")])
def test_the_receptive_field_is_the_same_only_with_the_stride_in_the_last(cells, stride, field):
    assert cells[str(stride), "7×7"] == ["7×7", field]


def test_the_claims_are_answered_in_figures(document):
    text = " ".join(document.text.split())
    # 49/27 = 1.8148; 75,456/9,408 = 8.0204; (18·4 + 9)/49 = 1.6531; 49/9 = 5.4444.
    assert "200,704 against 110,592 for 64 channels, which is 81.48 % more" in text
    assert "one 7×7 has 9,408 parameters and three 3×3 have 75,456, 8.02× as many" in text
    assert "1.65× as many at stride 2" in text
    assert "right, 5.44×, for one convolution" in text
    # 9·3·d + 18·d² < 49·3·d until d = 120/18 = 6.67.
    assert "c is more than 45.00 % of d" in text
    assert "for an image of 3 channels only up to 6 output channels" in text


def test_the_first_layers_of_the_two_networks_are_set_side_by_side(document, cells):
    text = " ".join(document.text.split())
    # 112·112·64·147; 224·224·64·27 + 224·224·64·576 + 112·112·128·576 + 112·112·128·1,152.
    vgg = 86_704_128 + 1_849_688_064 + 924_844_032 + 1_849_688_064
    assert f"ResNet-34 takes 118,013,952 multiply-accumulates and VGG-19 {vgg:,}, 39.92× as many" in text
    assert Fraction(vgg, 118_013_952) == Fraction(4_710_924_288, 118_013_952)
    assert "one point sees 11×11 pixels of the image in ResNet-34 and 16×16 in VGG-19" in text
    assert cells["resnet34", "conv1"] == ["7×7", "1×64×112×112", "9,408", "118,013,952", "7×7", "2"]
    assert cells["vgg19", "features.7"][-2:] == ["14×14", "2"]


def test_three_small_kernels_in_place_of_the_stem_cost_more(cells):
    # 9·(3·32 + 32·32 + 32·64) = 28,512 weights, all on 112·112 points.
    narrow = cells["three 3×3 of 32, 32 and 64 channels, stride in the first", "11×11"]
    assert narrow == ["28,512", "3.03×", f"{28_512 * 12_544:,}", "3.03×"]


def test_the_picture_shows_what_the_tables_say(document):
    (picture,) = document.pictures
    by_channels = {pair.channels: pair.ratios for pair in picture.data.pairs}
    # (9·s²·(c·d + d²) + 9·d²) / (49·c·d), for equal channels (18·s² + 9)/49.
    assert by_channels["64 → 64"] == by_channels["256 → 256"] == (27 / 49, 81 / 49, 297 / 49)
    assert by_channels["3 → 64"] == (75_456 / 9_408, 191_232 / 9_408, 654_336 / 9_408)
    assert next(layer.macs for layer in picture.data.layers) == 118_013_952
