"""Deciding at once on messages that read exactly the same, or that the actor has opened one by one.

Counted under the locks of the decision itself: what is not what the actor confirmed is a Conflict, and nothing moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, and_, any_, bindparam, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from outreach.core.access import Permission, in_reach, reach, require, visible
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.core.together import Answer, Question, asked
from outreach.ledger.append import unseal_many
from outreach.ledger.work import Work
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.review.approving import Decided
from outreach.review.binding import bound, lock_messages
from outreach.review.decide import approve, return_
from outreach.review.detail import Detail
from outreach.review.eyes import OTHERS_WROTE, seen_by
from outreach.review.filters import HELD
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.questions import undisputed
from outreach.review.submissions import Submission, submission_for
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


def identical_to(work: Work, read: Detail) -> Identical | None:
    """The messages that are exactly this one, itself included; None when it does not wait for this actor, or alone."""
    if read.state != State.HELD.value or read.text_hash is None:
        return None
    found = asked(work.conn, identical_question(work, read))
    return identical_from(found, read)


def identical_from(answer: Answer, read: Detail) -> Identical | None:
    """``identical_to``, by what ``identical_question`` was answered."""
    if read.text_hash is None:
        return None
    bounds = [Bound(*row) for row in answer.rows]
    if len(bounds) < 2 or all(item.message_id != read.id for item in bounds):
        return None
    excerpt = _excerpt(read.payload) if read.payload else ""
    return _identical(read.text_hash, bounds, read.id, excerpt)


def groups_of(work: Work, submission_id: UUID, limit: int = 20) -> list[Identical]:
    """The texts that more than one waiting message of a submission has, the most frequent first.

    Raises NotFound beyond the actor's scope.
    """
    about = submission_for(work, submission_id)
    groups = work.conn.execute(
        select(
            message.c.text_hash,
            func.array_agg(message.c.id).label("ids"),
            func.array_agg(message.c.revision).label("revisions"),
            func.array_agg(message.c.digest).label("digests"),
        )
        .where(_DECIDABLE, message.c.text_hash.is_not(None))
        .group_by(message.c.text_hash, message.c.findings)
        .having(func.count() > 1)
        .order_by(func.count().desc(), message.c.text_hash)
        .limit(limit),
        _there(work, about),
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


def unflagged_of(work: Work, about: Submission) -> Bulk:
    """The unflagged messages of a submission that wait for the actor and that the actor has opened in their present
    revision, or an exactly identical one."""
    found = asked(work.conn, unflagged_question(work, about))
    return unflagged_from(found)


def unflagged_from(answer: Answer) -> Bulk:
    """``unflagged_of``, by what ``unflagged_question`` was answered."""
    bounds = [Bound(*row) for row in answer.rows]
    return Bulk(len(bounds), manifest_digest(bounds))


def approve_seen_unflagged(
    work: Work, submission_id: UUID, manifest_digest: bytes, confirmed: int
) -> Decided:
    """Approve at once what ``unflagged_of`` spoke of: each was opened, or reads exactly like one that was (art. 63).

    What was not opened waits on; a batch is approved after its sample by ``approve_batch``. Raises as
    ``approve_identical`` does.
    """
    require(work.actor, Permission.DECIDE)
    about = submission_for(work, submission_id, Permission.DECIDE, lock=True)
    rows = lock_messages(work.conn, _UNFLAGGED, _there(work, about))
    _check(rows, manifest_digest, confirmed)
    return approve(work, *_expected(rows))


class Read(Protocol):
    """A row of ``message``, or what was read of one."""

    @property
    def id(self) -> UUID: ...

    @property
    def submission_id(self) -> UUID: ...

    @property
    def scheduled_month(self) -> date: ...


def _row(work: Work, message_id: UUID) -> Row[Any]:
    scope = visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    row = work.conn.execute(select(message).where(message.c.id == message_id, scope)).one_or_none()
    if row is None:
        raise NotFound("There is no such message that you may see.", mend="Look in the inbox again.")
    return row


def identical_question(work: Work, read: Read) -> Question:
    """What ``identical_to`` asks of a message that waits and whose text has a hash."""
    return _BOUNDS_LIKE, _like(work, read)


def unflagged_question(work: Work, about: Submission) -> Question:
    """What ``unflagged_of`` asks."""
    return _BOUNDS_UNFLAGGED, _there(work, about)


def _there(work: Work, about: Submission) -> dict[str, Any]:
    return _within(work, about.id, about.scheduled_month)


def _like(work: Work, read: Read) -> dict[str, Any]:
    return _within(work, read.submission_id, read.scheduled_month) | {"like": read.id}


def _within(work: Work, submission_id: UUID, month: date) -> dict[str, Any]:
    return {
        "submission": submission_id,
        "month": month,
        "scope": reach(work.actor, Permission.DECIDE),
        **seen_by(work.actor.staff_id),
    }


# What waits in a submission, unblocked, and is not kept from this actor by four eyes or an open question.
_DECIDABLE = and_(
    message.c.submission_id == bindparam("submission"),
    message.c.scheduled_month == bindparam("month"),
    HELD,
    message.c.blocked.is_(False),
    in_reach(message.c.branch_id),
    undisputed(),
    OTHERS_WROTE,
)

_THIS = message.alias("this")
_LIKE = _THIS.c.id == bindparam("like"), _THIS.c.scheduled_month == bindparam("month")
_SAME = and_(
    _DECIDABLE,
    message.c.text_hash == select(_THIS.c.text_hash).where(*_LIKE).scalar_subquery(),
    message.c.findings == select(_THIS.c.findings).where(*_LIKE).scalar_subquery(),
)

# What the actor has opened is little: their texts are gathered once, not looked for message by message.
_TWIN = message.alias("twin")
_OPENED = exists().where(
    message_seen.c.staff_id == bindparam("decider"),
    message_seen.c.message_id == message.c.id,
    message_seen.c.revision == message.c.revision,
)
_OPENED_TEXTS = (
    select(_TWIN.c.text_hash)
    .join(message_seen, message_seen.c.message_id == _TWIN.c.id)
    .where(
        message_seen.c.staff_id == bindparam("decider"),
        message_seen.c.revision == _TWIN.c.revision,
        _TWIN.c.submission_id == bindparam("submission"),
        _TWIN.c.scheduled_month == bindparam("month"),
        _TWIN.c.text_hash.is_not(None),
        _TWIN.c.flagged.is_(False),
    )
)
_UNFLAGGED = and_(
    _DECIDABLE,
    message.c.flagged.is_(False),
    or_(_OPENED.correlate(message), message.c.text_hash.in_(_OPENED_TEXTS)),
)

_BOUNDS = select(message.c.id, message.c.revision, message.c.digest).order_by(message.c.id)
_BOUNDS_LIKE = _BOUNDS.where(_SAME)
_BOUNDS_UNFLAGGED = _BOUNDS.where(_UNFLAGGED)


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
    rows = lock_messages(work.conn, _SAME, _like(work, row)) if row.text_hash is not None else []
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
        said[row.id] = _excerpt(from_bytes(bodies[row.payload_id])) if row.payload_id in bodies else ""
    return said


def _excerpt(payload: Payload) -> str:
    return " ".join(payload.text.split())[:EXCERPT]


def _identical(text_hash: bytes, bounds: list[Bound], example: UUID, excerpt: str) -> Identical:
    return Identical(
        text_hash,
        len(bounds),
        tuple(item.message_id for item in bounds[:NAMED]),
        manifest_digest(bounds),
        excerpt,
        example,
    )
