"""The states of a message and its only transitions (DESIGN.md §5).

Every transition is a conditional UPDATE whose row count is checked; nothing else writes ``message.state``.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, update

from outreach.core import clock
from outreach.core.errors import Conflict
from outreach.messages.tables import message


class State(StrEnum):
    """Where a message stands in its life."""

    DRAFT = "draft"
    HELD = "held"
    RETURNED = "returned"
    APPROVED = "approved"
    CLAIMED = "claimed"
    HANDED_OVER = "handed_over"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


S = State
TRANSITIONS: dict[State, frozenset[State]] = {
    S.DRAFT: frozenset({S.HELD, S.CANCELLED}),
    S.HELD: frozenset({S.APPROVED, S.RETURNED, S.REJECTED, S.SUPPRESSED, S.EXPIRED, S.CANCELLED}),
    S.RETURNED: frozenset({S.HELD, S.CANCELLED, S.EXPIRED}),
    S.APPROVED: frozenset({S.CLAIMED, S.HELD, S.SUPPRESSED, S.EXPIRED, S.CANCELLED}),
    S.CLAIMED: frozenset({S.SENT, S.HANDED_OVER, S.APPROVED, S.SUPPRESSED, S.FAILED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED, S.APPROVED, S.FAILED}),
    S.HANDED_OVER: frozenset({S.DELIVERED, S.UNDELIVERED}),
    S.SENT: frozenset({S.DELIVERED, S.UNDELIVERED}),
    S.UNDELIVERED: frozenset({S.DELIVERED}),
    S.DELIVERED: frozenset(),
    S.REJECTED: frozenset(),
    S.SUPPRESSED: frozenset(),
    S.EXPIRED: frozenset(),
    S.CANCELLED: frozenset(),
    S.FAILED: frozenset(),
}
WAITING = frozenset({S.HELD, S.RETURNED, S.APPROVED})
FINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)


def move(
    conn: Connection,
    source: State,
    target: State,
    where: ColumnElement[bool],
    *,
    reason: str | None = None,
    params: dict[str, Any] | None = None,
    **columns: Any,
) -> list[UUID]:
    """Move every message that is in ``source`` and fits ``where`` to ``target``; returns their ids.

    ``reason`` is a code of ``messages.reasons``; ``columns`` are set in the same UPDATE. Raises ValueError
    for a transition that the table does not have.
    """
    if target not in TRANSITIONS[source]:
        raise ValueError(f"no transition {source} -> {target}")
    statement = (
        update(message)
        .where(message.c.state == source.value, where)
        .values(state=target.value, state_at=clock.now(), reason=reason, reason_params=params, **columns)
        .returning(message.c.id)
    )
    return list(conn.execute(statement).scalars())


def move_one(
    conn: Connection,
    source: State,
    target: State,
    message_id: UUID,
    where: ColumnElement[bool] | None = None,
    *,
    reason: str | None = None,
    params: dict[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Move one message. Raises Conflict when it is no longer in ``source`` (or no longer fits ``where``)."""
    condition: ColumnElement[bool] = message.c.id == message_id
    if where is not None:
        condition = condition & where
    moved = move(conn, source, target, condition, reason=reason, params=params, **columns)
    if len(moved) != 1:
        raise Conflict("This message has changed in the meantime; nothing was done.", mend="Read it again.")


def sources_of(target: State) -> Sequence[State]:
    """The states from which ``target`` can be reached."""
    return [source for source, following in TRANSITIONS.items() if target in following]
