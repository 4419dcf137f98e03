"""Who is measured when, and what is kept when something goes wrong. No clock is looked at."""

import weakref
from collections.abc import Callable

import pytest
from msgspec import Struct

from resflops.latency.failures import CaptureError, DeviceLostError
from resflops.latency.schedule import Effort, order_visits
from resflops.latency.series import Reading, Round, Series
from resflops.latency.session import Session, warm_up

BRIEF = Effort(rounds=3, discarded=0, warm_up=0.0, seconds=0.0, least=2)


class Ready(Struct, weakref=True):
    """Something ready, which notes its steps in a diary."""

    step: Callable[[], object]
    cold_l2: bool = False
    held_before: int = 0


class Desk:
    """A device on which every repetition takes as long as its number, and memory has an end."""

    def __init__(self, diary, memory=10**9):
        self.diary, self.memory, self.used, self.peak = diary, memory, 0, 0

    def wait(self):
        pass

    def time_step(self, step, repetitions, *, cold_l2):
        self.diary.append("timed")
        for _ in range(repetitions):
            step()
        return Round(wall=tuple(float(number) for number in range(repetitions)), before=Reading(load=1.0))

    def read_allocated_bytes(self):
        return self.used

    def read_free_bytes(self):
        return None

    def read_peak_since(self, before):
        return self.peak - before

    def reset_peak(self):
        self.peak = self.used

    def release(self):
        self.diary.append("release")

    def survives(self, error):
        return "illegal" not in str(error)

    def take(self, size):
        if self.used + size > self.memory:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        self.used += size
        self.peak = max(self.peak, self.used)


def of(name, diary, *, fails_at=None, error=None):
    """What makes a thing ready whose given step raises."""
    steps = []

    def step():
        steps.append(name)
        if len(steps) == fails_at:
            raise error or ValueError(f"{name} is broken")

    def ready():
        diary.append(f"{name} ready")
        return Ready(step=step)

    return ready


def visits(session):
    return [f"{key}{number}" for number, key in session.run_rounds()]


def test_rounds_go_to_and_fro():
    assert [list(order_visits("ABC", number)) for number in range(3)] == [
        ["A", "B", "C"],
        ["C", "B", "A"],
        ["A", "B", "C"],
    ]


def test_everything_takes_turns_and_is_made_ready_once():
    diary = []
    session = Session({name: of(name, diary) for name in "AB"}, Desk(diary), BRIEF)
    assert visits(session) == ["A0", "B0", "B1", "A1", "A2", "B2"]
    assert diary == ["A ready", "timed", "B ready", *["timed"] * 5]
    assert {name: len(series.rounds) for name, series in session.series.items()} == {"A": 3, "B": 3}


def test_every_sample_is_kept_with_its_run():
    session = Session({"A": of("A", [])}, Desk([]), BRIEF, run=4)
    visits(session)
    assert session.series["A"].rounds == (Round(wall=(0.0, 1.0), before=Reading(load=1.0), run=4),) * 3


@pytest.mark.parametrize(("seconds", "runs"), [(0.0, 2), (2.5, 3), (10.0, 10)])
def test_the_warm_up_lasts_as_long_as_asked_and_twice_at_least(seconds, runs):
    now = [0.0]
    count = []

    def step():
        count.append(1)
        now[0] += 1.0

    pace = warm_up(step, Desk([]), seconds, clock=lambda: now[0])
    assert (len(count), pace) == (runs, 1.0)


def test_the_first_run_of_a_warm_up_does_not_count_for_the_pace():
    now, costs = [0.0], [100.0, 1.0, 1.0]

    def step():
        now[0] += costs.pop(0)

    assert warm_up(step, Desk([]), 0.0, clock=lambda: now[0]) == 1.0


def test_each_round_is_warmed_up_anew():
    steps = []
    session = Session({"A": lambda: Ready(step=lambda: steps.append(1))}, Desk([]), BRIEF)
    visits(session)
    # One to make it ready; in each of three rounds two of warm-up and two samples.
    assert len(steps) == 1 + 3 * (2 + 2)


@pytest.mark.parametrize(
    ("effort", "pace", "repetitions"),
    [
        (Effort(seconds=1.0, least=3, most=100), 0.1, 10),
        (Effort(seconds=1.0, least=3, most=100), 5.0, 3),
        (Effort(seconds=1.0, least=3, most=100), 0.001, 100),
        (Effort(seconds=1.0, least=3, most=100), 0.0, 100),
    ],
)
def test_samples_fill_the_time_within_bounds(effort, pace, repetitions):
    assert effort.choose_repetitions(pace) == repetitions


def test_a_failure_is_a_result_and_the_rest_goes_on():
    diary = []
    session = Session({"A": of("A", diary, fails_at=1), "B": of("B", diary)}, Desk(diary), BRIEF)
    assert visits(session) == ["A0", "B0", "B1", "B2"]
    assert session.series["A"].failure.describe() == "failed: A is broken"
    assert session.series["A"].rounds == ()
    assert len(session.series["B"].rounds) == 3


def test_a_late_failure_keeps_the_rounds_before_it():
    session = Session({"A": of("A", [], fails_at=8)}, Desk([]), BRIEF)
    assert visits(session) == ["A0", "A1"]
    assert len(session.series["A"].rounds) == 1
    assert session.series["A"].failure.message == "A is broken"


def test_an_interrupt_keeps_what_is_measured_and_a_new_session_goes_on():
    diary = []
    first = Session(
        {"A": of("A", diary), "B": of("B", diary, fails_at=8, error=KeyboardInterrupt())}, Desk(diary), BRIEF
    )
    with pytest.raises(KeyboardInterrupt):
        visits(first)
    kept = dict(first.series)
    assert {name: len(series.rounds) for name, series in kept.items()} == {"A": 1, "B": 1}
    second = Session({name: of(name, diary) for name in "AB"}, Desk(diary), BRIEF, series=kept, run=1)
    assert visits(second) == ["B1", "A1", "A2", "B2"]
    assert [each.run for each in second.series["B"].rounds] == [0, 1, 1]
    assert second.series["B"].rounds[0] == kept["B"].rounds[0]


def test_all_rounds_of_one_thing_have_as_many_samples():
    kept = Session(
        {"A": of("A", [])}, Desk([]), Effort(rounds=1, discarded=0, warm_up=0.0, seconds=0.0, least=5)
    )
    visits(kept)
    session = Session({"A": of("A", [])}, Desk([]), BRIEF, series=kept.series)
    visits(session)
    assert [len(each.wall) for each in session.series["A"].rounds] == [5, 5, 5]


def hungry(desk, size):
    def ready():
        desk.take(size)
        return Ready(step=lambda: None)

    return ready


class Tidy(Desk):
    """A device that gets its memory back on release."""

    def release(self):
        super().release()
        self.used = 0


def test_what_does_not_fit_beside_the_others_gets_the_device_for_itself():
    diary = []
    desk = Tidy(diary, memory=10)
    session = Session(
        {"A": hungry(desk, 6), "B": hungry(desk, 7)},
        desk,
        Effort(rounds=1, discarded=0, warm_up=0.0, least=1),
    )
    visits(session)
    assert [series.failure for series in session.series.values()] == [None, None]
    assert "release" in diary


class Watched(Desk):
    """A device that tells what is free, of which only a release gives back what was let go of."""

    def __init__(self, diary, memory, held):
        super().__init__(diary, memory)
        self.held = held

    def read_free_bytes(self):
        return self.memory - self.used

    def release(self):
        super().release()
        self.used = sum(size for size, made in self.held if made() is not None)


@pytest.mark.parametrize(
    ("size", "order"),
    [
        # Two fit: A is unused for longest, then B.
        (5, ["A", "B", "release", "release", "C", "release", "release", "A"]),
        (3, ["A", "B", "C"]),
    ],
)
def test_before_something_is_made_ready_there_is_room_for_it(size, order):
    """What does not fit is known ahead, by an estimate and later by the peak: nothing runs out of memory."""
    diary, held = [], []
    desk = Watched(diary, 10, held)

    def making(name):
        def make():
            diary.append(name)
            desk.take(size)
            made = Ready(step=lambda: None)
            held.append((size, weakref.ref(made)))
            return made

        return make

    session = Session({name: making(name) for name in "ABC"}, desk, BRIEF, estimate_bytes=lambda _: size)
    for name in "ABCA":
        session.use_prepared(name, lambda _: None)
    assert diary == order


def test_without_an_estimate_the_peak_of_before_says_what_is_needed():
    desk = Watched([], 10, [])
    session = Session({"A": hungry(desk, 6)}, desk, BRIEF, series={"A": Series(peak_bytes=6)})
    desk.used = 5
    session.use_prepared("A", lambda _: None)
    assert desk.diary == ["release"]


def test_what_may_break_the_device_comes_after_a_round_of_all_others():
    effort = Effort(rounds=2, discarded=1, warm_up=0.0, seconds=0.0, least=2)
    session = Session({name: of(name, []) for name in "ABC"}, Desk([]), effort, risky={"A"})
    planned = [f"{key}{number}" for number, key in session.list_missing()]
    assert visits(session) == planned == ["C-1", "B-1", "B0", "C0", "A-1", "A0", "C1", "B1", "A1"]


def test_what_is_transient_is_released_after_every_visit():
    diary = []
    session = Session({name: of(name, diary) for name in "AB"}, Desk(diary), BRIEF, transient={"A"})
    visits(session)
    assert [each for each in diary if each != "timed"] == ["A ready", "B ready", "A ready", "A ready"]
    assert list(session._ready) == ["B"]


def test_what_does_not_fit_alone_is_out_of_memory():
    desk = Tidy([], memory=10)
    session = Session({"A": hungry(desk, 6), "B": hungry(desk, 11)}, desk, BRIEF)
    visits(session)
    assert session.series["B"].failure.kind == "out of memory"
    assert len(session.series["A"].rounds) == 3


def test_peak_memory_is_that_above_the_others():
    desk = Desk([])
    session = Session({"A": hungry(desk, 6), "B": hungry(desk, 7)}, desk, BRIEF)
    visits(session)
    assert {name: series.peak_bytes for name, series in session.series.items()} == {"A": 6, "B": 7}


def test_the_first_rounds_of_a_run_are_not_kept():
    diary = []
    effort = Effort(rounds=2, discarded=1, warm_up=0.0, seconds=0.0, least=2)
    session = Session({name: of(name, diary) for name in "AB"}, Desk(diary), effort)
    assert len(session.list_missing()) == 6
    assert visits(session) == ["B-1", "A-1", "A0", "B0", "B1", "A1"]
    assert {name: len(series.rounds) for name, series in session.series.items()} == {"A": 2, "B": 2}
    again = Session({name: of(name, diary) for name in "ABC"}, Desk(diary), effort, series=session.series)
    assert visits(again) == ["C-1", "C0", "C1"]


class Wavering(Desk):
    """A device on which what is called noisy takes another time in every round, for so many rounds."""

    def __init__(self, noisy_rounds):
        super().__init__([])
        self.noisy_rounds, self.visit = noisy_rounds, 0

    def time_step(self, step, repetitions, *, cold_l2):
        name = step()
        self.visit += name == "noisy"
        far = name == "noisy" and self.visit <= self.noisy_rounds
        return Round(wall=(1.0 + 0.5 * (self.visit % 2) * far,) * repetitions)


@pytest.mark.parametrize(("noisy_rounds", "rounds"), [(0, 3), (4, 9), (100, 9)])
def test_what_is_precise_leaves_the_rounds_and_the_others_go_on(noisy_rounds, rounds):
    effort = Effort(rounds=3, most_rounds=9, precision=0.05, discarded=0, warm_up=0.0, seconds=0.0, least=2)
    subjects = {name: (lambda name=name: Ready(step=lambda: name)) for name in ("calm", "noisy")}
    session = Session(subjects, Wavering(noisy_rounds), effort)
    visits(session)
    assert len(session.series["calm"].rounds) == 3
    assert len(session.series["noisy"].rounds) == rounds


def test_a_lost_device_ends_the_session_and_keeps_what_is_measured():
    diary = []
    lost = RuntimeError("CUDA error: an illegal memory access was encountered")
    session = Session(
        {"A": of("A", diary), "B": of("B", diary, fails_at=8, error=lost), "C": of("C", diary)},
        Desk(diary),
        BRIEF,
    )
    with pytest.raises(DeviceLostError, match="failed: CUDA error: an illegal memory access"):
        visits(session)
    assert {name: len(series.rounds) for name, series in session.series.items()} == {"A": 1, "B": 1, "C": 2}
    assert session.series["B"].failure.message == str(lost)
    assert [session.series[name].failure for name in "AC"] == [None, None]


def test_of_what_is_ready_that_is_released_first_which_is_unused_for_longest():
    diary = []
    desk = Desk(diary, memory=20)

    def fitting(name, size):
        def ready():
            diary.append(f"{name} ready")
            desk.take(size)
            return Ready(step=lambda: None)

        return ready

    session = Session({name: fitting(name, 5) for name in "ABCDE"}, desk, BRIEF)
    desk.release = lambda: (diary.append("release"), setattr(desk, "used", 5 * len(session._ready)))
    for name in "ABCD":
        session.use_prepared(name, lambda _: None)
    session.use_prepared("A", lambda _: None)
    session.use_prepared("E", lambda _: None)
    assert list(session._ready) == ["D", "A", "E"]
    assert diary == ["A ready", "B ready", "C ready", "D ready", "E ready", "release", "E ready"]


def test_a_capture_that_fails_is_tried_again_with_the_device_to_itself():
    diary, tries = [], []

    def capturing():
        tries.append(1)
        if len(tries) == 1:
            raise CaptureError("operation failed due to a previous error during capture")
        return Ready(step=lambda: None)

    session = Session({"A": of("A", diary), "B": capturing}, Desk(diary), BRIEF)
    visits(session)
    assert [len(series.rounds) for series in session.series.values()] == [3, 3]
    assert len(tries) == 2
    alone = Session({"B": lambda: (_ for _ in ()).throw(CaptureError("no"))}, Desk(diary), BRIEF)
    visits(alone)
    assert alone.series["B"].failure.describe() == "could not be captured: no"
