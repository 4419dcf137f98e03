"""``resflops.table``: models side by side, from Python."""

import pytest
from torch import nn

import resflops
from resflops.errors import UsageError

SHAPE = (1, 3, 32, 32)
RESNET20, RESNET56 = 40_551_040, 125_485_696


def macs_of(table):
    return {row["model"]: row["macs"] for row in table.rows}


@pytest.mark.parametrize(
    "models",
    [
        pytest.param(["resnet20", "resnet56"], id="specs"),
        pytest.param([resflops.count("resnet20"), "resnet56"], id="a cost"),
        pytest.param([resflops.trace("resnet20"), resflops.load("resnet56")], id="a trace and a module"),
    ],
)
def test_models_are_compared_however_they_are_given(models):
    inputs = (SHAPE,) if any(isinstance(model, nn.Module) for model in models) else ()
    assert macs_of(resflops.table(models, *inputs)) == {"resnet20": RESNET20, "resnet56": RESNET56}


def test_one_model_needs_no_list():
    assert macs_of(resflops.table("resnet20")) == {"resnet20": RESNET20}
    assert macs_of(resflops.table(nn.Sequential(nn.Conv2d(3, 4, 3)), (1, 3, 8, 8))) == {
        "Sequential": 6 * 6 * 4 * 27
    }


def test_names_need_no_list_either():
    assert macs_of(resflops.table("resnet20", "resnet56")) == {"resnet20": RESNET20, "resnet56": RESNET56}


def test_a_dict_names_the_rows():
    table = resflops.table({"ours": "resnet20", "theirs": resflops.count("resnet56")})
    assert macs_of(table) == {"ours": RESNET20, "theirs": RESNET56}


def test_the_table_follows_the_convention_of_its_costs():
    costs = [resflops.count(spec, convention="formula") for spec in ("resnet20", "resnet56")]
    assert resflops.table(costs).convention == "formula"
    assert resflops.table(costs, convention="macs").convention == "macs"
    with pytest.raises(
        UsageError, match=r'different conventions, formula and flops; .* convention="formula"'
    ):
        resflops.table([costs[0], resflops.count("resnet56", convention="flops")])


def test_no_model_is_a_mistake():
    with pytest.raises(UsageError, match=r"no models are given; .* resflops\.table\(\["):
        resflops.table([])


def test_it_shows_itself_and_goes_elsewhere():
    table = resflops.table(["resnet20", "resnet56"])
    assert "40,551,040" in str(table)
    assert repr(table) == str(table)
    assert "<table>" in table._repr_html_()
    assert table.to_markdown().count("| resnet20 |") == 1
    assert r"\toprule" in table.to_latex()
    assert table.to_csv().splitlines()[1].startswith("resnet20,")
    assert table.to_frame()["macs"].tolist() == table.to_pandas()["macs"].tolist() == [RESNET20, RESNET56]
    with pytest.raises(UsageError, match="closest: markdown"):
        table.render("markdwn")
