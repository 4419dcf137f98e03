"""What a profile holds for, and what it refuses."""

import pytest
from msgspec.structs import replace

from resflops.errors import SchemaError, UsageError
from resflops.latency.configuration import Configuration
from resflops.latency.prediction import Profile, Sample, SizedOp, require_predictable

USUAL = Configuration(model="resnet34", device="cpu")


def test_the_error_is_the_median_on_the_networks_of_the_nearest_batch(synthetic) -> None:
    error = synthetic.find_error("resnet34", 1)
    # Each corrected by the median of measured over predicted of the others: 0.952, 0.909 and 1.080.
    assert (error.median, error.largest) == (
        pytest.approx(0.272727, abs=1e-6),
        pytest.approx(0.403409, abs=1e-6),
    )
    assert (error.batch, error.networks) == (1, ("resnet18", "resnet20", "dense"))
    assert synthetic.find_error("resnet34", 32).networks == ("dense",)
    assert synthetic.find_error("resnet34", 32).median == pytest.approx(0.133523, abs=1e-6)


def test_a_network_is_no_witness_for_itself(synthetic) -> None:
    assert synthetic.find_error("resnet20", 1).networks == ("resnet18", "dense")


def test_the_pace_is_that_of_the_other_networks(synthetic) -> None:
    assert synthetic.find_pace("resnet34") == pytest.approx((1 / 1.1 + 0.8 / 0.84) / 2)
    assert synthetic.find_pace("dense") == pytest.approx((1 / 1.1 + 1 / 0.8) / 2)
    assert replace(synthetic, evaluations=()).find_pace("resnet34") == 1.0


def test_without_networks_that_were_timed_nothing_is_predicted(synthetic) -> None:
    with pytest.raises(UsageError, match="the error of a prediction is not known"):
        replace(synthetic, evaluations=()).find_error("resnet34", 1)


def test_another_machine_is_refused_and_the_difference_told(synthetic) -> None:
    synthetic.require_machine(synthetic.environment)
    with pytest.raises(
        UsageError, match=r"does not hold for this machine or its settings: threads 7 against \d+;"
    ):
        synthetic.require_machine(replace(synthetic.environment, threads=7))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "cuda"}, "not for device cuda"),
        ({"mode": "compile"}, "not for mode compile"),
        ({"memory_format": "channels_last"}, "not for memory format channels_last"),
        ({"training": True}, "not for training"),
        ({"autocast": True}, "not for autocast"),
    ],
)
def test_a_setting_that_is_not_predicted_is_refused(changes, said) -> None:
    with pytest.raises(UsageError, match=f"{said}; leave it out"):
        require_predictable([USUAL, replace(USUAL, **changes)])


def test_a_dtype_that_was_not_profiled_is_refused(synthetic) -> None:
    synthetic.require_setting(USUAL)
    with pytest.raises(UsageError, match="made in float32, and bfloat16 is asked for"):
        synthetic.require_setting(replace(USUAL, dtype="bfloat16"))
    with pytest.raises(UsageError, match="float32 and bfloat16 are asked for; give one"):
        require_predictable([USUAL, replace(USUAL, dtype="bfloat16")])


@pytest.mark.parametrize("sample", [Sample(SizedOp("copy", (8,)), 0.0), Sample(SizedOp("copy", (-8,)), 1.0)])
def test_a_file_with_figures_that_cannot_be_is_damaged(synthetic, tmp_path, sample) -> None:
    replace(synthetic, samples=(sample,)).save(tmp_path / "bad.json")
    with pytest.raises(SchemaError, match="damaged time-profile file"):
        Profile.load(tmp_path / "bad.json")


def test_a_profile_says_what_it_is(synthetic) -> None:
    assert repr(synthetic).endswith("float32: 470 ops timed, 4 predictions tried)")
