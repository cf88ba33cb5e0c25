"""Working days and trading days of mainland China.

``chinese-calendar`` knows the State Council's notices for 2004 to 2026. A later year is *provisional* until its
notice is out: weekdays, without the days that the law itself makes holidays (Regulations on public holidays, as
of 2025) and the days that were always bridged around Spring Festival and National Day. A provisional answer errs
towards holidays, so that a lead counted in working days is rather too long than too short.
"""

from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar

from outreach.core.errors import BadInput
from outreach.occasions.festivals import FIRST_YEAR, LAST_YEAR, festival_date

FIRST_KNOWN_YEAR = 2004
LAST_KNOWN_YEAR: int = max(day.year for day in chinese_calendar.holidays)
# A working day by the notice on which the Shanghai exchange was closed.
_CLOSED = frozenset({date(2024, 2, 9)})


def is_provisional(year: int) -> bool:
    """Whether the holidays of ``year`` are computed because no notice of them is known."""
    return not FIRST_KNOWN_YEAR <= year <= LAST_KNOWN_YEAR


@lru_cache(maxsize=8192)
def is_working_day(day: date) -> bool:
    """Whether offices work on ``day``: weekdays without holidays, and the weekend days worked in their stead.

    Raises BadInput outside 1950 to 2050.
    """
    if is_provisional(day.year):
        return day.weekday() < 5 and day not in _provisional_holidays(day.year)
    working: bool = chinese_calendar.is_workday(day)
    return working


def is_trading_day(day: date) -> bool:
    """Whether the mainland exchanges trade on ``day``: a working day that is not on a weekend.

    Raises BadInput outside 1950 to 2050.
    """
    return day.weekday() < 5 and is_working_day(day) and day not in _CLOSED


def next_trading_day(after: date) -> date:
    """The first trading day later than ``after``. Raises BadInput outside 1950 to 2050."""
    day = after + timedelta(days=1)
    while not is_trading_day(day):
        day += timedelta(days=1)
    return day


def previous_trading_day(before: date) -> date:
    """The last trading day earlier than ``before``. Raises BadInput outside 1950 to 2050."""
    day = before - timedelta(days=1)
    while not is_trading_day(day):
        day -= timedelta(days=1)
    return day


def minus_working_days(day: date, count: int) -> date:
    """The day that is ``count`` working days before ``day``; with 0, ``day`` itself, worked or not.

    Raises BadInput for a negative count, or outside 1950 to 2050.
    """
    if count < 0:
        raise BadInput(f"{count} working days can't be counted.", mend="Give 0 or more.")
    while count:
        day -= timedelta(days=1)
        count -= is_working_day(day)
    return day


@lru_cache(maxsize=128)
def _provisional_holidays(year: int) -> frozenset[date]:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise BadInput(
            f"Working days are known for the years {FIRST_YEAR} to {LAST_YEAR}, not for {year}.",
            mend="Give a year in that range.",
        )
    spans = [
        (date(year, 1, 1), 1),
        (festival_date("spring-festival", year) - timedelta(days=1), 8),
        (festival_date("qingming", year), 1),
        (date(year, 5, 1), 5),
        (festival_date("dragon-boat", year), 1),
        (festival_date("mid-autumn", year), 1),
        (date(year, 10, 1), 7),
    ]
    return frozenset(first + timedelta(days=n) for first, length in spans for n in range(length))
