"""``resflops bench --predict``: predictions with their error, and what is refused."""

import json
import subprocess
import sys

import pytest
import torch
from msgspec.structs import replace

from resflops.cli import main
from resflops.latency.prediction import Predictor, Profile, evaluation


def predict(capsys, *arguments: str, status: int = 0) -> tuple[str, str]:
    assert main(["bench", *arguments]) == status
    return capsys.readouterr()


def test_every_prediction_has_the_error_of_such_predictions(capsys, saved, synthetic) -> None:
    arguments = ("resnet34", "resnet20", "--predict", str(saved), "--batch", "1", "8", "--format", "json")
    out, err = predict(capsys, *arguments)
    assert err == ""
    found = json.loads(out)
    rows = found["predictions"]
    assert [(row["model"], row["batch"], row["error_batch"]) for row in rows] == [
        ("resnet34", 1, 1), ("resnet20", 1, 1), ("resnet34", 8, 8), ("resnet20", 8, 8),
    ]  # fmt: skip
    assert [row["median_error"] for row in rows] == pytest.approx(
        [0.272727, 0.117466, 0.133523, 0.045455], abs=1e-6
    )
    assert rows[1]["error_networks"] == ["resnet18", "dense"]
    assert rows[0]["macs"] == 3_663_761_408
    assert rows[2]["predicted_seconds"] > rows[0]["predicted_seconds"] > 0
    assert len(found["profile"]["evaluations"]) == len(synthetic.evaluations)


def test_the_table_says_what_it_rests_on(capsys, saved) -> None:
    out, _ = predict(capsys, "resnet34", "--predict", str(saved), "--layers")
    text = " ".join(out.split())
    assert "Predicted, not measured: added up from 470 ops" in text
    assert "±27.3 % is the median error on 3 networks that were timed and predicted at batch 1" in text
    assert "Where the time is predicted to go" in text


def test_layers_add_up_to_the_whole(capsys, saved) -> None:
    out, _ = predict(capsys, "resnet20", "--predict", str(saved), "--layers", "--format", "json")
    found = json.loads(out)
    assert sum(row["predicted_seconds"] for row in found["layers"]) == pytest.approx(
        found["predictions"][0]["predicted_seconds"]
    )
    assert sum(row["macs"] for row in found["layers"]) == found["predictions"][0]["macs"]


def test_nothing_of_the_network_runs(capsys, saved, tmp_path) -> None:
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n"
        "class Never(nn.Linear):\n"
        "    def forward(self, x):\n"
        "        assert x.is_meta\n"
        "        return super().forward(x).erf()\n"
        "def never():\n"
        "    return Never(4, 4)\n"
    )
    spec = f"{tmp_path / 'nets.py'}:never"
    out, _ = predict(capsys, spec, "--input", "4", "--predict", str(saved), "--format", "json")
    (row,) = json.loads(out)["predictions"]
    # An op that was not timed is named, and has a time.
    assert row["stand_ins"] == {"erf": "a copy of as many bytes"}
    assert row["share_not_timed"] > 0


def test_a_missing_profile_is_made_and_kept(capsys, made_quickly, tmp_path, real) -> None:
    file = tmp_path / "new.json"
    out, err = predict(capsys, "resnet20", "--predict", str(file), "--format", "json")
    assert f"there is no {file} yet" in err
    assert "two minutes" in err
    assert Profile.load(file) == real
    assert json.loads(out)["predictions"][0]["error_networks"] == ["tiny"]
    assert made_quickly == ["float32"]
    assert predict(capsys, "resnet20", "--predict", str(file))[1] == ""
    assert made_quickly == ["float32"]


def test_an_interrupt_keeps_no_half_of_a_profile(capsys, monkeypatch, tmp_path) -> None:
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "make_profile", interrupt)
    file = tmp_path / "new.json"
    predict(capsys, "resnet20", "--predict", str(file), status=130)
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mode", "compile"), "and not for mode compile"),
        (("--device", "cuda"), "and not for device cuda"),
        (("--backend", "onnxruntime"), "and not for backend onnxruntime"),
        (("--dtype", "bfloat16"), "made in float32, and bfloat16 is asked for"),
        (("--rounds", "3", "--save", "x.json"), "--predict runs no model; leave out --rounds, --save"),
        (("--threads", "97"), "does not hold for this machine or its settings: threads 97 against"),
    ],
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_what_a_profile_does_not_hold_for_is_refused(capsys, saved, arguments, said) -> None:
    out, err = predict(capsys, "resnet20", "--predict", str(saved), *arguments, status=2)
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not a time-profile file of resflops"),
        ('{"kind": "trace", "schema_version": 1}', "it is a trace file"),
        ('{"kind": "time-profile", "schema_version": 1}', "is a damaged time-profile file"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_and_left_as_it_is(capsys, tmp_path, text, said) -> None:
    file = tmp_path / "profile.json"
    file.write_text(text)
    _, err = predict(capsys, "resnet20", "--predict", str(file), status=2)
    assert said in err
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("path", "said"), [("nowhere/profile.json", "there is no folder"), ("-", "needs a file")]
)
def test_a_profile_needs_a_place(capsys, tmp_path, monkeypatch, path, said) -> None:
    monkeypatch.chdir(tmp_path)
    _, err = predict(capsys, "resnet20", "--predict", path, status=2)
    assert said in err


def test_a_profile_without_networks_predicts_nothing(capsys, synthetic, tmp_path) -> None:
    file = tmp_path / "profile.json"
    replace(synthetic, evaluations=()).save(file)
    _, err = predict(capsys, "resnet20", "--predict", str(file), status=2)
    assert "the error of a prediction is not known" in err


def test_a_profile_that_lacks_a_kind_is_refused(capsys, synthetic, tmp_path) -> None:
    file = tmp_path / "profile.json"
    replace(synthetic, samples=synthetic.samples[:40]).save(file)
    _, err = predict(capsys, "resnet20", "--predict", str(file), status=2)
    assert "the profile has no times of" in err


def test_a_model_that_fails_is_a_row_and_the_others_are_predicted(capsys, saved) -> None:
    out, err = predict(capsys, "resnet20", "resnot", "--predict", str(saved), "--format", "json", status=1)
    rows = json.loads(out)["predictions"]
    assert [row["predicted_seconds"] is None for row in rows] == [False, True]
    assert "no model named 'resnot'" in rows[1]["failure"]
    assert err == "resflops: could not predict resnot\n"


def test_threads_and_random_numbers_are_given_back(capsys, saved) -> None:
    before = torch.get_num_threads(), torch.get_rng_state()
    predict(capsys, "resnet20", "--predict", str(saved), "--threads", str(before[0]))
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_stored_profile_is_read_without_torch(saved) -> None:
    code = (
        "import sys; from resflops.latency.prediction import Profile, Predictor; "
        f"Predictor(Profile.load({str(saved)!r})); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_equal_ops_take_equal_times(synthetic) -> None:
    import resflops

    prediction = Predictor(synthetic).predict(resflops.count("resnet20"))
    assert prediction.layers["layer1.0.conv1"] == prediction.layers["layer1.1.conv1"] > 0
