"""A job in force as the scheduler needs it: when it fires, and what becomes of a firing that comes too late."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from outreach.occasions.triggers import Feed, Firing, Trigger, firings


@dataclass(frozen=True)
class Plan:
    """One job version. ``catch_up`` is how late a firing may still be composed; None: not at all (skip).

    ``expiry`` counts from the send time; a message that is not sent by then expires.
    """

    job_name: str
    job_version_id: UUID
    template_version_id: UUID
    policy_version_id: UUID
    trigger: Trigger
    expiry: timedelta
    catch_up: timedelta | None
    top_up: bool

    @property
    def feed(self) -> str | None:
        """The feed whose items fire it, if any."""
        return self.trigger.kind if isinstance(self.trigger, Feed) else None

    def due(self, after: datetime, until: datetime) -> list[Firing]:
        """The firings to be composed in (after, until], earliest first. A feed job has none."""
        return [] if isinstance(self.trigger, Feed) else firings(self.trigger, after, until)

    def expires_at(self, send_at: datetime) -> datetime:
        """When a message of a firing stops being worth sending."""
        return send_at + self.expiry

    def too_late(self, firing: Firing, now: datetime) -> bool:
        """Whether a firing that was missed may no longer be composed, by the job's own rule."""
        if now >= self.expires_at(firing.send_at):
            return True
        # A firing whose send time is yet to come is never late: it only has less time for approval.
        late = now - max(firing.compose_at, firing.send_at) if now > firing.send_at else timedelta(0)
        allowed = self.catch_up if self.catch_up is not None else timedelta(0)
        return late > allowed
