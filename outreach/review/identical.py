"""Deciding at once on messages that read exactly the same, or that the actor has opened one by one.

Counted under the locks of the decision itself: what is not what the actor confirmed is a Conflict, and nothing moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, any_, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Uuid

from outreach.core.access import Permission, require, visible
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.ledger.append import unseal_many
from outreach.ledger.work import Work
from outreach.messages.payload import from_bytes
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.review.approving import Decided
from outreach.review.binding import bound, lock_messages
from outreach.review.decide import approve, return_
from outreach.review.eyes import other_eyes
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.questions import undisputed
from outreach.review.submissions import submission_for
from outreach.review.tables import message_seen

NAMED = 200  # ids that a group names
EXCERPT = 120  # characters of a group's text


@dataclass(frozen=True)
class Identical:
    """Messages of one submission that say exactly the same, with the same findings, and wait for the actor.

    ``message_ids``: the first 200 of them; ``excerpt``: the beginning of what they say, read from ``example_id``.
    """

    text_hash: bytes
    count: int
    message_ids: tuple[UUID, ...]
    manifest_digest: bytes
    excerpt: str
    example_id: UUID


@dataclass(frozen=True)
class Bulk:
    """What one act would decide: how many messages, and the digest of their manifest."""

    count: int
    manifest_digest: bytes


def identical_to(work: Work, message_id: UUID) -> Identical | None:
    """The messages that are exactly this one, itself included; None when it does not wait for this actor, or alone.

    Raises NotFound beyond the actor's scope.
    """
    row = _row(work, message_id)
    if row.state != State.HELD.value or row.text_hash is None:
        return None
    bounds = [
        Bound(item.id, item.revision, bytes(item.digest))
        for item in work.conn.execute(
            select(message.c.id, message.c.revision, message.c.digest)
            .where(_same(work, row))
            .order_by(message.c.id)
        )
    ]
    if len(bounds) < 2 or all(item.message_id != message_id for item in bounds):
        return None
    return _identical(bytes(row.text_hash), bounds, message_id, _excerpts(work, [row])[row.id])


def groups_of(work: Work, submission_id: UUID, limit: int = 20) -> list[Identical]:
    """The texts that more than one waiting message of a submission has, the most frequent first.

    Raises NotFound beyond the actor's scope.
    """
    submission_for(work, submission_id)
    decidable = _decidable(work, submission_id) & message.c.text_hash.is_not(None)
    groups = work.conn.execute(
        select(
            message.c.text_hash,
            func.array_agg(message.c.id).label("ids"),
            func.array_agg(message.c.revision).label("revisions"),
            func.array_agg(message.c.digest).label("digests"),
        )
        .where(decidable)
        .group_by(message.c.text_hash, message.c.findings)
        .having(func.count() > 1)
        .order_by(func.count().desc(), message.c.text_hash)
        .limit(limit)
    ).all()
    made: list[tuple[bytes, list[Bound]]] = []
    for group in groups:
        triples = zip(group.ids, group.revisions, map(bytes, group.digests), strict=True)
        made.append((bytes(group.text_hash), sorted(Bound(*triple) for triple in triples)))
    firsts = [bounds[0].message_id for _, bounds in made]
    rows = work.conn.execute(
        select(message.c.id, message.c.payload_id).where(message.c.id == any_(literal(firsts, ARRAY(Uuid))))
    ).all()
    said = _excerpts(work, rows)
    return [
        _identical(text_hash, bounds, bounds[0].message_id, said[bounds[0].message_id])
        for text_hash, bounds in made
    ]


def approve_identical(work: Work, message_id: UUID, manifest_digest: bytes, confirmed: int) -> Decided:
    """Approve all that are exactly this message; one of them has been read, and so have they all.

    ``confirmed``: how many the actor said they are. Raises RuleBroken when the actor has opened none of them in its
    present revision, Conflict when they are not those that were shown, BadInput for another number, otherwise as
    ``decide.approve`` does.
    """
    rows = _locked_identical(work, message_id, manifest_digest, confirmed)
    if not _seen(work, rows):
        raise _unread(len(rows), len(rows))
    return approve(work, *_expected(rows))


def return_identical(
    work: Work,
    message_id: UUID,
    manifest_digest: bytes,
    confirmed: int,
    reasons: Sequence[str],
    note: str = "",
) -> Decided:
    """Give all that are exactly this message back, for the same reasons. Raises as ``decide.return_`` does, and
    Conflict or BadInput as ``approve_identical``."""
    ids, expected = _expected(_locked_identical(work, message_id, manifest_digest, confirmed))
    return return_(work, ids, expected, reasons, note)


def unflagged_of(work: Work, submission_id: UUID) -> Bulk:
    """The unflagged messages of a submission that wait for the actor and that the actor has opened in their present
    revision, or an exactly identical one. Raises NotFound beyond the actor's scope."""
    submission_for(work, submission_id)
    rows = work.conn.execute(
        select(message.c.id, message.c.revision, message.c.digest)
        .where(_unflagged(work, submission_id))
        .order_by(message.c.id)
    )
    bounds = [Bound(row.id, row.revision, bytes(row.digest)) for row in rows]
    return Bulk(len(bounds), manifest_digest(bounds))


def approve_seen_unflagged(
    work: Work, submission_id: UUID, manifest_digest: bytes, confirmed: int
) -> Decided:
    """Approve at once what ``unflagged_of`` spoke of: each was opened, or reads exactly like one that was (art. 63).

    What was not opened waits on; a batch is approved after its sample by ``approve_batch``. Raises as
    ``approve_identical`` does.
    """
    require(work.actor, Permission.DECIDE)
    submission_for(work, submission_id, Permission.DECIDE, lock=True)
    rows = lock_messages(work.conn, _unflagged(work, submission_id))
    _check(rows, manifest_digest, confirmed)
    return approve(work, *_expected(rows))


def _row(work: Work, message_id: UUID) -> Row[Any]:
    scope = visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    row = work.conn.execute(select(message).where(message.c.id == message_id, scope)).one_or_none()
    if row is None:
        raise NotFound("There is no such message that you may see.", mend="Look in the inbox again.")
    return row


def _decidable(work: Work, submission_id: UUID) -> ColumnElement[bool]:
    """What waits in a submission, unblocked, and is not kept from this actor by four eyes or an open question."""
    waits = (
        (message.c.submission_id == submission_id)
        & (message.c.state == State.HELD.value)
        & message.c.blocked.is_(False)
        & visible(work.actor, Permission.DECIDE, message.c.branch_id)
        & undisputed()
    )
    if work.actor.staff_id is None:
        return waits
    return waits & other_eyes(work.actor.staff_id)


def _same(work: Work, row: Row[Any]) -> ColumnElement[bool]:
    text: ColumnElement[bool] = message.c.text_hash == row.text_hash
    findings: ColumnElement[bool] = message.c.findings == literal(row.findings, JSONB)
    return _decidable(work, row.submission_id) & text & findings


def _unflagged(work: Work, submission_id: UUID) -> ColumnElement[bool]:
    twin = message.alias("twin")
    opened = exists().where(
        message_seen.c.staff_id == work.actor.staff_id,
        message_seen.c.message_id == message.c.id,
        message_seen.c.revision == message.c.revision,
    )
    # What the actor has opened is little: their texts are gathered once, not looked for message by message.
    texts = (
        select(twin.c.text_hash)
        .join(message_seen, message_seen.c.message_id == twin.c.id)
        .where(
            message_seen.c.staff_id == work.actor.staff_id,
            message_seen.c.revision == twin.c.revision,
            twin.c.submission_id == submission_id,
            twin.c.text_hash.is_not(None),
            twin.c.flagged.is_(False),
        )
    )
    return (
        _decidable(work, submission_id)
        & message.c.flagged.is_(False)
        & or_(opened.correlate(message), message.c.text_hash.in_(texts))
    )


def _seen(work: Work, rows: Sequence[Row[Any]]) -> bool:
    found = work.conn.execute(
        select(message_seen.c.message_id)
        .join(message, message.c.id == message_seen.c.message_id)
        .where(
            message_seen.c.staff_id == work.actor.staff_id,
            message_seen.c.revision == message.c.revision,
            message.c.id == any_(literal([row.id for row in rows], ARRAY(Uuid))),
        )
        .limit(1)
    )
    return found.first() is not None


def _locked_identical(work: Work, message_id: UUID, manifest_digest: bytes, confirmed: int) -> list[Row[Any]]:
    require(work.actor, Permission.DECIDE)
    before = _row(work, message_id)
    submission_for(work, before.submission_id, Permission.DECIDE, lock=True)
    row = _row(work, message_id)
    rows = lock_messages(work.conn, _same(work, row)) if row.text_hash is not None else []
    _check(rows, manifest_digest, confirmed)
    return rows


def _check(rows: Sequence[Row[Any]], expected: bytes, confirmed: int) -> None:
    present = manifest_digest(map(bound, rows))
    if not rows or present != expected:
        raise Conflict(
            f"These are not the messages that you saw: there are {len(rows)} now.",
            mend="Read again what waits.",
            manifest_digest=present.hex(),
            count=len(rows),
        )
    if confirmed != len(rows):
        raise BadInput(f"This decides {len(rows)} messages at once.", mend=f"Confirm that it is {len(rows)}.")


def _unread(unread: int, count: int) -> RuleBroken:
    return RuleBroken(
        f"{unread} of these {count} messages were not read.",
        rule="not_read",
        article="63",
        mend="Open one of them first.",
    )


def _expected(rows: Sequence[Row[Any]]) -> tuple[list[UUID], dict[UUID, tuple[int, bytes]]]:
    return [row.id for row in rows], {row.id: (row.revision, bytes(row.digest)) for row in rows}


def _excerpts(work: Work, rows: Sequence[Any]) -> dict[UUID, str]:
    bodies = unseal_many(work, [row.payload_id for row in rows]) if rows else {}
    said: dict[UUID, str] = {}
    for row in rows:
        payload = from_bytes(bodies[row.payload_id]) if row.payload_id in bodies else None
        said[row.id] = " ".join(payload.text.split())[:EXCERPT] if payload else ""
    return said


def _identical(text_hash: bytes, bounds: list[Bound], example: UUID, excerpt: str) -> Identical:
    return Identical(
        text_hash,
        len(bounds),
        tuple(item.message_id for item in bounds[:NAMED]),
        manifest_digest(bounds),
        excerpt,
        example,
    )
