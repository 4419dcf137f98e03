"""What torch raises, by what it means."""

import pytest
import torch

from resflops.latency.failures import classify_failure


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "out of memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
            "out of memory",
        ),
        (MemoryError(), "out of memory"),
        (RuntimeError("\"slow_conv2d_cpu\" not implemented for 'Half'"), "dtype not supported"),
        (RuntimeError("Bfloat16 is not a supported dtype on this device"), "dtype not supported"),
        (ValueError("Expected more than 1 value per channel when training"), "failed"),
    ],
)
def test_the_kind_of_a_failure(error, kind):
    assert classify_failure(error).kind == kind


def test_a_compile_error_is_told_by_where_it_comes_from():
    error = type("BackendCompilerFailed", (RuntimeError,), {"__module__": "torch._dynamo.exc"})("backend")
    assert classify_failure(error).kind == "could not be compiled"


def test_a_message_is_one_line_of_bounded_length():
    found = classify_failure(RuntimeError("first\nsecond"))
    assert found.describe() == "failed: first"
    assert len(classify_failure(RuntimeError("x" * 10_000)).message) == 300
    assert classify_failure(ValueError()).describe() == "failed: ValueError"


def test_an_exit_is_told_as_one():
    assert classify_failure(SystemExit(3)).describe() == "failed: it called exit(3)"


def test_a_real_allocation_that_no_machine_can_make():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert classify_failure(caught.value).kind == "out of memory"
