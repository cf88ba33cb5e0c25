"""The call list: what no message could deliver in time, alert by alert, the call due first on top (art. 79(12))."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text

from outreach.care.tables import task
from outreach.care.tasks import Task, in_scope, open_tasks
from outreach.core import clock
from outreach.ledger.work import Work
from outreach.messages.reasons import Words, words
from outreach.messages.states import State
from outreach.messages.tables import message

_RECENT = timedelta(hours=24)  # an alert whose calls are all made stays on the list so long


@dataclass(frozen=True)
class Alert:
    """One alert with calls: how many are to be made, when the first of them is due, and what came of the others."""

    occurrence_id: UUID
    title: str
    open: int
    next_due: datetime | None
    done: int
    reached: int


@dataclass(frozen=True)
class Tried:
    """A channel that was tried before the call, where it stands, and why."""

    channel: str
    state: str
    at: datetime
    why: Words | None


@dataclass(frozen=True)
class Call:
    """A call to make. ``reached_by``: the channel that delivered after all, when it is known meanwhile."""

    task: Task
    occurrence_id: UUID
    tried: tuple[Tried, ...]
    reached_by: str


def alerts_with_calls(work: Work, limit: int = 20) -> list[Alert]:
    """The alerts after which somebody has to be called, within the actor's scope: what is due first on top; those
    whose calls are all made within the last 24 hours at the end."""
    left = task.c.done_at.is_(None)
    due = func.min(task.c.due_by).filter(left)
    rows = work.conn.execute(
        select(
            message.c.occurrence_id,
            func.min(_TITLE).label("title"),
            func.count().filter(left).label("open"),
            due.label("next_due"),
            func.count().filter(~left).label("done"),
            func.count().filter(~left & (message.c.state == State.DELIVERED.value)).label("reached"),
        )
        .select_from(task.join(message, message.c.id == task.c.message_id))
        .where(
            task.c.kind == "call",
            message.c.urgent,
            left | (task.c.done_at > clock.now() - _RECENT),
            in_scope(work),
        )
        .group_by(message.c.occurrence_id)
        .order_by(due.asc().nulls_last(), message.c.occurrence_id)
        .limit(limit)
    )
    return [Alert(**row) for row in rows.mappings()]


# The table is review's, a room beside; what is called by its title there is called so here.
_TITLE = text("(SELECT s.title FROM submission s WHERE s.id = message.submission_id)")

# The other messages of the same client in the same occurrence, that were tried.
_TRIED = text(
    """
    SELECT c.id AS call_id, c.occurrence_id, m.channel, m.state, m.state_at, m.reason, m.reason_params
      FROM message c
      LEFT JOIN message m ON m.scheduled_month = c.scheduled_month AND m.occurrence_id = c.occurrence_id
                         AND m.client_id = c.client_id AND m.channel <> 'call'
                         AND (m.attempts > 0 OR m.state IN ('suppressed', 'cancelled', 'failed', 'undelivered'))
     WHERE c.id = ANY(:ids)
     ORDER BY m.state_at
    """
)


def call_list(
    work: Work,
    *,
    occurrence_id: UUID | None = None,
    mine: bool = False,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
    locale: str | None = None,
) -> list[Call]:
    """The calls to make within the actor's scope, of one alert or of all, the one due first on top. ``after``: (due_by,
    id) of the last one seen."""
    tasks = open_tasks(
        work, kind="call", urgent=True, occurrence_id=occurrence_id, mine=mine, after=after, limit=limit
    )
    tongue = locale or work.settings.locale
    tried: dict[UUID, list[Tried]] = {}
    of: dict[UUID, UUID] = {}
    for row in work.conn.execute(_TRIED, {"ids": [one.message_id for one in tasks if one.message_id]}):
        of[row.call_id] = row.occurrence_id
        if row.channel is not None:
            why = words(row.reason, row.reason_params, tongue) if row.reason else None
            tried.setdefault(row.call_id, []).append(Tried(row.channel, row.state, row.state_at, why))
    return [_call(one, of[one.message_id], tried.get(one.message_id, [])) for one in tasks if one.message_id]


def _call(one: Task, occurrence_id: UUID, tried: list[Tried]) -> Call:
    reached = next((link.channel for link in tried if link.state == State.DELIVERED.value), "")
    return Call(one, occurrence_id, tuple(tried), reached)
