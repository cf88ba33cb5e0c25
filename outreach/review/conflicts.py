"""What somebody else did meanwhile, so that whoever came second is told who, what and when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from outreach.core.errors import Conflict
from outreach.messages.tables import message, message_revision
from outreach.people.tables import staff
from outreach.review.tables import decision, decision_digest

# Reached without a decision: the state itself is what happened.
_NOBODYS = frozenset({"suppressed", "expired", "cancelled"})


@dataclass(frozen=True)
class Happened:
    """The last thing that happened to a message. ``what`` is a decision's verb, ``undo``, ``edit`` or a state."""

    message_id: UUID
    who: str
    what: str
    at: datetime
    state: str
    revision: int

    def to_json(self) -> dict[str, Any]:
        """For ``Conflict.details`` and the web's 409."""
        return {
            "message_id": str(self.message_id),
            "who": self.who,
            "what": self.what,
            "at": self.at.isoformat(),
            "state": self.state,
            "revision": self.revision,
        }


def what_happened(conn: Connection, message_ids: Iterable[UUID]) -> list[Happened]:
    """The last decision, edit or move of each message."""
    wanted = sorted(set(message_ids))
    decided = _decisions(conn, wanted)
    edited = _edits(conn, wanted)
    found: list[Happened] = []
    for row in conn.execute(
        select(message.c.id, message.c.state, message.c.state_at, message.c.revision)
        .where(message.c.id.in_(wanted))
        .order_by(message.c.id)
    ):
        acts = [source[row.id] for source in (edited, decided) if row.id in source]
        if not acts or row.state in _NOBODYS:
            acts = [(row.state_at, "", row.state)]
        at, who, what = max(acts)
        found.append(Happened(row.id, who, what, at, row.state, row.revision))
    return found


def lost(conn: Connection, message_ids: Sequence[UUID]) -> Conflict:
    """The Conflict for those who came second; ``details['messages']`` has who did what and when, for each."""
    happened = what_happened(conn, message_ids)
    first = happened[0]
    more = f" and {len(happened) - 1} more" if len(happened) > 1 else ""
    by = f" by {first.who}" if first.who else ""
    return Conflict(
        f"Message {first.message_id}{more} changed before you: {first.what}{by} at {first.at.isoformat()}. "
        "Nothing was decided.",
        mend="Read again what still waits and decide on that.",
        messages=[item.to_json() for item in happened],
    )


def _decisions(conn: Connection, message_ids: list[UUID]) -> dict[UUID, tuple[datetime, str, str]]:
    undoer = staff.alias("undoer")
    rows = conn.execute(
        select(
            decision_digest.c.message_id,
            decision.c.at,
            decision.c.verb,
            decision.c.undone_at,
            staff.c.name,
            undoer.c.name.label("undone_name"),
        )
        .select_from(decision_digest.join(decision, decision.c.id == decision_digest.c.decision_id))
        .outerjoin(staff, staff.c.id == decision.c.actor_id)
        .outerjoin(undoer, undoer.c.id == decision.c.undone_by)
        .where(decision_digest.c.message_id.in_(message_ids))
        .order_by(decision_digest.c.message_id, decision.c.at)
    )
    found: dict[UUID, tuple[datetime, str, str]] = {}
    for row in rows:
        if row.undone_at is not None:
            found[row.message_id] = (row.undone_at, row.undone_name or "", "undo")
        else:
            found[row.message_id] = (row.at, row.name or "standing approval", row.verb)
    return found


def _edits(conn: Connection, message_ids: list[UUID]) -> dict[UUID, tuple[datetime, str, str]]:
    rows = conn.execute(
        select(message_revision.c.message_id, message_revision.c.at, staff.c.name)
        .outerjoin(staff, staff.c.id == message_revision.c.editor_id)
        .where(message_revision.c.message_id.in_(message_ids), message_revision.c.revision > 1)
        .order_by(message_revision.c.message_id, message_revision.c.revision)
    )
    return {row.message_id: (row.at, row.name or "", "edit") for row in rows}
