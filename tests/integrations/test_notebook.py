"""How costs show themselves where they are looked at interactively."""

import re
import subprocess
import sys

import pytest
from matplotlib.text import Text

import resflops
from resflops.errors import UsageError
from resflops.tables.breakdown import build_breakdown


@pytest.fixture(scope="module")
def cost():
    return resflops.count(resflops.load("resnet20"), (1, 3, 32, 32), backward=True)


def test_a_cost_shows_itself_as_a_table(cost):
    html = cost._repr_html_()
    assert html.startswith("<p>input 1×3×32×32</p>\n<table>")
    assert "40,551,040" in html
    assert "MACs" in html


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (lambda cost: cost, "40,551,040"),
        (lambda cost: cost.layers, "layer1.0.conv1"),
        (lambda cost: cost.backward, "for weights"),
        (lambda cost: cost.trace, "The first 60 of"),
        (lambda cost: cost.summary(), "BasicBlock"),
        (lambda cost: resflops.crosscheck("resnet20", peers=["FlopCounterMode"]), "81,102,080"),
        (lambda cost: resflops.table([cost, "resnet56"]), "resnet56"),
    ],
    ids=["cost", "layers", "backward", "trace", "summary", "crosscheck", "table"],
)
def test_a_value_shows_itself_as_a_table_without_a_word_of_the_command_line(cost, value, holds):
    html = value(cost)._repr_html_()
    assert "<table>" in html
    assert holds in html
    assert not re.search(r"(^|[ (])--[a-z]", html)


def test_rows_that_are_left_out_are_said_to_be_in_the_cost(cost):
    assert "cost.layers shows them" in cost._repr_html_()


def test_a_cost_is_called_as_its_model_was_asked_for(cost):
    assert cost.model == "resnet20"
    assert "resnet20" in "".join(text.get_text() for text in cost.plot().findobj(Text))


def test_a_plot_is_shown_by_pyplot_where_it_is_imported_and_once_in_a_notebook():
    script = (
        "import matplotlib; matplotlib.use('agg')\n"
        "import matplotlib.pyplot as plt, resflops\n"
        "cost = resflops.count('resnet20')\n"
        "figure = cost.plot('stages')\n"
        "print(plt.gcf() is figure, len(plt.get_fignums()))\n"
        "figure._repr_svg_()\n"
        "print(len(plt.get_fignums()))\n"
        "cost.plot(); plt.show()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "True 1\n0\n", done.stderr


@pytest.mark.parametrize("what", ["profile", "stages"])
def test_a_plot_shows_itself_as_a_picture(cost, what):
    light = cost.plot(what)._repr_svg_()
    assert light.endswith("</svg>\n")
    assert light == cost.plot(what)._repr_svg_()
    assert light != cost.plot(what, dark=True)._repr_svg_()


def test_a_plot_leaves_pyplot_and_its_settings_alone():
    script = (
        "import sys, matplotlib, resflops\n"
        "matplotlib.rcParams['font.size'] = 77\n"
        "resflops.count(resflops.load('resnet20'), (1, 3, 32, 32)).plot().savefig(sys.argv[1])\n"
        "print('matplotlib.pyplot' in sys.modules, matplotlib.rcParams['font.size'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "/dev/null"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "False 77.0\n", done.stderr


def test_a_picture_that_there_is_not_is_told_its_neighbours(cost):
    with pytest.raises(UsageError, match="closest: profile"):
        cost.plot("profil")


def test_a_model_that_costs_nothing_has_no_picture():
    import torch

    with pytest.raises(UsageError, match="nothing to draw"):
        resflops.count(torch.nn.ReLU(), (1, 3)).plot()


def test_whatever_is_a_table_is_a_frame_too(cost):
    layers, backward = cost.to_frame(), cost.backward.to_frame()
    assert (layers["macs"].sum(), backward["macs"].sum()) == (cost.macs, cost.backward.macs)
    table = build_breakdown(cost, depth=1)
    frame = table.to_frame()
    assert list(frame["macs"]) == [row["macs"] for row in table.rows]
    assert len(frame.columns) == len({column.key for column in table.columns})
