"""When staff is told: at once, a moment later, or at the next of the day's set times."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from outreach.content.in_force import closures_in_force
from outreach.core import clock
from outreach.core.errors import NotFound
from outreach.core.settings import Settings
from outreach.ledger.work import Work
from outreach.occasions.trading import NONE_NAMED, Closures, is_working_day
from outreach.occasions.windows import at_local

# Decisions made one after the other are told together: so long after the last, and after the first at the latest.
PAUSE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(minutes=10)


def next_time(after: datetime, settings: Settings, closures: Closures = NONE_NAMED) -> datetime:
    """The first of the set times of a working day later than ``after``."""
    day = after.astimezone(settings.zone).date()
    while True:
        if is_working_day(day, closures):
            for wall in settings.notice_times:
                at = at_local(day, wall, settings.zone)
                if at > after:
                    return at
        day += timedelta(days=1)


def gathered_until(work: Work, due_by: datetime) -> datetime:
    """When something that waits, and is not urgent, is told.

    At the next set time; what must be decided before that, on the same day between the first time and the last,
    a moment from now.
    """
    now = clock.now()
    at = next_time(now, work.settings, closures_known(work.conn))
    first = at_local(
        now.astimezone(work.settings.zone).date(), work.settings.notice_times[0], work.settings.zone
    )
    same_day = at.astimezone(work.settings.zone).date() == now.astimezone(work.settings.zone).date()
    return now + PAUSE if due_by < at and same_day and now >= first else at


def closures_known(conn: Connection) -> Closures:
    """The closures in force; none before the first publication."""
    try:
        return closures_in_force(conn)
    except NotFound:
        return NONE_NAMED
