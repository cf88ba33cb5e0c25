"""Dispatch: claim what is due, call the providers, record what came of it; again until nothing is due.

An asynchronous task. Its database work runs in threads, and no transaction is open while a call is made.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from outreach.core import clock
from outreach.core.errors import OutreachError
from outreach.core.faultpoints import reach
from outreach.core.settings import Settings
from outreach.delivery.channels.base import Accepted, Channel, ChannelError, Outgoing
from outreach.delivery.channels.gateway import GatewayChannel
from outreach.delivery.channels.smtp import SmtpChannel
from outreach.delivery.channels.twilio import TwilioChannel
from outreach.delivery.claims import Claimed, Limit, claim_due
from outreach.delivery.handover import hand_over
from outreach.delivery.outcomes import Outcome, record_outcomes, renew_leases, start_calls
from outreach.delivery.routes import PERSON
from outreach.ledger.work import Opener

log = structlog.get_logger(__name__)

CLAIM = 500  # messages a claim takes
WINDOW = 100  # calls that a crash can leave unknown, at most
LEASE = 30.0  # seconds; renewed three times as often while the worker lives
_RECORD_WITHIN = 240.0  # seconds for which a database that went away is waited for with outcomes in hand


@dataclass(frozen=True)
class Dispatched:
    """What one run of the dispatcher did."""

    looked_at: int = 0
    sent: int = 0
    failed: int = 0
    retrying: int = 0
    unknown: int = 0


class Providers:
    """The channels of one process, opened once on its loop."""

    def __init__(self, channels: Sequence[Channel], settings: Settings) -> None:
        self.channels: Mapping[str, Channel] = {channel.provider: channel for channel in channels}
        self.settings = settings
        self._slots = {channel.provider: asyncio.Semaphore(channel.concurrency) for channel in channels}
        self._opened = False

    @property
    def limits(self) -> dict[str, Limit]:
        """What the accounts may carry."""
        return {name: Limit(channel.account, channel.per_second) for name, channel in self.channels.items()}

    async def open(self) -> None:
        """Open every channel once."""
        if not self._opened:
            for channel in self.channels.values():
                await channel.open()
            self._opened = True

    async def close(self) -> None:
        """Close every channel."""
        for channel in self.channels.values():
            await channel.close()
        self._opened = False

    async def call(self, claimed: Claimed, outgoing: Outgoing) -> Accepted | ChannelError:
        """Make one call and answer with what came of it, whatever that is."""
        channel = self.channels[claimed.provider]
        async with self._slots[claimed.provider]:
            try:
                reach("in-call")
                async with asyncio.timeout(channel.seconds + 5.0):
                    return await channel.send(outgoing)
            except ChannelError as error:
                return error
            except TimeoutError:
                return ChannelError("timeout", "The provider did not answer in time.", unknown=True)
            except Exception as error:
                # A fault of ours must not lose the outcome; whether the call went out can't be told.
                log.exception("call failed", attempt=str(claimed.attempt_id), provider=claimed.provider)
                return ChannelError(type(error).__name__, "The call broke inside Outreach.", unknown=True)


def configured(settings: Settings) -> list[Channel]:
    """The channels that the settings name."""
    channels: list[Channel] = []
    if settings.smtp:
        channels.append(SmtpChannel(settings.smtp))
    if settings.twilio:
        channels.append(TwilioChannel(settings.twilio))
    if settings.gateway:
        channels.append(GatewayChannel(settings.gateway))
    return channels


async def dispatch(
    open_work: Opener, providers: Providers, *, urgent: bool = False, until_empty: bool = True
) -> Dispatched:
    """Send what is approved and due in one lane; returns when nothing more is (or after one claim).

    While the calls of a window are under way the outcomes of the one before are written and the next messages
    claimed, so that neither the providers nor the database wait for the other.
    """
    await providers.open()
    total = Dispatched()
    hand: dict[UUID, Claimed] = {}
    keeping = asyncio.create_task(_keep(open_work, hand))
    recording: asyncio.Task[None] | None = None
    ahead: asyncio.Task[tuple[list[Claimed], int]] | None = None
    try:
        claimed, looked_at = await _next(open_work, providers, urgent, hand)
        while looked_at:
            ahead = asyncio.create_task(_next(open_work, providers, urgent, hand)) if until_empty else None
            for start in range(0, len(claimed), WINDOW):
                window = claimed[start : start + WINDOW]
                outcomes = await _call(open_work, providers, window)
                if recording is not None:
                    await recording
                recording = asyncio.create_task(_record_surely(open_work, outcomes))
                for item in window:
                    hand.pop(item.attempt_id, None)
                total = _add(total, _count([outcome.result for outcome in outcomes]))
            total = _add(total, Dispatched(looked_at=looked_at))
            if ahead is None:
                break
            if not claimed:
                # The provider's rate is used up for the moment, or the last look stopped all of them.
                await asyncio.sleep(0.05)
            claimed, looked_at = await ahead
    finally:
        keeping.cancel()
        # Outcomes are known only here: they are written even when the worker is told to stop.
        await _finished(recording, ahead)
    return total


async def _finished(*tasks: asyncio.Task[Any] | None) -> None:
    for task in tasks:
        if task is not None:
            await asyncio.shield(task)


async def _next(
    open_work: Opener, providers: Providers, urgent: bool, hand: dict[UUID, Claimed]
) -> tuple[list[Claimed], int]:
    reach("before-claim")
    claimed, looked_at = await asyncio.to_thread(_claim, open_work, providers, urgent)
    if claimed:
        reach("claimed")
    hand.update({item.attempt_id: item for item in claimed})
    return claimed, looked_at


def _claim(open_work: Opener, providers: Providers, urgent: bool) -> tuple[list[Claimed], int]:
    with open_work() as work:
        claimed, looked_at = claim_due(work, providers.limits, urgent=urgent, size=CLAIM, lease_seconds=LEASE)
        hand_over(work, [item for item in claimed if item.provider == PERSON], clock.now())
        return [item for item in claimed if item.provider != PERSON], looked_at


async def _keep(open_work: Opener, hand: dict[UUID, Claimed]) -> None:
    """Renew the leases of what is in hand, until cancelled."""
    while True:
        await asyncio.sleep(LEASE / 3)
        try:
            await asyncio.to_thread(_renew, open_work, list(hand.values()))
        except (OutreachError, DBAPIError) as error:
            # The fence is the token: should the lease run out, a late outcome still settles its message.
            log.warning("leases not renewed", error=type(error).__name__)


def _renew(open_work: Opener, claimed: Sequence[Claimed]) -> None:
    with open_work() as work:
        renew_leases(work, claimed, LEASE)


async def _call(open_work: Opener, providers: Providers, claimed: Sequence[Claimed]) -> list[Outcome]:
    """Make the calls of one window; what the sweeper took back meanwhile is not called."""
    started = await asyncio.to_thread(_start, open_work, claimed)
    mine = [item for item in claimed if item.attempt_id in started]
    results = await asyncio.gather(
        *(
            providers.call(item, _outgoing(providers.settings, item, started[item.attempt_id]))
            for item in mine
        )
    )
    reach("answered")
    return [
        Outcome(item, started[item.attempt_id], result) for item, result in zip(mine, results, strict=True)
    ]


async def _record_surely(open_work: Opener, outcomes: Sequence[Outcome]) -> None:
    """Record outcomes, however long the database takes to come back (within minutes): they are known only here."""
    until, pause = time.monotonic() + _RECORD_WITHIN, 0.2
    while True:
        try:
            await asyncio.to_thread(_record, open_work, outcomes)
            return
        except (OutreachError, DBAPIError) as error:
            if time.monotonic() > until:
                raise
            log.warning("outcomes not recorded yet", count=len(outcomes), error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


def _start(open_work: Opener, claimed: Sequence[Claimed]) -> dict[UUID, datetime]:
    with open_work() as work:
        return start_calls(work, claimed)


def _record(open_work: Opener, outcomes: Sequence[Outcome]) -> None:
    with open_work() as work:
        record_outcomes(work, outcomes)
        reach("before-commit")


def _outgoing(settings: Settings, claimed: Claimed, started_at: datetime) -> Outgoing:
    return Outgoing(
        message_id=claimed.message_id,
        attempt_id=claimed.attempt_id,
        payload=claimed.payload,
        started_at=started_at,
        files=claimed.files,
        callback_url=f"{settings.public_url}/hooks/{claimed.provider}/status/{claimed.message_id}",
    )


def _count(results: Sequence[Accepted | ChannelError]) -> Dispatched:
    errors = [result for result in results if isinstance(result, ChannelError)]
    unknown = sum(error.unknown for error in errors)
    failed = sum(error.permanent and not error.unknown for error in errors)
    return Dispatched(
        sent=len(results) - len(errors),
        failed=failed,
        unknown=unknown,
        retrying=len(errors) - unknown - failed,
    )


def _add(left: Dispatched, right: Dispatched) -> Dispatched:
    return Dispatched(*(getattr(left, name) + getattr(right, name) for name in vars(left)))
