"""Corrections of a feed's item: whom an earlier one reached, so that the new one says what it corrects.

In doubt (a call whose outcome is unknown, or that is under way) a client counts as reached: the words of a
correction speak of the earlier item and never claim that the client has read it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from outreach.messages.states import State

# The states of a message that has left, or may have.
MAY_HAVE_LEFT = tuple(
    state.value
    for state in (
        State.CLAIMED,
        State.SENT,
        State.HANDED_OVER,
        State.DELIVERED,
        State.UNDELIVERED,
        State.UNKNOWN,
    )
)


@dataclass(frozen=True)
class Corrected:
    """The occurrences that an item's correction speaks of, with their months (the partitions their messages are in)."""

    occurrences: Collection[UUID] = ()
    months: Collection[date] = ()

    def __bool__(self) -> bool:
        return bool(self.occurrences)


# By the same job, so that two jobs which listen to one feed tell a client once each, as they did before; and by a
# digest, which has no corrections of its own.
_EARLIER = text(
    """
    WITH RECURSIVE earlier AS (
        SELECT id FROM feed_item WHERE superseded_by = :item
        UNION
        SELECT f.id FROM feed_item f JOIN earlier e ON f.superseded_by = e.id
    )
    SELECT o.id, o.scheduled_month FROM occurrence o JOIN earlier e ON e.id = o.feed_item_id
     WHERE o.job_name = :job
    UNION
    SELECT o.id, o.scheduled_month
      FROM occurrence_item i JOIN earlier e ON e.id = i.feed_item_id JOIN occurrence o ON o.id = i.occurrence_id
    """
)


def corrected_by(conn: Connection, item_id: UUID, job_name: str) -> Corrected:
    """What was made from the items that this one took the place of, the whole chain of them."""
    rows = conn.execute(_EARLIER, {"item": item_id, "job": job_name}).all()
    return Corrected(
        tuple(sorted({row.id for row in rows})), tuple(sorted({row.scheduled_month for row in rows}))
    )


# The last one that reached a client is the one that they know.
_TOLD = text(
    """
    WITH RECURSIVE earlier AS (
        SELECT id FROM feed_item WHERE superseded_by = :item
        UNION
        SELECT f.id FROM feed_item f JOIN earlier e ON f.superseded_by = e.id
    )
    SELECT DISTINCT ON (m.client_id) m.client_id, coalesce(f.data ->> 'title', f.data ->> 'headline') AS title
      FROM message m
      JOIN occurrence o ON o.id = m.occurrence_id
      JOIN feed_item f ON f.id = o.feed_item_id
                       OR f.id IN (SELECT i.feed_item_id FROM occurrence_item i WHERE i.occurrence_id = o.id)
      JOIN earlier e ON e.id = f.id
     WHERE m.scheduled_month = ANY(:months) AND m.occurrence_id = ANY(:occurrences)
       AND m.client_id = ANY(:clients) AND m.state = ANY(:states)
     ORDER BY m.client_id, f.issued_at DESC
    """
)


def titles_told(
    conn: Connection, item_id: UUID | None, corrected: Corrected, clients: Sequence[UUID]
) -> dict[UUID, str]:
    """client -> the title of the earlier item that went to them; who got none is missing."""
    if not corrected or item_id is None or not clients:
        return {}
    rows = conn.execute(
        _TOLD,
        {
            "item": item_id,
            "months": list(corrected.months),
            "occurrences": list(corrected.occurrences),
            "clients": list(clients),
            "states": list(MAY_HAVE_LEFT),
        },
    )
    return {row.client_id: row.title for row in rows}


# Of each item, the newest of its earlier versions that reached anybody, by itself or in a digest.
_CORRECTED = text(
    """
    WITH RECURSIVE earlier AS (
        SELECT superseded_by AS item, id FROM feed_item WHERE superseded_by = ANY(:items)
        UNION
        SELECT e.item, f.id FROM feed_item f JOIN earlier e ON f.superseded_by = e.id
    )
    SELECT DISTINCT ON (e.item) e.item, f.data ->> 'title' AS title
      FROM earlier e JOIN feed_item f ON f.id = e.id
     WHERE EXISTS (SELECT FROM occurrence o
                     JOIN message m ON m.scheduled_month = o.scheduled_month AND m.occurrence_id = o.id
                    WHERE m.state = ANY(:states)
                      AND (o.feed_item_id = e.id
                           OR o.id IN (SELECT i.occurrence_id FROM occurrence_item i WHERE i.feed_item_id = e.id)))
     ORDER BY e.item, f.issued_at DESC
    """
)


def titles_corrected(conn: Connection, item_ids: Collection[UUID]) -> dict[UUID, str]:
    """item -> the title of its earlier version that reached somebody. A digest is the same for all its readers, so it
    speaks of the correction to whoever may have got the earlier one."""
    if not item_ids:
        return {}
    rows = conn.execute(_CORRECTED, {"items": sorted(item_ids), "states": list(MAY_HAVE_LEFT)})
    return {row.item: row.title for row in rows}


def with_correction(context: Mapping[str, Any], title: str) -> dict[str, Any]:
    """A client's context in which ``report.corrects`` or ``event.corrects`` is the earlier title."""
    return {
        name: {**value, "corrects": title} if name in ("report", "event") else value
        for name, value in context.items()
    }
