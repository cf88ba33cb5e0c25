"""A job in force as the scheduler needs it: when it fires, and what becomes of a firing that comes too late."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from outreach.occasions.triggers import Cron, Feed, Firing, Trigger, firings
from outreach.occasions.windows import WESTERNMOST, at_local

# Schedulers look four times a minute; what they find within this time was not missed.
ON_TIME = timedelta(minutes=5)
# How long before it is sent the earliest firing is composed: 30 working days, holidays included.
_LONGEST_LEAD = timedelta(days=75)


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

    def looks_back_to(self, mark: datetime, now: datetime, fresh: bool) -> datetime:
        """From when on firings are looked for by a schedule that has come to ``mark``.

        Before the mark, too: a longer lead, or a holiday that is announced after all, puts the moment of composing
        a firing that is still to be sent before the mark; and a ``fresh`` job has no past but may be in time for
        today. A cron expression has no lead, and a new one is no reason to fire again for hours gone by.
        """
        if isinstance(self.trigger, Cron):
            return now - max(self.catch_up or ON_TIME, ON_TIME) if fresh else mark
        return min(mark, now - _LONGEST_LEAD)

    def listens_to(self, feed: str, item_type: str) -> bool:
        """Whether an item of that feed and type fires it."""
        trigger = self.trigger
        if not isinstance(trigger, Feed) or trigger.kind != feed:
            return False
        return item_type in trigger.types if trigger.types else item_type not in trigger.except_types

    def expires_at(self, firing: Firing) -> datetime:
        """When the last message of a firing stops being worth sending: a dated one reaches each client on their
        own clock, so the westernmost client's is the last."""
        if firing.send_date is None or isinstance(self.trigger, Cron | Feed):
            return firing.send_at + self.expiry
        return at_local(firing.send_date, self.trigger.at, WESTERNMOST) + self.expiry

    def too_late(self, firing: Firing, now: datetime) -> bool:
        """Whether a firing that was missed may no longer be composed, by the job's own rule."""
        if now >= self.expires_at(firing):
            return True
        # A firing whose send time is yet to come is never late: it only has less time for approval.
        late = now - max(firing.compose_at, firing.send_at)
        return late > max(self.catch_up or ON_TIME, ON_TIME)
