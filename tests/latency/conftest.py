"""What holds for the tests of latency."""

import pytest

from resflops.latency import probes


@pytest.fixture(scope="session", autouse=True)
def small_probes():
    """Peaks are no matter here: their probes need not be as large as an honest peak takes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(probes, "MOST_ROWS", {"cpu": 128, "cuda": 128})
        patched.setattr(probes, "LEAST_ROWS", 128)
        patched.setattr(probes, "MOST_IMAGES", {"cpu": 1, "cuda": 1})
        patched.setattr(probes, "COPIED", {"cpu": 1 << 16, "cuda": 1 << 16})
        yield
