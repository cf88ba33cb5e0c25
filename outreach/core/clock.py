"""The one source of time. Tests freeze it with freezegun; nothing else replaces it."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def today(zone: ZoneInfo) -> date:
    """The civil date in ``zone`` at this instant."""
    return now().astimezone(zone).date()
