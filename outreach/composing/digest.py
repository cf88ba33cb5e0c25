"""A digest: what a feed brought in the last days, chosen once for an occurrence, so that each client gets the same."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, text

from outreach.composing.context import feed_context
from outreach.composing.corrections import Corrected
from outreach.content.formats import DigestFile
from outreach.scheduling.feeds import AGAIN

MOST = 30

# Items in force, newest first; one that comes while the occurrence is composed belongs to the next digest.
_TAKE_TURNS = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:key, 0))")
_CHOOSE = text(
    """
    INSERT INTO occurrence_item (occurrence_id, feed_item_id)
    SELECT o.id, f.id
      FROM occurrence o
      JOIN feed_item f ON f.kind = :kind AND f.superseded_by IS NULL
                      AND f.issued_at > o.send_at - make_interval(days => :days) AND f.issued_at <= o.send_at
                      AND (f.expires_at IS NULL OR f.expires_at > o.send_at)
     WHERE o.id = :id
     ORDER BY f.issued_at DESC, f.id
     LIMIT :most
    ON CONFLICT DO NOTHING
    """
)
_ITEMS = text(
    """
    SELECT f.id, f.kind, f.code, f.risk_level, f.data
      FROM occurrence_item i JOIN feed_item f ON f.id = i.feed_item_id
     WHERE i.occurrence_id = :id
     ORDER BY f.issued_at DESC, f.id
    """
)


def choose_items(conn: Connection, occurrence_id: UUID, digest: DigestFile) -> int:
    """Choose an occurrence's items, at most 30, and remember them; returns how many there are."""
    known = len(items_of(conn, occurrence_id))
    if known:
        return known
    # Not beside a correction that is just being taken in, which would not see what is chosen here.
    conn.execute(_TAKE_TURNS, {"key": f"feed:{digest.feed}"})
    conn.execute(_CHOOSE, {"id": occurrence_id, "kind": digest.feed, "days": digest.days, "most": MOST})
    return len(items_of(conn, occurrence_id))


def items_of(conn: Connection, occurrence_id: UUID) -> list[Row[Any]]:
    """The items that were chosen for an occurrence, newest first."""
    return list(conn.execute(_ITEMS, {"id": occurrence_id}).all())


def made_before(conn: Connection, job_name: str, key: str) -> Corrected:
    """The occurrences of which this digest is made again, after an item in it was corrected."""
    parts = key.split(AGAIN)
    keys = [AGAIN.join(parts[:count]) for count in range(1, len(parts))]
    if not keys:
        return Corrected()
    rows = conn.execute(_BEFORE, {"job": job_name, "keys": keys}).all()
    return Corrected(tuple(row.id for row in rows), tuple(sorted({row.scheduled_month for row in rows})))


_BEFORE = text(
    "SELECT id, scheduled_month FROM occurrence WHERE job_name = :job AND occurrence_key = ANY(:keys)"
)


def digest_context(
    digest: DigestFile,
    send_at: datetime,
    items: Sequence[Row[Any]],
    zone: ZoneInfo,
    corrects: Mapping[UUID, str],
) -> dict[str, Any]:
    """``digest.items``, and the first and last civil date that they are of (ISO 8601, on the firm's clock).
    ``corrects``: item -> the earlier title that it corrects."""
    until = send_at.astimezone(zone)
    return {
        "digest": {
            "items": [
                feed_context(item.kind, item.data, zone)["report"] | {"corrects": corrects.get(item.id, "")}
                for item in items
            ],
            "since": (until - timedelta(days=digest.days)).date().isoformat(),
            "until": until.date().isoformat(),
        }
    }
