"""What holds for every test."""

import os

from hypothesis import HealthCheck, settings

# No test may fail for being slow, and CI must find tomorrow what it found today.
settings.register_profile(
    "resflops",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("resflops")
