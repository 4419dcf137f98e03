"""The columns of a sweep, and the rows of its cases."""

import pytest

import resflops
from resflops.errors import UsageError
from resflops.sweeps.cases import Case, SweepOptions
from resflops.sweeps.columns import build_failed_row, build_row, list_columns


def name_columns(**options):
    return [column.name for column in list_columns(SweepOptions(**options))]


def test_each_convention_is_a_column_and_so_is_its_backward_pass():
    assert name_columns()[4:9] == ["batch", "size", "params", "buffers", "macs"]
    figures = name_columns(conventions=("flops", "formula"), training=True, memory=True)
    start = figures.index("macs")
    assert figures[start : figures.index("complete")] == [
        "macs",
        "macs_backward",
        "flops",
        "flops_backward",
        # It prices no gradients.
        "formula",
        "peak_memory",
        "training_memory",
    ]


def test_a_row_has_what_the_commands_say():
    options = SweepOptions(conventions=("macs", "flops"), training=True, memory=True)
    cost = resflops.count("resnet18", (2, 3, 64, 64), backward=True)
    case = Case(number=0, name="resnet18", spec="resnet18", batch=2)
    row = build_row(case, cost, options)
    assert {name: row[name] for name in ("spec", "source", "name", "input", "batch", "size")} == {
        "spec": "resnet18",
        "source": "resflops",
        "name": "resnet18",
        "input": "2x3x64x64",
        "batch": 2,
        "size": 64,
    }
    trained = resflops.count("resnet18", (2, 3, 64, 64), backward=True)
    assert (row["macs"], row["flops"]) == (cost.macs, cost.under("flops").total)
    assert row["macs_backward"] == trained.backward.total
    assert row["flops_backward"] == trained.under("flops").backward.total
    assert row["peak_memory"] == resflops.memory(cost.trace).peak
    assert row["training_memory"] == resflops.memory(cost.trace, training=True).peak
    assert (row["params"], row["buffers"], row["complete"]) == (cost.params, cost.buffers, True)
    assert set(row) == set(name_columns(conventions=("macs", "flops"), training=True, memory=True))


def test_a_type_that_is_asked_for_is_a_column():
    assert name_columns(dtype="float16")[3:6] == ["input", "dtype", "batch"]
    row, failed = resflops.sweep(["resnet20", "resnet21"], dtype="fp16", memory=True, workers=1)
    own = resflops.count("resnet20")
    assert (row["dtype"], row["macs"]) == ("float16", own.macs)
    assert row["peak_memory"] < resflops.memory(own.trace).peak
    assert (failed["failure"], failed["dtype"]) == ("unknown model", None)


def test_a_type_that_there_is_not_is_told_before_anything_is_counted():
    with pytest.raises(UsageError, match="unknown dtype 'flaot16'; closest: float16"):
        resflops.sweep(["resnet20"], dtype="flaot16")


def test_the_names_are_those_of_their_sources():
    options = SweepOptions()
    cost = resflops.count("resnet18", (1, 3, 32, 32))

    def split(spec, name=""):
        row = build_row(Case(number=0, name=name or spec, spec=spec), cost, options)
        return row["source"], row["name"]

    assert split("timm/resnet50d") == ("timm", "resnet50d")
    assert split("timm/resnet50d", "Ours") == ("timm", "Ours")
    assert split("resnet18,num_classes=10") == ("resflops", "resnet18,num_classes=10")
    assert split("nets.py:Net") == ("", "nets.py:Net")
    made = build_row(Case(number=0, name="cell", source="space.py:cells", made_by=0), cost, options)
    assert (made["source"], made["name"], made["spec"]) == ("space.py:cells", "cell", "")


def test_the_version_of_the_package_is_in_the_row():
    import timm

    row = build_failed_row(Case(number=0, name="timm/resnet18", spec="timm/resnet18"), "model", "why")
    assert row["package"] == f"timm {timm.__version__}"
    assert build_failed_row(Case(number=0, name="resnet18", spec="resnet18"), "model", "why")["package"] == ""


def test_a_failed_row_has_what_was_asked_and_the_reason_as_any_file_takes_it():
    row = build_failed_row(
        Case(number=3, name="vgg16", spec="vgg16", input_shape=(3, 5, 5), batch=2), "input", "half \ud800"
    )
    assert {name: row.get(name) for name in ("input", "batch", "size", "failure", "reason", "macs")} == {
        "input": "3x5x5",
        "batch": 2,
        "size": 5,
        "failure": "input",
        "reason": "half \\ud800",
        "macs": None,
    }
