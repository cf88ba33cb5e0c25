"""Delivery: N approved messages to a loopback server, with the last look, attempts, outcomes and leaves."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from benchmarks.bed import Bed, add_clients, bed
from benchmarks.limits import bare_sdk, bare_smtp
from benchmarks.memory import peak
from outreach.composing.compose import compose_occurrence
from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.core.settings import Settings, Smtp, TwilioAccount
from outreach.delivery.dispatch import Providers, configured, dispatch
from outreach.demo.sandbox.launch import Running, launch
from outreach.demo.sandbox.twilio import ACCOUNT
from outreach.feeds.items import MarketEvent
from outreach.feeds.take_in import take_in
from outreach.ledger.integrator import integrate
from outreach.ledger.work import opener
from outreach.review.batch import approve_batch, sample_of
from outreach.review.inbox import list_waiting

_FAST = 1_000_000.0  # calls a second: the account's limit is not what is measured


@dataclass(frozen=True)
class Delivered:
    """One measurement; seconds, bytes. ``limits``: name -> messages a second of the bare client."""

    channel: str
    messages: int
    seconds: float
    ledger_seconds: float
    memory: int
    limits: dict[str, float]

    @property
    def per_second(self) -> float:
        return self.messages / (self.seconds + self.ledger_seconds)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def measure(channel: str, count: int) -> Delivered:
    """Deliver ``count`` messages by ``smtp`` or ``twilio``."""
    with bed() as made, _server(made.home / "sandbox", channel) as server:
        settings = _settings(made, channel, server)
        made = replace(made, settings=settings, open_work=opener(made.database, _keys(made), settings))
        kind, address = ("email", "client%s@example.net") if channel == "smtp" else ("sms", "+852%s")
        add_clients(made, count, kind, address)
        _approve(made, _compose(made))
        with peak(made.home / "postgres") as memory:
            began = time.perf_counter()
            asyncio.run(_dispatch(made))
            seconds = time.perf_counter() - began
            began = time.perf_counter()
            integrate(made.open_work)
            ledger = time.perf_counter() - began
        arrived = server.client.counts(brief=True)
        assert arrived["total"] == count, arrived
        assert arrived["duplicates"] == {}
        limits = bare_smtp(server.port, count) if channel == "smtp" else bare_sdk(server.url, count)
        return Delivered(channel, count, seconds, ledger, memory.total, limits)


@contextmanager
def _server(state: Path, channel: str) -> Iterator[Running]:
    flags = () if channel == "smtp" else ("--no-callbacks",)
    running = launch(channel, state, *flags)
    try:
        yield running
    finally:
        running.stop()


def _settings(made: Bed, channel: str, server: Running) -> Settings:
    if channel == "smtp":
        return replace(
            made.settings,
            smtp=Smtp(host="127.0.0.1", port=server.port, sender="care@example.com", per_second=_FAST),
        )
    account = TwilioAccount(ACCOUNT, "sandbox", "+12025550100", server.url, _FAST)
    return replace(made.settings, twilio=account)


def _keys(made: Bed):  # type: ignore[no-untyped-def]
    with made.open_work() as work:
        return work.keys


def _compose(made: Bed):  # type: ignore[no-untyped-def]
    now = clock.now()
    event = MarketEvent.model_validate(
        {
            "event_id": "E1",
            "type": "policy",
            "ts_code": "",
            "headline": "央行宣布下调存款准备金率",
            "announced_at": (now - timedelta(seconds=5)).isoformat(),
            "record_date": None,
            "ex_date": None,
            "pay_date": None,
            "deadline": None,
            "source_url": "https://news.example.com/1",
            "severity": "high",
            "firm_view": "请结合自身风险承受能力决策。",
            "supersedes": None,
        }
    )
    with made.open_work(SYSTEM) as work:
        take_in(work, "market-event", event)
        occurrence_id = work.conn.execute(text("SELECT id FROM occurrence")).scalar_one()
    compose_occurrence(made.open_work, occurrence_id)
    return occurrence_id


def _approve(made: Bed, occurrence_id: object) -> None:
    del occurrence_id
    for staff_no in ("M001", "M002"):
        actor = made.actor(staff_no)
        with made.open_work(actor) as work:
            [item] = list_waiting(work).items
            sample = sample_of(work, item.submission.id)
            approve_batch(
                work,
                item.submission.id,
                sample.manifest_digest,
                frozenset(sample.message_ids),
                sample.count if sample.needs_count else None,
            )


async def _dispatch(made: Bed) -> None:
    providers = Providers(configured(made.settings), made.settings)
    try:
        await dispatch(made.open_work, providers, urgent=True)
    finally:
        await providers.close()
