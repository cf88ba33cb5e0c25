"""Chains that stand still, and alternatives whose time has passed: what the sweeper asks for."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import select, text

from outreach.core import clock
from outreach.ledger.append import Entry, record_many
from outreach.ledger.work import Work
from outreach.messages.chains import UNKNOWN_GIVEN_UP, WAITS
from outreach.messages.entries import message_entry
from outreach.messages.fallthrough import take_next
from outreach.messages.states import State, move
from outreach.messages.tables import message

# Resting alternatives whose one before has ended: whoever ended it would have gone on in the same transaction, were
# it not that somebody else held the alternative just then.
_LEFT_BEHIND = text(
    """
    SELECT a.id
      FROM message a
      JOIN message b ON b.scheduled_month = a.scheduled_month AND b.id = a.fallback_of
     WHERE a.state = 'approved' AND a.fallback_of IS NOT NULL AND a.due_at IS NULL AND a.reason = :waits
       AND (b.state IN ('failed', 'undelivered', 'delivered', 'suppressed', 'cancelled', 'rejected', 'expired')
            OR b.state = 'unknown' AND b.reason = :given_up)
       AND a.expires_at > :now
     LIMIT :size
    """
)
# Alternatives that wait for a decision although the client was reached, or is not to be. Their submissions are
# locked first, as deciders do.
_HELD = text(
    """
    SELECT a.id, a.submission_id
      FROM message a
      JOIN message b ON b.scheduled_month = a.scheduled_month AND b.id = a.fallback_of
     WHERE a.state = 'held' AND a.fallback_of IS NOT NULL
       AND (b.state IN ('delivered', 'rejected')
            OR b.state IN ('suppressed', 'cancelled')
               AND b.reason NOT IN ('opted_out', 'no_contact_point', 'no_route', 'no_mail_server', 'fell_through'))
     LIMIT :size
    """
)
_SUBMISSIONS = text(
    "SELECT id FROM submission WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
)


def catch_up(work: Work, size: int = 500) -> int:
    """Go on in chains that stand still; returns how many alternatives became due."""
    found = {"size": size, "now": clock.now(), "waits": WAITS, "given_up": UNKNOWN_GIVEN_UP}
    going = take_next(work, work.conn.execute(_LEFT_BEHIND, found).scalars().all())
    held = work.conn.execute(_HELD, {"size": size}).all()
    if held:
        free = set(
            work.conn.execute(_SUBMISSIONS, {"ids": sorted({row.submission_id for row in held})}).scalars()
        )
        going += take_next(work, [row.id for row in held if row.submission_id in free], locked=True)
    return going


def not_needed_any_more(work: Work, now: datetime, size: int = 1000) -> int:
    """Cancel alternatives whose time has passed while one before them was on its way without a bad word; what waits
    for another reason expires. Returns how many."""
    other = message.alias("other")
    on_its_way = (
        select(other.c.channel)
        .where(
            other.c.scheduled_month == message.c.scheduled_month,
            other.c.occurrence_id == message.c.occurrence_id,
            other.c.client_id == message.c.client_id,
            other.c.state.in_([State.SENT.value, State.DELIVERED.value, State.HANDED_OVER.value]),
        )
        .limit(1)
        .scalar_subquery()
    )
    rows = work.conn.execute(
        select(message, on_its_way.label("by"))
        .where(
            message.c.state == State.APPROVED.value,
            message.c.fallback_of.is_not(None),
            message.c.expires_at <= now,
            on_its_way.is_not(None),
        )
        .limit(size)
        .with_for_update(skip_locked=True)
    ).all()
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.by].append(row)
    entries: list[Entry] = []
    for channel, members in sorted(groups.items()):
        moved = set(
            move(
                work.conn,
                State.APPROVED,
                State.CANCELLED,
                message.c.id.in_([row.id for row in members]),
                reason="not_needed_sent",
                params={"channel": channel},
                due_at=None,
            )
        )
        entries += [
            message_entry("message.cancelled", row, "not_needed_sent") for row in members if row.id in moved
        ]
    record_many(work, entries)
    return len(entries)
