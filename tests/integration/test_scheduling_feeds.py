"""Feed jobs: each accepted item is an occurrence of every job that listens, once; late and corrected ones say so."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import insert, select, text

from outreach.core import events
from outreach.core.access import SYSTEM
from outreach.feeds.take_in import take_in_stream
from outreach.ledger.work import Opener
from outreach.scheduling.feeds import on_feed_item_accepted, on_feed_item_superseded
from outreach.scheduling.tables import occurrence, schedule
from tests.support.builders import FEW_JOBS, Firm, firm, publish_starter
from tests.support.review_rows import content

NOW = "2026-11-23 03:00:00"
NARROW = """
title = { zh = "配股提示", en = "Rights issue" }
template = "market-event"
policy = "alert-express"
channels = ["sms"]
window = "00:00-24:00"
expiry = "12h"
misfire = { rule = "skip" }
urgent = true

[trigger]
kind = "feed"
feed = "market-event"
types = ["trading_halt"]
"""


@pytest.fixture(autouse=True)
def wired() -> Iterator[None]:
    with (
        events.listening(events.FeedItemAccepted, on_feed_item_accepted),
        events.listening(events.FeedItemSuperseded, on_feed_item_superseded),
    ):
        yield


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(NOW):
        staff = firm(open_work)
        publish_starter(open_work, staff, jobs=FEW_JOBS)
        with open_work() as work:
            content(work, "job", "rights", {"jobs/rights.toml": NARROW}, staff.head_office, staff.compliance)
    return staff


def report(number: str = "R1", **changed: Any) -> dict[str, Any]:
    return {
        "report_id": number,
        "ts_code": "600000.SH",
        "title": "银行业周报",
        "report_type": "行业周报",
        "publisher": "示例证券研究院",
        "authors": "李晓明",
        "author_licence": "S0000000000001",
        "published_at": "2026-11-23T08:10:00+08:00",
        "rating": "推荐",
        "previous_rating": "推荐",
        "product_risk": "R3",
        "abstract": "三季度息差环比企稳。",
        "risk_text": "经济下行超预期。",
        "url": "https://research.example.com/R1",
        "expires_at": None,
        **changed,
    }


def event(number: str = "E1", **changed: Any) -> dict[str, Any]:
    return {
        "event_id": number,
        "type": "policy",
        "ts_code": "",
        "headline": "央行宣布下调存款准备金率",
        "announced_at": "2026-11-23T10:30:00+08:00",
        "record_date": None,
        "ex_date": None,
        "pay_date": None,
        "deadline": None,
        "source_url": "https://news.example.com/1",
        "severity": "high",
        "firm_view": "",
        "supersedes": None,
        **changed,
    }


def take_in(open_work: Opener, kind: str, *items: dict[str, Any]) -> None:
    lines = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    result = take_in_stream(open_work, SYSTEM, kind, io.BytesIO(lines.encode()))
    assert result.refused == []


def occurrences(open_work: Opener) -> list[tuple[str, str, str]]:
    with open_work() as work:
        rows = work.conn.execute(
            select(occurrence.c.job_name, occurrence.c.state, occurrence.c.note).order_by(
                occurrence.c.job_name, occurrence.c.occurrence_key
            )
        )
        return [(row.job_name, row.state, row.note) for row in rows]


def deferred(open_work: Opener) -> int:
    with open_work() as work:
        return int(
            work.conn.execute(
                text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'compose_occurrence'")
            ).scalar_one()
        )


@freeze_time(NOW)
def test_an_item_fires_the_jobs_of_its_feed_once(open_work: Opener, people: Firm) -> None:
    take_in(open_work, "research", report())
    take_in(open_work, "research", report())
    assert occurrences(open_work) == [("research-push", "due", "")]
    assert deferred(open_work) == 1


@freeze_time(NOW)
def test_types_narrow_a_job_to_some_items(open_work: Opener, people: Firm) -> None:
    take_in(open_work, "market-event", event("E1"), event("E2", type="trading_halt", ts_code="600000.SH"))
    assert occurrences(open_work) == [
        ("market-event", "due", ""),
        ("market-event", "due", ""),
        ("rights", "due", ""),
    ]


@freeze_time(NOW)
@pytest.mark.parametrize(
    ("published", "expires", "state"),
    [
        ("2026-11-16T11:00:00+08:00", None, "due"),
        ("2026-11-16T10:59:59+08:00", None, "expired"),
        ("2026-11-22T08:00:00+08:00", "2026-11-23T11:00:00+08:00", "expired"),
        ("2026-11-22T08:00:00+08:00", "2026-11-23T11:00:01+08:00", "due"),
    ],
)
def test_an_item_past_its_time_is_kept_as_missed(
    open_work: Opener, people: Firm, published: str, expires: str | None, state: str
) -> None:
    take_in(open_work, "research", report(published_at=published, expires_at=expires))
    note = "the item is past its time" if state == "expired" else ""
    assert occurrences(open_work) == [("research-push", state, note)]
    assert deferred(open_work) == (state == "due")


@freeze_time(NOW)
def test_it_expires_with_the_item_or_with_the_job_whichever_is_first(open_work: Opener, people: Firm) -> None:
    take_in(open_work, "market-event", event("E1"), event("E2", deadline="2026-11-23T16:00:00+08:00"))
    with open_work() as work:
        ends = list(
            work.conn.execute(select(occurrence.c.expires_at).order_by(occurrence.c.occurrence_key)).scalars()
        )
    assert ends == [
        datetime(2026, 11, 23, 15, 0, tzinfo=UTC),
        datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
    ]


@freeze_time(NOW)
def test_a_correction_cancels_what_is_not_composed_yet(open_work: Opener, people: Firm) -> None:
    take_in(open_work, "research", report(), report(published_at="2026-11-23T09:00:00+08:00", title="更正"))
    assert occurrences(open_work) == [
        ("research-push", "cancelled", "superseded by a correction"),
        ("research-push", "due", ""),
    ]


@freeze_time(NOW)
def test_an_event_that_names_what_it_corrects_cancels_it(open_work: Opener, people: Firm) -> None:
    take_in(open_work, "market-event", event("E1"), event("E2", supersedes="E1"))
    assert [state for _, state, _ in occurrences(open_work)] == ["cancelled", "due"]


@freeze_time(NOW)
def test_a_job_switched_off_hears_nothing(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        work.conn.execute(
            insert(schedule).values(
                job_name="market-event", high_water=datetime(2026, 11, 1, tzinfo=UTC), enabled=False
            )
        )
    take_in(open_work, "market-event", event("E1", type="trading_halt", ts_code="600000.SH"))
    assert [job for job, _, _ in occurrences(open_work)] == ["rights"]


@freeze_time(NOW)
def test_before_any_publication_items_are_only_kept(open_work: Opener) -> None:
    take_in(open_work, "research", report())
    assert occurrences(open_work) == []
