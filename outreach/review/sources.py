"""What a message was made from: research reports, or market events with the firm's view."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

_MOST = 20  # of a digest


@dataclass(frozen=True)
class Source:
    """One item of a feed. ``publisher``: of a report; ``view``: the firm's, on an event; ``url``: where it can be read.

    ``replaced``: a correction has come since.
    """

    id: UUID
    kind: str  # research | market-event
    key: str  # the report's or event's id
    title: str
    publisher: str
    at: datetime
    code: str
    item_type: str
    url: str
    view: str
    risk_text: str
    replaced: bool


# The items that an occurrence's messages were made from, none for a greeting or an advisor's own words: its own one, or
# those that a digest was made of; the newest first.
SOURCES = text(
    f"""
    SELECT f.* FROM feed_item f
     WHERE f.id IN (SELECT feed_item_id FROM occurrence WHERE id = :occurrence
                    UNION ALL SELECT feed_item_id FROM occurrence_item WHERE occurrence_id = :occurrence)
     ORDER BY f.issued_at DESC, f.id LIMIT {_MOST}
    """
)


def source_of(row: Any) -> Source:
    """The source that a row of ``SOURCES`` is."""
    said: dict[str, Any] = row.data
    return Source(
        id=row.id,
        kind=row.kind,
        key=row.item_key,
        title=said.get("title") or said.get("headline") or "",
        publisher=said.get("publisher") or "",
        at=row.issued_at,
        code=row.code,
        item_type=row.item_type,
        url=said.get("url") or said.get("source_url") or "",
        view=said.get("firm_view") or said.get("abstract") or "",
        risk_text=said.get("risk_text") or "",
        replaced=row.superseded_by is not None,
    )
