"""Receipts: what providers report afterwards. Kept always, once each; they move a message when they can.

A receipt may come before our own outcome is written; it then waits unsettled until that is there, or until
the message is found ``unknown``, which a receipt settles.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.ids import new_id
from outreach.delivery.tables import attempt, receipt
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work
from outreach.messages.fallthrough import take_next
from outreach.messages.states import State, move
from outreach.messages.tables import message

# The field's words for what providers report.
STATUSES: dict[str, dict[str, str]] = {
    "twilio": {
        "queued": "accepted",
        "accepted": "accepted",
        "scheduled": "accepted",
        "sending": "accepted",
        "sent": "sent",
        "delivered": "delivered",
        "read": "delivered",
        "undelivered": "undelivered",
        "failed": "undelivered",
        "canceled": "undelivered",
    },
    "gateway": {
        "accepted": "accepted",
        "sent": "sent",
        "delivered": "delivered",
        "undelivered": "undelivered",
        "failed": "undelivered",
        "rejected": "undelivered",
        "expired": "undelivered",
    },
}


@dataclass(frozen=True)
class ReceiptIn:
    """A receipt as a provider sent it, its signature already checked."""

    provider: str
    provider_ref: str
    provider_status: str
    message_id: UUID | None = None
    error_code: str | None = None


def take_receipt(work: Work, incoming: ReceiptIn) -> bool:
    """Keep a receipt and let it move its message. Returns whether it was new (a repeat changes nothing)."""
    status = STATUSES.get(incoming.provider, {}).get(incoming.provider_status.lower(), "other")
    message_id = incoming.message_id or _message_of(work, incoming.provider_ref)
    receipt_id = work.conn.execute(
        insert(receipt)
        .values(
            id=new_id(),
            message_id=message_id,
            provider=incoming.provider,
            provider_ref=incoming.provider_ref,
            status=status,
            provider_status=incoming.provider_status[:64],
            error_code=incoming.error_code,
            received_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(receipt.c.id)
    ).scalar_one_or_none()
    if receipt_id is None:
        return False
    about = None
    if message_id is not None:
        about = work.conn.execute(
            select(message.c.client_id, message.c.branch_id).where(message.c.id == message_id)
        ).one_or_none()
    record(
        work,
        Entry(
            "receipt",
            {
                "receipt_id": receipt_id,
                "provider": incoming.provider,
                "provider_ref": incoming.provider_ref,
                "provider_status": incoming.provider_status,
                "error_code": incoming.error_code,
                "outcome": status,
            },
            message_id=message_id,
            client_id=about.client_id if about else None,
            branch_id=about.branch_id if about else None,
        ),
    )
    if message_id is not None:
        settle_receipts(work, [message_id])
    return True


def _message_of(work: Work, provider_ref: str) -> UUID | None:
    return work.conn.execute(
        select(attempt.c.message_id).where(attempt.c.provider_ref == provider_ref).limit(1)
    ).scalar_one_or_none()


_OPEN = text(
    """
    SELECT r.message_id, m.scheduled_month, m.state, m.urgent,
           bool_or(r.status = 'delivered') AS delivered, bool_or(r.status = 'undelivered') AS undelivered,
           array_agg(r.id) AS receipts
      FROM receipt r JOIN message m ON m.id = r.message_id
     WHERE NOT r.settled AND r.message_id = ANY(:ids)
     GROUP BY r.message_id, m.scheduled_month, m.state, m.urgent
     ORDER BY r.message_id
    """
)
_SETTLEABLE = {State.SENT.value, State.UNKNOWN.value, State.UNDELIVERED.value, State.HANDED_OVER.value}


def settle_receipts(work: Work, message_ids: Iterable[UUID]) -> int:
    """Let the kept receipts of these messages move them; returns how many messages moved.

    A receipt for a message that is still being sent stays unsettled: the outcome, or the sweeper, comes back.
    """
    ids = sorted(set(message_ids))
    if not ids:
        return 0
    # Two callbacks about one message take turns, so neither overlooks the other's receipt.
    work.conn.execute(
        select(message.c.id).where(message.c.id.in_(ids)).order_by(message.c.id).with_for_update()
    )
    moved = 0
    ended: set[UUID] = set()
    reached: set[UUID] = set()
    for row in work.conn.execute(_OPEN, {"ids": ids}).all():
        state = State(row.state)
        target = State.DELIVERED if row.delivered else State.UNDELIVERED if row.undelivered else None
        if target is None and state is State.UNKNOWN:
            target = State.SENT  # the provider speaks of it, so it has it
        if row.state in _SETTLEABLE and target is not None and target is not state:
            where = (message.c.id == row.message_id) & (message.c.scheduled_month == row.scheduled_month)
            done = move(
                work.conn,
                state,
                target,
                where,
                reason="provider_undelivered" if target is State.UNDELIVERED else None,
                params={} if target is State.UNDELIVERED else None,
            )
            moved += len(done)
            if state is State.UNKNOWN:
                record(
                    work,
                    Entry(
                        "settled",
                        {"basis": "receipt", "outcome": target.value, "receipt_id": row.receipts[0]},
                        message_id=row.message_id,
                    ),
                )
        elif row.state in {State.CLAIMED.value, State.APPROVED.value}:
            continue
        work.conn.execute(update(receipt).where(receipt.c.id.in_(row.receipts)).values(settled=True))
        if row.urgent:
            ended.add(row.message_id)
            if row.delivered:
                # Also of one that had been given up: another channel is not needed then.
                reached.add(row.message_id)
    take_next(work, ended, reached=reached)
    return moved
