"""Identifiers: UUID version 7 (RFC 9562 §5.7), ordered by the millisecond they were made in."""

import secrets
from datetime import UTC, datetime
from uuid import UUID

from outreach.core import clock


def new_id(at: datetime | None = None) -> UUID:
    """A fresh UUIDv7. ``at`` (aware) sets its time; by default the present instant."""
    moment = at or clock.now()
    milliseconds = int(moment.timestamp() * 1000)
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    chance = int.from_bytes(secrets.token_bytes(10), "big")
    value |= (chance >> 64 & 0xFFF) << 64
    value |= 0b10 << 62
    value |= chance & ((1 << 62) - 1)
    return UUID(int=value)


def time_of(identifier: UUID) -> datetime:
    """The instant (UTC, millisecond precision) a UUIDv7 was made in.

    Raises ValueError when ``identifier`` is not version 7.
    """
    if identifier.version != 7:
        raise ValueError(f"{identifier} is not a UUID version 7")
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
