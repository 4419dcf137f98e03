"""``resflops crosscheck`` and ``resflops peers`` as a user meets them."""

import json

import pytest

import resflops
from resflops.cli import main
from resflops.cost.convention import CONVENTIONS
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking import running, selection
from resflops.crosschecking.adapters import ADAPTERS, Answer
from tests.sources.onnx_files import graphs

CHECK = ("crosscheck", "--models", "resnet20", "--peers", "fvcore", "thop")


def run(capsys, *arguments, status=0):
    assert main(arguments) == status
    out, _ = capsys.readouterr()
    return out


def test_the_figures_and_causes_of_the_peers_are_told_as_data(capsys):
    document = json.loads(run(capsys, *CHECK, "--format", "json"))
    assert (document["schema_version"], document["convention"]) == (1, "macs")
    assert [(row["peer"], row["unexplained"], row["unexplained_params"]) for row in document["rows"]] == [
        ("fvcore", 0, 0),
        ("thop", 0, 0),
    ]
    for row in document["rows"]:
        causes = [cause for cause in document["causes"] if cause["peer_convention"] == row["peer_convention"]]
        assert sum(cause["amount"] for cause in causes) == row["difference"] == row["figure"] - row["macs"]
    assert "places" not in document


def test_layers_tells_where_every_cause_comes_from(capsys):
    document = json.loads(run(capsys, *CHECK, "--layers", "--format", "json"))
    for cause in document["causes"]:
        places = [
            place
            for place in document["places"]
            if (place["peer_convention"], place["cause"]) == (cause["peer_convention"], cause["cause"])
        ]
        assert sum(place["amount"] for place in places) == cause["amount"]
        assert sum(place["calls"] for place in places) == cause["ops"]
        assert len({place["layer"] for place in places}) == cause["layers"]


@pytest.mark.parametrize("name", ["terminal", "markdown", "latex"])
def test_every_format_says_what_makes_the_difference(capsys, name):
    out = run(capsys, *CHECK, "--format", name)
    assert "normalisation" in out
    assert "pooling" in out


def test_csv_has_one_row_a_figure_and_no_column_twice(capsys):
    heading, *rows = run(capsys, *CHECK, "--format", "csv").splitlines()
    assert len(set(heading.split(","))) == len(heading.split(","))
    assert [row.split(",")[3] for row in rows] == ["fvcore", "thop"]


def test_a_table_may_be_under_the_convention_of_a_peer(capsys):
    table = json.loads(
        run(capsys, "table", "--models", "resnet20", "--convention", "thop", "--format", "json")
    )
    check = json.loads(run(capsys, *CHECK, "--format", "json"))
    assert table["convention"] == "thop"
    assert table["rows"][0]["total"] == check["rows"][1]["figure"]


def test_the_layers_of_a_model_add_up_under_the_convention_of_a_peer(capsys):
    for name in PEERS:
        document = json.loads(
            run(capsys, "layers", "resnet20", "--convention", PEERS[name].convention.name, "--format", "json")
        )
        assert sum(row["total"] for row in document["rows"]) == document["total"]["total"]


@pytest.mark.parametrize("name", [name for name, each in CONVENTIONS.items() if each.views])
def test_the_convention_of_a_peer_is_explained_with_its_prices(capsys, name):
    document = json.loads(run(capsys, "conventions", name, "--format", "json"))
    listed = {op for row in document["rows"] for op in row["ops"]}
    assert listed == {op for view in CONVENTIONS[name].views for op in view.charges}


def test_peers_tells_what_is_installed_and_what_is_known(capsys):
    document = json.loads(run(capsys, "peers", "--format", "json"))
    rows = {row["peer"]: row for row in document["rows"]}
    assert list(rows) == list(PEERS)
    assert {name for name, row in rows.items() if row["installed"]} == {
        name for name, each in PEERS.items() if find_installed_version(each)
    }
    assert rows["thop"]["installed"] == find_installed_version(PEERS["thop"])
    assert {row["peer"] for row in document["defects"]} == set(PEERS)
    for row in document["defects"]:
        assert not row["issue"] or row["issue"].count("#") == row["issue"].count("/") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("crosscheck", "no models are given"),
        ("crosscheck --models resnet43", "no model named 'resnet43'; closest: "),
        ("crosscheck --models resnet20 --peers thp", "no peer named 'thp'; closest: thop"),
        ("crosscheck --models resnet20 --input 3x4", "resnet20"),
        ("crosscheck --models resnet20 --input 4x32x32 --peers thop", "conv1"),
        ("crosscheck --models resnet20 --time-limit 0", "--time-limit must be a whole number of at least 1"),
        ("crosscheck --models resnet20 --time-limit soon", "at least 1, got 'soon'"),
        ("crosscheck --models resnet20 --peer thop", "no option --peer; closest: --peers"),
        ("crosscheck --models resnet20 --out /nonexistent/x.md", "no folder /nonexistent"),
        ("peers thop", "unexpected argument 'thop'"),
    ],
)
def test_a_mistake_gets_one_message_and_status_2(capsys, arguments, says):
    assert main(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("resflops: ")
    assert err.count("\n") == 1


def fails(model, args, kwargs):
    raise RuntimeError("it does not like this model")


def test_a_peer_that_fails_is_a_row_among_others(capsys, monkeypatch):
    monkeypatch.setitem(ADAPTERS, "fvcore", fails)
    document = json.loads(run(capsys, *CHECK, "--format", "json"))
    assert [row["failure"] for row in document["rows"]] == ["RuntimeError: it does not like this model", ""]
    assert document["rows"][0]["figure"] is None


def test_when_no_peer_gives_a_figure_nothing_is_shown(capsys, monkeypatch):
    monkeypatch.setitem(ADAPTERS, "fvcore", fails)
    monkeypatch.setitem(ADAPTERS, "thop", fails)
    assert main(CHECK) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "resflops: no counter gave a figure; the first, fvcore on resnet20: "
        "RuntimeError: it does not like this model; resflops peers shows which of them are installed\n"
    )


def test_without_any_peer_the_message_says_how_to_get_them(capsys, monkeypatch):
    monkeypatch.setattr(selection, "find_installed_version", lambda peer: None)
    assert main(["crosscheck", "--models", "resnet20"]) == 2
    assert capsys.readouterr().err.startswith(
        "resflops: no other counter is installed; pip install 'resflops[peers]'"
    )


def off_by_one(model, args, kwargs):
    return Answer(figures={"fvcore": 1})


def test_strict_fails_on_a_remainder(capsys, monkeypatch):
    run(capsys, *CHECK, "--strict")
    monkeypatch.setitem(ADAPTERS, "fvcore", off_by_one)
    assert main([*CHECK, "--strict"]) == 1
    out, err = capsys.readouterr()
    assert "fvcore is not explained to the last operation on resnet20" in out
    assert err == "resflops: --strict: not explained to the last operation: fvcore on resnet20\n"


def test_a_model_of_a_pattern_that_fails_is_a_row(capsys):
    models = ("--models", "resnet20", "vgg1[1]", "--input", "3x8x8")
    out = run(capsys, "crosscheck", *models, "--peers", "thop", "--format", "json")
    there, failed = json.loads(out)["rows"]
    assert (there["model"], there["unexplained"], there["failure"]) == ("resnet20", 0, "")
    assert (failed["model"], failed["figure"]) == ("vgg11", None)
    assert "features." in failed["failure"]


def test_an_interrupt_keeps_the_peers_that_have_run(capsys, monkeypatch):
    honest, runs = running.run_in_process, []

    def interrupted(function, **how):
        runs.append(function)
        if len(runs) == 2:
            raise KeyboardInterrupt
        return honest(function, **how)

    monkeypatch.setattr(running, "run_in_process", interrupted)
    document = json.loads(run(capsys, *CHECK, "--format", "json", status=130))
    assert [(row["peer"], row["unexplained"]) for row in document["rows"]] == [("fvcore", 0)]
    assert "Interrupted: not every peer has run." in document["notes"]


def test_files_and_models_are_cross_checked_in_one_table_each_by_the_counters_that_take_it(capsys, tmp_path):
    net = graphs.model(
        [graphs.node("MatMul", ["x", "w"], ["y"])],
        [graphs.tensor("x", "batch", 3)],
        [graphs.tensor("y", "batch", 4)],
        [graphs.weight("w", 3, 4)],
    )
    (tmp_path / "net.onnx").write_bytes(net.SerializeToString())
    given = (
        f"crosscheck Mine={tmp_path / 'net.onnx'} resnet20 --batch 2 --peers fvcore onnx-tool --format json"
    )
    document = json.loads(run(capsys, *given.split()))
    rows = {(row["model"], row["peer"]): (row["figure"], row["unexplained"]) for row in document["rows"]}
    figure = 2 * resflops.count("resnet20").under("fvcore").total
    assert rows == {
        ("Mine", "fvcore"): (None, None),
        ("Mine", "onnx-tool"): (24, 0),
        ("resnet20", "fvcore"): (figure, 0),
        ("resnet20", "onnx-tool"): (None, None),
    }
    assert list(document["environment"]) == ["python", "torch", "onnx", "machine"]


def test_a_file_whose_sizes_are_open_is_a_row_that_asks_for_them(capsys, tmp_path):
    net = graphs.model(
        [graphs.node("Relu", ["x"], ["y"])],
        [graphs.tensor("x", "rows", "columns")],
        [graphs.tensor("y", "rows", "columns")],
    )
    (tmp_path / "net.onnx").write_bytes(net.SerializeToString())
    assert main(["crosscheck", str(tmp_path / "net.onnx")]) == 2
    assert "leaves sizes open: rows, columns" in capsys.readouterr().err
