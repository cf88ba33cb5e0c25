"""A job in force as the scheduler needs it: when it fires, and what becomes of a firing that comes too late."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from outreach.occasions.triggers import Cron, Feed, Firing, Trigger, firings
from outreach.occasions.windows import WESTERNMOST, at_local


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

    def listens_to(self, feed: str, item_type: str) -> bool:
        """Whether an item of that feed and type fires it."""
        trigger = self.trigger
        if not isinstance(trigger, Feed) or trigger.kind != feed:
            return False
        return not trigger.types or item_type in trigger.types

    def expires_at(self, firing: Firing) -> datetime:
        """When the last message of a firing stops being worth sending: a dated one reaches each client on their
        own clock, so the westernmost client's is the last."""
        if firing.send_date is None or isinstance(self.trigger, Cron | Feed):
            return firing.send_at + self.expiry
        return at_local(firing.send_date, self.trigger.at, WESTERNMOST) + self.expiry

    def too_late(self, firing: Firing, now: datetime) -> bool:
        """Whether a firing that was missed may no longer be composed, by the job's own rule."""
        if now >= firing.send_at + self.expiry:
            return True
        # A firing whose send time is yet to come is never late: it only has less time for approval.
        late = now - max(firing.compose_at, firing.send_at) if now > firing.send_at else timedelta(0)
        allowed = self.catch_up if self.catch_up is not None else timedelta(0)
        return late > allowed
