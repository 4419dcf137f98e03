"""The graphs that torch's two exporters make of torchvision's networks, as ``onnx_graphs.py`` stored them."""

import zipfile
from collections import Counter
from functools import cache
from pathlib import Path

import onnx
import pytest

import resflops

with zipfile.ZipFile(Path(__file__).with_name("networks.zip")) as archive:
    NAMES = archive.namelist()


def load(name):
    with zipfile.ZipFile(Path(__file__).with_name("networks.zip")) as archive:
        return onnx.load_model_from_string(archive.read(name))


@cache
def count_module(network, shape):
    return resflops.count(f"torchvision/{network}", shape)


def add_up_layers(cost):
    macs = Counter()
    for row in cost.layers:
        macs[row.name] += row.macs
    return +macs


def test_there_are_20_networks_by_both_exporters():
    assert len(NAMES) == 40
    assert Path(__file__).with_name("networks.zip").stat().st_size < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_costs_what_its_network_does(name):
    network = name.rpartition("-")[0]
    cost = resflops.count(load(name))
    own = count_module(network, cost.trace.inputs[0].shape)
    assert cost.macs == own.macs
    assert cost.uncounted == ()
    assert add_up_layers(cost) == add_up_layers(own)
