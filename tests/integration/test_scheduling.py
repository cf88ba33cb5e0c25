"""Ticks: any number of schedulers fire once; what was missed is caught up or expires visibly (P3, P4)."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import text, update

from outreach.app import wire
from outreach.composing.compose import compose_occurrence
from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.events import ClientsImported, publish
from outreach.ledger.work import Opener, Work
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.plan import Plan
from outreach.scheduling.tables import schedule
from outreach.scheduling.tick import TickResult, advance, prepare_next, tick
from tests.support.builders import FEW_JOBS, Firm, firm, make_client, publish_starter

MORNING = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)  # 08:30 in Shanghai, a Monday


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(MORNING):
        made = firm(open_work)
        publish_starter(open_work, made, jobs=FEW_JOBS)
        return made


def occurrences(open_work: Opener, job: str = "%") -> list[Any]:
    with open_work() as work:
        return list(
            work.conn.execute(
                text("SELECT * FROM occurrence WHERE job_name LIKE :job ORDER BY job_name, occurrence_key"),
                {"job": job},
            )
        )


class Killed(Exception):
    """What a power cut is to a transaction."""


def _advance_and_die(open_work: Opener, plan: Plan, until: datetime) -> None:
    with open_work() as work:
        advance(work, plan, until, TickResult())
        raise Killed


def jobs_deferred(work: Work) -> int:
    return int(
        work.conn.execute(
            text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'compose_occurrence'")
        ).scalar_one()
    )


def test_without_content_a_tick_does_nothing(open_work: Opener) -> None:
    assert tick(open_work) == TickResult()


@freeze_time(MORNING)
def test_a_new_job_fires_what_is_still_worth_it_and_has_missed_nothing(
    open_work: Opener, people: Firm
) -> None:
    done = tick(open_work)
    assert done.missed == 0
    found = occurrences(open_work, "birthday-solar")
    assert [row.occurrence_key for row in found] == ["2026-11-23", "2026-11-24"]
    assert {row.state for row in occurrences(open_work)} == {"due"}
    with open_work() as work:
        assert jobs_deferred(work) == done.added
    assert tick(open_work) == TickResult()


def test_p3_schedulers_at_once_fire_once(open_work: Opener, people: Firm) -> None:
    with freeze_time(MORNING):
        tick(open_work)
    before = len(occurrences(open_work))
    later = MORNING + timedelta(days=1)
    results: list[TickResult] = []
    threads = [threading.Thread(target=lambda: results.append(tick(open_work, later))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.added for one in results) == len(occurrences(open_work)) - before == 2


def test_p4_a_tick_that_dies_half_way_loses_nothing(open_work: Opener, people: Firm) -> None:
    with freeze_time(MORNING):
        tick(open_work)
        before = len(occurrences(open_work))
        later = MORNING + timedelta(days=1)
        with open_work() as work:
            plan = next(one for one in plans_in_force(work.conn) if one.job_name == "birthday-solar")
        with pytest.raises(Killed):
            _advance_and_die(open_work, plan, later)
        assert len(occurrences(open_work)) == before
        assert tick(open_work, later).added == 2


def test_p4_what_was_missed_is_caught_up_or_expires_by_the_jobs_rule(open_work: Opener, people: Firm) -> None:
    with freeze_time(MORNING):
        tick(open_work)
    back = MORNING + timedelta(days=5, hours=9)  # Saturday 17:30
    with freeze_time(back):
        done = tick(open_work)
    states = {row.occurrence_key: (row.state, row.note) for row in occurrences(open_work, "birthday-solar")}
    assert states["2026-11-25"] == states["2026-11-27"] == ("expired", "missed")
    assert states["2026-11-28"][0] == "due"  # today, 8½ hours late, within ten
    assert states["2026-11-30"][0] == "due"  # composed on Friday for Monday
    assert done.missed > 0


@freeze_time(MORNING)
def test_a_job_switched_off_is_left_alone(open_work: Opener, people: Firm) -> None:
    tick(open_work)
    with open_work() as work:
        work.conn.execute(
            update(schedule).where(schedule.c.job_name == "birthday-lunar").values(enabled=False)
        )
    tick(open_work, MORNING + timedelta(days=2))
    assert len(occurrences(open_work, "birthday-lunar")) == 2
    assert len(occurrences(open_work, "birthday-solar")) == 4


@freeze_time(MORNING)
def test_what_is_prepared_ahead_is_found_by_the_regular_firing(open_work: Opener, people: Firm) -> None:
    with open_work(people.operator) as work:
        first = prepare_next(work, "new-year")
        assert prepare_next(work, "new-year") == first
    tick(open_work, datetime(2026, 12, 30, tzinfo=UTC))
    assert [row.id for row in occurrences(open_work, "new-year")] == [first]


@freeze_time(MORNING)
def test_what_can_not_be_prepared_is_told(open_work: Opener, people: Firm) -> None:
    with open_work(people.operator) as work:
        with pytest.raises(NotFound):
            prepare_next(work, "nosuch")
        with pytest.raises(BadInput, match="feed"):
            prepare_next(work, "research-push")
    with open_work(people.b01.manager) as work, pytest.raises(Forbidden):
        prepare_next(work, "new-year")


@freeze_time(MORNING)
def test_new_clients_top_up_what_is_composed_and_still_open(open_work: Opener, people: Firm) -> None:
    wire()
    with open_work(SYSTEM) as work:
        make_client(work, people.b01)
        occurrence_id = prepare_next(work, "new-year")
    assert compose_occurrence(open_work, occurrence_id).count == 1
    with open_work(SYSTEM) as work:
        make_client(work, people.b01)
        work.conn.execute(text("DELETE FROM procrastinate_jobs"))
        publish(work, ClientsImported(occurrence_id, 1))
    with open_work(SYSTEM) as work:
        assert jobs_deferred(work) == 1
    assert compose_occurrence(open_work, occurrence_id).count == 1
    assert clock.now() == MORNING
