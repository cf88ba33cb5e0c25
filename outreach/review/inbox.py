"""What waits for a decision: submissions with their counts, the messages in one, and the numbers in the header.

Oldest due first, alerts on top; every list is paged by key. Bodies are unsealed for the page that is shown only.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Uuid,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from outreach.core import clock
from outreach.core.access import Permission, visible
from outreach.core.errors import BadInput
from outreach.ledger.append import unseal_many
from outreach.ledger.work import Work
from outreach.messages.payload import from_bytes
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.tables import client, staff
from outreach.review.submissions import Submission, in_scope, submission_for
from outreach.review.tables import submission

EXCERPT = 120  # characters of a message in a list

# What a decision has been made on: it is out of the inbox's hands, or back with its author.
_DECIDED = [
    State.APPROVED,
    State.CLAIMED,
    State.SENT,
    State.DELIVERED,
    State.UNDELIVERED,
    State.HANDED_OVER,
    State.UNKNOWN,
    State.FAILED,
    State.RETURNED,
    State.REJECTED,
]


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; None means any. ``text`` is in a title, a client's name or number."""

    branch: UUID | None = None
    category: str | None = None
    mode: str | None = None
    urgent: bool | None = None
    flagged: bool | None = None
    text: str = ""


@dataclass(frozen=True)
class Waiting:
    """One submission in the inbox, with counts of the messages the actor may see in it."""

    submission: Submission
    author_name: str
    waiting: int
    flagged: int
    blocked: int
    decided: int

    @property
    def time_left(self) -> timedelta:
        """Until the decision is needed; negative when it is late."""
        return self.submission.due_by - clock.now()


@dataclass(frozen=True)
class WaitingPage:
    """A page of the inbox; ``next_after`` is the key for the following one, None at the end."""

    items: tuple[Waiting, ...]
    next_after: str | None


@dataclass(frozen=True)
class Line:
    """One message in a submission's list. ``excerpt`` is the beginning of its text."""

    id: UUID
    client_id: UUID
    client_name: str
    client_no: str
    tier: str
    channel: str
    language: str
    state: str
    revision: int
    digest: bytes
    flagged: bool
    blocked: bool
    rules: tuple[str, ...]
    send_at: datetime
    excerpt: str


@dataclass(frozen=True)
class LinePage:
    """A page of messages; ``next_after`` is the key for the following one, None at the end."""

    items: tuple[Line, ...]
    next_after: str | None


@dataclass(frozen=True)
class Counts:
    """The header's numbers: messages that wait within the actor's scope."""

    waiting: int
    flagged: int
    urgent: int
    late: int


def list_waiting(
    work: Work, filters: Filters | None = None, after_key: str | None = None, limit: int = 50
) -> WaitingPage:
    """Submissions in which something waits: alerts first, then what is due first.

    ``after_key`` is ``next_after`` of the page before. Raises BadInput when it is not.
    """
    chosen = filters or Filters()
    mine = visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    held = and_(message.c.submission_id == submission.c.id, message.c.state == State.HELD.value, mine)
    waits = held if chosen.flagged is None else held & message.c.flagged.is_(chosen.flagged)
    condition = (
        (submission.c.state == "open")
        & in_scope(work, Permission.READ_MESSAGES)
        & exists().where(waits)
        & _narrowed(chosen, held)
    )
    order = (case((submission.c.urgent, 0), else_=1), submission.c.due_by, submission.c.id)
    if after_key is not None:
        rank, due_by, last = _submission_key(after_key)
        key = tuple_(literal(rank, Integer), literal(due_by, DateTime(timezone=True)), literal(last, Uuid))
        condition = condition & (tuple_(*order) > key)
    page = select(submission).where(condition).order_by(*order).limit(limit + 1).subquery("page")
    is_held = message.c.state == State.HELD.value
    decided = message.c.state.in_([state.value for state in _DECIDED])
    counted = (
        select(
            func.count().filter(is_held).label("waiting"),
            func.count().filter(is_held & message.c.flagged).label("flagged"),
            func.count().filter(is_held & message.c.blocked).label("blocked"),
            func.count().filter(decided).label("decided"),
        )
        .where(message.c.submission_id == page.c.id, mine)
        .lateral("counted")
    )
    query = (
        select(page, func.coalesce(staff.c.name, "").label("author_name"), counted)
        .select_from(page.join(counted, true()).outerjoin(staff, staff.c.id == page.c.author_id))
        .order_by(case((page.c.urgent, 0), else_=1), page.c.due_by, page.c.id)
    )
    rows = work.conn.execute(query).mappings().all()
    items = tuple(_waiting(row) for row in rows[:limit])
    more = len(rows) > limit
    return WaitingPage(items, _key_of(items[-1].submission) if more else None)


def list_messages(
    work: Work,
    submission_id: UUID,
    after: str | None = None,
    limit: int = 50,
    states: tuple[State, ...] = (State.HELD,),
) -> LinePage:
    """The messages of a submission in ``states``: blocked and flagged ones first.

    Raises NotFound beyond the actor's scope, BadInput for a key that is not ``next_after`` of a page.
    """
    submission_for(work, submission_id)
    rank = case((message.c.blocked, 0), (message.c.flagged, 1), else_=2)
    condition = (
        (message.c.submission_id == submission_id)
        & message.c.state.in_([state.value for state in states])
        & visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    )
    if after is not None:
        last_rank, last = _message_key(after)
        key = tuple_(literal(last_rank, Integer), literal(last, Uuid))
        condition = condition & (tuple_(rank, message.c.id) > key)
    query = (
        select(
            message,
            rank.label("rank"),
            client.c.name.label("client_name"),
            client.c.client_no,
            client.c.tier,
        )
        .join(client, client.c.id == message.c.client_id)
        .where(condition)
        .order_by(rank, message.c.id)
        .limit(limit + 1)
    )
    rows = work.conn.execute(query).mappings().all()
    shown = rows[:limit]
    bodies = unseal_many(work, [row["payload_id"] for row in shown])
    items = tuple(_line(row, bodies.get(row["payload_id"])) for row in shown)
    more = len(rows) > limit
    return LinePage(items, f"{shown[-1]['rank']}~{shown[-1]['id']}" if more else None)


def counts(work: Work) -> Counts:
    """The header's numbers, for what the actor has the permission to decide."""
    row = work.conn.execute(
        select(
            func.count().label("waiting"),
            func.count().filter(message.c.flagged).label("flagged"),
            func.count().filter(submission.c.urgent).label("urgent"),
            func.count().filter(submission.c.due_by < clock.now()).label("late"),
        )
        .select_from(message.join(submission, submission.c.id == message.c.submission_id))
        .where(
            message.c.state == State.HELD.value,
            submission.c.state == "open",
            visible(work.actor, Permission.DECIDE, message.c.branch_id),
        )
    ).one()
    return Counts(row.waiting, row.flagged, row.urgent, row.late)


def _narrowed(chosen: Filters, held: ColumnElement[bool]) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [true()]
    if chosen.branch is not None:
        conditions.append(
            or_(
                submission.c.branch_id == chosen.branch,
                submission.c.branch_id.is_(None) & exists().where(held, message.c.branch_id == chosen.branch),
            )
        )
    if chosen.category is not None:
        conditions.append(submission.c.category == chosen.category)
    if chosen.mode is not None:
        conditions.append(submission.c.mode == chosen.mode)
    if chosen.urgent is not None:
        conditions.append(submission.c.urgent.is_(chosen.urgent))
    words = chosen.text.strip()
    if words:
        named = exists().where(
            held,
            client.c.id == message.c.client_id,
            or_(client.c.name.contains(words, autoescape=True), client.c.client_no == words),
        )
        conditions.append(or_(submission.c.title.icontains(words, autoescape=True), named))
    return and_(*conditions)


_SUBMISSION_FIELDS = tuple(field.name for field in fields(Submission))


def _waiting(row: Any) -> Waiting:
    return Waiting(
        submission=Submission(**{name: row[name] for name in _SUBMISSION_FIELDS}),
        author_name=row["author_name"],
        waiting=row["waiting"],
        flagged=row["flagged"],
        blocked=row["blocked"],
        decided=row["decided"],
    )


def _line(row: Any, body: bytes | None) -> Line:
    payload = from_bytes(body) if body is not None else None
    text = (payload.subject or payload.text) if payload else ""
    return Line(
        id=row["id"],
        client_id=row["client_id"],
        client_name=row["client_name"],
        client_no=row["client_no"],
        tier=row["tier"],
        channel=row["channel"],
        language=row["language"],
        state=row["state"],
        revision=row["revision"],
        digest=bytes(row["digest"]),
        flagged=row["flagged"],
        blocked=row["blocked"],
        rules=tuple(dict.fromkeys(item["rule"] for item in row["findings"])),
        send_at=row["send_at"],
        excerpt=" ".join(text.split())[:EXCERPT],
    )


def _key_of(last: Submission) -> str:
    return f"{0 if last.urgent else 1}~{last.due_by.isoformat()}~{last.id}"


def _submission_key(key: str) -> tuple[int, datetime, UUID]:
    try:
        rank, due_by, last = key.split("~")
        return int(rank), datetime.fromisoformat(due_by), UUID(last)
    except ValueError:
        raise BadInput("That is no place in this list.", mend="Start from its first page.") from None


def _message_key(key: str) -> tuple[int, UUID]:
    try:
        rank, last = key.split("~")
        return int(rank), UUID(last)
    except ValueError:
        raise BadInput("That is no place in this list.", mend="Start from its first page.") from None
