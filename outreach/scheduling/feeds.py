"""Feed jobs: an accepted item is an occurrence of every job that listens to its feed."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text, update

from outreach.core import clock
from outreach.core.events import FeedItemAccepted, FeedItemSuperseded
from outreach.feeds.tables import feed_item
from outreach.ledger.work import Work
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.occurrences import add_occurrence
from outreach.scheduling.tables import occurrence, schedule

_STALE = timedelta(days=7)
AGAIN = "~"  # between the key of an occurrence and that of the same one made again


def on_feed_item_accepted(work: Work, event: FeedItemAccepted) -> None:
    """Make the occurrences of an item; one that is past its time is kept as missed, and nothing is composed.

    A correction fires the jobs that told what it corrects, too, though they may not listen to its type.
    """
    item = work.conn.execute(select(feed_item).where(feed_item.c.id == event.item_id)).one()
    now = clock.now()
    off = set(work.conn.execute(select(schedule.c.job_name).where(~schedule.c.enabled)).scalars())
    told = set(work.conn.execute(_TOLD_BY, {"item": event.item_id}).scalars())
    for plan in plans_in_force(work.conn):
        listens = plan.listens_to(event.kind, item.item_type) or (
            plan.feed == event.kind and plan.job_name in told
        )
        if plan.job_name in off or not listens:
            continue
        expires = max(now, item.issued_at) + plan.expiry
        if item.expires_at is not None:
            expires = min(expires, item.expires_at)
        late = expires <= now or item.issued_at < now - _STALE
        add_occurrence(
            work,
            plan,
            f"{item.item_key}@{item.issued_at.isoformat()}",
            send_date=now.astimezone(work.settings.zone).date(),
            send_at=now,
            expires_at=expires,
            feed_item_id=item.id,
            expired=late,
            note="the item is past its time" if late else "",
        )

    _redo_digests(work, event.item_id)


def _redo_digests(work: Work, item_id: UUID) -> None:
    """A digest that held what this item corrects was stopped: it is made again for whom it had not reached."""
    stopped = work.conn.execute(_STOPPED_DIGESTS, {"item": item_id, "now": clock.now()}).all()
    plans = {plan.job_name: plan for plan in plans_in_force(work.conn)} if stopped else {}
    for row in stopped:
        if row.job_name not in plans:
            continue
        again = add_occurrence(
            work,
            plans[row.job_name],
            f"{row.occurrence_key}{AGAIN}{item_id}",
            send_date=row.send_date,
            send_at=row.send_at,
            expires_at=row.expires_at,
            note="made again after a correction",
        )
        if again is not None:
            work.conn.execute(_SAME_ITEMS, {"old": row.id, "again": again, "item": item_id})


_STOPPED_DIGESTS = text(
    """
    WITH RECURSIVE earlier AS (
        SELECT id FROM feed_item WHERE superseded_by = :item
        UNION
        SELECT f.id FROM feed_item f JOIN earlier e ON f.superseded_by = e.id
    )
    SELECT DISTINCT o.id, o.job_name, o.occurrence_key, o.send_date, o.send_at, o.expires_at
      FROM earlier e JOIN occurrence_item i ON i.feed_item_id = e.id JOIN occurrence o ON o.id = i.occurrence_id
     WHERE o.note = 'superseded' AND o.expires_at > :now
       AND NOT EXISTS (SELECT FROM occurrence l
                        WHERE l.job_name = o.job_name AND starts_with(l.occurrence_key, o.occurrence_key || '~'))
     ORDER BY o.id
    """
)
_SAME_ITEMS = text(
    """
    INSERT INTO occurrence_item (occurrence_id, feed_item_id)
    SELECT DISTINCT CAST(:again AS uuid), CASE WHEN f.superseded_by IS NULL THEN f.id ELSE CAST(:item AS uuid) END
      FROM occurrence_item i JOIN feed_item f ON f.id = i.feed_item_id
     WHERE i.occurrence_id = :old
    """
)
_TOLD_BY = text(
    """
    WITH RECURSIVE earlier AS (
        SELECT id FROM feed_item WHERE superseded_by = :item
        UNION
        SELECT f.id FROM feed_item f JOIN earlier e ON f.superseded_by = e.id
    )
    SELECT DISTINCT o.job_name FROM occurrence o JOIN earlier e ON e.id = o.feed_item_id
    """
)


def on_feed_item_superseded(work: Work, event: FeedItemSuperseded) -> None:
    """What was to be composed from the old item is not composed any more."""
    work.conn.execute(
        update(occurrence)
        .where(occurrence.c.feed_item_id == event.item_id, occurrence.c.state == "due")
        .values(state="cancelled", note="superseded by a correction")
    )
