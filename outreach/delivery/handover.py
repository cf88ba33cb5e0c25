"""What a person carries out: a letter is printed and posted, a call is made from its script.

No provider is called, so there is nothing that could be unknown: the attempt, the message's state, the leaf and the
fact that somebody has to act are one transaction. What came of it is told by whoever closes the task.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update

from outreach.core.events import MessageHandedOver, publish
from outreach.delivery.claims import Claimed
from outreach.delivery.tables import attempt
from outreach.ledger.append import Entry, record, record_many
from outreach.ledger.work import Work
from outreach.messages.fallthrough import take_next
from outreach.messages.payload import Payload
from outreach.messages.states import State, move, move_one
from outreach.messages.tables import message


def hand_over(work: Work, claimed: Sequence[Claimed], now: datetime) -> None:
    """Hand claimed letters and calls to whoever carries them out, in the transaction that claimed them."""
    for item in claimed:
        work.conn.execute(
            update(attempt)
            .where(attempt.c.id == item.attempt_id, attempt.c.state == "claimed")
            .values(
                state="accepted",
                started_at=now,
                finished_at=now,
                provider_ref=str(item.message_id),
                wire_digest=paper_digest(item.payload),
            )
        )
        move(
            work.conn,
            State.CLAIMED,
            State.HANDED_OVER,
            (message.c.id == item.message_id) & (message.c.claim_token == item.attempt_id),
            lease_until=None,
            due_at=None,
        )
    record_many(work, [_entry(item, now) for item in claimed])
    for item in claimed:
        publish(
            work,
            MessageHandedOver(
                item.message_id, item.client_id, item.branch_id, item.channel, item.expires_at, item.urgent
            ),
        )


def paper_digest(payload: Payload) -> bytes:
    """SHA-256 of what the person is given: address and text, as UTF-8 with a line break between."""
    return hashlib.sha256(f"{payload.to}\n{payload.text}".encode()).digest()


_OWN = text("SELECT client_id, branch_id, revision, digest, channel FROM message WHERE id = :id")


def is_with_a_person(work: Work, message_id: UUID) -> bool:
    """Whether a message was handed over and nobody has yet said what came of it."""
    query = select(message.c.id).where(message.c.id == message_id, message.c.state == State.HANDED_OVER.value)
    return work.conn.execute(query).first() is not None


def settle_handed_over(work: Work, message_id: UUID, *, reached: bool) -> None:
    """What came of a letter or a call, as the person who carried it out says.

    Raises Conflict when it was settled already, or is not with a person.
    """
    target = State.DELIVERED if reached else State.UNDELIVERED
    move_one(
        work.conn,
        State.HANDED_OVER,
        target,
        message_id,
        reason=None if reached else "not_reached",
        params=None if reached else {},
    )
    row = work.conn.execute(_OWN, {"id": message_id}).one()
    record(
        work,
        Entry(
            "settled",
            {
                "basis": "person",
                "outcome": target.value,
                "revision": row.revision,
                "digest": bytes(row.digest),
                "channel": row.channel,
            },
            message_id=message_id,
            client_id=row.client_id,
            branch_id=row.branch_id,
        ),
    )
    take_next(work, [message_id])


def _entry(item: Claimed, now: datetime) -> Entry:
    return Entry(
        "message.handed_over",
        {
            "submission_id": item.submission_id,
            "occurrence_id": item.occurrence_id,
            "revision": item.revision,
            "digest": item.digest,
            "channel": item.channel,
            "category": item.category,
            "language": item.language,
            "decision_id": item.decision_id,
            "attempt_id": item.attempt_id,
            "attempt_number": item.attempts,
            "provider": item.provider,
            "provider_ref": str(item.message_id),
            "wire_digest": paper_digest(item.payload),
            "outcome": "accepted",
            "started_at": now,
            "urgent": item.urgent,
            "fallback_of": item.fallback_of,
        },
        sealed=item.opened.ref,
        message_id=item.message_id,
        client_id=item.client_id,
        branch_id=item.branch_id,
    )
