"""The types that a feed's items have, for whoever chooses among them, and which of them need a security's code."""

from datetime import timedelta

from sqlalchemy import Connection, select

from outreach.content.formats import FeedTrigger, JobFile
from outreach.content.in_force import anything_published, jobs_in_force
from outreach.core import clock
from outreach.feeds.tables import feed_item
from outreach.ledger.work import Work

RECENT = timedelta(days=180)


def recent_types(work: Work) -> list[tuple[str, str]]:
    """(feed, type) of what is in force and came within 180 days, by name. They are no client's, so no scope is
    asked."""
    rows = work.conn.execute(
        select(feed_item.c.kind, feed_item.c.item_type)
        .distinct()
        .where(
            feed_item.c.kind.in_(("research", "market-event")),
            feed_item.c.superseded_by.is_(None),
            feed_item.c.issued_at > clock.now() - RECENT,
        )
        .order_by(feed_item.c.kind, feed_item.c.item_type)
    )
    return [(row.kind, row.item_type) for row in rows]


def needs_code(conn: Connection, feed: str, item_type: str) -> bool:
    """Whether an item of this type without a security's code would reach nobody: jobs in force listen to it, and each
    is for holders of the code alone."""
    if not anything_published(conn):
        return False
    listening = [job.meta.audience for job in jobs_in_force(conn) if _listens(job.meta, feed, item_type)]
    return bool(listening) and all(audience.by_code_only for audience in listening)


def _listens(job: JobFile, feed: str, item_type: str) -> bool:
    if job.digest is not None:
        return job.digest.feed == feed
    trigger = job.trigger
    return isinstance(trigger, FeedTrigger) and trigger.feed == feed and trigger.takes(item_type)
