"""A family that shares a mobile is one person who reads: what went to the number counts for each of them."""

from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.composing.compose import compose_occurrence
from outreach.composing.requests import RequestDraft, queue_request
from outreach.core import clock
from outreach.ledger.work import Opener
from outreach.messages.recheck import facts_for, verdict
from outreach.messages.tables import left_out, message
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.occurrences import make_occurrence
from tests.support.review_rows import placed

MOBILE = "+8614700088888"
NOW = "2026-11-23 03:00:00"  # a Monday, eleven in the morning in Shanghai
A_DAY = 3  # the starter set's cap


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(NOW):
        found = firm(open_work)
        publish_starter(open_work, found)
        return found


def _told(open_work: Opener, people: Firm, client: UUID, times: int) -> None:
    """So many messages by SMS that went out to a client today."""
    for number in range(times):
        with open_work(people.b01.advisor) as work:
            queue_request(
                work, RequestDraft((client,), text=f"{{称呼}}，您好！第{number}件事已办妥。", channel="sms")
            )
    with open_work() as work:
        work.conn.execute(text("UPDATE message SET state = 'sent', send_at = :now"), {"now": clock.now()})


@freeze_time(NOW)
@pytest.mark.parametrize(("mobile", "left"), [(MOBILE, ["frequency_cap"]), ("+8614700077777", [])])
def test_what_went_to_the_number_counts_when_composing(
    open_work: Opener, people: Firm, mobile: str, left: list[str]
) -> None:
    with open_work() as work:
        mother = make_client(work, people.b01, mobile=MOBILE, email=None, tier="gold")
    _told(open_work, people, mother, A_DAY)
    with open_work() as work:
        make_client(work, people.b01, mobile=mobile, email=None, tier="vip")
        occurrence_id = make_occurrence(work, "mid-autumn")
        work.conn.execute(text("UPDATE client SET deceased = true WHERE id = :id"), {"id": mother})
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        rules = set(work.conn.execute(select(left_out.c.rule)).scalars()) - {"deceased"}
    assert sorted(rules) == left


@freeze_time(NOW)
def test_what_went_to_the_number_counts_at_the_moment_of_sending(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        mother = make_client(work, people.b01, mobile=MOBILE, email=None, deceased=True)
        make_client(work, people.b01, mobile=MOBILE, email=None)
        occurrence_id = make_occurrence(work, "mid-autumn")
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        waiting = work.conn.execute(select(message.c.id)).scalar_one()
        assert verdict(facts_for(work.conn, placed(work, [waiting]))[waiting]).kind in ("ok", "wait")
        work.conn.execute(text("UPDATE client SET deceased = false WHERE id = :id"), {"id": mother})
        work.conn.execute(text("UPDATE message SET state = 'approved', send_window = '00:00-24:00'"))
    with open_work(people.b01.advisor) as work:
        ids = [
            queue_request(
                work, RequestDraft((mother,), text=f"{{称呼}}，您好！第{n}件事已办妥。", channel="sms")
            ).message_ids[0]
            for n in range(A_DAY)
        ]
    with open_work() as work:
        work.conn.execute(
            text("UPDATE message SET state = 'sent', send_at = :now WHERE id = ANY(:ids)"),
            {"ids": ids, "now": clock.now()},
        )
        facts = facts_for(work.conn, placed(work, [waiting]))[waiting]
        assert facts.sent_today == A_DAY
        assert verdict(facts).code == "frequency_cap"
