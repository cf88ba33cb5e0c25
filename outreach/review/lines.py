"""The messages of one submission, a page at a time: what needs a look first comes first.

Bodies are unsealed for the page that is shown only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import (
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.core.access import Permission, Role, in_reach, reach
from outreach.core.errors import BadInput
from outreach.core.together import Answer, Question, asked
from outreach.ledger.append import Entry, record, unseal_many
from outreach.ledger.work import Work
from outreach.messages.payload import from_bytes
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.tables import client
from outreach.review.filters import HELD
from outreach.review.submissions import Submission, submission_for
from outreach.review.tables import submission

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


class Ranked(Protocol):
    """What gives a message its place in the list: blocked ones first, then flagged ones."""

    @property
    def id(self) -> UUID: ...

    @property
    def blocked(self) -> bool: ...

    @property
    def flagged(self) -> bool: ...


@dataclass(frozen=True)
class LinePage:
    """A page of messages; ``next_after`` is the key for the following one, None at the end. ``submission``: theirs."""

    items: tuple[Line, ...]
    next_after: str | None
    submission: Submission


# The figures and 'held' stand in the statements as they do in the index.
_RANK = case(
    (message.c.blocked, literal_column("0")),
    (message.c.flagged, literal_column("1")),
    else_=literal_column("2"),
)
_PLACE = tuple_(_RANK, message.c.id)
_KEY = tuple_(bindparam("rank", type_=Integer), bindparam("last", type_=Uuid))
_THERE = and_(
    message.c.submission_id == bindparam("submission"),
    message.c.scheduled_month == bindparam("month"),
    in_reach(message.c.branch_id),
)
_WAITS = select(message.c.id).where(_THERE, HELD).limit(1)


def _there(work: Work, submission_id: UUID, month: date) -> dict[str, Any]:
    return {
        "submission": submission_id,
        "month": month,
        "scope": reach(work.actor, Permission.READ_MESSAGES),
    }


def beside(work: Work, about: Submission, read: Ranked) -> tuple[UUID | None, UUID | None]:
    """The waiting messages before and after one in its submission's list, as far as the actor may see; None at its
    ends."""
    found = asked(work.conn, beside_question(work, about.id, about.scheduled_month, read))
    before, after = found.rows[0]
    return before, after


def beside_question(work: Work, submission_id: UUID, month: date, read: Ranked) -> Question:
    """What ``beside`` asks: one row with both."""
    rank = 0 if read.blocked else 1 if read.flagged else 2
    return _BESIDE, _there(work, submission_id, month) | {"rank": rank, "last": read.id}


_BESIDE = select(
    _WAITS.where(_PLACE < _KEY).order_by(_RANK.desc(), message.c.id.desc()).scalar_subquery().label("before"),
    _WAITS.where(_PLACE > _KEY).order_by(_RANK, message.c.id).scalar_subquery().label("after"),
)


def next_waiting(work: Work, submission_id: UUID, preferred: UUID | None = None) -> UUID | None:
    """``preferred`` when it still waits in the submission, else the first of its list that does; None when nothing that
    the actor may see waits there any more."""
    wanted = {"submission": submission_id, "scope": reach(work.actor, Permission.READ_MESSAGES)}
    if preferred is not None:
        still = work.conn.execute(_STILL, wanted | {"preferred": preferred}).scalar_one_or_none()
        if still is not None:
            return preferred
    found: UUID | None = work.conn.execute(_FIRST, wanted).scalar_one_or_none()
    return found


_MONTH = select(submission.c.scheduled_month).where(submission.c.id == bindparam("submission"))
_OF_IT = select(message.c.id).where(
    message.c.submission_id == bindparam("submission"),
    message.c.scheduled_month == _MONTH.scalar_subquery(),
    in_reach(message.c.branch_id),
    HELD,
)
_STILL = _OF_IT.where(message.c.id == bindparam("preferred"))
_FIRST = _OF_IT.order_by(_RANK, message.c.id).limit(1)


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
    found = asked(work.conn, lines_question(work, about, after, limit, states))
    bodies = unseal_many(work, sealed_in(found, limit))
    return lines_from(found, work, about, bodies, limit)


def lines_question(
    work: Work,
    about: Submission,
    after: str | None,
    limit: int,
    states: tuple[State, ...] = (State.HELD,),
) -> Question:
    """What ``list_messages`` asks. Raises BadInput."""
    wanted = _there(work, about.id, about.scheduled_month) | {"most": limit + 1}
    if states != (State.HELD,):
        wanted["states"] = [state.value for state in states]
    if after is not None:
        wanted["rank"], wanted["last"] = _message_key(after)
    return _lines(states == (State.HELD,), after is not None), wanted


def sealed_in(found: Answer, limit: int) -> list[UUID]:
    """The sealed bodies that ``lines_from`` needs."""
    return [row.payload_id for row in found.rows[:limit]]


def lines_from(
    found: Answer, work: Work, about: Submission, bodies: Mapping[UUID, bytes], limit: int
) -> LinePage:
    """The page whose rows ``lines_question`` was answered, one more than ``limit`` where there are more; ``bodies``:
    what they say. That compliance read how they begin is recorded."""
    rows = found.rows[:limit]
    if rows and Role.COMPLIANCE in work.actor.roles():
        fields = {"object": "submission", "purpose": "review", "submission_id": about.id}
        record(work, Entry("view", fields, branch_id=about.branch_id))
    items = tuple(_line(row, bodies.get(row.payload_id)) for row in rows)
    more = len(found.rows) > limit
    return LinePage(items, f"{rows[-1].rank}~{rows[-1].id}" if more else None, about)


@cache
def _lines(held: bool, further: bool) -> Select[Any]:
    among = HELD if held else message.c.state == any_(bindparam("states", type_=ARRAY(Text)))
    query = (
        select(
            *(message.c[name] for name in _SHOWN),
            _RANK.label("rank"),
            client.c.name.label("client_name"),
            client.c.client_no,
            client.c.tier,
        )
        .join(client, client.c.id == message.c.client_id)
        .where(_THERE, among)
        .order_by(_RANK, message.c.id)
        .limit(bindparam("most", type_=Integer))
    )
    return query.where(_PLACE > _KEY) if further else query


_SHOWN = (
    "id",
    "client_id",
    "channel",
    "language",
    "state",
    "revision",
    "digest",
    "payload_id",
    "flagged",
    "blocked",
    "findings",
    "send_at",
)


def _line(row: Any, body: bytes | None) -> Line:
    payload = from_bytes(body) if body is not None else None
    text = (payload.subject or payload.text) if payload else ""
    return Line(
        id=row.id,
        client_id=row.client_id,
        client_name=row.client_name,
        client_no=row.client_no,
        tier=row.tier,
        channel=row.channel,
        language=row.language,
        state=row.state,
        revision=row.revision,
        digest=bytes(row.digest),
        flagged=row.flagged,
        blocked=row.blocked,
        rules=tuple(dict.fromkeys(item["rule"] for item in row.findings)),
        send_at=row.send_at,
        excerpt=" ".join(text.split())[:EXCERPT],
    )


def _message_key(key: str) -> tuple[int, UUID]:
    try:
        rank, last = key.split("~")
        return int(rank), UUID(last)
    except ValueError:
        raise BadInput("That is no place in this list.", mend="Start from its first page.") from None
