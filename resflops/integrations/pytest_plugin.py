"""pytest's side of the cost gate: the fixture ``cost_gate`` and the option ``--resflops-lock``.

::

    def test_cost(cost_gate):
        cost_gate(model, (1, 3, 224, 224), macs="<=4.2G")       # held to a limit
        cost_gate(model, (1, 3, 224, 224), lock="resnet50")     # held to what it cost when locked

pytest imports this in every project that has resflops installed, so nothing is imported
here before a test asks for the fixture.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from resflops.integrations.testing import CostGate

__all__ = [
    "cost_gate",
    "pytest_addoption",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]

LOCKED = "resflops_locked"

_LOCKED = pytest.StashKey[dict[str, str]]()
"""What tests have locked in this session: their snapshots by name, as JSON."""
_REPORT = pytest.StashKey[str]()
"""What became of it, for the end of the session."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that locks anew, and the setting that says where."""
    group = parser.getgroup("resflops", "the cost of neural networks")
    group.addoption(
        "--resflops-lock",
        action="store_true",
        help="write down what the models that tests lock cost now, instead of holding them to it",
    )
    parser.addini(
        "resflops_lock",
        "the lock file of the models that tests lock, from the root folder",
        default="resflops-tests.lock",
    )


@pytest.fixture
def cost_gate(request: pytest.FixtureRequest) -> "CostGate":
    """Fails the test if a model costs more than it may.

    Called as ``cost_gate(model, (1, 3, 224, 224), macs="<=4.2G")`` or with ``lock="name"``.
    """
    from resflops.integrations.testing import CostGate

    config = request.config
    return CostGate(
        path=_path(config),
        updates=config.stash.setdefault(_LOCKED, {}) if config.getoption("--resflops-lock") else None,
        fail=_fail,
    )


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - a class of pytest-xdist, which need not be there
    """Take what a worker of pytest-xdist has locked."""
    locked = getattr(node, "workeroutput", {}).get(LOCKED, {})
    if locked:
        node.config.stash.setdefault(_LOCKED, {}).update(locked)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what the tests locked; a worker of pytest-xdist hands it to the controller instead."""
    locked = session.config.stash.get(_LOCKED, {})
    if not locked:
        return
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[LOCKED] = locked
        return
    from resflops.errors import ResflopsError
    from resflops.integrations.testing import write_locked

    path = _path(session.config)
    try:
        changed = write_locked(path, locked)
    except ResflopsError as error:
        pytest.exit(f"resflops: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    done = "wrote" if changed else "nothing changed in"
    session.config.stash[_REPORT] = f"resflops: {done} {path.name} ({', '.join(sorted(locked))})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was locked."""
    if _REPORT in config.stash:
        terminalreporter.write_line(config.stash[_REPORT])


def _path(config: pytest.Config) -> Path:
    return config.rootpath / str(config.getini("resflops_lock"))


def _fail(message: str) -> NoReturn:
    pytest.fail(message, pytrace=False)
