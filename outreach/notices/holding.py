"""Whether what a notice says still holds: something decided meanwhile is not told any more."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from outreach.delivery.tables import reply
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.tables import import_waiting
from outreach.review.tables import remark

WAITS = ("submission_held", "escalated", "pending")


def over(conn: Connection, rows: Sequence[Row[Any]]) -> set[UUID]:
    """The ids of those of ``rows`` (of ``notice``) that no longer hold: nothing of the submission waits for this step,
    the question is closed, the reply answered, the file settled."""
    waiting = held(conn, {row.submission_id for row in rows if row.kind in WAITS and row.submission_id})
    closed = _closed(conn, rows)
    return {
        row.id
        for row in rows
        if (row.kind in WAITS and row.submission_id and not _waits(row, waiting)) or row.id in closed
    }


def held(conn: Connection, submission_ids: Iterable[UUID]) -> dict[UUID, dict[int, int]]:
    """submission -> how many approvers in order have endorsed -> how many messages wait there."""
    found: dict[UUID, dict[int, int]] = defaultdict(dict)
    wanted = sorted(set(submission_ids))
    if not wanted:
        return found
    rows = conn.execute(
        # Clients: what goes only if another did not arrive is not counted beside it.
        select(
            message.c.submission_id, message.c.endorsed, func.count(message.c.client_id.distinct()).label("n")
        )
        .where(message.c.submission_id.in_(wanted), message.c.state == State.HELD.value)
        .group_by(message.c.submission_id, message.c.endorsed)
    )
    for row in rows:
        found[row.submission_id][row.endorsed] = row.n
    return found


def waiting_now(row: Row[Any], waiting: dict[UUID, dict[int, int]]) -> int:
    """How many messages wait of what ``row`` speaks of, at the step it speaks of."""
    steps = waiting.get(row.submission_id, {})
    step = row.params.get("step")
    return sum(steps.values()) if step is None else steps.get(int(step) - 1, 0)


def _waits(row: Row[Any], waiting: dict[UUID, dict[int, int]]) -> bool:
    return waiting_now(row, waiting) > 0


def _closed(conn: Connection, rows: Sequence[Row[Any]]) -> set[UUID]:
    """Notices about a question, a reply or a file that needs nobody any more."""
    about: dict[str, dict[UUID, set[UUID]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        key = {"question": "remark_id", "reply": "reply_id", "file_waits": "id"}.get(row.kind)
        if key and (named := _uuid(row.params.get(key))):
            about[row.kind][named].add(row.id)
    gone: set[UUID] = set()
    for kind, column, closed in (
        ("question", remark.c.id, remark.c.closed_at.is_not(None)),
        ("reply", reply.c.id, reply.c.answered_at.is_not(None)),
        ("file_waits", import_waiting.c.id, import_waiting.c.state != "waiting"),
    ):
        if about[kind]:
            for one in conn.execute(select(column).where(column.in_(list(about[kind])), closed)).scalars():
                gone |= about[kind][one]
    return gone


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
