"""``resflops bench`` and ``table --latency`` on small models, in this process."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import resflops
from resflops.cli import main
from resflops.cli.bench_options import add_arguments
from resflops.cli.parser import Parser
from resflops.latency import Measurements
from resflops.latency.cpu import Cpu


def brief(*, rounds: str = "2", seconds: str = "0") -> tuple[str, ...]:
    return ("--device", "cpu", "--rounds", rounds, "--seconds", seconds, "--warm-up", "0", "--least", "2")


BRIEF = brief()

FACTORY = """
from torch import nn

class Touchy(nn.Linear):
    calls = 0

    def forward(self, rows):
        if not rows.is_meta:
            Touchy.calls += 1
            if Touchy.calls == {interrupted_at}:
                raise KeyboardInterrupt
            if len(rows) == 3:
                raise ValueError("never three")
            if len(rows) == 5:
                raise SystemExit(5)
        return super().forward(rows)

def touchy():
    return Touchy(4, 4)
"""


@pytest.fixture
def touchy(tmp_path: Path):
    def write(interrupted_at: int = 0) -> str:
        file = tmp_path / f"touchy{interrupted_at}.py"
        file.write_text(FACTORY.format(interrupted_at=interrupted_at), encoding="utf-8")
        return f"{file}:touchy"

    return write


def bench(capsys, *arguments: str, status: int = 0) -> str:
    assert main(["bench", *arguments]) == status
    out, err = capsys.readouterr()
    assert err == ""
    return out


def rows_of(text: str, key: str = "latency") -> list:
    return json.loads(text)[key]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("latency") / "small.json"
    arguments = ["--models", "resnet20", "resnet32", "--batch", "1", "2", "--layers", "--save", str(file)]
    assert main(["bench", *arguments, *BRIEF, "--out", str(file.with_suffix(".md"))]) == 0
    return file


def test_every_combination_is_a_row_with_what_it_means(capsys, saved) -> None:
    rows = rows_of(bench(capsys, "--show", str(saved), "--format", "json"))
    assert [(row["model"], row["batch"], row["samples"]) for row in rows] == [
        ("resnet20", 1, 4), ("resnet32", 1, 4), ("resnet20", 2, 4), ("resnet32", 2, 4),
    ]  # fmt: skip
    assert [row["macs"] for row in rows] == [
        row["batch"] * resflops.count(resflops.load(row["model"]), (1, 3, 32, 32)).macs for row in rows
    ]
    for row in rows:
        assert row["low"] <= row["seconds"] <= row["high"]
        assert row["flops_per_second"] == pytest.approx(2 * row["macs"] / row["seconds"])
        assert row["items_per_second"] == pytest.approx(row["batch"] / row["seconds"])
        assert row["roof"] in {"compute", "memory"}
        assert row["error"] == ""
        assert "only 4 samples" in row["verdict"]


def test_the_layers_that_differ_most_come_first_and_add_up(capsys, saved) -> None:
    rows = rows_of(bench(capsys, "--show", str(saved), "--format", "json"), "layers")
    first = [row for row in rows if (row["model"], row["setting"]) == ("resnet20", "batch 1, float32")]
    differences = [abs(row["difference"]) for row in first]
    assert differences == sorted(differences, reverse=True)
    assert sum(row["share_of_time"] for row in first) == pytest.approx(1)
    assert sum(row["share_of_macs"] for row in first) == pytest.approx(1)
    assert sum(row["macs"] for row in first) == 40_551_040


def test_what_was_shown_is_what_is_shown_again(capsys, saved) -> None:
    again = bench(capsys, "--show", str(saved), "--format", "markdown")
    assert again == saved.with_suffix(".md").read_text(encoding="utf-8")


def test_files_of_unlike_settings_say_so(capsys, saved, tmp_path) -> None:
    other = json.loads(saved.read_text(encoding="utf-8"))
    other["environment"]["torch"] = "1.0"
    (tmp_path / "other.json").write_text(json.dumps(other), encoding="utf-8")
    text = bench(capsys, "--show", str(saved), str(tmp_path / "other.json"))
    assert f"(2) and (1) differ: torch 1.0 against {torch.__version__}. Their times cannot" in text
    alike = bench(capsys, "--show", str(saved), str(saved))
    assert "has the same machine and settings as (1), but was measured at another time" in alike


def test_costs_and_times_stand_side_by_side(capsys, saved) -> None:
    assert (
        main(
            [
                "table",
                "--models",
                "resnet20",
                "resnet32",
                "resnet44",
                "--latency",
                str(saved),
                "--format",
                "json",
            ]
        )
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    rows = document["latency"]
    assert [(row["model"], row["batch"]) for row in rows] == [
        ("resnet20", 1), ("resnet32", 1), ("resnet20", 2), ("resnet32", 2),
    ]  # fmt: skip
    assert {row["dearest"] for row in rows} == {"resnet32"}
    assert [row["total"] for row in rows[::2]] == [40_551_040] * 2
    for cheap, dear in (rows[:2], rows[2:]):
        assert cheap["ratio"] == cheap["total"] / dear["total"]
        assert cheap["time_ratio"] == pytest.approx(cheap["seconds"] / dear["seconds"])
        assert dear["ratio"] == dear["time_ratio"] == 1.0
        assert cheap["time_ratio_low"] <= cheap["time_ratio_high"]
        assert dear["time_ratio_low"] is None
    assert [row["model"] for row in document["rows"]] == ["resnet20", "resnet32", "resnet44"]
    assert any("resnet44 on 1×3×32×32 was not measured" in note for note in document["notes"])


def test_another_input_than_the_measured_one_is_not_joined(capsys, saved) -> None:
    assert main(["table", "--models", "resnet20", "--input", "3x64x64", "--latency", str(saved)]) == 0
    assert "resnet20 on 1×3×64×64 was not measured" in capsys.readouterr().out


def test_a_failure_is_a_row_and_the_rest_goes_on(capsys, touchy) -> None:
    text = bench(
        capsys, "--models", touchy(), "--input", "4", "--batch", "3", "2", *BRIEF, "--format", "json"
    )
    failed, done = rows_of(text)
    assert (failed["error"], failed["seconds"]) == ("failed: never three", None)
    assert (done["error"], done["samples"], done["macs"]) == ("", 4, 32)


def test_a_model_that_exits_is_a_row_and_the_rest_goes_on(capsys, touchy) -> None:
    text = bench(
        capsys, "--models", touchy(), "--input", "4", "--batch", "5", "2", *BRIEF, "--format", "json"
    )
    failed, done = rows_of(text)
    assert (failed["error"], failed["seconds"]) == ("failed: it called exit(5)", None)
    assert (done["error"], done["samples"]) == ("", 4)


def test_of_a_pattern_a_model_that_does_not_take_the_input_is_a_row(capsys) -> None:
    arguments = ["--models", "torchvision/r*d_18", "resnet20", "--input", "3x32x32"]
    rows = {row["model"]: row for row in rows_of(bench(capsys, *arguments, *BRIEF, "--format", "json"))}
    assert rows.keys() == {"torchvision/r2plus1d_18", "torchvision/r3d_18", "resnet20"}
    assert rows["resnet20"]["samples"] == 4
    assert "has 3 sizes, but torchvision/r3d_18 takes 4" in rows["torchvision/r3d_18"]["error"]


def test_of_a_pattern_a_model_that_lacks_the_option_is_a_row(capsys) -> None:
    arguments = ["--models", "*resnet110,shortcut=A", "--input", "3x8x8"]
    rows = {row["model"]: row for row in rows_of(bench(capsys, *arguments, *BRIEF, "--format", "json"))}
    assert rows["resnet110,shortcut=A"]["samples"] == 4
    assert "shortcut" in rows["preact_resnet110,shortcut=A"]["error"]


def test_an_interrupt_keeps_what_is_measured_and_resume_goes_on(capsys, touchy, tmp_path) -> None:
    file = tmp_path / "m.json"
    # Per configuration: one run to make it ready, then two of warm-up and two samples a round, the first
    # of which is not kept.
    spec = touchy(interrupted_at=5 + 5 + 4 + 4 + 2)
    arguments = ["--models", spec, "--input", "4", "--batch", "1", "2", "--save", str(file), *BRIEF]
    text = bench(capsys, *arguments, status=130)
    assert "2 of 2 configurations have fewer than 2 rounds; --resume continues the measurement" in text
    kept = Measurements.load(file)
    assert [len(row.series.rounds) for row in kept.rows] == [1, 1]
    assert not kept.runs[0].finished
    bench(capsys, *arguments, "--resume")
    whole = Measurements.load(file)
    assert [len(row.series.rounds) for row in whole.rows] == [2, 2]
    assert [row.series.rounds[0] for row in whole.rows] == [row.series.rounds[0] for row in kept.rows]
    assert [each.run for each in whole.rows[0].series.rounds] == [0, 1]
    assert [run.finished for run in whole.runs] == [False, True]


def test_resuming_adds_what_was_not_asked_for_before(capsys, saved, tmp_path) -> None:
    file = tmp_path / "more.json"
    file.write_bytes(saved.read_bytes())
    bench(capsys, "--models", "resnet44", *BRIEF, "--save", str(file), "--resume")
    assert [row.configuration.model for row in Measurements.load(file).rows][-2:] == ["resnet32", "resnet44"]


def refused(capsys, *arguments: str) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_measurements_of_another_machine_are_not_continued(capsys, saved, tmp_path) -> None:
    other = json.loads(saved.read_text(encoding="utf-8"))
    other["environment"]["cpu"] = "Another CPU"
    file = tmp_path / "other.json"
    file.write_text(json.dumps(other), encoding="utf-8")
    before = file.read_bytes()
    message = refused(capsys, "bench", "--models", "resnet20", *BRIEF, "--save", str(file), "--resume")
    assert "against Another CPU; save to another file" in message
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("bench", "no models are given"),
        ("bench --models resnet43", "no model named 'resnet43'"),
        ("bench --models resnet20 --dtype flaot16", "--dtype 'flaot16' is unknown; closest: float16"),
        ("bench --models resnet20 --mode graph", "--mode 'graph' is unknown"),
        ("bench --models resnet20 --memory-format nhwc", "available: contiguous, channels_last"),
        ("bench --models resnet20 --batch 0", "--batch must be a whole number of at least 1, got '0'"),
        ("bench --models resnet20 --seconds -1", "--seconds takes a number of seconds"),
        ("bench --models resnet20 --seconds nan", "--seconds takes a number of seconds"),
        (
            "bench --models resnet20 --device cpu --most 4 --least 5",
            "--most 4 is less than --least 5; a round takes at least that many",
        ),
        ("bench --models resnet20 --most 0", "--most must be a whole number of at least 1, got '0'"),
        ("bench --models resnet20 --device tpu", "device 'tpu' is unknown; available: cpu, cuda"),
        ("bench --models resnet20 --device cpu --mode cuda-graph", "needs a CUDA device"),
        (
            "bench --models resnet20 --input 4x3x32x32",
            "give the shape of one input, and the batch size as --batch 4",
        ),
        ("bench --models resnet20 --input 3x32", "has 2 sizes, but resnet20 takes 3"),
        ("bench --models vgg1[16] --input 4x3x32x32", "none of 2 models can be measured; the first: --input"),
        ("bench --models resnet20 --resume", "--resume continues the file of --save"),
        ("bench --models resnet20 --layers --training", "leave out --training"),
        ("bench --models resnet20 --save /nonexistent/m.json", "no folder /nonexistent"),
        ("bench --show /nonexistent.json", "could not read /nonexistent.json"),
        ("bench --show /dev/null", "could not read /dev/null: it is not a regular file"),
        ("table --models resnet20 --latency /nonexistent.json", "could not read /nonexistent.json"),
    ],
)
def test_a_mistake_is_named(capsys, arguments: str, says: str) -> None:
    assert says in refused(capsys, *arguments.split())


def test_samples_of_another_length_are_not_mixed(capsys, saved, tmp_path) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(saved.read_bytes())
    arguments = ["--models", "resnet20", "--save", str(file), "--resume", *brief(seconds="0.3")]
    assert main(["bench", *arguments]) == 2
    assert "cannot be continued with other samples: seconds 0.3 where it was 0" in capsys.readouterr().err
    assert file.read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(("most", "samples"), [("2", 4), ("7", 14)])
def test_a_round_has_no_more_samples_than_asked_for(capsys, tmp_path, most, samples) -> None:
    options = [*brief(seconds="1e5"), "--most", most, "--format", "json"]
    (row,) = rows_of(bench(capsys, "--models", "resnet20", *options))
    assert row["samples"] == samples


def test_more_samples_than_usual_can_be_asked_for(capsys) -> None:
    options = [*brief(rounds="1")[:-1], "120", "--format", "json"]
    (row,) = rows_of(bench(capsys, "--models", "resnet20", "--input", "3x8x8", *options))
    assert row["samples"] == 120


def test_sigterm_keeps_what_is_measured(tmp_path) -> None:
    file = tmp_path / "m.json"
    command = [
        sys.executable,
        "-m",
        "resflops",
        "bench",
        "resnet20",
        "--save",
        str(file),
        *brief(rounds="100000"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            # It is first written after some seconds, perhaps before the first round is kept.
            while not (file.exists() and Measurements.load(file).rows[0].series.rounds):
                assert process.poll() is None
                time.sleep(0.1)
        finally:
            process.terminate()
        assert process.wait() == 143
    kept = Measurements.load(file)
    assert kept.runs[-1].ended == "terminated"
    assert kept.rows[0].series.rounds


def test_a_lost_device_keeps_what_is_measured_and_resume_goes_on(
    capsys, touchy, tmp_path, monkeypatch
) -> None:
    file = tmp_path / "m.json"
    arguments = ["--models", touchy(), "--input", "4", "--batch", "2", "3", "--save", str(file), *BRIEF]
    with monkeypatch.context() as patched:
        patched.setattr(Cpu, "survives", lambda *_: False)
        # The first rounds of a run go backwards, so it is lost before anything is kept.
        assert main(["bench", *arguments]) == 2
    out, err = capsys.readouterr()
    assert "1 of 2 configurations has fewer than 2 rounds" in out
    assert err.endswith(
        "not everything could be measured: the device was lost by "
        f"{touchy()}, batch 3, float32: failed: never three; --resume continues with the rest in a new process\n"
    )
    assert [bool(row.series.failure) for row in Measurements.load(file).rows] == [False, True]
    assert main(["bench", *arguments, "--resume"]) == 0
    rows = Measurements.load(file).rows
    assert [(len(row.series.rounds), bool(row.series.failure)) for row in rows] == [(2, False), (0, True)]


def test_a_budget_ends_a_bench_with_what_it_has(capsys, tmp_path) -> None:
    file = tmp_path / "m.json"
    text = bench(
        capsys, "--models", "resnet20", *brief(rounds="100000"), "--budget", "1", "--save", str(file)
    )
    assert "The last run ended early: its budget of 1 s was spent." in text
    assert "--resume continues the measurement" in text
    assert Measurements.load(file).runs[-1].ended == "its budget of 1 s was spent"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("540", 540.0),
        ("9m", 540.0),
        ("9min", 540.0),
        ("0.5h", 1800.0),
        ("1.5s", 1.5),
        ("20ms", 0.02),
        ("1e2", 100.0),
    ],
)
def test_a_time_has_a_unit_or_is_in_seconds(text, seconds) -> None:
    parser = Parser(prog="resflops bench")
    add_arguments(parser)
    assert parser.parse_args(["--budget", text]).budget == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["9d", "m", "9 minutes", "1h30m", "-1m", "inf", "nan", "ten"])
def test_another_time_is_refused(capsys, text) -> None:
    message = refused(capsys, "bench", "--models", "resnet20", f"--budget={text}")
    assert f"--budget takes a number of seconds, such as 0.5 (or 9m, 1h), got {text!r}" in message


def test_a_file_that_is_there_is_not_written_over(capsys, saved) -> None:
    message = refused(capsys, "bench", "--models", "resnet20", *BRIEF, "--save", str(saved))
    assert "exists already; continue it with --resume" in message


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_one_message_names_the_cpu(capsys) -> None:
    message = refused(capsys, "bench", "--models", "resnet20", "--device", "cuda")
    assert "measure on the processor with --device cpu" in message


def test_to_show_what_was_measured_takes_no_setting(capsys, saved) -> None:
    message = refused(capsys, "bench", "--show", str(saved), "--batch", "8", "--layers", "--models", "vgg19")
    assert "--show measures nothing; leave out --batch, --layers, --models" in message


def test_where_nothing_could_be_measured_the_table_says_why_and_the_status_too(capsys, touchy) -> None:
    arguments = ["--models", touchy(), "--input", "4", "--batch", "3"]
    assert main(["bench", *arguments, *BRIEF, "--format", "json"]) == 2
    out, err = capsys.readouterr()
    assert [row["error"] for row in rows_of(out)] == ["failed: never three"]
    assert err.endswith("batch 3, float32 could not be measured: failed: never three\n")
