"""Real networks through OpenVINO, where it is installed."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

import resflops
from resflops.cli import main
from resflops.errors import UsageError

# Not by importing it, which has its telemetry begin a thread.
pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")

BRIEF = {"device": "cpu", "rounds": 2, "seconds": 0.0, "warm_up": 0.0}


def test_a_network_is_timed_in_float32_and_its_outputs_are_compared():
    measured = resflops.benchmark("resnet20", (2, 3, 32, 32), backend="openvino", **BRIEF)
    (row,) = measured.rows
    assert row.series.failure is None
    assert row.series.time.samples == 6
    assert row.output_error < 1e-5
    facts = measured.environment.backends["openvino"]
    assert facts["threads"] == str(torch.get_num_threads())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_smaller_type_is_computed_in_or_refused_in_the_row(dtype):
    (row,) = resflops.benchmark("resnet20", (1, 3, 32, 32), backend="openvino", dtype=dtype, **BRIEF).rows
    if row.series.failure is None:
        assert row.output_error > 1e-5
    else:
        assert row.series.failure.kind == "dtype not supported"
        assert row.series.failure.message == f"dtype {dtype} is not supported by OpenVINO on this processor"


def test_settings_that_it_does_not_take_are_refused(capsys):
    with pytest.raises(UsageError, match="dtype 'int8-static' is not supported by backend 'openvino' on device 'cpu'; backends that support it: onnxruntime"):  # fmt: skip
        resflops.benchmark("resnet20", (1, 3, 32, 32), backend="openvino", dtype="int8-static", **BRIEF)
    assert main(["bench", "resnet20", "--backend", "openvino", "--layers", "--device", "cpu"]) == 2
    said = "--layers is not supported by backend 'openvino'; backends that support it: torch, onnxruntime"
    assert said in capsys.readouterr().err


def test_nothing_is_sent_and_no_thread_stays():
    """A thread that stays would keep random numbers from being given back after every later count."""
    code = (
        "import sys, resflops\n"
        "from resflops.tracing.other_threads import are_others_running\n"
        "resflops.benchmark('resnet20', (1, 3, 32, 32), backend='openvino', device='cpu', rounds=1, seconds=0.0)\n"
        "print(are_others_running(), 'openvino_telemetry' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
