"""The tick: every firing has its occurrence exactly once, whoever looks, however late (P3, P4)."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text, update

from outreach.composing.compose import compose_occurrence
from outreach.content.loader import load_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.core import clock
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.events import ClientsImported
from outreach.core.ids import new_id
from outreach.ledger.work import Opener
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.tables import occurrence, schedule
from outreach.scheduling.tick import TickResult, advance, expire_due, prepare_next, tick, top_up
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.waiting import until_blocked

START = "2026-09-01 00:00:00"
# 中秋 2026 is 25 September; five working days before it is Sunday the 20th, which is worked.
COMPOSED, SENT = "2026-09-20 00:00:00", "2026-09-25 01:00:00"
CRON = """
title = {{ zh = "早安", en = "Good morning" }}
template = "birthday"
policy = "birthday-standing"
channels = ["sms"]
expiry = "8h"
misfire = {misfire}

[trigger]
kind = "cron"
cron = "{cron}"
"""

Row = tuple[str, str, str]
Publish = Callable[[dict[str, str | None]], None]


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(START):
        with open_work() as work:
            # As the scheduler does beforehand; making a month's tables keeps every other transaction waiting.
            for month in range(5, 13):
                work.conn.execute(text("SELECT ensure_month(:month)"), {"month": date(2026, month, 1)})
        staff = firm(open_work)
        publish_starter(open_work, staff)
    return staff


@pytest.fixture
def change(open_work: Opener, people: Firm, tmp_path: Path) -> Publish:
    """Publish the starter set with some of its job files replaced, added or (None) taken away."""
    root = tmp_path / "content"
    for folder in ("templates", "jobs", "approvals"):
        shutil.copytree(starter_root() / folder, root / folder)

    def change(files: dict[str, str | None]) -> None:
        for name, source in files.items():
            path = root / "jobs" / f"{name}.toml"
            if source is None:
                path.unlink()
            else:
                path.write_text(source, encoding="utf-8")
        content, faults = load_folder(root)
        assert faults == []
        assert people.head_office.staff_id is not None
        assert people.compliance.staff_id is not None
        with open_work() as work:
            publish(work, content, people.head_office.staff_id, people.compliance.staff_id)

    return change


def source_of(job: str) -> str:
    return (starter_root() / "jobs" / f"{job}.toml").read_text(encoding="utf-8")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def tick_at(open_work: Opener, *moments: str) -> TickResult:
    """Tick once at each instant; the last one's result."""
    result = TickResult()
    for moment in moments:
        with freeze_time(moment):
            result = tick(open_work)
    return result


def occurrences(open_work: Opener, job: str) -> list[Row]:
    """(key, state, note) of a job's occurrences, in the order of their keys."""
    with open_work() as work:
        rows = work.conn.execute(
            select(occurrence.c.occurrence_key, occurrence.c.state, occurrence.c.note)
            .where(occurrence.c.job_name == job)
            .order_by(occurrence.c.occurrence_key)
        )
        return [(row.occurrence_key, row.state, row.note) for row in rows]


def deferred(open_work: Opener) -> list[str]:
    """The occurrences whose composing waits in the queue."""
    with open_work() as work:
        rows = work.conn.execute(
            text(
                "SELECT args->>'occurrence_id' FROM procrastinate_jobs WHERE task_name = 'compose_occurrence'"
            )
        )
        return list(rows.scalars())


def switch(open_work: Opener, job: str, on: bool) -> None:
    with open_work() as work:
        work.conn.execute(update(schedule).where(schedule.c.job_name == job).values(enabled=on))


# ── once, whoever looks ───────────────────────────────────────────────────────────────────────────────────────


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


def test_many_schedulers_at_once_fire_once(open_work: Opener, people: Firm) -> None:
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


def test_a_kill_before_the_commit_loses_nothing(open_work: Opener, people: Firm) -> None:
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


# ── late ──────────────────────────────────────────────────────────────────────────────────────────────────────


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
def test_a_stop_is_caught_up_within_the_jobs_time_and_shown_beyond(
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


# ── what is changed meanwhile ─────────────────────────────────────────────────────────────────────────────────


def test_a_new_job_has_missed_nothing_but_is_in_time_for_today(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, "2026-09-25 06:00:00")
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]
    keys = [key for key, state, _ in occurrences(open_work, "birthday-solar") if state == "due"]
    assert keys[0] == "2026-09-25"
    with open_work() as work:
        assert (
            work.conn.execute(text("SELECT count(*) FROM occurrence WHERE state = 'expired'")).scalar_one()
            == 0
        )


def test_a_new_job_comes_too_late_for_today(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, "2026-09-25 12:00:00", "2026-09-25 12:00:15")
    assert occurrences(open_work, "mid-autumn") == []
    assert occurrences(open_work, "birthday-solar")[0][0] == "2026-09-26"


def test_a_longer_lead_loses_nothing_that_is_still_to_be_sent(
    open_work: Opener, people: Firm, change: Publish
) -> None:
    tick_at(open_work, "2026-09-17 00:00:00")
    before = occurrences(open_work, "birthday-solar")
    with freeze_time("2026-09-17 03:00:00"):
        change(
            {
                "mid-autumn": source_of("mid-autumn").replace("lead = 5", "lead = 20"),
                "birthday-solar": source_of("birthday-solar").replace("lead = 1", "lead = 4"),
            }
        )
    tick_at(open_work, "2026-09-17 03:00:15")
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]
    tick_at(open_work, *(f"2026-09-{day} 03:00:15" for day in range(18, 26)))
    rows = occurrences(open_work, "birthday-solar")
    days = [datetime.fromisoformat(key).date() for key, _, _ in rows]
    assert len(rows) > len(before)
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
    assert not any(state == "expired" for _, state, _ in rows)


def test_a_new_cron_expression_does_not_fire_for_hours_gone_by(
    open_work: Opener, people: Firm, change: Publish
) -> None:
    rule = '{ rule = "catch_up", within = "6h" }'
    change({"morning": CRON.format(cron="30 8 * * *", misfire=rule)})
    tick_at(open_work, START, "2026-09-01 00:31:00", "2026-09-01 02:59:50")
    with freeze_time("2026-09-01 03:00:00"):
        change({"morning": CRON.format(cron="30 9 * * *", misfire=rule)})
    tick_at(open_work, "2026-09-01 03:00:15", "2026-09-02 02:00:00")
    assert [key for key, _, _ in occurrences(open_work, "morning")] == [
        "2026-09-01T08:30",
        "2026-09-02T09:30",
    ]


def test_a_job_switched_off_fires_nothing_and_misses_nothing(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, START)
    switch(open_work, "mid-autumn", False)
    switch(open_work, "birthday-solar", False)
    before = occurrences(open_work, "birthday-solar")
    tick_at(open_work, "2026-09-10 00:00:00", "2026-09-24 00:00:00")
    assert occurrences(open_work, "mid-autumn") == []
    assert occurrences(open_work, "birthday-solar") == before
    assert len(occurrences(open_work, "birthday-lunar")) > len(before)
    # On again: what is still to be sent is taken up, what is past is not.
    switch(open_work, "mid-autumn", True)
    switch(open_work, "birthday-solar", True)
    tick_at(open_work, "2026-09-24 12:00:00")
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]
    # 25 September and the holidays after it, which are composed together.
    later = occurrences(open_work, "birthday-solar")[len(before) :]
    assert [key for key, _, _ in later] == ["2026-09-25", "2026-09-26", "2026-09-27", "2026-09-28"]
    assert {state for _, state, _ in later} == {"due"}


def test_a_job_out_of_force_misses_nothing_should_it_come_back(
    open_work: Opener, people: Firm, change: Publish
) -> None:
    tick_at(open_work, START)
    with freeze_time("2026-09-02"):
        change({"mid-autumn": None})
    tick_at(open_work, "2026-09-02 00:00:15", "2026-10-08 00:00:00")
    with freeze_time("2026-10-08 00:01:00"):
        change({"mid-autumn": source_of("mid-autumn")})
    tick_at(open_work, "2026-10-08 00:01:15")
    assert occurrences(open_work, "mid-autumn") == []


def test_a_job_beyond_the_calendar_stops_no_other(open_work: Opener, people: Firm, change: Publish) -> None:
    change({"morning": CRON.format(cron="30 8 * * *", misfire='{ rule = "skip" }')})
    result = tick_at(open_work, "2050-12-20 00:30:00")
    assert "birthday-solar" in result.failed
    assert occurrences(open_work, "morning") == [("2050-12-20T08:30", "due", "")]


# ── ahead, and afterwards ─────────────────────────────────────────────────────────────────────────────────────


def test_what_was_prepared_ahead_is_found_by_the_regular_firing(open_work: Opener, people: Firm) -> None:
    with freeze_time(START):
        with open_work(people.operator) as work:
            prepared = prepare_next(work, "mid-autumn")
        with open_work(people.operator) as work:
            assert prepare_next(work, "mid-autumn") == prepared
        assert compose_occurrence(open_work, prepared).state == "composed"
    tick_at(open_work, START, COMPOSED, SENT)
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "composed", "")]


def test_after_the_festival_the_next_one_is_prepared(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, START, COMPOSED)
    for moment, keys in ((SENT[:-8] + "00:00:00", 1), (SENT, 2)):
        with freeze_time(moment), open_work(people.operator) as work:
            prepare_next(work, "mid-autumn")
        assert len(occurrences(open_work, "mid-autumn")) == keys


@freeze_time(START)
def test_what_can_not_be_prepared_is_said(open_work: Opener, people: Firm) -> None:
    with open_work(people.operator) as work, pytest.raises(NotFound):
        prepare_next(work, "mid-autum")
    with open_work(people.operator) as work, pytest.raises(BadInput, match="feed"):
        prepare_next(work, "research-push")
    with open_work(people.b01.advisor) as work, pytest.raises(Forbidden):
        prepare_next(work, "mid-autumn")


def test_clients_who_come_later_are_topped_up(open_work: Opener, people: Firm) -> None:
    with freeze_time(COMPOSED):
        with open_work() as work:
            make_client(work, people.b01)
        tick(open_work)
        found = _id_of(open_work, "mid-autumn")
        assert compose_occurrence(open_work, found).count == 1
        with open_work() as work:
            work.conn.execute(text("DELETE FROM procrastinate_jobs"))
            make_client(work, people.b02)
            top_up(work, ClientsImported(new_id(), 0))
        assert deferred(open_work) == []
        with open_work() as work:
            top_up(work, ClientsImported(new_id(), 1))
        assert str(found) in deferred(open_work)
        assert compose_occurrence(open_work, found).count == 1
    with freeze_time("2026-09-26 10:00:01"), open_work() as work:
        work.conn.execute(text("DELETE FROM procrastinate_jobs"))
        top_up(work, ClientsImported(new_id(), 1))
    assert str(found) not in deferred(open_work)


def test_what_could_not_be_composed_in_time_says_so(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, COMPOSED)
    with freeze_time("2026-09-26 09:59:59"), open_work() as work:
        expire_due(work)
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]
    with freeze_time("2026-09-26 10:00:00"), open_work() as work:
        expire_due(work)
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "expired", "not composed in time")]


def _id_of(open_work: Opener, job: str) -> UUID:
    with open_work() as work:
        return work.conn.execute(select(occurrence.c.id).where(occurrence.c.job_name == job)).scalar_one()
