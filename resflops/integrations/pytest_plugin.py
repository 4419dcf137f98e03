"""The pytest plugin of the cost gate: the fixture ``cost_gate`` and the option ``--resflops-lock``.

::

    def test_cost(cost_gate):
        cost_gate(model, (1, 3, 224, 224), macs="<=4.2G")       # checked against a limit
        cost_gate(model, (1, 3, 224, 224), lock="resnet50")     # checked against what is locked

pytest imports this module in every project that has resflops installed, whether the project uses it or
not. So nothing of resflops is imported here before a test asks for the fixture.
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
"""The snapshots that tests have locked in this session, by name, as JSON.

JSON because a worker of pytest-xdist can send nothing but plain values to the controller."""
_REPORT = pytest.StashKey[str]()
"""The line about the lock file at the end of the session."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that renews the lock file, and the setting that names the file."""
    group = parser.getgroup("resflops", "the cost of neural networks")
    group.addoption(
        "--resflops-lock",
        action="store_true",
        help="lock the present cost of the models that tests lock, instead of checking them against the lock",
    )
    parser.addini(
        "resflops_lock",
        "the lock file of the models that tests lock, relative to the root folder",
        default="resflops-tests.lock",
    )


@pytest.fixture
def cost_gate(request: pytest.FixtureRequest) -> "CostGate":
    """Return a function that fails the test if a model costs more than it may.

    It is called as ``cost_gate(model, (1, 3, 224, 224), macs="<=4.2G")`` or with ``lock="name"``.
    """
    from resflops.integrations.testing import CostGate

    config = request.config
    return CostGate(
        path=_find_lock_path(config),
        updates=config.stash.setdefault(_LOCKED, {}) if config.getoption("--resflops-lock") else None,
        fail=_fail,
    )


# Optional, because pytest knows this hook only where pytest-xdist is installed.
@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - a class of pytest-xdist, which need not be there
    """Take over the snapshots that a worker of pytest-xdist has locked."""
    locked = getattr(node, "workeroutput", {}).get(LOCKED, {})
    if locked:
        node.config.stash.setdefault(_LOCKED, {}).update(locked)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what tests locked; a worker of pytest-xdist sends it to the controller instead."""
    locked = session.config.stash.get(_LOCKED, {})
    # Nothing to write also without --resflops-lock: the fixture then makes no entry.
    if not locked:
        return
    # Only the controller writes: of two workers each would drop what the other has locked.
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[LOCKED] = locked
        return
    from resflops.errors import ResflopsError
    from resflops.integrations.testing import write_locked

    path = _find_lock_path(session.config)
    try:
        changed = write_locked(path, locked)
    except ResflopsError as error:
        pytest.exit(f"resflops: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    outcome = "wrote" if changed else "nothing changed in"
    session.config.stash[_REPORT] = f"resflops: {outcome} {path.name} ({', '.join(sorted(locked))})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report what was locked."""
    if _REPORT in config.stash:
        terminalreporter.write_line(config.stash[_REPORT])


def _find_lock_path(config: pytest.Config) -> Path:
    return config.rootpath / str(config.getini("resflops_lock"))


def _fail(message: str) -> NoReturn:
    # Without a traceback, which would show the code of resflops and not of the user's model.
    pytest.fail(message, pytrace=False)
