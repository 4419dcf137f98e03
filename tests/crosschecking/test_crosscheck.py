"""resflops.crosscheck: peers beside ours, the user's model untouched."""

import subprocess
import sys

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking import running
from resflops.crosschecking.adapters import ADAPTERS, Answer
from resflops.errors import TraceError, UsageError
from resflops.models import NETWORKS

LIGHT = "resnet20"
INSTALLED = [name for name, peer in PEERS.items() if find_installed_version(peer)]
RUN = ("fvcore", "thop", "FlopCounterMode")
"""The peers of the development environment; reports/crosscheck.md has the others."""


def usual_input(spec):
    return (1, *NETWORKS[spec].input_shape)


@pytest.fixture(scope="module")
def line_up():
    """Peers on the paper's network."""
    check = resflops.crosscheck(resflops.load("resnet34"), usual_input("resnet34"), peers=RUN)
    return {row.convention: row for row in check.rows}


def test_every_peer_is_explained_to_the_last_operation(line_up):
    assert {row.peer for row in line_up.values()} == set(RUN)
    assert [(row.convention, row.failure) for row in line_up.values() if not row.explained] == []


def test_resnet34_is_what_its_layers_add_up_to(line_up):
    """Each difference from the network's own sizes: BatchNorm, ReLU, pooling, and the last layer's bias."""
    trace = resflops.trace(resflops.load("resnet34"), usual_input("resnet34"))

    def elements(op, *, given=False):
        sizes = [
            record.input_shapes[0] if given else record.output_shape
            for record in trace.ops
            if record.op == op
        ]
        return sum(torch.Size(size).numel() for size in sizes)

    norms, relus, averages = (
        elements("batch_norm"),
        elements("relu"),
        elements("adaptive_avg_pool2d", given=True),
    )
    averaged, pooled, bias = elements("adaptive_avg_pool2d"), elements("max_pool2d", given=True), 1000
    assert (norms, relus, pooled, averages, averaged) == (3_738_112, 3_562_496, 802_816, 25_088, 512)
    differences = {
        "FlopCounterMode": 0,
        "calflops": 0,
        "DeepSpeed": 0,
        "ptflops-aten": bias,
        "torchinfo": 18_024,
        "torchprofile": norms + averaged,
        "fvcore": 2 * norms + averages,
        "thop": 4 * norms + averages + averaged,
        "ptflops": 2 * norms + bias + 2 * (relus + pooled + averages),
    }
    cost = resflops.count(trace)
    for name, difference in differences.items():
        per_mac = PEERS[name].convention.per_mac
        assert cost.under(name).total - per_mac * cost.macs == difference, name
        if name in line_up:
            assert line_up[name].difference == difference


def test_a_peer_that_is_not_installed_is_a_row_that_says_so():
    missing = next((name for name in PEERS if name not in INSTALLED), None)
    if missing is None:
        pytest.skip("every peer is installed here")
    (row,) = resflops.crosscheck(resflops.load(LIGHT), usual_input(LIGHT), peers=[missing]).rows
    assert row.failure.startswith("not installed: pip install ")
    assert row.figure is None
    assert row.difference is None


def spoils(model, args, kwargs):
    for parameter in model.parameters():
        parameter.data.zero_()
    model.register_buffer("total_ops", torch.zeros(1))
    nn.functional.relu = None
    raise RuntimeError("and then it fails")


def test_a_single_peer_may_be_named_without_a_list():
    (row,) = resflops.crosscheck(resflops.load(LIGHT), usual_input(LIGHT), peers="fvcore").rows
    assert row.peer == "fvcore"


def test_a_peer_that_spoils_its_model_and_fails_harms_nothing(monkeypatch):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    monkeypatch.setitem(ADAPTERS, "fvcore", spoils)
    check = resflops.crosscheck(model, (1, 3, 8, 8), peers=["fvcore", "thop"])
    assert [row.failure for row in check.rows] == ["RuntimeError: and then it fails", ""]
    assert check.rows[1].explained
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert nn.functional.relu is not None


def test_a_wrong_figure_is_a_remainder(monkeypatch):
    """A peer that says one more than it should is not explained away."""
    honest = ADAPTERS["thop"]

    def one_more(model, args, kwargs):
        said = honest(model, args, kwargs)
        return Answer(figures={name: figure + 1 for name, figure in said.figures.items()})

    monkeypatch.setitem(ADAPTERS, "thop", one_more)
    (row,) = resflops.crosscheck(resflops.load(LIGHT), usual_input(LIGHT), peers=["THOP"]).rows
    assert (row.unexplained, row.explained) == (1, False)


def test_another_version_than_the_verified_one_is_told(monkeypatch):
    monkeypatch.setattr(running, "find_installed_version", lambda peer: "9.9")
    (row,) = resflops.crosscheck(resflops.load(LIGHT), usual_input(LIGHT), peers=["thop"]).rows
    assert (row.version, row.verified) == ("9.9", False)


def test_a_model_called_with_keywords_is_given_to_peers_with_them():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x, *, scale):
            return self.fc(x) * scale

    check = resflops.crosscheck(Two(), (3, 4), scale=2.0, peers=["FlopCounterMode", "fvcore"])
    assert check.rows[0].explained
    assert "the peer takes no keyword inputs, but scale can only be given by keyword" in check.rows[1].failure


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"peers": ["thp"]}, UsageError, "no peer named 'thp'; closest: thop"),
        ({"peers": "thp"}, UsageError, "no peer named 'thp'; closest: thop"),
        ({"peers": [None]}, UsageError, "the name of a peer must be a text such as 'fvcore', got None"),
        ({"peers": "thop", "seconds": 0}, UsageError, "seconds must be more than 0, got 0;"),
        ({"peers": ["thop"], "shape": (1, 4, 32, 32)}, TraceError, "conv1"),
    ],
)
def test_a_mistake_is_named_before_any_peer_runs(given, error, says):
    shape = given.pop("shape", usual_input(LIGHT))
    with pytest.raises(error, match=says):
        resflops.crosscheck(resflops.load(LIGHT), shape, **given)


def test_a_model_may_be_given_by_its_spec_and_is_called_by_it():
    (row,) = resflops.crosscheck(LIGHT, peers=["FlopCounterMode"]).rows
    assert (row.model, row.inputs, row.unexplained) == (LIGHT, ((1, *usual_input(LIGHT)[1:]),), 0)


def test_what_is_no_model_is_refused_before_any_peer_runs():
    with pytest.raises(TraceError, match=r"must be a torch\.nn\.Module, got 7; give the module"):
        resflops.crosscheck(7, usual_input(LIGHT))


def test_a_crosscheck_is_stored_and_read_without_torch(tmp_path):
    check = resflops.crosscheck(resflops.load(LIGHT), usual_input(LIGHT), peers=["thop"])
    check.save(tmp_path / "check.json")
    assert resflops.CrossCheck.load(tmp_path / "check.json") == check
    script = (
        "import resflops, sys\n"
        f"check = resflops.CrossCheck.load({str(tmp_path / 'check.json')!r})\n"
        "print(check.rows[0].unexplained, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]


def test_a_stored_trace_is_priced_as_every_peer_would_without_torch(tmp_path):
    resflops.trace(resflops.load(LIGHT), usual_input(LIGHT)).save(tmp_path / "trace.json")
    script = (
        "import sys\n"
        "from resflops.cost import price\n"
        "from resflops.cost.convention import MACS\n"
        "from resflops.records import Trace\n"
        "from resflops.counters import PEERS\n"
        f"cost = price(Trace.load({str(tmp_path / 'trace.json')!r}), MACS)\n"
        "print(all(cost.under(each.convention.name).total >= cost.macs for each in PEERS.values()))\n"
        "print({'torch', 'fvcore', 'thop', 'deepspeed'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "set()"]


def test_rows_kept_without_places_keep_the_sums():
    (row,) = resflops.crosscheck(resflops.load(LIGHT), usual_input(LIGHT), peers=["fvcore"]).rows
    kept = row.without_places()
    assert [(cause.amount, cause.ops, cause.layers) for cause in kept.causes] == [
        (cause.amount, cause.ops, cause.layers) for cause in row.causes
    ]
    assert all(not cause.places for cause in kept.causes)
    assert replace(kept, causes=row.causes) == row
