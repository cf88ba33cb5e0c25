"""The types that a feed's items have, for whoever chooses among them."""

from datetime import timedelta

from sqlalchemy import select

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
