"""Settings of torch are set for a run, and given back, also after an exception."""

import subprocess
import sys

import pytest
import torch

from resflops.latency.environment import read_environment
from resflops.latency.flags import Flags, read_tf32, set_flags, set_tf32
from resflops.latency.machine import TF32
from resflops.latency.peaks import Probe
from resflops.latency.probes import choose_probes, prepare_probe

CPU = torch.device("cpu")


def read():
    return read_tf32(), torch.backends.cudnn.benchmark, torch.get_num_threads()


@pytest.mark.parametrize(
    ("flags", "inside"),
    [
        (Flags(tf32="on"), (True, True)),
        (Flags(tf32="off"), (False, False)),
        (Flags(cudnn_benchmark="on"), None),
        (Flags(threads=1), None),
        (Flags(tf32="on", cudnn_benchmark="on", threads=1), (True, True)),
        (Flags(), None),
    ],
)
def test_flags_are_set_and_given_back(flags, inside):
    before, seen = read(), []

    def fail():
        with set_flags(flags):
            seen.extend(read())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    benchmark = True if flags.cudnn_benchmark == "on" else before[1]
    assert seen == [inside or before[0], benchmark, flags.threads or before[2]]
    assert read() == before


def test_both_ways_to_set_tf32_are_read():
    before = read_tf32()
    torch.backends.cuda.matmul.allow_tf32 = not before[0]
    try:
        assert read_tf32() == (not before[0], before[1])
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before[0]
    assert read_tf32() == before


HAS_PRECISIONS = hasattr(torch.backends, "fp32_precision")


@pytest.fixture
def precisions():
    """The precisions that torch knows, of every device, of a GPU and of its ops; afterwards as before."""
    backends = torch.backends
    owners = {
        "all": backends,
        "gpu": backends.cudnn,
        "matmul": backends.cuda.matmul,
        "conv": backends.cudnn.conv,
    }
    before = {name: owner.fp32_precision for name, owner in owners.items()}
    yield owners
    for name, owner in owners.items():
        owner.fp32_precision = before[name]


@pytest.mark.skipif(not HAS_PRECISIONS, reason="torch has one flag for all ops")
def test_precisions_of_ops_are_read_one_by_one(precisions):
    precisions["matmul"].fp32_precision, precisions["conv"].fp32_precision = "tf32", "ieee"
    assert read_tf32() == (True, False)


@pytest.mark.skipif(not HAS_PRECISIONS, reason="torch has one flag for all ops")
@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize(
    "set_before",
    [{}, {"all": "ieee"}, {"all": "tf32"}, {"gpu": "ieee"}, {"all": "tf32", "gpu": "ieee"}, {"matmul": "tf32"}, {"conv": "ieee"}],
    ids=str,
)  # fmt: skip
def test_what_inherits_its_precision_inherits_it_again(precisions, set_before, on):
    """Before, what had been inherited was given back as if it had been set, and followed no more."""

    def follow():
        found = []
        everywhere = precisions["all"].fp32_precision
        for value in ("none", "ieee", "tf32"):
            precisions["all"].fp32_precision = value
            found.append([owner.fp32_precision for owner in precisions.values()])
        precisions["all"].fp32_precision = everywhere
        return found

    for name, value in set_before.items():
        precisions[name].fp32_precision = value
    before = follow()
    with set_tf32(on=on):
        assert read_tf32() == (on, on)
    assert follow() == before


FRESH = """
import torch
from resflops.latency.flags import set_tf32

def follow():
    found = []
    for value in ("ieee", "tf32", "none"):
        torch.backends.fp32_precision = value
        found.append((torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision))
    return found

before = follow()
for on in (True, False):
    with set_tf32(on=on):
        pass
print(follow() == before, before[0])
"""


@pytest.mark.skipif(not HAS_PRECISIONS, reason="torch has one flag for all ops")
def test_what_nobody_has_set_follows_afterwards_as_before():
    # In a process of its own: convolutions are in TF32 in another way before anything is set.
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True ('ieee', ")


def test_a_probe_computes_in_its_precision_whatever_is_set(monkeypatch):
    seen = []
    for name in ("mm", "conv2d"):
        own = getattr(torch, name)
        monkeypatch.setattr(
            torch, name, lambda *args, own=own, **kwargs: (seen.append(read_tf32()), own(*args, **kwargs))[1]
        )
    before = read_tf32()
    for precision in ("", TF32):
        for kind in ("matmul", "1×1 convolution", "3×3 convolution"):
            prepare_probe(Probe(kind=kind, dtype="float32", size=1, precision=precision), CPU).step()
    assert seen == [(False, False)] * 3 + [(True, True)] * 3
    assert read_tf32() == before


def test_every_precision_that_is_computed_in_is_probed():
    computing = [("float32", "float32"), ("float32", TF32), ("float16", "float16")]
    found = [(probe.kind, probe.dtype, probe.precision) for probe in choose_probes(CPU, computing)]
    kinds = ("matmul", "1×1 convolution", "3×3 convolution")
    assert found == [
        *((kind, dtype, precision) for dtype, precision in
          (("float32", ""), ("float32", TF32), ("float16", "")) for kind in kinds),
        ("copy", "uint8", ""),
    ]  # fmt: skip
    known = choose_probes(CPU, computing)
    assert choose_probes(CPU, computing, known=known) == known


def test_the_processor_is_told_by_family_model_and_stepping():
    family = read_environment(CPU).cpu_family
    assert family == "" or family.startswith("family ")
