"""The pages that stand on raw data: what their pictures show is what the data say."""

from pathlib import Path

import pytest

from resflops.crosschecking.reconciliation import Cause, CrossCheck, Reconciliation
from resflops.latency.measurements import Measurements
from resflops.report.context import DATA, Context
from resflops.report.environment import read_versions
from resflops.report.pages import crosscheck
from resflops.report.paper_pair import compare_paper_pair
from resflops.report.timed import build_ratios, build_roofline, find_latencies

STORED = sorted((Path(__file__).parents[2] / "reports" / DATA).glob("latency-*.json"))


def cause(name, amount):
    return Cause(name=name, amount=amount, ops=1, layers=1, where=("bn1",))


ROWS = (
    Reconciliation(
        model="resnet34", inputs=((1, 3, 224, 224),), peer="fvcore", convention="fvcore", macs=100, figure=130,
        causes=(cause("normalisation", 40), cause("bias", -15)), unexplained=5,
    ),
    Reconciliation(
        model="resnet34", inputs=((1, 3, 224, 224),), peer="FlopCounterMode", convention="FlopCounterMode", per_mac=2, macs=100, figure=200
    ),
    Reconciliation(
        model="resnet34", inputs=((1, 3, 224, 224),), peer="thop", convention="thop", macs=100, failure="it crashed"
    ),
)  # fmt: skip


def test_every_waterfall_leads_from_ours_to_theirs():
    data = crosscheck.build_waterfall(ROWS)
    assert [peer.peer for peer in data.peers] == ["fvcore", "FlopCounterMode"]
    for peer in data.peers:
        assert peer.times * data.macs + sum(step.amount for step in peer.steps) == peer.figure
    assert [step.name for step in data.peers[0].steps] == ["normalisation", "bias", "unexplained"]


def test_the_page_of_the_cross_check_shows_the_waterfall_before_its_tables(tmp_path):
    (tmp_path / DATA).mkdir()
    CrossCheck(rows=ROWS, environment={"torch": "2"}).save(tmp_path / DATA / "crosscheck.json")
    (document,) = crosscheck.PAGE.build(Context(tmp_path, environment=read_versions()))
    assert [picture.name for picture in document.pictures] == ["waterfall"]
    assert document.text.index("pictures/waterfall.svg") < document.text.index("\n## ")
    assert "Made by `resflops report`" in document.text


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.name)
def test_pictures_of_measurements_show_what_is_stored(file):
    measurements = Measurements.load(file)
    compared = build_ratios(compare_paper_pair(measurements))
    times = {
        (row.configuration.model, row.configuration.setting.describe()): row.series.time.median
        for row in measurements.rows
        if row.series.time
    }
    assert compared is not None
    for setting in compared.settings:
        name = f"batch {setting.batch}, {setting.name}"
        quotient = times["vgg19", name] / times["resnet34", name]
        assert setting.time == pytest.approx(quotient)
        assert setting.low <= setting.time <= setting.high
    for roof in build_roofline(measurements).roofs:
        computes_in = measurements.environment.find_precision(roof.dtype, convolution=True)
        assert roof.peak == measurements.find_peak(computes_in).per_second
        assert roof.setting.startswith(roof.dtype)
        assert roof.spots


def test_the_roofline_shows_the_way_that_most_networks_were_timed_in():
    (gpu,) = [file for file in STORED if file.stem == "latency-nvidia-h200"]
    roofs = {roof.dtype: roof for roof in build_roofline(Measurements.load(gpu)).roofs}
    # Both networks of the paper were timed in every way, and the others in channels_last alone.
    assert roofs["float16"].setting == "float16, channels_last"
    assert len({spot.model for spot in roofs["float16"].spots}) == 13
    assert roofs["bfloat16"].setting == "bfloat16"
    assert roofs["float16"].probe == "3×3 convolution"


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.name)
def test_a_time_of_another_input_is_not_set_beside_a_count(file):
    from msgspec.structs import replace

    import resflops

    def cost(side):
        counted = resflops.count(resflops.load("resnet34"), (1, 3, side, side))
        return replace(counted, trace=replace(counted.trace, model="resnet34"))

    several = [Measurements.load(file)]
    smaller = [
        replace(cost(224), trace=replace(cost(224).trace, model=name)) for name in ("resnet34", "vgg19")
    ]
    words, found = find_latencies(several, [cost(64), *smaller])
    assert "vgg19" not in found, "its count is another network's"
    assert (words, found) == ("", {}) or set(found) == {"resnet34"}
