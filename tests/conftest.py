"""What holds for every test."""

import os

import pytest
from hypothesis import HealthCheck, settings

# No test may fail for being slow, and CI must find tomorrow what it found today.
settings.register_profile(
    "resflops",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("resflops")


# The workers of pytest-xdist are as many as there are cores. Threads of torch beyond one each would wait for
# each other, busily: with two for each of two workers, what runs real kernels takes twice the time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# pytest-xdist sets it in its workers to the width of the terminal, or to 80 where there is none; what is
# written to a pipe would be as narrow.
os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(tmp_path_factory):
    """Keep processes that tests start out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESFLOPS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
