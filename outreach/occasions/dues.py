"""Dates that follow from a client's date: an assessment's end two years on, a call a month on, and their reverse.

Months and years are counted by the calendar (``relativedelta``): a month after 31 January is 28 or 29 February, two
years after 29 February is 28 February. So several dates may lead to one, and some dates are led to by none.
"""

from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

_LONGEST_SHIFT = 3  # days by which the end of a month can pull a date back


def moved(day: date, *, years: int = 0, months: int = 0, days: int = 0) -> date:
    """``day`` moved by calendar years and months first, then by days. Raises OverflowError beyond the calendar."""
    return day + relativedelta(years=years, months=months) + timedelta(days=days)


def sources_of(day: date, *, years: int = 0, months: int = 0, days: int = 0) -> list[date]:
    """Every date that ``moved`` leads to ``day``, in order; there may be none."""
    target = day - timedelta(days=days)
    first = target - relativedelta(years=years, months=months)
    candidates = (first + timedelta(days=shift) for shift in range(_LONGEST_SHIFT + 1))
    return [one for one in candidates if moved(one, years=years, months=months) == target]
