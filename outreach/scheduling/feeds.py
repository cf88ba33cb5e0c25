"""Feed jobs: an accepted item is an occurrence of every job that listens to its feed."""

from datetime import timedelta

from sqlalchemy import select, update

from outreach.core import clock
from outreach.core.events import FeedItemAccepted, FeedItemSuperseded
from outreach.feeds.tables import feed_item
from outreach.ledger.work import Work
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.occurrences import add_occurrence
from outreach.scheduling.tables import occurrence, schedule

_STALE = timedelta(days=7)


def on_feed_item_accepted(work: Work, event: FeedItemAccepted) -> None:
    """Make the occurrences of an item; one that is past its time is kept as missed, and nothing is composed."""
    item = work.conn.execute(select(feed_item).where(feed_item.c.id == event.item_id)).one()
    now = clock.now()
    off = set(work.conn.execute(select(schedule.c.job_name).where(~schedule.c.enabled)).scalars())
    for plan in plans_in_force(work.conn):
        if plan.job_name in off or not plan.listens_to(event.kind, item.item_type):
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


def on_feed_item_superseded(work: Work, event: FeedItemSuperseded) -> None:
    """What was to be composed from the old item is not composed any more."""
    work.conn.execute(
        update(occurrence)
        .where(occurrence.c.feed_item_id == event.item_id, occurrence.c.state == "due")
        .values(state="cancelled", note="superseded by a correction")
    )
