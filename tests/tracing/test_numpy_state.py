import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resflops.tracing.numpy_state import NumpyState

ACTIONS = {
    "nothing": lambda: None,
    "uniform": np.random.rand,
    "one of a pair": np.random.randn,
    "a pair": lambda: np.random.randn(2),
    "whole": lambda: np.random.randint(7),
    "shuffle": lambda: np.random.permutation(5),
    "seed": lambda: np.random.seed(3),
    "another seed": lambda: np.random.seed(4),
    "many": lambda: np.random.rand(700),
    "another generator": lambda: np.random.set_bit_generator(np.random.PCG64(1)),
}


@pytest.fixture(autouse=True, scope="module")
def own_generator():
    with keep_generator():
        yield


@contextlib.contextmanager
def keep_generator():
    own, before = np.random.get_bit_generator(), np.random.get_state()
    try:
        yield
    finally:
        np.random.set_bit_generator(own)
        np.random.set_state(before)


def read():
    return np.random.get_bit_generator(), str(np.random.get_state(legacy=False))


@given(
    earlier=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=5),
    # Seeded as before it could be the same again but for half a pair, which is not noticed.
    meanwhile=st.lists(st.sampled_from(sorted(ACTIONS.keys() - {"seed"})), max_size=5),
)
def test_what_changes_it_is_noticed_and_undone(earlier, meanwhile):
    with keep_generator(), np.printoptions(threshold=1000):
        np.random.set_bit_generator(np.random.MT19937(5))
        for name in earlier:
            ACTIONS[name]()
        before = read()
        state = NumpyState(np.random)
        for name in meanwhile:
            ACTIONS[name]()
        assert state.has_changed() == (read() != before)
        state.restore()
        assert read() == before
        assert not state.has_changed()


def test_numpy_is_asked_once_for_its_usual_generator(monkeypatch):
    np.random.set_bit_generator(np.random.MT19937(5))
    state = NumpyState(np.random)
    monkeypatch.delattr(np.random, "get_state")
    assert not state.has_changed()
    np.random.rand()
    assert state.has_changed()


def test_a_numpy_that_does_not_give_its_generator_is_asked_twice(monkeypatch):
    monkeypatch.delattr(np.random, "get_bit_generator")
    state = NumpyState(np.random)
    assert not state.has_changed()
    np.random.rand()
    assert state.has_changed()
    state.restore()
    assert not state.has_changed()
