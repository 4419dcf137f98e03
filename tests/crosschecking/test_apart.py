"""A process of its own: whatever happens there is a result here."""

import os
import signal
import sys
import time
import warnings

import pytest

from resflops.crosschecking import Failure, run_in_process


def raises():
    raise ValueError("no such layer\nin this model")


def hangs():
    time.sleep(60)


def hangs_with_a_child():
    if os.fork() == 0:
        time.sleep(60)
    time.sleep(60)


def crashes():
    os.kill(os.getpid(), signal.SIGKILL)


def leaves():
    os.write(2, b"out of luck\n")
    os._exit(7)


def imports_what_is_not_there():
    import no_such_package  # noqa: F401


def exits():
    raise SystemExit(3)


def is_interrupted():
    raise KeyboardInterrupt


def gives_what_cannot_be_sent():
    return lambda: None


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (raises, "ValueError: no such layer in this model"),
        (hangs, "did not finish within 0.3 s, and was stopped"),
        (hangs_with_a_child, "did not finish within 0.3 s, and was stopped"),
        (crashes, "was killed by signal 9 (SIGKILL)"),
        (leaves, "ended without a result, with exit status 7: out of luck"),
        (imports_what_is_not_there, "no module named 'no_such_package'"),
        (exits, "SystemExit: 3"),
        (is_interrupted, "KeyboardInterrupt"),
    ],
)
def test_whatever_goes_wrong_is_a_reason(function, reason):
    limit = 0.3 if function in (hangs, hangs_with_a_child) else 30
    assert run_in_process(function, seconds=limit) == Failure(
        reason=reason, missing="no_such_package" if "no_such" in reason and "module" in reason else ""
    )


def test_a_result_that_cannot_be_sent_is_a_failure():
    outcome = run_in_process(gives_what_cannot_be_sent, seconds=30)
    assert isinstance(outcome, Failure)


def test_a_result_comes_back_however_large():
    assert run_in_process(lambda: b"x" * (1 << 20), seconds=30) == b"x" * (1 << 20)


def test_nothing_done_there_is_seen_here(capfd):
    here = {"value": 1}

    def spoil():
        sys.stdout.write("peers like to talk\n")
        here["value"] = 2
        os.environ["RESFLOPS_SPOILT"] = "yes"
        warnings.warn("and to warn", stacklevel=1)
        return here["value"]

    assert run_in_process(spoil, seconds=30) == 2
    assert here == {"value": 1}
    assert "RESFLOPS_SPOILT" not in os.environ
    assert capfd.readouterr() == ("", "")


def test_no_process_is_left_behind():
    run_in_process(hangs, seconds=0.1)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_what_a_function_started_ends_with_it(tmp_path):
    def starts_another():
        if os.fork() == 0:
            time.sleep(0.5)
            (tmp_path / "lives").touch()
            os._exit(0)
        return 7

    begin = time.monotonic()
    assert run_in_process(starts_another, seconds=30) == 7
    # The other one keeps the pipe open, and is not waited for.
    assert time.monotonic() - begin < 10
    time.sleep(0.7)
    assert not (tmp_path / "lives").exists()


class _Malicious:
    def __reduce__(self):
        return (os.mkdir, ("/tmp/resflops-was-here",))


def test_an_answer_is_data_and_runs_nothing():
    outcome = run_in_process(_Malicious, seconds=30)
    assert isinstance(outcome, Failure)
    assert "its answer cannot be written as JSON" in outcome.reason
    assert run_in_process(lambda: {3: 10**40}, seconds=30, kind=dict[int, int]) == {3: 10**40}
    assert isinstance(run_in_process(lambda: "x", seconds=30, kind=dict[int, int]), Failure)
