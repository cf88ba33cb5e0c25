"""What happened to one message: written, edited, decided on, taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select

from outreach.messages.tables import Placed, message_revision
from outreach.people.tables import staff
from outreach.review.tables import decision, decision_digest


@dataclass(frozen=True)
class Event:
    """One line of a message's history. ``what``: written, edited, undo, or a decision's verb."""

    at: datetime
    who: str
    what: str
    revision: int
    reasons: tuple[str, ...] = ()
    note: str = ""
    decision_id: UUID | None = None
    staff_id: UUID | None = None
    step: int = 1  # of a decision: which of the policy's approvers decided


def revisions_of(conn: Connection, row: Placed) -> list[Row[Any]]:
    """The revisions of a message, oldest first, each with its editor's ``name``."""
    return list(conn.execute(REVISIONS, {"message": row.id, "month": row.scheduled_month}))


REVISIONS = (
    select(message_revision, staff.c.name)
    .outerjoin(staff, staff.c.id == message_revision.c.editor_id)
    .where(
        message_revision.c.message_id == bindparam("message"),
        message_revision.c.scheduled_month == bindparam("month"),
    )
    .order_by(message_revision.c.revision)
)


# The decisions that bind a revision of a message, each with ``bound`` (the revision), who made it and who took it back.
_UNDOER = staff.alias("undoer")
DECISIONS = (
    select(
        decision,
        decision_digest.c.revision.label("bound"),
        staff.c.name,
        _UNDOER.c.name.label("undoer_name"),
    )
    .join(decision_digest, decision_digest.c.decision_id == decision.c.id)
    .outerjoin(staff, staff.c.id == decision.c.actor_id)
    .outerjoin(_UNDOER, _UNDOER.c.id == decision.c.undone_by)
    .where(decision_digest.c.message_id == bindparam("message"))
)


def history(revisions: Sequence[Row[Any]], decisions: Sequence[Row[Any]]) -> list[Event]:
    """The events of rows that ``REVISIONS`` and ``DECISIONS`` gave, oldest first."""
    events = [
        Event(
            item.at,
            item.name or "",
            "written" if item.revision == 1 else "edited",
            item.revision,
            staff_id=item.editor_id,
        )
        for item in revisions
    ]
    for item in decisions:
        made = Event(
            item.at,
            item.name or "",
            item.verb,
            item.bound,
            tuple(item.reasons),
            item.note,
            item.id,
            item.actor_id,
            item.step,
        )
        events.append(made)
        if item.undone_at is not None:
            back = Event(
                item.undone_at,
                item.undoer_name or "",
                "undo",
                item.bound,
                decision_id=item.id,
                staff_id=item.undone_by,
            )
            events.append(back)
    return sorted(events, key=lambda event: event.at)
