"""The whole contract of a channel: ``send`` returns Accepted or raises one error with two flags."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from outreach.core.errors import OutreachError
from outreach.messages.attachments import Contents
from outreach.messages.payload import Payload


@dataclass(frozen=True)
class Outgoing:
    """One call to make: the payload exactly as approved, and the ids that ride in the call."""

    message_id: UUID
    attempt_id: UUID
    payload: Payload
    started_at: datetime
    callback_url: str = ""
    files: tuple[Contents, ...] = ()  # what the payload names as attached, in its order


@dataclass(frozen=True)
class Accepted:
    """The provider took it. ``wire_digest`` is the SHA-256 of the bytes that went over the wire."""

    provider_ref: str
    wire_digest: bytes


class ChannelError(OutreachError):
    """The provider did not take the message.

    ``permanent``: trying again can't help. ``unknown``: it may have been taken, so it must not be repeated
    before somebody or something has found out (P3). Neither: try again later.
    """

    code = "channel"

    def __init__(
        self,
        code: str,
        text: str,
        *,
        permanent: bool = False,
        unknown: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.permanent = permanent
        self.unknown = unknown
        self.retry_after = retry_after


class Fate(StrEnum):
    """What a look-up at the provider says of a message."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    ABSENT = "absent"  # the provider is sure it never took it


class Channel(Protocol):
    """A transport. Opened once on the worker's loop and used for every call there."""

    provider: str
    account: str
    per_second: float
    concurrency: int
    seconds: float  # the longest a call may take; the lease outlasts it

    async def open(self) -> None:
        """Make the client."""

    async def close(self) -> None:
        """Give back the client's connections."""

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Make one call. Raises ChannelError."""
        ...

    async def look_up(self, message_id: UUID) -> tuple[Fate, str] | None:
        """What the provider knows of our message id and its own reference, or None when it can't be asked."""
        ...
