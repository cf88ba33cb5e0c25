"""Working days and trading days of mainland China.

``chinese-calendar`` knows the State Council's notices for 2004 to 2026. A later year is *provisional* until its
notice is out: weekdays, without the days that the law itself makes holidays (Regulations on public holidays, as
of 2025) and the days that were always bridged around Spring Festival and National Day. A provisional answer errs
towards holidays, so that a lead counted in working days is rather too long than too short.

An institution names the closures of a year itself as soon as they are announced (``Closures``): of that year they
are the whole truth, whatever else is known of it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar

from outreach.core.errors import BadInput
from outreach.occasions.festivals import FIRST_YEAR, LAST_YEAR, festival_date

FIRST_KNOWN_YEAR = 2004
LAST_KNOWN_YEAR: int = max(day.year for day in chinese_calendar.holidays)
# A working day by the notice on which the Shanghai exchange was closed.
_CLOSED = frozenset({date(2024, 2, 9)})


@dataclass(frozen=True)
class YearClosures:
    """The announced closures of one year: the days on which offices and exchanges are closed (``closed``), those on
    which only the exchanges are (``untraded``), the weekend days worked instead (``worked``: the exchanges do not
    trade on them), and the notice they come from."""

    year: int
    source: str
    closed: frozenset[date]
    untraded: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()


@dataclass(frozen=True)
class Closures:
    """The years whose closures an institution has named."""

    years: tuple[YearClosures, ...] = ()

    def of(self, year: int) -> YearClosures | None:
        """The closures named for ``year``, if they are."""
        return next((one for one in self.years if one.year == year), None)


NONE_NAMED = Closures()


def is_provisional(year: int, closures: Closures = NONE_NAMED) -> bool:
    """Whether the holidays of ``year`` are computed because no notice of them is known."""
    return not FIRST_KNOWN_YEAR <= year <= LAST_KNOWN_YEAR and closures.of(year) is None


@lru_cache(maxsize=8192)
def is_working_day(day: date, closures: Closures = NONE_NAMED) -> bool:
    """Whether offices work on ``day``: weekdays without holidays, and the weekend days worked in their stead.

    Raises BadInput outside 1950 to 2050.
    """
    named = closures.of(day.year)
    if named is not None:
        return day in named.worked or (day.weekday() < 5 and day not in named.closed)
    if is_provisional(day.year):
        return day.weekday() < 5 and day not in _provisional_holidays(day.year)
    working: bool = chinese_calendar.is_workday(day)
    return working


def is_trading_day(day: date, closures: Closures = NONE_NAMED) -> bool:
    """Whether the mainland exchanges trade on ``day``: a working day that is not on a weekend.

    Raises BadInput outside 1950 to 2050.
    """
    named = closures.of(day.year)
    shut = _CLOSED if named is None else named.untraded
    return day.weekday() < 5 and is_working_day(day, closures) and day not in shut


def next_trading_day(after: date, closures: Closures = NONE_NAMED) -> date:
    """The first trading day later than ``after``. Raises BadInput outside 1950 to 2050."""
    day = after + timedelta(days=1)
    while not is_trading_day(day, closures):
        day += timedelta(days=1)
    return day


def previous_trading_day(before: date, closures: Closures = NONE_NAMED) -> date:
    """The last trading day earlier than ``before``. Raises BadInput outside 1950 to 2050."""
    day = before - timedelta(days=1)
    while not is_trading_day(day, closures):
        day -= timedelta(days=1)
    return day


def minus_working_days(day: date, count: int, closures: Closures = NONE_NAMED) -> date:
    """The day that is ``count`` working days before ``day``; with 0, ``day`` itself, worked or not.

    Raises BadInput for a negative count, or outside 1950 to 2050.
    """
    if count < 0:
        raise BadInput(f"{count} working days can't be counted.", mend="Give 0 or more.")
    while count:
        day -= timedelta(days=1)
        count -= is_working_day(day, closures)
    return day


def statutory_holidays(year: int) -> tuple[tuple[str, date], ...]:
    """(festival, day) of the days that the law itself makes holidays (国务院令第795号, from 2025): every notice of a
    year has them. Raises BadInput outside 1950 to 2050."""
    spring = festival_date("spring-festival", year)
    return (
        ("new-year", date(year, 1, 1)),
        *(("spring-festival", spring + timedelta(days=n)) for n in range(-1, 3)),
        ("qingming", festival_date("qingming", year)),
        *(("labour-day", date(year, 5, n)) for n in (1, 2)),
        ("dragon-boat", festival_date("dragon-boat", year)),
        ("mid-autumn", festival_date("mid-autumn", year)),
        *(("national-day", date(year, 10, n)) for n in (1, 2, 3)),
    )


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
