"""Who is reading what just now. It is worth nothing after a minute, and nothing after a crash."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Uuid, and_, exists, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.access import Permission, visible
from outreach.core.errors import NotFound
from outreach.ledger.work import Work
from outreach.messages.tables import message
from outreach.people.tables import staff
from outreach.review.submissions import in_scope, submission_for
from outreach.review.tables import reading, submission

STILL = timedelta(seconds=45)  # who was not seen reading for so long reads no more


@dataclass(frozen=True)
class Reader:
    """Somebody who has a submission open. ``message_id``: the message, where one is shown."""

    staff_id: UUID
    name: str
    message_id: UUID | None
    at: datetime


def note_reading(work: Work, submission_id: UUID, message_id: UUID | None = None) -> None:
    """Note that the actor reads this now: one statement. Raises NotFound beyond the actor's scope."""
    if work.actor.staff_id is None:
        return
    allowed = and_(submission.c.id == submission_id, in_scope(work, Permission.READ_MESSAGES))
    if message_id is not None:
        allowed &= exists().where(
            message.c.id == message_id,
            message.c.submission_id == submission.c.id,
            visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id),
        )
    found = select(
        literal(work.actor.staff_id, Uuid), submission.c.id, literal(message_id, Uuid), literal(clock.now())
    ).where(allowed)
    noted = insert(reading).from_select(["staff_id", "submission_id", "message_id", "at"], found)
    noted = noted.on_conflict_do_update(
        index_elements=[reading.c.staff_id],
        set_={
            "submission_id": noted.excluded.submission_id,
            "message_id": noted.excluded.message_id,
            "at": noted.excluded.at,
        },
    )
    if work.conn.execute(noted.returning(reading.c.staff_id)).first() is None:
        raise NotFound("There is no such submission that you may see.", mend="Look in the inbox again.")


def readers_of(work: Work, submission_id: UUID) -> list[Reader]:
    """The others who read this submission within the last 45 seconds, the last one first.

    Of the firm's, only those on it as a whole or on messages that the actor may see. Raises NotFound beyond the scope.
    """
    submission_for(work, submission_id)
    seen = or_(
        reading.c.message_id.is_(None),
        exists().where(
            message.c.id == reading.c.message_id,
            visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id),
        ),
    )
    rows = work.conn.execute(
        select(reading.c.staff_id, staff.c.name, reading.c.message_id, reading.c.at)
        .join(staff, staff.c.id == reading.c.staff_id)
        .where(
            reading.c.submission_id == submission_id,
            reading.c.at > clock.now() - STILL,
            reading.c.staff_id != work.actor.staff_id,
            seen,
        )
        .order_by(reading.c.at.desc())
    )
    return [Reader(*row) for row in rows]
