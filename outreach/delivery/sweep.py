"""The sweeper: nothing that waits is forgotten, nothing that broke off is repeated blindly (P3, P4)."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text

from outreach.core import clock
from outreach.core.engine import defer
from outreach.delivery.channels.base import Fate
from outreach.delivery.claims import due_lanes
from outreach.delivery.dispatch import Providers
from outreach.delivery.receipts import settle_receipts
from outreach.delivery.tables import attempt, receipt
from outreach.ledger.append import Entry, record_many
from outreach.ledger.tables import ledger_pending
from outreach.ledger.work import Opener, Work
from outreach.messages.chains import NEVER_WENT, UNKNOWN_GIVEN_UP
from outreach.messages.fallthrough import take_next
from outreach.messages.left_behind import not_needed_any_more
from outreach.messages.states import State, move, move_one
from outreach.messages.tables import message

_BATCH = 1000
# A look-up is believed only when the call can no longer be on its way.
_SETTLE_AFTER = timedelta(seconds=45)

_NOT_STARTED = text(
    """
    WITH gone AS (
        SELECT m.id, m.scheduled_month, m.claim_token FROM message m JOIN attempt a ON a.id = m.claim_token
         WHERE m.state = 'claimed' AND m.lease_until < clock_timestamp() AND a.state = 'claimed'
         ORDER BY m.id LIMIT :size FOR UPDATE OF m, a SKIP LOCKED
    ), fenced AS (
        UPDATE attempt a SET state = 'abandoned', finished_at = :now FROM gone WHERE a.id = gone.claim_token
    )
    UPDATE message m SET state = 'approved', state_at = :now, claim_token = NULL, lease_until = NULL, due_at = :now
      FROM gone WHERE m.id = gone.id AND m.scheduled_month = gone.scheduled_month
    RETURNING m.id
    """
)

_STARTED = text(
    """
    WITH gone AS (
        SELECT m.id, m.scheduled_month, m.claim_token FROM message m JOIN attempt a ON a.id = m.claim_token
         WHERE m.state = 'claimed' AND m.lease_until < clock_timestamp() AND a.state <> 'claimed'
         ORDER BY m.id LIMIT :size FOR UPDATE OF m, a SKIP LOCKED
    ), fenced AS (
        UPDATE attempt a SET state = 'unknown', finished_at = :now
          FROM gone WHERE a.id = gone.claim_token AND a.state = 'started'
    )
    UPDATE message m SET state = 'unknown', state_at = :now, lease_until = NULL, reason = 'provider_unknown'
      FROM gone WHERE m.id = gone.id AND m.scheduled_month = gone.scheduled_month
    RETURNING m.id, m.client_id, m.branch_id, m.claim_token, m.channel, m.revision, m.digest, m.decision_id
    """
)


def release_leases(work: Work) -> tuple[int, int]:
    """Take back claims whose worker is gone: (calls never begun, back to approved; calls begun, now unknown)."""
    parameters = {"now": clock.now(), "size": _BATCH}
    back = len(work.conn.execute(_NOT_STARTED, parameters).all())
    rows = work.conn.execute(_STARTED, parameters).all()
    record_many(
        work,
        [
            Entry(
                "message.unknown",
                {
                    "attempt_id": row.claim_token,
                    "revision": row.revision,
                    "digest": bytes(row.digest),
                    "channel": row.channel,
                    "decision_id": row.decision_id,
                    "rule": "provider_unknown",
                },
                message_id=row.id,
                client_id=row.client_id,
                branch_id=row.branch_id,
            )
            for row in rows
        ],
    )
    settle_receipts(work, [row.id for row in rows])
    return back, len(rows)


def expire_waiting(work: Work) -> int:
    """Expire what waits past its time, visibly."""
    expired = 0
    not_needed_any_more(work, clock.now(), _BATCH)
    for state in (State.HELD, State.RETURNED, State.APPROVED):
        due = (
            select(message.c.id)
            .where(message.c.state == state.value, message.c.expires_at <= clock.now())
            .limit(_BATCH)
            .scalar_subquery()
        )
        ids = move(work.conn, state, State.EXPIRED, message.c.id.in_(due), reason="expired", params={})
        if not ids:
            continue
        expired += len(ids)
        rows = work.conn.execute(
            select(message.c.id, message.c.client_id, message.c.branch_id, message.c.submission_id).where(
                message.c.id.in_(ids)
            )
        ).all()
        record_many(
            work,
            [
                Entry(
                    "message.expired",
                    {"submission_id": row.submission_id, "rule": "expired"},
                    message_id=row.id,
                    client_id=row.client_id,
                    branch_id=row.branch_id,
                )
                for row in rows
            ],
        )
    return expired


def settle_waiting_receipts(work: Work) -> int:
    """Receipts that came before our own outcome and still wait."""
    ids = work.conn.execute(
        select(receipt.c.message_id)
        .where(receipt.c.settled.is_(False), receipt.c.message_id.is_not(None))
        .order_by(receipt.c.received_at)
        .limit(_BATCH)
    ).scalars()
    return settle_receipts(work, [identifier for identifier in ids if identifier is not None])


def wake(work: Work) -> None:
    """Defer a job for whatever is due and has none: a lost job costs seconds, not a message."""
    lanes = due_lanes(work)
    if lanes[True]:
        defer(work.conn, "dispatch_urgent", lock="dispatch_urgent")
    if lanes[False]:
        defer(work.conn, "dispatch", lock="dispatch")
    if work.conn.execute(select(ledger_pending.c.entry_id).limit(1)).first():
        defer(work.conn, "integrate", lock="integrate")


def unsettled(work: Work, provider: str) -> Sequence[UUID]:
    """Messages whose outcome at ``provider`` is unknown and old enough to ask about."""
    return list(
        work.conn.execute(
            select(message.c.id)
            .join(attempt, attempt.c.id == message.c.claim_token)
            .where(
                message.c.state == State.UNKNOWN.value,
                message.c.state_at <= clock.now() - _SETTLE_AFTER,
                attempt.c.provider == provider,
            )
            .order_by(message.c.state_at)
            .limit(100)
        ).scalars()
    )


async def reconcile(open_work: Opener, providers: Providers) -> int:
    """Ask the providers that can be asked about unknown outcomes; returns how many were settled.

    What no provider can tell waits for a person (``settle_by_hand``).
    """
    await providers.open()
    settled = 0
    for name, channel in providers.channels.items():
        for message_id in await asyncio.to_thread(_unsettled, open_work, name):
            found = await channel.look_up(message_id)
            if found is None:
                break  # this provider can't be asked at all
            fate, reference = found
            settled += await asyncio.to_thread(_settle, open_work, message_id, fate, reference)
    return settled


def _unsettled(open_work: Opener, provider: str) -> Sequence[UUID]:
    with open_work() as work:
        return unsettled(work, provider)


_TARGETS = {
    Fate.ACCEPTED: State.SENT,
    Fate.DELIVERED: State.DELIVERED,
    Fate.UNDELIVERED: State.UNDELIVERED,
    Fate.ABSENT: State.APPROVED,
}


def _settle(open_work: Opener, message_id: UUID, fate: Fate, reference: str) -> int:
    with open_work() as work:
        return settle(work, message_id, fate, reference, basis="lookup")


def settle(work: Work, message_id: UUID, fate: Fate, reference: str, *, basis: str) -> int:
    """Settle an unknown outcome by what ``basis`` (lookup, person) found. Raises Conflict when it is settled.

    What was never sent goes now; but not when the next channel was taken meanwhile: the client has it by that.
    """
    target = _TARGETS[fate]
    known = message.c.reason.is_distinct_from(UNKNOWN_GIVEN_UP)
    if target is not State.APPROVED:
        move_one(work.conn, State.UNKNOWN, target, message_id)
    elif not move(
        work.conn,
        State.UNKNOWN,
        State.APPROVED,
        (message.c.id == message_id) & known,
        due_at=clock.now(),
        claim_token=None,
    ):
        move_one(work.conn, State.UNKNOWN, State.FAILED, message_id, reason=NEVER_WENT)
    record_many(
        work,
        [
            Entry(
                "settled",
                {"basis": basis, "outcome": fate.value, "provider_ref": reference or None},
                message_id=message_id,
            )
        ],
    )
    take_next(work, [message_id])
    return 1
