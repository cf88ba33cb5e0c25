"""The tick: every firing has its occurrence exactly once, whoever looks, however late (P3, P4)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import pytest
from freezegun import freeze_time
from sqlalchemy import select

from outreach.core import clock
from outreach.ledger.work import Opener
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.tables import occurrence, schedule
from outreach.scheduling.tick import TickResult, advance, tick
from tests.support.builders import Firm
from tests.support.ticks import (
    COMPOSED,
    CRON,
    SENT,
    START,
    Publish,
    deferred,
    instant,
    occurrences,
    publisher,
    source_of,
    starting_firm,
    tick_at,
)
from tests.support.waiting import until_blocked


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return starting_firm(open_work)


@pytest.fixture
def change(open_work: Opener, people: Firm, tmp_path: Path) -> Publish:
    return publisher(open_work, people, tmp_path / "content")


def test_a_firing_is_an_occurrence_and_its_composing_waits(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, START, "2026-09-19 23:59:59")
    assert occurrences(open_work, "mid-autumn") == []
    tick_at(open_work, COMPOSED)
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]
    with open_work() as work:
        row = work.conn.execute(select(occurrence).where(occurrence.c.job_name == "mid-autumn")).one()
    assert row.send_at == instant(SENT)
    # Fourteen hours after nine o'clock where the day ends last.
    assert row.expires_at == instant("2026-09-26 10:00")
    assert row.job_version_id
    assert row.template_version_id
    assert row.policy_version_id
    assert str(row.id) in deferred(open_work)


def test_a_second_tick_finds_nothing_new(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, START, COMPOSED)
    before = deferred(open_work)
    for moment in (COMPOSED, "2026-09-20 00:00:15", SENT):
        tick_at(open_work, moment)
    assert len(occurrences(open_work, "mid-autumn")) == 1
    assert set(before) <= set(deferred(open_work))


def test_p3_many_schedulers_at_once_fire_once(open_work: Opener, people: Firm) -> None:
    count, added = 4, 0
    with ThreadPoolExecutor(count) as pool:
        for day in ("2026-09-01", "2026-09-02", "2026-09-05", "2026-09-20", "2026-09-21", "2026-09-24"):
            with freeze_time(f"{day} 00:00:07"):
                together = Barrier(count)

                def one(together: Barrier = together) -> TickResult:
                    together.wait(timeout=30)
                    return tick(open_work)

                done = [pool.submit(one) for _ in range(count)]
                added += sum(each.result(timeout=60).added for each in done)
    # Whoever held a row while the others passed it by did all there was to do.
    assert tick_at(open_work, "2026-09-24 00:00:07").added == 0
    jobs = [occurrences(open_work, job) for job in ("mid-autumn", "birthday-solar", "birthday-lunar")]
    due = [key for rows in jobs for key, state, _ in rows if state == "due"]
    assert added == len(due) == len(deferred(open_work)) == len(set(deferred(open_work)))
    assert jobs[0] == [("2026-09-25", "due", "")]
    assert [key for key, _, _ in jobs[1]] == [key for key, _, _ in jobs[2]]


def test_a_job_in_another_hand_is_passed_by_without_waiting(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, START)
    with freeze_time(COMPOSED), open_work() as work:
        plan = next(one for one in plans_in_force(work.conn) if one.job_name == "mid-autumn")
        first = TickResult()
        advance(work, plan, clock.now(), first)
        other = tick(open_work)
        assert (first.added, other.failed) == (1, [])
        assert occurrences(open_work, "mid-autumn") == []
    assert len(occurrences(open_work, "mid-autumn")) == 1


def test_two_schedulers_that_see_a_job_first_wait_for_one_another(open_work: Opener, people: Firm) -> None:
    with freeze_time(COMPOSED), ThreadPoolExecutor(1) as pool:
        with open_work() as work:
            plan = next(one for one in plans_in_force(work.conn) if one.job_name == "mid-autumn")
            advance(work, plan, clock.now(), TickResult())
            second = pool.submit(tick, open_work)
            until_blocked(open_work)
        second.result(timeout=30)
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]


def _killed_before_the_commit(open_work: Opener) -> None:
    with open_work() as work:
        for plan in plans_in_force(work.conn):
            if plan.feed is None:
                advance(work, plan, clock.now(), TickResult())
        raise KeyboardInterrupt


def test_p4_a_kill_before_the_commit_loses_nothing(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, START)
    with freeze_time(COMPOSED):
        with pytest.raises(KeyboardInterrupt):
            _killed_before_the_commit(open_work)
        assert occurrences(open_work, "mid-autumn") == []
        tick(open_work)
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]


def test_a_scheduler_whose_clock_is_behind_takes_nothing_back(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, COMPOSED, "2026-09-19 00:00:00")
    with open_work() as work:
        marks = set(work.conn.execute(select(schedule.c.high_water)).scalars())
    assert marks == {instant(COMPOSED)}


@pytest.mark.parametrize(
    ("back", "state", "note"),
    [
        ("2026-09-24 12:00:00", "due", ""),  # to be sent yet: only the time to approve is short
        ("2026-09-25 10:59:00", "due", ""),
        ("2026-09-25 11:00:00", "due", ""),
        ("2026-09-25 11:01:00", "expired", "missed"),
        ("2026-09-30 00:00:00", "expired", "missed"),
    ],
)
def test_p4_a_stop_is_caught_up_within_the_jobs_time_and_shown_beyond(
    open_work: Opener, people: Firm, back: str, state: str, note: str
) -> None:
    tick_at(open_work, "2026-09-19 00:00:00")
    tick_at(open_work, back)
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", state, note)]
    tick_at(open_work, "2026-10-01 00:00:00")
    assert len(occurrences(open_work, "mid-autumn")) == 1


def test_every_birthday_of_a_long_stop_is_shown(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, "2026-06-01 00:00:00")
    result = tick_at(open_work, "2026-09-01 00:00:00")
    rows = occurrences(open_work, "birthday-solar")
    days = [datetime.fromisoformat(key).date() for key, _, _ in rows]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
    late = [key for key, state, _ in rows if state == "expired"]
    assert (late[0], late[-1]) == ("2026-06-03", "2026-08-31")
    # Dragon Boat has no job here; 七夕 neither.
    assert result.missed == 2 * len(late)
    assert not any(expired in deferred(open_work) for expired in late)


def test_catching_up_beyond_the_expiry_is_no_use(open_work: Opener, people: Firm, change: Publish) -> None:
    change({"mid-autumn": source_of("mid-autumn").replace('within = "10h"', 'within = "5d"')})
    tick_at(open_work, "2026-09-19 00:00:00", "2026-09-26 10:00:00")
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "expired", "missed")]


def test_the_westernmost_clients_day_is_not_over_with_the_firms(
    open_work: Opener, people: Firm, change: Publish
) -> None:
    change({"mid-autumn": source_of("mid-autumn").replace('within = "10h"', 'within = "5d"')})
    tick_at(open_work, "2026-09-19 00:00:00", "2026-09-26 09:59:00")
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]


def test_a_job_that_skips_fires_on_time_only(open_work: Opener, people: Firm, change: Publish) -> None:
    change({"morning": CRON.format(cron="30 8 * * *", misfire='{ rule = "skip" }')})
    tick_at(open_work, START, "2026-09-02 00:00:00", "2026-09-02 00:30:09", "2026-09-03 09:00:00")
    assert occurrences(open_work, "morning") == [
        ("2026-09-01T08:30", "expired", "missed"),
        ("2026-09-02T08:30", "due", ""),
        ("2026-09-03T08:30", "expired", "missed"),
    ]
