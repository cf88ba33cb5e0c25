"""When a channel takes too long, the next one is taken (docs/decisions/0005).

Only for urgent jobs that fall through. An outcome that nobody knows is still never repeated (P3): the alternative is
another message, by another channel, and the first is not sent again afterwards, whatever is found out about it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from outreach.content.in_force import job_version
from outreach.core import clock
from outreach.ledger.append import Entry, record_many
from outreach.ledger.work import Work
from outreach.messages.chains import GIVEN_UP, UNKNOWN_GIVEN_UP
from outreach.messages.entries import message_entry
from outreach.messages.fallthrough import take_next
from outreach.messages.left_behind import catch_up
from outreach.messages.states import State, move
from outreach.messages.tables import message

_BATCH = 500
_SOONEST = timedelta(minutes=1)
_OLDEST = timedelta(days=2)  # an outcome that is unknown so long is a person's to settle

# By the partial indexes of unknown outcomes and of what is due. ``since``: when it was first tried. What is tried again
# and again may still arrive: it is stopped only where another channel is left.
_SLOW = text(
    """
    SELECT m.id, m.state, m.submission_id, m.occurrence_id, m.client_id, m.branch_id, m.revision, m.digest, m.channel,
           m.category, m.decision_id, m.fallback_of, o.job_version_id,
           (SELECT min(a.claimed_at) FROM attempt a WHERE a.message_id = m.id) AS since
      FROM message m
      JOIN occurrence o ON o.id = m.occurrence_id
     WHERE o.job_version_id IS NOT NULL AND m.urgent
       AND (m.state = 'unknown' AND m.state_at BETWEEN :oldest AND :before AND m.reason IS DISTINCT FROM :given_up
            OR m.state = 'approved' AND m.due_at IS NOT NULL AND m.reason = 'provider_temporary'
               AND EXISTS (SELECT FROM message a
                            WHERE a.scheduled_month = m.scheduled_month AND a.occurrence_id = m.occurrence_id
                              AND a.client_id = m.client_id AND a.state = 'approved'
                              AND a.fallback_of IS NOT NULL AND a.due_at IS NULL))
     ORDER BY m.id
     LIMIT :size
       FOR UPDATE OF m SKIP LOCKED
    """
)
_MARK = text(
    "UPDATE message SET reason = :given_up, reason_params = jsonb_build_object('minutes', CAST(:minutes AS int))"
    " WHERE id = :id AND state = 'unknown'"
)


def fall_through(work: Work) -> int:
    """Take the next channel wherever one took longer than its job allows, and go on in chains that stand still.

    Returns how many alternatives became due.
    """
    now = clock.now()
    slow = work.conn.execute(
        _SLOW,
        {
            "before": now - _SOONEST,
            "oldest": now - _OLDEST,
            "given_up": UNKNOWN_GIVEN_UP,
            "size": _BATCH,
        },
    ).all()
    late = [(row, minutes) for row in slow if (minutes := _overdue(work, row, now)) is not None]
    _give_up(work, late)
    going = take_next(work, [row.id for row, _ in late])
    return going + catch_up(work)


def _overdue(work: Work, row: Row[Any], now: datetime) -> int | None:
    """How many minutes its job gave the channel, when those are over. An alert of a job that takes no other channel
    goes on being tried."""
    job = job_version(work.conn, row.job_version_id).meta
    if not job.falls_through or row.since is None or row.since + job.fall_through_after > now:
        return None
    return int(job.fall_through_after.total_seconds() // 60)


def _give_up(work: Work, late: Sequence[tuple[Row[Any], int]]) -> None:
    entries: list[Entry] = []
    for row, minutes in late:
        if row.state == State.UNKNOWN.value:
            work.conn.execute(_MARK, {"id": row.id, "given_up": UNKNOWN_GIVEN_UP, "minutes": minutes})
        else:
            move(
                work.conn,
                State.APPROVED,
                State.CANCELLED,
                message.c.id == row.id,
                reason=GIVEN_UP,
                params={"minutes": minutes},
                due_at=None,
            )
            entries.append(message_entry("message.cancelled", row, GIVEN_UP))
    record_many(work, entries)
