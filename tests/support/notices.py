"""What staff is told, in tests: a postbox in place of a mail server, and working hours to be told in."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from outreach.core import clock
from outreach.core.errors import Unavailable
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.notices.letters import Mail
from outreach.notices.sending import SentNotices, Ways, send_notices
from outreach.notices.targets import Target
from outreach.occasions.trading import is_working_day
from outreach.occasions.windows import at_local


@dataclass
class Postbox:
    """A Mailer that keeps what it is given, after refusing the first few."""

    refuse: int = 0
    kept: list[Mail] = field(default_factory=list)

    def __call__(self, mail: Mail) -> None:
        if self.refuse:
            self.refuse -= 1
            raise Unavailable("The mail server is busy.")
        self.kept.append(mail)

    def send(self, open_work: Opener, *targets: Target) -> SentNotices:
        """Tell what is due."""
        return send_notices(open_work, Ways(self, targets))

    def to(self, address: str) -> list[Mail]:
        """What came for one person."""
        return [mail for mail in self.kept if mail.to == address]


def on_a_working_day(settings: Settings, wall: str, *, days: int = 0) -> datetime:
    """The instant of a time of day on the first working day from tomorrow on, or so many days after it."""
    day = clock.today(settings.zone) + timedelta(days=1)
    while not (is_working_day(day) and is_working_day(day + timedelta(days=1))):
        day += timedelta(days=1)
    return at_local(day + timedelta(days=days), time.fromisoformat(wall), settings.zone)
