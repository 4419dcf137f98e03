"""How costs and traces are written in one line, and what they answer to other counters' names."""

import pickle

import pytest
import torch
from rich.pretty import pretty_repr
from torch import nn

import resflops


class Unruly(nn.Module):
    """Has an op without a rule."""

    def forward(self, x):
        return torch.linalg.eigvals(x @ x)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (lambda: resflops.count("resnet34"),
         "Cost(resnet34 on 1×3×224×224: 3,663,761,408 MACs, 21,797,672 parameters)"),
        (lambda: resflops.count("resnet34", convention="formula"),
         "Cost(resnet34 on 1×3×224×224: 3,667,500,520 under formula, 3,663,761,408 MACs, 21,797,672 parameters)"),
        (lambda: resflops.count("resnet34").trace,
         "Trace(resnet34 on 1×3×224×224: 125 ops, 129 modules, 21,797,672 parameters)"),
        (lambda: resflops.count("resnet34").layers,
         "Layers(108 rows: 3,663,761,408 MACs, 21,797,672 parameters)"),
        (lambda: resflops.count("resnet34").layers[0],
         "LayerRow(conv1 conv2d 1×3×224×224 → 1×64×112×112: 118,013,952 MACs, 9,408 parameters)"),
        (lambda: resflops.count("resnet34", backward=True).backward,
         "Backward(resnet34 on 1×3×224×224: 7,209,508,864 MACs, 3,545,747,456 for activations and "
         "3,663,761,408 for parameters)"),
        (lambda: resflops.count(nn.Linear(4, 5), (7, 4), nonzero=True),
         "Cost(Linear on 7×4: 140 MACs, 25 parameters, 140 nonzero MACs)"),
        (lambda: resflops.count(Unruly(), (4, 4)),
         "Cost(Unruly on 4×4: ≥ 64 MACs, 0 parameters, not counted: linalg_eig)"),
        (lambda: resflops.CONVENTIONS["macs"],
         "Convention(macs: multiply-accumulates of convolutions, matrix products and attention; nothing else)"),
        (lambda: resflops.crosscheck("resnet20", peers=["FlopCounterMode"]),
         "CrossCheck(resnet20: 1 figure of other counters, all explained)"),
        (lambda: resflops.crosscheck("resnet20", peers=["FlopCounterMode"]).rows[0],
         "Reconciliation(FlopCounterMode on resnet20: 81,102,080, 0 unexplained)"),
    ],
    ids=["cost", "convention", "trace", "layers", "layer", "backward", "nonzero", "incomplete", "convention alone", "crosscheck",
         "reconciliation"],
)  # fmt: skip
def test_a_value_is_one_line(value, text):
    made = value()
    assert repr(made) == str(made) == text
    if not isinstance(made, tuple):
        assert "\n" not in pretty_repr(made)


def test_measurements_are_one_line():
    measured = resflops.benchmark(nn.Linear(4, 5), (7, 4), device="cpu", rounds=2, seconds=0.001, warm_up=0.0)
    assert repr(measured).startswith("Measurements(Linear: 1 timed on ")
    assert "\n" not in repr(measured)
    assert "<table>" in measured._repr_html_()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("flops", r"what is called FLOPs differs .* cost\.macs .* cost\.under\('flops'\)\.total"),
        ("gflops", "what is called FLOPs differs"),
        ("total_mult_adds", r"use cost\.macs"),
        ("total_params", r"use cost\.params"),
        ("by_operator", r"use cost\.by_op"),
        ("unsupported_ops", r"cost\.uncounted lists"),
        ("param", "closest: params"),
        ("sumary", "closest: summary"),
    ],
)
def test_a_name_of_another_counter_is_answered(name, says):
    cost = resflops.count("resnet20")
    with pytest.raises(
        AttributeError,
        match=rf"'Cost' object has no attribute '{name}'; .*{says}" if "closest" not in says else says,
    ):
        getattr(cost, name)


def test_what_a_notebook_probes_for_is_merely_missing():
    cost = resflops.count("resnet20")
    assert not hasattr(cost, "_ipython_display_")
    assert not hasattr(cost, "_repr_latex_")


def test_a_trace_says_who_prices_it():
    with pytest.raises(AttributeError, match=r"resflops\.count\(trace\)"):
        _ = resflops.count("resnet20").trace.macs


@pytest.mark.parametrize("name", ["summary", "FlopCountAnalysis", "get_model_complexity_info"])
def test_a_function_of_another_counter_is_answered(name):
    with pytest.raises(AttributeError, match=r"resflops\.count\(model, \(1, 3, 224, 224\)\)"):
        getattr(resflops, name)


def test_costs_and_layers_survive_pickling():
    cost = resflops.count("resnet20")
    again = pickle.loads(pickle.dumps(cost))
    assert again == cost
    layers = pickle.loads(pickle.dumps(cost.layers))
    assert layers == cost.layers
    assert layers._repr_html_() == cost.layers._repr_html_()


def test_modules_have_the_cost_of_all_that_is_in_them():
    cost = resflops.count("resnet20")
    by_module = cost.by_module()
    assert by_module[""] == cost.total
    assert by_module["layer1"] == sum(row.total for row in cost.layers if row.name.startswith("layer1."))
    assert set(cost.by_module(depth=1)) == {name for name in by_module if "." not in name}


def test_a_cost_is_written_as_markdown_and_latex():
    cost = resflops.count("resnet20")
    assert "| **total** |" in cost.to_markdown()
    assert cost.to_markdown(depth=1).count("\n| layer1 |") == 1
    assert r"\bottomrule" in cost.to_latex(depth=1)
    assert cost.to_pandas().equals(cost.to_frame())
