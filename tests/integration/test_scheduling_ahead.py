"""Occurrences made ahead of their time, topped up afterwards, or never composed."""

from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.composing.compose import compose_occurrence
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.events import ClientsImported
from outreach.core.ids import new_id
from outreach.ledger.work import Opener
from outreach.scheduling.tables import occurrence
from outreach.scheduling.tick import expire_due, prepare_next, tick, top_up
from tests.support.builders import Firm, make_client
from tests.support.ticks import (
    COMPOSED,
    SENT,
    START,
    deferred,
    occurrences,
    starting_firm,
    tick_at,
)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return starting_firm(open_work)


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
        found: UUID = work.conn.execute(
            select(occurrence.c.id).where(occurrence.c.job_name == job)
        ).scalar_one()
        return found
