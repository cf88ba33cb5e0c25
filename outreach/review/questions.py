"""What keeps messages from being approved that somebody asked compliance about: an open question, or an objection to
the words as they stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Uuid, and_, any_, bindparam, exists, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.core.errors import RuleBroken
from outreach.ledger.work import Work
from outreach.messages.reasons import words
from outreach.messages.tables import message, message_revision
from outreach.people.tables import staff
from outreach.review.binding import among
from outreach.review.remarks import Remark
from outreach.review.tables import remark


class _Row(Protocol):
    """A row of ``message``."""

    id: UUID
    submission_id: UUID


@dataclass(frozen=True)
class Open:
    """What stands against approving a message. ``code`` is one of messages.reasons: question_open | objection."""

    message_id: UUID
    code: str
    who: str
    at: datetime


def check_no_open_question(work: Work, rows: Sequence[Row[Any]]) -> None:
    """Raise RuleBroken when compliance was asked about one of the messages (or their submission) and has not answered,
    or objects to its words; their submissions are locked."""
    found = open_on(work, rows)
    if not found:
        return
    raise _refused(work, found[0], [str(item.message_id) for item in found])


def check_not_asked_about(work: Work, submission_id: UUID) -> None:
    """Raise RuleBroken while a question or an objection about the whole of a submission stands."""
    for item in _standing(work, {submission_id}):
        if item.message_id is None:
            code = "question_open" if item.kind == "question" else "objection"
            raise _refused(work, Open(submission_id, code, item.who, item.at), [])


def _refused(work: Work, item: Open, messages: list[str]) -> RuleBroken:
    params = params_of(work, item)
    said = words(item.code, params, "en")
    return RuleBroken(
        said.reason, rule=item.code, article=said.article, mend=said.mend, params=params, messages=messages
    )


def open_on(work: Work, rows: Sequence[Row[Any]]) -> list[Open]:
    """What stands against approving each of ``rows``; a question before an objection."""
    if not rows:
        return []
    remarks = _standing(work, {row.submission_id for row in rows})
    if not remarks:
        return []
    objections = [item for item in remarks if item.kind == "answer"]
    since = _written_at(work, rows) if objections else {}
    found: list[Open] = []
    for row in rows:
        about = [
            item
            for item in remarks
            if item.submission_id == row.submission_id and item.message_id in (None, row.id)
        ]
        for item in about:
            if item.kind == "question":
                found.append(Open(row.id, "question_open", item.who, item.at))
                break
            if item.at >= since[row.id]:
                found.append(Open(row.id, "objection", item.who, item.at))
                break
    return found


def open_among(message_id: UUID, thread: Sequence[Remark], written_at: datetime) -> Open | None:
    """The same for one message whose remarks are read already; ``written_at``: when its words were."""
    answers = [item for item in thread if item.kind == "answer"]
    for item in thread:
        if item.open:
            return Open(message_id, "question_open", item.who, item.at)
    for item in answers:
        taken_back = any(
            later.message_id == item.message_id and not later.objects and later.at > item.at
            for later in answers
        )
        if item.objects and not taken_back and item.at >= written_at:
            return Open(message_id, "objection", item.who, item.at)
    return None


def params_of(work: Work, item: Open) -> dict[str, Any]:
    """What fills the words of ``item.code``."""
    return {"who": item.who, "at": f"{item.at.astimezone(work.settings.zone):%Y-%m-%d %H:%M}"}


# A later answer about the same no longer objects.
_LATER = remark.alias("later")
_TAKEN_BACK = exists().where(
    _LATER.c.submission_id == remark.c.submission_id,
    _LATER.c.message_id.is_not_distinct_from(remark.c.message_id),
    _LATER.c.kind == "answer",
    _LATER.c.objects.is_(False),
    _LATER.c.at > remark.c.at,
)


def undisputed() -> ColumnElement[bool]:
    """The condition on ``message``: nobody has asked about this very message, and compliance does not object to its
    words. What is said about a whole submission is looked for by ``check_no_open_question``."""
    reworded = exists().where(
        message_revision.c.message_id == message.c.id,
        message_revision.c.scheduled_month == message.c.scheduled_month,
        message_revision.c.revision == message.c.revision,
        message_revision.c.at > remark.c.at,
    )
    asked = and_(remark.c.kind == "question", remark.c.closed_at.is_(None))
    objected = and_(
        remark.c.kind == "answer",
        remark.c.objects,
        ~_TAKEN_BACK,
        ~reworded.correlate(message, remark),
    )
    return ~exists().where(
        remark.c.message_id == message.c.id,
        remark.c.submission_id == message.c.submission_id,
        or_(asked, objected),
    ).correlate(message)


def asked_about(work: Work, submission_id: UUID) -> bool:
    """Whether a question or an objection about the whole of a submission stands; then nothing of it is released."""
    return any(item.message_id is None for item in _standing(work, {submission_id}))


def _standing(work: Work, submission_ids: set[UUID]) -> list[Row[Any]]:
    """Open questions, and objections that no later answer about the same took back; questions first."""
    return list(work.conn.execute(_AGAINST, {"ids": sorted(submission_ids)}))


_AGAINST = (
    select(remark.c.submission_id, remark.c.message_id, remark.c.kind, remark.c.at, staff.c.name.label("who"))
    .join(staff, staff.c.id == remark.c.staff_id)
    .where(
        remark.c.submission_id == any_(bindparam("ids", type_=ARRAY(Uuid))),
        or_(
            and_(remark.c.kind == "question", remark.c.closed_at.is_(None)),
            and_(remark.c.kind == "answer", remark.c.objects, ~_TAKEN_BACK),
        ),
    )
    .order_by(remark.c.kind.desc(), remark.c.at)
)


def _written_at(work: Work, rows: Sequence[Row[Any]]) -> dict[UUID, datetime]:
    """When the newest revision of each message was written."""
    found = work.conn.execute(
        select(message_revision.c.message_id, func.max(message_revision.c.at).label("at"))
        .where(
            among(message_revision.c.message_id, (row.id for row in rows)),
            message_revision.c.scheduled_month.in_({row.scheduled_month for row in rows}),
        )
        .group_by(message_revision.c.message_id)
    )
    return {row.message_id: row.at for row in found}
