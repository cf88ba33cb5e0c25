"""The weekly digest: the items of the last days, once for all clients; made again when one of them is corrected."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import insert, select, text, update

from outreach.composing.compose import compose_occurrence
from outreach.core import clock, events
from outreach.core.events import FeedItemAccepted, FeedItemSuperseded, publish
from outreach.core.ids import new_id
from outreach.feeds.tables import feed_item
from outreach.ledger.append import unseal_bytes
from outreach.ledger.work import Opener, Work
from outreach.messages.payload import from_bytes
from outreach.messages.suppress import supersede_feed_item
from outreach.messages.tables import message
from outreach.people.tables import client, subscription
from outreach.scheduling.feeds import on_feed_item_accepted, on_feed_item_superseded
from outreach.scheduling.tables import occurrence
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.occurrences import make_occurrence, rules_left_out
from tests.support.review_rows import content

NOW = "2026-11-23 03:00:00"
SENT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TEMPLATE = """
title = { zh = "研究周报", en = "Weekly digest" }
category = "information"
channels = ["email"]
languages = ["zh-CN"]
fallback_language = "zh-CN"

[variables]
"digest.items" = { source = "digest" }
"digest.since" = { source = "digest" }
"digest.until" = { source = "digest" }
"""
WORDS = "{{ digest.since }}/{{ digest.until }}:{% for item in digest.items %} {{ item.title }}"
WORDS += "{% if item.corrects %}（更正{{ item.corrects }}）{% endif %}{% endfor %}"
JOB = """
title = { zh = "研究周报", en = "Weekly digest" }
template = "weekly"
policy = "research-batch"
channels = ["email"]
window = "00:00-24:00"
expiry = "3d"
misfire = { rule = "catch_up", within = "1d" }
digest = { feed = "research", days = 7 }

[trigger]
kind = "cron"
cron = "0 10 * * mon"

[audience]
subscribers = true
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
            files = {"template.toml": TEMPLATE, "email.zh-CN.txt.j2": WORDS, "email.zh-CN.subject.j2": "周报"}
            content(work, "template", "weekly", files, *who)
            content(work, "job", "weekly", {"jobs/weekly.toml": JOB}, *who)
            for name, risk_class in (("甲", 5), ("乙", 5), ("丙", 2)):
                reader = make_client(work, staff.b01, name=name, risk_class=risk_class)
                work.conn.execute(
                    insert(subscription).values(
                        client_id=reader, feed="research", item_type="深度报告", since=clock.now()
                    )
                )
            make_client(work, staff.b01, name="无订阅")
    return staff


def add(work: Work, title: str, **changed: Any) -> UUID:
    """A report in force, issued an hour before the digest unless ``changed`` says otherwise."""
    identifier = new_id()
    at = changed.pop("issued_at", SENT - timedelta(hours=1))
    values = {
        "id": identifier,
        "kind": "research",
        "item_key": title,
        "issued_at": at,
        "code": "600000.SH",
        "risk_level": 2,
        "data": {"title": title, "published_at": at.isoformat(), "authors": "李晓明"},
        "sha256": b"\0" * 32,
        "received_at": at,
        **changed,
    }
    work.conn.execute(insert(feed_item).values(**values))
    return identifier


def fire(open_work: Opener) -> UUID:
    with open_work() as work:
        return make_occurrence(work, "weekly", send_at=SENT)


def said(open_work: Opener, occurrence_id: UUID) -> dict[str, str]:
    with open_work() as work:
        rows = work.conn.execute(
            select(client.c.name, message.c.payload_id)
            .join(client, client.c.id == message.c.client_id)
            .where(message.c.occurrence_id == occurrence_id)
        ).all()
        return {row.name: from_bytes(unseal_bytes(work, row.payload_id)).text for row in rows}


@freeze_time(NOW)
def test_it_holds_the_items_in_force_of_the_last_days_newest_first(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        kept = add(work, "新")
        add(work, "旧", issued_at=SENT - timedelta(days=6))
        add(work, "过窗", issued_at=SENT - timedelta(days=7))
        add(work, "未来", issued_at=SENT + timedelta(minutes=1))
        add(work, "失效", expires_at=SENT - timedelta(minutes=1))
        add(work, "被更正", superseded_by=kept)
    identifier = fire(open_work)
    assert compose_occurrence(open_work, identifier).count == 3
    assert set(said(open_work, identifier).values()) == {"2026-11-16/2026-11-23: 新 旧"}
    with open_work() as work:
        codes = work.conn.execute(select(message.c.product_codes, message.c.risk_level).distinct()).all()
        assert [tuple(row) for row in codes] == [(["600000.SH"], 2)]


@freeze_time(NOW)
def test_the_riskiest_item_decides_whom_it_suits(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        add(work, "低", risk_level=1)
        add(work, "高", risk_level=4, code="")
    identifier = fire(open_work)
    compose_occurrence(open_work, identifier)
    assert set(said(open_work, identifier)) == {"甲", "乙"}
    with open_work() as work:
        assert rules_left_out(work, identifier) == {"丙": "suitability"}


@freeze_time(NOW)
def test_with_nothing_to_say_it_is_closed_and_says_so(open_work: Opener, people: Firm) -> None:
    identifier = fire(open_work)
    composed = compose_occurrence(open_work, identifier)
    assert (composed.count, composed.state) == (0, "cancelled")
    with open_work() as work:
        row = work.conn.execute(select(occurrence).where(occurrence.c.id == identifier)).one()
        assert (row.state, row.note) == ("cancelled", "nothing to say: no item of research in 7 days")
        assert work.conn.execute(text("SELECT count(*) FROM left_out")).scalar_one() == 0


@freeze_time(NOW)
def test_at_most_thirty_items_are_in_it(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        for number in range(32):
            add(work, f"第{number}篇", issued_at=SENT - timedelta(minutes=number))
    identifier = fire(open_work)
    compose_occurrence(open_work, identifier)
    words = said(open_work, identifier)["甲"].split()
    assert (len(words), words[1], words[-1]) == (31, "第0篇", "第29篇")


@freeze_time(NOW)
def test_an_item_that_comes_while_it_is_composed_waits_for_the_next_one(
    open_work: Opener, people: Firm
) -> None:
    with open_work() as work:
        add(work, "先")
    identifier = fire(open_work)

    def late(count: int, left: int) -> None:
        if count == 1:
            with open_work() as work:
                add(work, "后")

    compose_occurrence(open_work, identifier, late, chunk=1)
    assert set(said(open_work, identifier).values()) == {"2026-11-16/2026-11-23: 先"}


@freeze_time(NOW)
def test_a_corrected_item_stops_the_digest_and_it_is_made_again_for_whom_it_had_not_reached(
    open_work: Opener, people: Firm
) -> None:
    with open_work() as work:
        old = add(work, "错")
        add(work, "对", issued_at=SENT - timedelta(hours=2))
    first = fire(open_work)
    compose_occurrence(open_work, first)
    with open_work() as work:
        reached = select(client.c.id).where(client.c.name == "甲").scalar_subquery()
        work.conn.execute(update(message).where(message.c.client_id == reached).values(state="sent"))
        new = add(work, "正", issued_at=SENT - timedelta(minutes=30))
        work.conn.execute(update(feed_item).where(feed_item.c.id == old).values(superseded_by=new))
        publish(work, FeedItemSuperseded("research", old, new))
        publish(work, FeedItemAccepted("research", new))
    with open_work() as work:
        states = work.conn.execute(select(message.c.state).where(message.c.occurrence_id == first)).scalars()
        assert sorted(states) == ["cancelled", "cancelled", "sent"]
        again = work.conn.execute(
            select(occurrence.c.id).where(occurrence.c.job_name == "weekly", occurrence.c.id != first)
        ).scalar_one()
    compose_occurrence(open_work, again)
    assert said(open_work, again) == {
        "乙": "2026-11-16/2026-11-23: 正（更正错） 对",
        "丙": "2026-11-16/2026-11-23: 正（更正错） 对",
    }


REPORT = {
    "publisher": "示例证券研究院",
    "abstract": "息差企稳。",
    "risk_text": "经济下行超预期。",
    "url": "https://research.example.com/R1",
    "author_licence": "S0000000000001",
    "rating": "",
    "product_risk": "R2",
}


def correct(open_work: Opener, old: UUID, title: str) -> UUID:
    """Take in a correction; returns the occurrence of the job that pushes each report."""
    with open_work() as work:
        at = SENT + timedelta(minutes=30)
        data = {"title": title, "published_at": at.isoformat(), "authors": "李晓明", **REPORT}
        new = add(work, title, issued_at=at, data=data)
        work.conn.execute(update(feed_item).where(feed_item.c.id == old).values(superseded_by=new))
        publish(work, FeedItemSuperseded("research", old, new))
        publish(work, FeedItemAccepted("research", new))
    with open_work() as work:
        return work.conn.execute(
            select(occurrence.c.id).where(
                occurrence.c.job_name == "research-push", occurrence.c.feed_item_id == new
            )
        ).scalar_one()


@freeze_time(NOW)
def test_whom_only_the_digest_told_is_told_that_it_is_a_correction(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        old = add(work, "错")
        make_client(work, people.b01, name="持有", risk_class=5, holdings=("600000.SH",))
    first = fire(open_work)
    compose_occurrence(open_work, first)
    with open_work() as work:
        reached = select(client.c.id).where(client.c.name == "甲").scalar_subquery()
        work.conn.execute(update(message).where(message.c.client_id == reached).values(state="sent"))
    pushed = correct(open_work, old, "正")
    compose_occurrence(open_work, pushed)
    words = said(open_work, pushed)
    assert set(words) == {"甲", "持有"}
    assert "更正：如您收到过“错”，请以本封为准。" in words["甲"]
    assert "更正" not in words["持有"]


@freeze_time(NOW)
@pytest.mark.parametrize(("state", "words"), [("sent", "正（更正错）"), ("held", "正")])
def test_the_next_digest_says_that_an_item_corrects_what_reached_somebody(
    open_work: Opener, people: Firm, state: str, words: str
) -> None:
    with open_work() as work:
        old = add(work, "错")
    compose_occurrence(open_work, fire(open_work))
    with open_work() as work:
        reached = select(client.c.id).where(client.c.name == "甲").scalar_subquery()
        work.conn.execute(update(message).where(message.c.client_id == reached).values(state=state))
    correct(open_work, old, "正")
    with open_work() as work:
        later = make_occurrence(work, "weekly", send_at=SENT + timedelta(days=6), key="next")
    compose_occurrence(open_work, later)
    assert set(said(open_work, later).values()) == {f"2026-11-22/2026-11-29: {words}"}
