"""A correction: what is not sent yet never goes out, whom the old one reached is told, and nobody gets both."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text, update

from outreach.composing.compose import compose_occurrence
from outreach.core import clock, events
from outreach.core.access import SYSTEM
from outreach.core.events import FeedItemAccepted, FeedItemSuperseded
from outreach.delivery.claims import Limit, claim_due
from outreach.feeds.tables import feed_item
from outreach.feeds.take_in import take_in_stream
from outreach.ledger.append import unseal_bytes
from outreach.ledger.work import Opener
from outreach.messages.payload import from_bytes
from outreach.messages.recheck import facts_for, verdict
from outreach.messages.suppress import supersede_feed_item
from outreach.messages.tables import message
from outreach.people.tables import client, holding
from outreach.scheduling.feeds import on_feed_item_accepted, on_feed_item_superseded
from outreach.scheduling.tables import occurrence
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.occurrences import rules_left_out
from tests.support.review_rows import content, placed

NOW = "2026-11-23 03:00:00"
A, B = "600000.SH", "000001.SZ"
TEMPLATE = """
title = { zh = "快讯", en = "Flash" }
category = "information"
channels = ["sms"]
languages = ["zh-CN"]
fallback_language = "zh-CN"

[variables]
"event.headline" = { source = "event" }
"event.corrects" = { source = "event", optional = true }
"""
WORDS = "{{ event.headline }}{% if event.corrects %}|更正此前的《{{ event.corrects }}》{% endif %}"
JOB = """
title = { zh = "快讯", en = "Flash" }
template = "flash"
policy = "research-batch"
channels = ["sms"]
window = "00:00-24:00"
expiry = "12h"
misfire = { rule = "skip" }
frequency_cap = { per_day = 1 }

[trigger]
kind = "feed"
feed = "market-event"
types = ["flash"]

[audience]
holders = true
"""


@pytest.fixture(autouse=True)
def wired() -> Iterator[None]:
    with (
        events.listening(FeedItemSuperseded, on_feed_item_superseded),
        events.listening(FeedItemSuperseded, supersede_feed_item),
        events.listening(FeedItemAccepted, on_feed_item_accepted),
    ):
        yield


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(NOW):
        staff = firm(open_work)
        publish_starter(open_work, staff)
        with open_work() as work:
            who = (staff.head_office, staff.compliance)
            files = {"template.toml": TEMPLATE, "sms.zh-CN.j2": WORDS}
            content(work, "template", "flash", files, *who)
            content(work, "job", "flash", {"jobs/flash.toml": JOB}, *who)
            for name, code in (("甲持有", A), ("乙持有", A), ("丙持有", B)):
                make_client(work, staff.b01, name=name, holdings=(code,))
    return staff


def event(number: str, at: str = "10:30", **changed: Any) -> dict[str, Any]:
    return {
        "event_id": number,
        "type": "flash",
        "ts_code": A,
        "headline": f"标题{number}",
        "announced_at": f"2026-11-23T{at}:00+08:00",
        "source_url": "https://news.example.com/1",
        **changed,
    }


def take_in(open_work: Opener, *items: dict[str, Any]) -> list[str]:
    """Take items in; returns the codes of what was refused."""
    lines = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    result = take_in_stream(open_work, SYSTEM, "market-event", io.BytesIO(lines.encode()))
    return [refusal.code for refusal in result.refused]


def occurrence_of(open_work: Opener, key: str, job: str = "flash") -> UUID:
    with open_work() as work:
        return work.conn.execute(
            select(occurrence.c.id)
            .join(feed_item, feed_item.c.id == occurrence.c.feed_item_id)
            .where(feed_item.c.item_key == key, occurrence.c.job_name == job)
            .order_by(feed_item.c.issued_at.desc())
            .limit(1)
        ).scalar_one()


def compose(open_work: Opener, key: str) -> dict[str, str]:
    """Compose an item's occurrence; returns client name -> text."""
    identifier = occurrence_of(open_work, key)
    compose_occurrence(open_work, identifier)
    return texts(open_work, identifier)


def texts(open_work: Opener, occurrence_id: UUID) -> dict[str, str]:
    with open_work() as work:
        rows = work.conn.execute(
            select(client.c.name, message.c.payload_id)
            .join(client, client.c.id == message.c.client_id)
            .where(message.c.occurrence_id == occurrence_id)
        ).all()
        return {row.name: from_bytes(unseal_bytes(work, row.payload_id)).text for row in rows}


def states(open_work: Opener, key: str) -> dict[str, str]:
    with open_work() as work:
        rows = work.conn.execute(
            select(client.c.name, message.c.state)
            .join(client, client.c.id == message.c.client_id)
            .where(message.c.occurrence_id == occurrence_of(open_work, key))
        ).all()
        return {row.name: row.state for row in rows}


def set_state(open_work: Opener, key: str, name: str, state: str) -> None:
    with open_work() as work:
        work.conn.execute(
            update(message)
            .where(
                message.c.occurrence_id == occurrence_of(open_work, key),
                message.c.client_id == select(client.c.id).where(client.c.name == name).scalar_subquery(),
            )
            .values(state=state)
        )


@freeze_time(NOW)
@pytest.mark.parametrize("state", ["sent", "delivered", "handed_over", "undelivered", "unknown", "claimed"])
def test_whom_the_old_one_reached_or_may_have_is_told_the_others_just_get_the_new_one(
    open_work: Opener, people: Firm, state: str
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    set_state(open_work, "E1", "甲持有", state)
    take_in(open_work, event("E2", "10:40", supersedes="E1"))
    assert states(open_work, "E1") == {"甲持有": state, "乙持有": "cancelled"}
    assert compose(open_work, "E2") == {"甲持有": "标题E2|更正此前的《标题E1》", "乙持有": "标题E2"}


@freeze_time(NOW)
@pytest.mark.parametrize(
    "state", ["held", "returned", "approved", "failed", "rejected", "suppressed", "expired"]
)
def test_whom_the_old_one_did_not_reach_hears_nothing_of_it(
    open_work: Opener, people: Firm, state: str
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    set_state(open_work, "E1", "甲持有", state)
    take_in(open_work, event("E1", "10:40", headline="新标题"))
    assert compose(open_work, "E1") == {"甲持有": "新标题", "乙持有": "新标题"}


@freeze_time(NOW)
def test_when_the_code_itself_was_wrong_its_holders_are_told_and_the_right_ones_informed(
    open_work: Opener, people: Firm
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    set_state(open_work, "E1", "甲持有", "sent")
    take_in(open_work, event("E2", "10:40", supersedes="E1", ts_code=B))
    assert compose(open_work, "E2") == {"甲持有": "标题E2|更正此前的《标题E1》", "丙持有": "标题E2"}


@freeze_time(NOW)
def test_who_sold_the_holding_meanwhile_is_told_and_the_rules_still_hold(
    open_work: Opener, people: Firm
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    set_state(open_work, "E1", "甲持有", "sent")
    set_state(open_work, "E1", "乙持有", "sent")
    with open_work() as work:
        work.conn.execute(text("DELETE FROM holding"))
        work.conn.execute(update(client).where(client.c.name == "乙持有").values(do_not_contact=True))
    take_in(open_work, event("E2", "10:40", supersedes="E1"))
    assert compose(open_work, "E2") == {"甲持有": "标题E2|更正此前的《标题E1》"}
    with open_work() as work:
        assert rules_left_out(work, occurrence_of(open_work, "E2")) == {"乙持有": "do_not_contact"}


@freeze_time(NOW)
def test_a_chain_of_corrections_speaks_of_the_last_one_that_reached_the_client(
    open_work: Opener, people: Firm
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    set_state(open_work, "E1", "甲持有", "delivered")
    set_state(open_work, "E1", "乙持有", "delivered")
    take_in(open_work, event("E2", "10:40", supersedes="E1"))
    compose(open_work, "E2")
    set_state(open_work, "E2", "乙持有", "delivered")
    take_in(open_work, event("E3", "10:50", supersedes="E2"))
    assert states(open_work, "E2") == {"甲持有": "cancelled", "乙持有": "delivered"}
    assert compose(open_work, "E3") == {
        "甲持有": "标题E3|更正此前的《标题E1》",
        "乙持有": "标题E3|更正此前的《标题E2》",
    }


@freeze_time(NOW)
def test_a_type_corrected_to_another_is_told_to_whom_the_wrong_one_reached_only(
    open_work: Opener, people: Firm
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    set_state(open_work, "E1", "甲持有", "sent")
    take_in(open_work, event("E2", "10:40", supersedes="E1", type="dividend"))
    assert compose(open_work, "E2") == {"甲持有": "标题E2|更正此前的《标题E1》"}


@freeze_time(NOW)
def test_a_correction_counts_as_one_with_what_it_corrects_when_contacts_are_capped(
    open_work: Opener, people: Firm
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    set_state(open_work, "E1", "甲持有", "sent")
    take_in(open_work, event("E2", "10:40", supersedes="E1"))
    compose(open_work, "E2")
    with open_work() as work:
        ids = list(
            work.conn.execute(
                select(message.c.id).where(message.c.occurrence_id == occurrence_of(open_work, "E2"))
            ).scalars()
        )
        facts = facts_for(work.conn, placed(work, ids))
        assert {verdict(one).kind for one in facts.values()} == {"ok"}
    # Another event is not its correction: one a day is the cap.
    set_state(open_work, "E2", "甲持有", "sent")
    take_in(open_work, event("E9"))
    assert "甲持有" not in compose(open_work, "E9")


@freeze_time(NOW)
def test_a_claimed_message_that_was_let_go_again_does_not_go_out_after_the_correction(
    open_work: Opener, people: Firm
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    set_state(open_work, "E1", "甲持有", "claimed")
    take_in(open_work, event("E2", "10:40", supersedes="E1"))
    set_state(open_work, "E1", "甲持有", "approved")
    with open_work() as work:
        (left,) = work.conn.execute(
            select(message.c.id).where(
                message.c.occurrence_id == occurrence_of(open_work, "E1"), message.c.state == "approved"
            )
        ).scalars()
        said = verdict(facts_for(work.conn, placed(work, [left]))[left], clock.now())
    assert (said.kind, said.code) == ("suppress", "superseded")


@freeze_time(NOW)
def test_a_correction_and_a_claim_at_the_same_moment_leave_no_message_both_sent_and_cancelled(
    open_work: Opener, people: Firm
) -> None:
    take_in(open_work, event("E1"))
    compose(open_work, "E1")
    for name in ("甲持有", "乙持有"):
        set_state(open_work, "E1", name, "approved")
    with open_work() as work:
        work.conn.execute(update(message).values(due_at=clock.now()))

    def claim() -> None:
        with open_work() as work:
            claim_due(work, {"gateway": Limit("gateway", 100.0)}, urgent=False, size=10, lease_seconds=60)

    with ThreadPoolExecutor(2) as pool:
        claiming = pool.submit(claim)
        correcting = pool.submit(take_in, open_work, event("E2", "10:40", supersedes="E1"))
        claiming.result(timeout=60)
        correcting.result(timeout=60)
    # No decision binds these, so a claim puts them back: they are stopped either way, and never approved.
    assert set(states(open_work, "E1").values()) <= {"cancelled", "suppressed", "held"}
    with open_work() as work:
        ids = list(
            work.conn.execute(
                select(message.c.id).where(
                    message.c.occurrence_id == occurrence_of(open_work, "E1"), message.c.state == "held"
                )
            ).scalars()
        )
        assert all(
            verdict(one).code == "superseded" for one in facts_for(work.conn, placed(work, ids)).values()
        )


# ── whatever the order in which they come ─────────────────────────────────────────────────────────────────


def in_force(open_work: Opener) -> list[str]:
    with open_work() as work:
        rows = work.conn.execute(
            select(feed_item.c.item_key, feed_item.c.issued_at)
            .where(feed_item.c.superseded_by.is_(None))
            .order_by(feed_item.c.item_key, feed_item.c.issued_at)
        )
        return [row.item_key for row in rows]


@freeze_time(NOW)
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_of_a_chain_one_is_in_force_in_whatever_order_it_comes(
    open_work: Opener, people: Firm, order: tuple[int, ...]
) -> None:
    chain = [
        event("E1"),
        event("E2", "10:40", supersedes="E1"),
        event("E3", "10:50", supersedes="E2"),
    ]
    for number in order:
        take_in(open_work, chain[number])
    assert in_force(open_work) == ["E3"]
    with open_work() as work:
        due = select(occurrence.c.occurrence_key).where(
            occurrence.c.state == "due", occurrence.c.job_name == "flash"
        )
        assert [key.partition("@")[0] for key in work.conn.execute(due).scalars()] == ["E3"]


@freeze_time(NOW)
def test_two_corrections_of_one_item_leave_the_later_one(open_work: Opener, people: Firm) -> None:
    take_in(open_work, event("E1"))
    take_in(open_work, event("E2", "10:40", supersedes="E1"))
    take_in(open_work, event("E3", "10:50", supersedes="E1"))
    assert in_force(open_work) == ["E3"]
    take_in(open_work, event("E4", "10:45", supersedes="E1"))
    assert in_force(open_work) == ["E3"]


@freeze_time(NOW)
def test_an_item_corrected_by_name_may_be_issued_again_later(open_work: Opener, people: Firm) -> None:
    take_in(open_work, event("E1"), event("E2", "10:40", supersedes="E1"), event("E1", "10:50"))
    assert in_force(open_work) == ["E1"]


@freeze_time(NOW)
def test_a_correction_that_is_earlier_than_what_it_corrects_is_refused(
    open_work: Opener, people: Firm
) -> None:
    take_in(open_work, event("E1"))
    assert take_in(open_work, event("E2", "10:20", supersedes="E1")) == ["supersedes_later"]
    assert in_force(open_work) == ["E1"]


@freeze_time(NOW)
def test_an_item_and_its_correction_at_the_same_moment_leave_one_in_force(
    open_work: Opener, people: Firm
) -> None:
    items = [event("E1"), event("E2", "10:40", supersedes="E1"), event("E2", "10:45", supersedes="E1")]
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(take_in, open_work, item) for item in items]:
            done.result(timeout=60)
    assert in_force(open_work) == ["E2"]
    with open_work() as work:
        count = text("SELECT count(*) FROM occurrence WHERE state = 'due' AND job_name = 'flash'")
        assert work.conn.execute(count).scalar_one() == 1
        assert work.conn.execute(select(holding.c.code)).first() is not None
