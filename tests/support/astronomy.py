"""The Chinese calendar computed from the sky, independently of any table (GB/T 33661-2017), in China Standard Time.

A month begins on the day of the new moon; the month with the winter solstice is the eleventh; where thirteen months
lie between two eleventh months, the first of them without a principal term is a leap month.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

import ephem

_CST = timedelta(hours=8)
_SHORT_WAY = 180.0


@dataclass(frozen=True)
class Moonth:
    """A lunar month: its number, whether it is a leap month, the lunar year it belongs to, its first day."""

    year: int
    number: int
    leap: bool
    first: date


def _cst(moment: ephem.Date) -> datetime:
    found: datetime = moment.datetime() + _CST
    return found


@cache
def new_moons(first_year: int, last_year: int) -> list[date]:
    """The days of all new moons in these years."""
    days: list[date] = []
    moment = ephem.Date(f"{first_year}/1/1")
    end = ephem.Date(f"{last_year + 1}/1/1")
    while True:
        moment = ephem.next_new_moon(moment)
        if moment > end:
            return days
        days.append(_cst(moment).date())
        moment = ephem.Date(moment + 1)


def _longitude(moment: float) -> float:
    """The apparent longitude of the sun, in degrees, of the equinox of date."""
    sun = ephem.Sun()
    sun.compute(moment, epoch=moment)
    place = ephem.Ecliptic(ephem.Equatorial(sun.g_ra, sun.g_dec, epoch=moment), epoch=moment)
    return math.degrees(place.lon) % 360


@cache
def term_day(year: int, longitude: int) -> date:
    """The day of ``year`` on which the sun reaches ``longitude`` (270: 冬至, 15: 清明, multiples of 30: 中气)."""
    # The sun stands at 280° or so on the first of January, and moves a little less than a degree a day.
    start = float(ephem.Date(f"{year}/1/1")) - 1
    guess = start + ((longitude - _longitude(start)) % 360) / 360 * 365.2422
    low, high = guess - 4, guess + 4
    while high - low > 1e-6:
        middle = (low + high) / 2
        ahead = (_longitude(middle) - longitude + 180) % 360 - _SHORT_WAY
        low, high = (low, middle) if ahead >= 0 else (middle, high)
    return _cst(ephem.Date(high)).date()


@cache
def months(first_year: int, last_year: int) -> list[Moonth]:
    """The lunar months from the eleventh of ``first_year`` to the tenth of ``last_year``, in order."""
    moons = new_moons(first_year - 1, last_year + 1)
    found: list[Moonth] = []
    for year in range(first_year, last_year):
        begin = bisect_right(moons, term_day(year, 270)) - 1
        end = bisect_right(moons, term_day(year + 1, 270)) - 1
        found += _between(year, moons, begin, end)
    return found


def _between(year: int, moons: list[date], begin: int, end: int) -> list[Moonth]:
    """The months from one eleventh month to the day before the next."""
    leap_at = None
    if end - begin == 13:
        terms = [term_day(one, longitude) for one in (year, year + 1) for longitude in range(0, 360, 30)]
        leap_at = next(
            at for at in range(begin + 1, end) if not any(moons[at] <= term < moons[at + 1] for term in terms)
        )
    rows: list[Moonth] = []
    number = 11
    for at in range(begin, end):
        leap = at == leap_at
        if at > begin and not leap:
            number = number % 12 + 1
        # The lunar year turns with the first month; the eleventh and twelfth belong to the year before.
        rows.append(Moonth(year if number >= 11 else year + 1, number, leap, moons[at]))
    return rows
