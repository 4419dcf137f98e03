"""Traces and costs as values: equal, frozen, and the same after a trip to JSON."""

import json

import pytest
from torch import nn

import resflops
from resflops.errors import FileError, ResflopsError, SchemaError
from resflops.records import SCHEMA_VERSION


@pytest.fixture(scope="module")
def trace():
    return resflops.trace(resflops.load("resnet18"), (1, 3, 64, 64))


def test_a_trace_comes_back_from_json_unchanged(trace, tmp_path):
    trace.save(tmp_path / "resnet18.json")
    back = resflops.Trace.load(tmp_path / "resnet18.json")
    assert back == trace
    assert resflops.count(back) == resflops.count(trace)


@pytest.mark.parametrize("convention", list(resflops.CONVENTIONS))
def test_a_cost_comes_back_from_json_unchanged(trace, tmp_path, convention):
    cost = resflops.count(trace, convention=convention)
    cost.save(tmp_path / "cost.json")
    back = resflops.Cost.load(tmp_path / "cost.json")
    assert back == cost
    assert back.layers == cost.layers
    assert back.total == cost.total
    assert back.under("formula").total == cost.under("formula").total


def test_saving_twice_gives_the_same_bytes(trace, tmp_path):
    trace.save(tmp_path / "one.json")
    trace.save(tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_files_say_what_they_are(trace, tmp_path):
    trace.save(tmp_path / "trace.json")
    data = json.loads((tmp_path / "trace.json").read_text())
    assert (data["kind"], data["schema_version"]) == ("trace", SCHEMA_VERSION)


def test_values_are_frozen(trace):
    with pytest.raises(AttributeError):
        trace.model = "another"
    with pytest.raises(AttributeError):
        trace.ops[0].op = "another"


def newer(data):
    return {**data, "schema_version": SCHEMA_VERSION + 1}


def without_ops(data):
    return {name: value for name, value in data.items() if name != "ops"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda text: text[: len(text) // 2], "is not a trace file of resflops", id="truncated"),
        pytest.param(lambda text: "hello", "is not a trace file of resflops", id="no json"),
        pytest.param(lambda text: "[1, 2]", "is not a trace file of resflops", id="another json"),
        pytest.param(lambda text: "{}", "is not a trace file of resflops: it is something else", id="no kind"),
        pytest.param(lambda text: json.dumps(newer(json.loads(text))), "schema version 2; this resflops reads version 1", id="newer"),
        pytest.param(lambda text: json.dumps(without_ops(json.loads(text))), "damaged trace file: Object missing required field `ops`", id="a field lacks"),
        pytest.param(lambda text: text.replace('"conv2d"', "7"), "damaged trace file: Expected `str`, got `int`", id="wrong type"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_trace_is_refused_in_one_message(trace, tmp_path, spoil, message):
    path = tmp_path / "trace.json"
    trace.save(path)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(SchemaError, match=message) as caught:
        resflops.Trace.load(path)
    assert str(path) in str(caught.value)


def test_a_cost_is_no_trace(trace, tmp_path):
    resflops.count(trace).save(tmp_path / "cost.json")
    with pytest.raises(SchemaError, match="is not a trace file of resflops: it is a cost file"):
        resflops.Trace.load(tmp_path / "cost.json")


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(FileError, match=r"could not read .*no\.json: No such file or directory"):
        resflops.Trace.load(tmp_path / "no.json")
    with pytest.raises(FileError, match="there is no folder"):
        resflops.trace(nn.ReLU(), (1,)).save(tmp_path / "no" / "trace.json")


def test_all_errors_are_resflops_errors():
    from resflops import errors

    raised = [found for name in errors.__all__ if isinstance(found := getattr(errors, name), type)]
    assert all(issubclass(error, ResflopsError) for error in raised)
    tree = errors.__doc__ or ""
    assert [error.__name__ for error in raised if error.__name__ not in tree] == []
