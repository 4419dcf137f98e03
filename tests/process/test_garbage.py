"""The garbage collector waits inside, and is afterwards as it was."""

import gc
import threading

import pytest
from torch import nn

import resflops
from resflops.cost.convention import find_convention
from resflops.process.garbage import allow_collection, delay_collection
from resflops.sources.counting import CountRequest, count_models


@pytest.fixture(autouse=True)
def usual():
    """Python's own settings, and afterwards those that the tests run under."""
    enabled, before, frozen = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()
    gc.enable()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)
    (gc.enable if enabled else gc.disable)()
    assert gc.get_freeze_count() == frozen


def describe():
    return gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()


def test_the_collector_waits_inside_and_is_as_before_afterwards():
    before = describe()
    with delay_collection():
        assert gc.isenabled()
        collections = gc.get_stats()[0]["collections"]
        kept = [[] for _ in range(50_000)]
        assert gc.get_stats()[0]["collections"] == collections
    assert describe() == before
    assert len(kept) == 50_000


def test_it_is_as_before_after_an_exception():
    before = describe()
    with pytest.raises(KeyboardInterrupt), delay_collection(), delay_collection():
        raise KeyboardInterrupt
    assert describe() == before


@pytest.mark.parametrize("thresholds", [(0, 10, 10), (1_000_000, 5, 5)])
def test_a_collector_that_waits_longer_is_left_alone(thresholds):
    gc.set_threshold(*thresholds)
    with delay_collection():
        assert gc.get_threshold() == thresholds
    assert gc.get_threshold() == thresholds


def test_a_collector_that_is_off_stays_off():
    gc.disable()
    with delay_collection():
        assert not gc.isenabled()
    assert not gc.isenabled()


@pytest.mark.parametrize("turn", [gc.disable, gc.enable])
def test_what_is_turned_inside_stays_so(turn):
    with delay_collection():
        turn()
    assert gc.isenabled() is (turn is gc.enable)


def test_a_threshold_that_is_set_inside_stays():
    with delay_collection():
        gc.set_threshold(123, 4, 5)
    assert gc.get_threshold() == (123, 4, 5)


def test_threads_that_overlap_give_it_back_when_the_last_has_ended():
    before = describe()
    entered, leave = threading.Event(), threading.Event()

    def other():
        with delay_collection():
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=other)
    with delay_collection():
        thread.start()
        entered.wait(30)
    assert gc.get_threshold()[0] > before[1][0]
    leave.set()
    thread.join()
    assert describe() == before


def test_a_part_of_a_delay_may_have_the_collector_as_usual():
    before = describe()
    with delay_collection():
        raised = gc.get_threshold()
        with allow_collection():
            assert describe() == before
        assert gc.get_threshold() == raised
        with pytest.raises(KeyError), allow_collection():
            raise KeyError
        assert gc.get_threshold() == raised
    assert describe() == before
    with allow_collection():
        assert describe() == before
    assert describe() == before


class Seeing(nn.Module):
    """Keeps the threshold under which it runs."""

    seen = 0

    def forward(self, x):
        Seeing.seen = gc.get_threshold()[0]
        return x * 2


@pytest.mark.parametrize("real", [False, True])
def test_only_a_pass_on_shapes_delays_the_collector(real):
    resflops.trace(Seeing(), (2, 2), real=real)
    assert (Seeing.seen == 700) is real
    assert gc.get_threshold() == (700, 10, 10)


class Cyclic(nn.Linear):
    """A model that only the collector can free."""

    def __init__(self):
        super().__init__(2, 2)
        self.__dict__["own"] = self


def make_cyclic():
    return Cyclic()


def test_between_models_the_collector_is_the_callers():
    before = describe()
    requests = [
        CountRequest(spec=f"{__file__}:make_cyclic", input_shape=(1, 2), convention=find_convention("macs"))
    ] * 3
    for outcome in count_models(requests, say=lambda _: None):
        assert outcome.cost.macs == 4
        assert describe() == before


def test_a_sweep_keeps_no_models_in_memory():
    sizes = []
    spec = f"{__file__}:make_cyclic"
    for _ in range(3):
        requests = [CountRequest(spec=spec, input_shape=(1, 2), convention=find_convention("macs"))] * 50
        kept = list(count_models(requests, say=lambda _: None))
        assert len(kept) == 50
        sizes.append(sum(type(each).__name__ == "Cyclic" for each in gc.get_objects()))
    assert max(sizes) < 50
