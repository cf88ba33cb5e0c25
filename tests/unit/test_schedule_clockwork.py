"""The clock of the scheduler: it calls each duty again and again, and knows nothing of what they do."""

import threading
from collections.abc import Callable

import pytest

from outreach.core.errors import Unavailable
from outreach.scheduling.clockwork import Duty, run

BOUND = 20.0


class Calls:
    """Counts calls; sets ``reached`` with the call number ``wanted``."""

    def __init__(self, wanted: int, fail: Callable[[int], Exception | None] = lambda _: None) -> None:
        self.count = 0
        self.reached = threading.Event()
        self._wanted = wanted
        self._fail = fail

    def __call__(self) -> None:
        self.count += 1
        if self.count >= self._wanted:
            self.reached.set()
        error = self._fail(self.count)
        if error is not None:
            raise error


def _running(duties: list[Duty], stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=run, args=(duties, stop), daemon=True)
    thread.start()
    return thread


def _ended(thread: threading.Thread, stop: threading.Event) -> bool:
    stop.set()
    thread.join(BOUND)
    return not thread.is_alive()


def test_every_duty_is_done_at_once_and_then_in_its_rhythm() -> None:
    often, rarely, stop = Calls(4), Calls(1), threading.Event()
    thread = _running([Duty("often", 0.05, often), Duty("rarely", 3600.0, rarely)], stop)
    assert rarely.reached.wait(BOUND)
    assert often.reached.wait(BOUND)
    assert _ended(thread, stop)
    assert rarely.count == 1


@pytest.mark.parametrize(
    "error", [Unavailable("The database does not answer."), ZeroDivisionError("division by zero")]
)
def test_a_duty_that_fails_is_tried_again_and_stops_no_other(error: Exception) -> None:
    failing, other, stop = Calls(3, lambda count: error if count < 3 else None), Calls(3), threading.Event()
    thread = _running([Duty("failing", 0.05, failing), Duty("other", 0.05, other)], stop)
    assert failing.reached.wait(BOUND)
    assert other.reached.wait(BOUND)
    assert _ended(thread, stop)


def test_stopping_waits_for_no_rhythm() -> None:
    first, stop = Calls(1), threading.Event()
    thread = _running([Duty("hourly", 3600.0, first)], stop)
    assert first.reached.wait(BOUND)
    assert _ended(thread, stop)
    assert first.count == 1


def test_a_stop_during_the_first_round_leaves_the_rest_undone() -> None:
    stop, second = threading.Event(), Calls(1)
    run([Duty("stopping", 3600.0, stop.set), Duty("second", 3600.0, second)], stop)
    assert second.count == 0


def test_a_duty_in_hand_is_finished_before_the_end() -> None:
    begun, go_on, done, stop = (threading.Event() for _ in range(4))

    def slow() -> None:
        begun.set()
        assert go_on.wait(BOUND)
        done.set()

    thread = _running([Duty("slow", 3600.0, slow)], stop)
    assert begun.wait(BOUND)
    stop.set()
    assert thread.is_alive()
    go_on.set()
    thread.join(BOUND)
    assert done.is_set()
    assert not thread.is_alive()


def test_a_slow_duty_is_never_done_twice_at_once_by_the_clock() -> None:
    stop, enough, together = threading.Event(), threading.Event(), threading.Semaphore(0)
    lock, most, rounds = threading.Lock(), [0], [0]
    inside = [0]

    def slow() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            rounds[0] += 1
            if rounds[0] >= 4:
                enough.set()
        together.acquire(timeout=0.15)  # longer than the rhythm
        with lock:
            inside[0] -= 1

    thread = _running([Duty("slow", 0.03, slow)], stop)
    assert enough.wait(BOUND)
    assert _ended(thread, stop)
    # The first round is done beside the clock.
    assert most[0] <= 2


def test_nothing_is_remembered_from_one_run_to_the_next() -> None:
    for _ in range(2):
        calls, stop = Calls(2), threading.Event()
        thread = _running([Duty("again", 0.05, calls)], stop)
        assert calls.reached.wait(BOUND)
        assert _ended(thread, stop)
