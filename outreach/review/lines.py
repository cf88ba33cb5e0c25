"""The messages of one submission, a page at a time: what needs a look first comes first.

Bodies are unsealed for the page that is shown only.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, case, literal, literal_column, select, tuple_

from outreach.core.access import Permission, Role, visible
from outreach.core.errors import BadInput
from outreach.ledger.append import Entry, record, unseal_many
from outreach.ledger.work import Work
from outreach.messages.payload import from_bytes
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.tables import client
from outreach.review.filters import HELD
from outreach.review.submissions import submission_for

EXCERPT = 120  # characters of a message in a list


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


# The figures and 'held' stand in the statements as they do in the index.
_RANK = case(
    (message.c.blocked, literal_column("0")),
    (message.c.flagged, literal_column("1")),
    else_=literal_column("2"),
)


def beside(work: Work, submission_id: UUID, message_id: UUID) -> tuple[UUID | None, UUID | None]:
    """The waiting messages before and after one in its submission's list, as far as the actor may see; None at its
    ends, and for a message that is not there."""
    mine = visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    there = (message.c.submission_id == submission_id) & mine
    this = work.conn.execute(
        select(_RANK, message.c.id).where(there, message.c.id == message_id)
    ).one_or_none()
    if this is None:
        return None, None
    here, key = tuple_(literal(this[0], Integer), literal(this[1], Uuid)), tuple_(_RANK, message.c.id)
    waits = select(message.c.id).where(there, HELD).limit(1)
    before = waits.where(key < here).order_by(_RANK.desc(), message.c.id.desc())
    after = waits.where(key > here).order_by(_RANK, message.c.id)
    return tuple(work.conn.execute(one).scalar_one_or_none() for one in (before, after))  # type: ignore[return-value]


def next_waiting(work: Work, submission_id: UUID, preferred: UUID | None = None) -> UUID | None:
    """``preferred`` when it still waits in the submission, else the first of its list that does; None when nothing that
    the actor may see waits there any more."""
    there = (
        (message.c.submission_id == submission_id)
        & HELD
        & visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    )
    if preferred is not None:
        found = work.conn.execute(
            select(message.c.id).where(there, message.c.id == preferred)
        ).scalar_one_or_none()
        if found is not None:
            return preferred
    first = select(message.c.id).where(there).order_by(_RANK, message.c.id).limit(1)
    return work.conn.execute(first).scalar_one_or_none()


def list_messages(
    work: Work,
    submission_id: UUID,
    after: str | None = None,
    limit: int = 50,
    states: tuple[State, ...] = (State.HELD,),
) -> LinePage:
    """The messages of a submission in ``states``: blocked and flagged ones first. That compliance read
    how they begin is recorded.

    Raises NotFound beyond the actor's scope, BadInput for a key that is not ``next_after`` of a page.
    """
    about = submission_for(work, submission_id)
    rank = _RANK
    among = HELD if states == (State.HELD,) else message.c.state.in_([state.value for state in states])
    condition = (
        (message.c.submission_id == submission_id)
        & among
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
    if shown and Role.COMPLIANCE in work.actor.roles():
        fields = {"object": "submission", "purpose": "review", "submission_id": submission_id}
        record(work, Entry("view", fields, branch_id=about.branch_id))
    bodies = unseal_many(work, [row["payload_id"] for row in shown])
    items = tuple(_line(row, bodies.get(row["payload_id"])) for row in shown)
    more = len(rows) > limit
    return LinePage(items, f"{shown[-1]['rank']}~{shown[-1]['id']}" if more else None)


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


def _message_key(key: str) -> tuple[int, UUID]:
    try:
        rank, last = key.split("~")
        return int(rank), UUID(last)
    except ValueError:
        raise BadInput("That is no place in this list.", mend="Start from its first page.") from None
