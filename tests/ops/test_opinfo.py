"""A sample of torch's own database of operators; ``tests/benchmarks/opinfo_sweep.py`` goes through all of it."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("expecttest", reason="torch's database of operators imports it")

SWEEP = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "opinfo_sweep.py"))
OPERATORS = (
    "abs", "add", "addmm", "argmax", "bmm", "cat", "einsum", "fft.rfft", "index_put", "isin", "linalg.qr",
    "linalg.vector_norm", "lerp", "logsumexp", "nn.functional.batch_norm", "nn.functional.conv2d",
    "nn.functional.gelu", "nn.functional.interpolate.bilinear", "nn.functional.linear",
    "nn.functional.local_response_norm", "nn.functional.max_pool2d",
    "nn.functional.scaled_dot_product_attention", "nn.functional.softsign", "scatter", "softmax", "sort",
    "square", "sum", "var_mean",
)  # fmt: skip
DTYPES = ["float32", "complex64", "int64", "bool", "uint8"]


@pytest.fixture(scope="module")
def verdicts():
    """By operator, what came of each of its samples."""
    found = {}
    for name, dtype, _, verdict in SWEEP["sweep"](OPERATORS, count=2, dtypes=DTYPES, inference=False):
        found.setdefault(name, []).append((dtype, verdict))
    return found


@pytest.mark.parametrize("name", OPERATORS)
def test_traces_on_shapes_and_for_real_agree_with_torch(name, verdicts):
    assert [(dtype, each.kind, each.reason) for dtype, each in verdicts[name] if each.kind != "agree"] == []


def test_every_op_is_priced_or_free_or_named(verdicts):
    uncounted = {
        (name, str(dtype)): op
        for name, found in verdicts.items()
        for dtype, each in found
        for op in each.uncounted
    }
    # Complex numbers alone: nobody has derived what these take of them.
    assert uncounted == {
        ("logsumexp", "torch.complex64"): "logsumexp",
        ("nn.functional.softsign", "torch.complex64"): "softsign",
        ("scatter", "torch.complex64"): "scatter_reduce",
    }
