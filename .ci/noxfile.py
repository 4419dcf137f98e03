"""The tests with every torch and Python that resflops supports.

    pip install nox && nox -f .ci/noxfile.py                    # all of them
    nox -f .ci/noxfile.py --list                                # what there is
    nox -f .ci/noxfile.py -s "tests(python='3.12', torch='2.15.0')"
    nox -f .ci/noxfile.py -s newest                             # move constraints.txt, see what breaks

Each session makes its own environment, of five to eight gigabytes with a torch that brings CUDA; a Python
that is not there is skipped, unless --error-on-missing-interpreters is given. Where uv is installed, it makes
the environments faster.
"""

import shutil
from pathlib import Path

import nox

HERE = Path(__file__).parent
CONSTRAINTS = HERE / "constraints.txt"

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests", "counters"]

TORCHVISION = {
    "2.6.0": "0.21.0", "2.8.0": "0.23.0", "2.9.1": "0.24.1", "2.10.0": "0.25.0", "2.12.1": "0.27.1",
    "2.13.0": "0.28.0", "2.14.0": "0.29.0", "2.14.1": "0.29.1", "2.15.0": "0.29.2",
}  # fmt: skip
"""The torchs that are tried, each with the torchvision that goes with it, oldest first."""

OLDEST, *_, NEWEST = TORCHVISION

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
"""Those that the newest torch has wheels for."""

MATRIX = [("3.11", OLDEST), ("3.11", "2.14.1"), *((python, NEWEST) for python in PYTHONS)]

OF_COUNTERS = ["tests/counters", "tests/crosschecking"]


def install(session: nox.Session, torch: str, *, extras: str) -> None:
    """Install the project with one torch, and everything else as constraints.txt says."""
    session.chdir(HERE.parent)
    session.env["PIP_CONSTRAINT"] = session.env["UV_CONSTRAINT"] = str(CONSTRAINTS)
    session.install("-e", f".[{extras}]", f"torch=={torch}", f"torchvision=={TORCHVISION[torch]}")


@nox.session
@nox.parametrize(("python", "torch"), MATRIX, ids=[f"python='{p}', torch='{t}'" for p, t in MATRIX])
def tests(session: nox.Session, torch: str) -> None:
    """Run all tests with the oldest torch, the newest, and each Python."""
    install(session, torch, extras="dev")
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("torch", list(TORCHVISION), ids=[f"torch='{each}'" for each in TORCHVISION])
def counters(session: nox.Session, torch: str) -> None:
    """Hold the conventions of all counters to what the counters say beside each torch."""
    install(session, torch, extras="dev,peers")
    session.run("python", "-m", "pytest", "-n", "2", *OF_COUNTERS, *session.posargs)
    session.run("python", "tests/benchmarks/counter_versions.py")


@nox.session(python="3.11")
def newest(session: nox.Session) -> None:
    """Take the newest of everything, write its versions into constraints.txt, and run the tests with it."""
    session.chdir(HERE.parent)
    session.install("--upgrade", "-e", ".[dev,peers]")
    session.run("python", ".ci/constraints.py")
    if shutil.which("git"):
        session.run("git", "--no-pager", "diff", "--stat", str(CONSTRAINTS), external=True)
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)
    session.run("python", "tests/benchmarks/counter_versions.py")
