"""An item without a security's code is not everybody's: for a type that is for holders only it is refused."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from freezegun import freeze_time
from sqlalchemy import select

from outreach.api.feeds import feed_router
from outreach.app import Outreach
from outreach.auth.tokens import create_token
from outreach.composing.compose import compose_occurrence
from outreach.core import events
from outreach.core.access import SYSTEM
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.feeds.tables import feed_item
from outreach.feeds.take_in import take_in_stream
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener
from outreach.scheduling.feeds import on_feed_item_accepted
from outreach.scheduling.tables import occurrence
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.pages import Site, served
from tests.support.review_rows import content

NOW = "2026-11-23 03:00:00"
FOR_HOLDERS = """
ipo_payment dividend rights_issue convertible warrant_expiry option_expiry halt resumption delisting
""".split()
ALSO = """
title = { zh = "分红周知", en = "Dividends" }
template = "dividend"
policy = "alert-express"
channels = ["sms"]
expiry = "12h"
misfire = { rule = "skip" }

[trigger]
kind = "feed"
feed = "market-event"
types = ["dividend"]

[audience]
tags = ["dividends"]
"""


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(NOW):
        staff = firm(open_work)
        publish_starter(open_work, staff)
        with open_work() as work:
            make_client(work, staff.b01, name="甲持有", tier="core", holdings=("600000.SH",))
            make_client(work, staff.b01, name="乙没有", tier="core")
    return staff


def event(number: str, kind: str, code: str = "") -> dict[str, Any]:
    return {
        "event_id": number,
        "type": kind,
        "ts_code": code,
        "headline": "浦发银行实施年度分红",
        "announced_at": "2026-11-23T10:30:00+08:00",
        "source_url": "https://news.example.com/1",
    }


def lines(*items: dict[str, Any]) -> bytes:
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items).encode()


@freeze_time(NOW)
@pytest.mark.parametrize("kind", FOR_HOLDERS)
def test_of_a_type_for_holders_only_it_is_refused_and_with_a_code_taken(
    open_work: Opener, people: Firm, kind: str
) -> None:
    items = lines(event("E1", kind), event("E2", kind, "600000.SH"))
    result = take_in_stream(open_work, SYSTEM, "market-event", io.BytesIO(items))
    (refused,) = result.refused
    assert (refused.item_id, refused.field, refused.code) == ("E1", "ts_code", "needs_code")
    assert result.accepted == 1


@freeze_time(NOW)
def test_of_a_type_for_everybody_it_is_taken(open_work: Opener, people: Firm) -> None:
    items = lines(event("E1", "policy"), event("E2", "exchange_notice"))
    assert take_in_stream(open_work, SYSTEM, "market-event", io.BytesIO(items)).accepted == 2


def test_of_a_type_that_no_job_listens_to_it_is_kept(open_work: Opener) -> None:
    publish_starter(open_work, firm(open_work), jobs={"research-push"})
    items = lines(event("E1", "dividend"))
    assert take_in_stream(open_work, SYSTEM, "market-event", io.BytesIO(items)).accepted == 1


def test_by_rest_it_is_refused_with_field_and_mend(
    open_work: Opener, settings: Settings, people: Firm
) -> None:
    app = FastAPI()
    app.include_router(feed_router(Site(settings, open_work)))
    with open_work() as work:
        token = create_token(work, "desk", ["market-events"]).token
    with served(app) as address, httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        answer = client.post(
            "/api/v1/market-events",
            json=[event("E1", "dividend"), event("E2", "dividend", "600000.SH")],
            headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"},
        )
    assert answer.status_code == 207
    refused, taken = answer.json()["items"]
    assert (refused["code"], refused["field"]) == ("needs_code", "ts_code")
    assert refused["reason"].startswith("This type needs a ts_code")
    assert refused["mend"]
    assert taken["result"] == "new"


@pytest.fixture
def whole(database: Database, keys: KeyRing, settings: Settings) -> Outreach:
    return Outreach(settings, database, keys)


def test_by_file_it_is_refused_and_the_rest_goes_on(whole: Outreach, people: Firm) -> None:
    place: Path = whole.settings.drop_folder / "market-events" / "day.jsonl"
    place.parent.mkdir(parents=True)
    place.write_bytes(lines(event("E1", "halt"), event("E2", "halt", "600000.SH")))
    os.utime(place, (1_000_000_000, 1_000_000_000))
    whole.look_at_dropped("market-events")
    reasons = (place.parent / "refused/day.jsonl.reasons.txt").read_text("utf-8")
    assert reasons.startswith("1: E1 ts_code [needs_code]")
    with whole.open_work() as work:
        assert work.conn.execute(select(feed_item.c.item_key)).scalars().all() == ["E2"]


@pytest.fixture
def wired() -> Iterator[None]:
    with events.listening(events.FeedItemAccepted, on_feed_item_accepted):
        yield


@freeze_time(NOW)
def test_where_another_job_wants_it_the_holders_job_tells_nobody(
    open_work: Opener, people: Firm, wired: None
) -> None:
    with open_work() as work:
        content(work, "job", "also", {"jobs/also.toml": ALSO}, people.head_office, people.compliance)
        make_client(work, people.b01, name="丙订阅", tags=["dividends"])
    taken = take_in_stream(open_work, SYSTEM, "market-event", io.BytesIO(lines(event("E1", "dividend"))))
    assert taken.accepted == 1
    with open_work() as work:
        made = {row.job_name: row.id for row in work.conn.execute(select(occurrence))}
    composed = {job: compose_occurrence(open_work, identifier) for job, identifier in made.items()}
    assert {job: one.count + one.left_out for job, one in composed.items()} == {"dividend": 0, "also": 1}
