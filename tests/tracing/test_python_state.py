import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resflops.tracing import python_state
from resflops.tracing.python_state import PythonState

ACTIONS = {
    "nothing": lambda: None,
    "uniform": random.random,
    "one of a pair": lambda: random.gauss(0, 1),
    "whole": lambda: random.randrange(7),
    "shuffle": lambda: random.shuffle([1, 2, 3]),
    "seed": lambda: random.seed(3),
    "another seed": lambda: random.seed(4),
    "many": lambda: [random.random() for _ in range(700)],
}


@contextlib.contextmanager
def keep_generator():
    before = random.getstate()
    try:
        yield
    finally:
        random.setstate(before)


def test_the_memory_is_laid_out_as_is_assumed():
    assert python_state._ADDRESS is not None


@pytest.mark.parametrize("asked", [False, True])
@given(
    earlier=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=5),
    meanwhile=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=5),
)
def test_what_changes_it_is_noticed_and_undone(asked, earlier, meanwhile):
    address = python_state._ADDRESS
    with keep_generator():
        for name in earlier:
            ACTIONS[name]()
        before = random.getstate()
        # Where the memory cannot be read, Python is asked.
        python_state._ADDRESS = None if asked else address
        try:
            state = PythonState()
            for name in meanwhile:
                ACTIONS[name]()
            assert state.has_changed() == (random.getstate() != before)
            state.restore()
        finally:
            python_state._ADDRESS = address
        assert random.getstate() == before
