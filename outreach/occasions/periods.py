"""Stretches of civil days, as the instants between which something happened."""

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from outreach.core.errors import BadInput
from outreach.occasions.windows import end_of_day, start_of_day

LONGEST = 366  # days


@dataclass(frozen=True)
class Period:
    """The civil days ``first`` to ``last`` (both included) in ``zone``.

    Raises BadInput when it ends before it begins, or is longer than a year.
    """

    first: date
    last: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if not 0 <= (self.last - self.first).days < LONGEST:
            raise BadInput(
                f"{self.first} to {self.last} is no period of up to {LONGEST} days.",
                mend="Give the first day and a last day that is not before it.",
            )

    @property
    def since(self) -> datetime:
        """Its first instant (UTC)."""
        return start_of_day(self.first, self.zone)

    @property
    def until(self) -> datetime:
        """The instant (UTC) at which it is over."""
        return end_of_day(self.last, self.zone)

    @property
    def days(self) -> list[date]:
        """Each of its days."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


def one_day(day: date, zone: ZoneInfo) -> Period:
    """That day alone."""
    return Period(day, day, zone)


def last_days(today: date, days: int, zone: ZoneInfo) -> Period:
    """``today`` and the days before it, ``days`` in all."""
    return Period(today - timedelta(days=days - 1), today, zone)


def month_of(day: date, zone: ZoneInfo) -> Period:
    """The calendar month that ``day`` lies in."""
    last = calendar.monthrange(day.year, day.month)[1]
    return Period(day.replace(day=1), day.replace(day=last), zone)
