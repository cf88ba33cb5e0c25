"""Approved messages and the real channels that carry them to the sandbox's servers."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from outreach.composing.compose import compose_occurrence
from outreach.core import clock
from outreach.core.database import Database
from outreach.core.settings import Gateway, Settings, Smtp, TwilioAccount
from outreach.delivery.channels.gateway import GatewayChannel
from outreach.delivery.channels.smtp import SmtpChannel
from outreach.delivery.channels.twilio import TwilioChannel
from outreach.delivery.dispatch import Dispatched, Providers, dispatch
from outreach.delivery.sweep import reconcile
from outreach.delivery.tables import attempt
from outreach.demo.sandbox.client import Sandbox
from outreach.demo.sandbox.launch import Running
from outreach.demo.sandbox.twilio import ACCOUNT
from outreach.ledger.append import unseal_bytes
from outreach.ledger.work import Opener
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.tables import message
from outreach.review.batch import approve_batch, sample_of
from outreach.review.inbox import list_waiting
from tests.support.builders import Firm, make_client
from tests.support.occurrences import make_item, make_occurrence

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Servers:
    """The sandbox's three servers."""

    sandbox: Sandbox
    running: dict[str, Running]

    def settings(self, base: Settings) -> Settings:
        """``base`` pointing to them, with any hour open."""
        return replace(
            base,
            send_window="00:00-24:00",
            smtp=Smtp("127.0.0.1", self.running["smtp"].port, "care@example.com"),
            twilio=TwilioAccount(ACCOUNT, "sandbox", "+12025550100", self.running["twilio"].url, 500.0),
            gateway=Gateway(self.running["gateway"].url, "outreach", "sandbox"),
        )

    def clear(self) -> None:
        """Every server works properly again."""
        for server in (self.sandbox.smtp, self.sandbox.twilio, self.sandbox.gateway):
            server.clear_faults()


@dataclass
class Post:
    """A firm that sends."""

    open_work: Opener
    settings: Settings
    people: Firm
    servers: Servers
    database: Database
    seconds: float = 3.0  # a call's time-out

    def approved(self, *addresses: str, urgent: bool = True) -> list[UUID]:
        """A message to a client at each address (mail or mobile), approved and due."""
        clients: list[UUID] = []
        with self.open_work() as work:
            for address in addresses:
                mail = "@" in address
                clients.append(
                    make_client(
                        work,
                        self.people.b01,
                        tier="vip",
                        mobile=None if mail else address,
                        email=address if mail else None,
                    )
                )
            item = make_item(work, "market-event", code="", risk_level=None)
            occurrence_id = make_occurrence(work, "market-event", feed_item_id=item, send_at=clock.now())
        compose_occurrence(self.open_work, occurrence_id)
        manager = self.people.b01.manager
        with self.open_work(manager) as work:
            for waiting in list_waiting(work).items:
                sample = sample_of(work, waiting.submission.id)
                approve_batch(
                    work, waiting.submission.id, sample.manifest_digest, frozenset(sample.message_ids)
                )
            if not urgent:
                work.conn.execute(text("UPDATE message SET urgent = false"))
            rows = work.conn.execute(
                select(message.c.id, message.c.client_id).where(
                    message.c.occurrence_id == occurrence_id, message.c.fallback_of.is_(None)
                )
            ).all()
        by_client = {row.client_id: row.id for row in rows}
        return [by_client[one] for one in clients]

    def providers(self) -> Providers:
        """The real channels, with short time-outs."""
        settings = self.settings
        assert settings.smtp is not None
        assert settings.twilio is not None
        assert settings.gateway is not None
        return Providers(
            [
                SmtpChannel(settings.smtp, connections=2, seconds=self.seconds),
                TwilioChannel(settings.twilio, seconds=self.seconds),
                GatewayChannel(settings.gateway, seconds=self.seconds),
            ],
            settings,
        )

    def send(self, *, urgent: bool = True) -> Dispatched:
        """One run of the dispatcher."""
        return asyncio.run(self._run(urgent))

    async def _run(self, urgent: bool) -> Dispatched:
        providers = self.providers()
        try:
            return await dispatch(self.open_work, providers, urgent=urgent)
        finally:
            await providers.close()

    def reconcile(self) -> int:
        """One run of the look-ups."""

        async def run() -> int:
            providers = self.providers()
            try:
                return await reconcile(self.open_work, providers)
            finally:
                await providers.close()

        return asyncio.run(run())

    def row(self, message_id: UUID) -> Any:
        """The message's row."""
        with self.open_work() as work:
            return work.conn.execute(select(message).where(message.c.id == message_id)).one()

    def state(self, message_id: UUID) -> tuple[str, str | None]:
        """State and reason."""
        row = self.row(message_id)
        return row.state, row.reason

    def attempts(self, message_id: UUID) -> Sequence[Any]:
        """Every attempt, in order."""
        with self.open_work() as work:
            return work.conn.execute(
                select(attempt).where(attempt.c.message_id == message_id).order_by(attempt.c.id)
            ).all()

    def payload(self, message_id: UUID) -> Payload:
        """What was approved."""
        row = self.row(message_id)
        with self.open_work() as work:
            return from_bytes(unseal_bytes(work, row.payload_id))

    def due_now(self) -> None:
        """Let every back-off be over."""
        with self.open_work() as work:
            work.conn.execute(
                text("UPDATE message SET due_at = now() WHERE state = 'approved' AND due_at IS NOT NULL")
            )

    def entries(self, kind: str, message_id: UUID) -> int:
        """How many entries of a kind the ledger has about a message."""
        with self.open_work() as work:
            return int(
                work.conn.execute(
                    text("SELECT count(*) FROM ledger_entry WHERE kind = :kind AND message_id = :id"),
                    {"kind": kind, "id": message_id},
                ).scalar_one()
            )


def mobile(prefix: str = "+86147") -> str:
    """A fresh number of a range without subscribers."""
    number = next(_numbers)
    return f"{prefix}{number:08d}" if prefix.startswith("+86") else f"+8524440{number:04d}"


def mail() -> str:
    """A fresh mail address."""
    return f"post{next(_numbers)}@example.net"
