"""A corrected report is not composed from its old version, whichever of composer and correction is faster."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text, update

from outreach.composing.compose import compose_occurrence
from outreach.core.events import FeedItemSuperseded
from outreach.feeds.tables import feed_item
from outreach.ledger.work import Opener, Work
from outreach.messages.suppress import supersede_feed_item
from outreach.messages.tables import message
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.occurrences import make_item, make_occurrence
from tests.support.waiting import until_blocked

NOW = "2026-11-23 03:00:00"
CLIENTS = 3


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(NOW):
        staff = firm(open_work)
        publish_starter(open_work, staff)
    return staff


def _due(open_work: Opener, people: Firm) -> tuple[UUID, UUID]:
    """A report and its due occurrence, with clients who hold what it is about."""
    with open_work() as work:
        for _ in range(CLIENTS):
            make_client(work, people.b01, holdings=("600000.SH",))
        item = make_item(work)
        return item, make_occurrence(work, "research-push", send_date=date(2026, 11, 23), feed_item_id=item)


def _correct(work: Work, item: UUID) -> None:
    newer = make_item(work)
    work.conn.execute(update(feed_item).where(feed_item.c.id == item).values(superseded_by=newer))
    supersede_feed_item(work, FeedItemSuperseded("research", item, newer))


def _states(open_work: Opener, occurrence_id: UUID) -> list[str]:
    with open_work() as work:
        found = select(message.c.state).where(message.c.occurrence_id == occurrence_id)
        return list(work.conn.execute(found).scalars())


@freeze_time(NOW)
def test_an_item_corrected_before_is_not_composed(open_work: Opener, people: Firm) -> None:
    item, occurrence_id = _due(open_work, people)
    with open_work() as work:
        newer = make_item(work)
        work.conn.execute(update(feed_item).where(feed_item.c.id == item).values(superseded_by=newer))
    composed = compose_occurrence(open_work, occurrence_id)
    assert (composed.count, composed.state) == (0, "cancelled")
    with open_work() as work:
        row = work.conn.execute(
            text("SELECT state, note FROM occurrence WHERE id = :id"), {"id": occurrence_id}
        ).one()
    assert tuple(row) == ("cancelled", "superseded")


@freeze_time(NOW)
def test_an_item_corrected_between_two_chunks_stops_the_rest(open_work: Opener, people: Firm) -> None:
    item, occurrence_id = _due(open_work, people)

    def correct(messages: int, left: int) -> None:
        if messages == 1:
            with open_work() as work:
                _correct(work, item)

    composed = compose_occurrence(open_work, occurrence_id, correct, chunk=1)
    assert (composed.count, composed.state) == (1, "cancelled")
    assert _states(open_work, occurrence_id) == ["cancelled"]


@freeze_time(NOW)
def test_a_correction_waits_for_the_chunk_in_hand_and_cancels_it(open_work: Opener, people: Firm) -> None:
    item, occurrence_id = _due(open_work, people)

    def correct() -> None:
        with open_work() as work:
            _correct(work, item)

    with ThreadPoolExecutor(2) as pool:
        with open_work() as work:
            # The composer stops in the middle of its chunk, at the first row that it writes.
            work.conn.execute(text("LOCK TABLE submission IN SHARE ROW EXCLUSIVE MODE"))
            composing = pool.submit(compose_occurrence, open_work, occurrence_id)
            until_blocked(open_work, 1)
            correcting = pool.submit(correct)
            until_blocked(open_work, 2)
        composing.result(timeout=30)
        correcting.result(timeout=30)
    assert _states(open_work, occurrence_id) == ["cancelled"] * CLIENTS
