"""Solar birthdays, anniversaries and terms counted in months and years.

29 February is kept on 28 February or on 1 March in years without it: a setting of the institution.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

from dateutil.relativedelta import relativedelta

from outreach.core.errors import BadInput

LeapDayRule = Literal["02-28", "03-01"]


@dataclass(frozen=True)
class CallTerm:
    """When a call should be made (from ``due``) and the last day it is in time (``latest``)."""

    due: date
    latest: date


def solar_birthday_in(birth_date: date, year: int, leap_day: LeapDayRule = "02-28") -> date:
    """The civil date of ``year`` on which somebody born on ``birth_date`` has their birthday.

    Raises BadInput for a year before the birth, or an unknown rule.
    """
    if year < birth_date.year:
        raise BadInput(
            f"Nobody born on {birth_date} has a birthday in {year}.", mend="Give a year from the birth on."
        )
    return _in_year(birth_date, year, leap_day)


def birth_monthdays_on(day: date, leap_day: LeapDayRule = "02-28") -> set[tuple[int, int]]:
    """The (month, day) of every birth date whose birthday is kept on ``day``: the reverse of solar_birthday_in.

    Raises BadInput for an unknown rule.
    """
    kept = {(day.month, day.day)}
    if _in_year(date(2000, 2, 29), day.year, leap_day) == day:
        kept.add((2, 29))
    return kept


def anniversary_in(since: date, year: int, leap_day: LeapDayRule = "02-28") -> date | None:
    """The anniversary of ``since`` in ``year``; None in the year itself and before, when there is none yet.

    Raises BadInput for an unknown rule.
    """
    return _in_year(since, year, leap_day) if year > since.year else None


@lru_cache(maxsize=65536)
def years_between(since: date, on: date) -> int:
    """Whole years from ``since`` to ``on`` (an age, or which anniversary it is); negative when ``on`` is earlier."""
    return relativedelta(on, since).years


def welcome_call(opened_on: date) -> CallTerm:
    """The call after an account was opened: due a week before opening plus one month, overdue after the month.

    Guideline art. 78(2)(5): the call centre calls back within a month of opening. The month is counted by
    the calendar (opened on 31 January: until 28 or 29 February).
    """
    latest = opened_on + relativedelta(months=1)
    return CallTerm(due=latest - timedelta(days=7), latest=latest)


@lru_cache(maxsize=16384)
def assessment_valid_until(assessed_on: date) -> date:
    """The last day a risk assessment counts: two years after it was made (guideline art. 79(2))."""
    return assessed_on + relativedelta(years=2)


def _in_year(day: date, year: int, leap_day: LeapDayRule) -> date:
    if leap_day not in ("02-28", "03-01"):
        raise BadInput(f"{leap_day!r} is not a rule for 29 February.", mend="Use 02-28 or 03-01.")
    # An absolute year in relativedelta clips 29 February to the 28th.
    kept = day + relativedelta(year=year)
    if leap_day == "03-01" and kept.day != day.day:
        return date(year, 3, 1)
    return kept
