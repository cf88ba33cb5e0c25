"""Lunar birthdays: reading them, and the civil date each lunar year keeps them on.

The rule, once in every lunar year:

- A birthday in a leap month is kept in that leap month in the years that have it, and in the ordinary month
  of the same number in the years that do not.
- A birthday in an ordinary month is kept in the ordinary month, also when a leap month follows.
- Day 30 is kept on the 29th when the month has 29 days.

A birthday in 冬月 or 腊月 may fall twice in a solar year or not at all. That is no doubling: the two dates
belong to two lunar years, and the lunar year is what a greeting is counted by.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from borax.calendars.lunardate import LCalendars, LunarDate

from outreach.core.errors import BadInput

FIRST_LUNAR_YEAR = 1900
LAST_LUNAR_YEAR = 2100
FIRST_DATE = date(1900, 1, 31)
LAST_DATE = date(2101, 1, 28)
# No lunar year from 1900 to 2100 has a leap month 1 or 12.
LEAP_MONTHS = range(2, 12)

_MEND = "Write month and day, such as 八月十五, 闰六月初六 or 8-15."
_DIGITS = {char: number for number, char in enumerate("一二三四五六七八九", start=1)}
_MONTHS = {"正": 1, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10}
_MONTHS |= {"十一": 11, "冬": 11, "十二": 12, "腊": 12, "臘": 12}
_DAYS = {"初十": 10, "十": 10, "二十": 20, "廿": 20, "三十": 30, "卅": 30}
_DAYS |= {prefix + char: n for char, n in _DIGITS.items() for prefix in ("初", "")}
_DAYS |= {"十" + char: 10 + n for char, n in _DIGITS.items()}
_DAYS |= {prefix + char: 20 + n for char, n in _DIGITS.items() for prefix in ("廿", "二十")}
_FORM = re.compile(
    r"(?:农历|農曆|阴历|陰曆)?(?P<leap>[闰閏])?"
    r"(?:(?P<month>[正一二三四五六七八九十冬腊臘]{1,2}|\d{1,2})月(?P<day>[初一二三四五六七八九十廿卅]{1,3}|\d{1,2})[日号號]?"
    r"|(?P<month_number>\d{1,2})[-/](?P<day_number>\d{1,2}))"
)


@dataclass(frozen=True, order=True)
class LunarDay:
    """A day of the lunar year: month 1 to 12, day 1 to 30, and whether the month is a leap month.

    Raises BadInput for what no lunar year from 1900 to 2100 can have.
    """

    month: int
    day: int
    leap: bool = False

    def __post_init__(self) -> None:
        if not (1 <= self.month <= 12 and 1 <= self.day <= 30):
            raise BadInput(f"The lunar calendar has no day {self.day} in a month {self.month}.", mend=_MEND)
        if self.leap and self.month not in LEAP_MONTHS:
            raise BadInput(f"No year from 1900 to 2100 has a leap month {self.month}.", mend=_MEND)


@dataclass(frozen=True)
class _Month:
    month: int
    leap: bool
    days: int
    first: date


def parse_lunar(text: str) -> LunarDay:
    """Read a lunar birthday: 八月十五, 闰六月初六, 腊月廿九, 冬月初一, 8-15, 12/30, 8月15日, full-width or not.

    A dot between the numbers is refused: a spreadsheet turns 8.10 into 8.1. Raises BadInput otherwise, too.
    """
    plain = "".join(unicodedata.normalize("NFKC", text).split())
    found = _FORM.fullmatch(plain)
    if found is None:
        raise BadInput(f"{text!r} is not a lunar birthday.", mend=_MEND)
    month_text = found["month"] or found["month_number"]
    day_text = found["day"] or found["day_number"]
    month = int(month_text) if month_text.isdecimal() else _MONTHS.get(month_text)
    day = int(day_text) if day_text.isdecimal() else _DAYS.get(day_text)
    if month is None or day is None:
        raise BadInput(f"{text!r} is not a lunar birthday.", mend=_MEND)
    return LunarDay(month, day, found["leap"] is not None)


def lunar_occurrence(lunar_day: LunarDay, lunar_year: int) -> date:
    """The civil date on which ``lunar_day`` is kept in ``lunar_year`` (see the rule above).

    Raises BadInput for a lunar year outside 1900 to 2100.
    """
    months = _months(lunar_year)
    leap = lunar_day.leap and (lunar_day.month, True) in months
    kept_in = months[lunar_day.month, leap]
    return kept_in.first + timedelta(days=min(lunar_day.day, kept_in.days) - 1)


def lunar_days_of(day: date) -> set[LunarDay]:
    """Every lunar birthday that is kept on the civil date ``day``: the exact reverse of lunar_occurrence.

    Raises BadInput for a date outside 1900-01-31 to 2101-01-28.
    """
    lunar_year = lunar_year_of(day)
    months = _months(lunar_year)
    kept_in = next(row for row in months.values() if 0 <= (day - row.first).days < row.days)
    number = (day - kept_in.first).days + 1
    numbers = [number, 30] if number == kept_in.days == 29 else [number]
    kept: set[LunarDay] = set()
    for number in numbers:
        kept.add(LunarDay(kept_in.month, number, kept_in.leap))
        if kept_in.month in LEAP_MONTHS and (kept_in.month, True) not in months:
            kept.add(LunarDay(kept_in.month, number, True))
    return kept


def lunar_dates_between(lunar_day: LunarDay, start: date, end: date) -> list[tuple[int, date]]:
    """The lunar years and civil dates on which ``lunar_day`` is kept from ``start`` to ``end``, both included.

    Raises BadInput for dates outside 1900-01-31 to 2101-01-28.
    """
    years = range(lunar_year_of(start), lunar_year_of(end) + 1)
    dates = [(year, lunar_occurrence(lunar_day, year)) for year in years]
    return [(year, day) for year, day in dates if start <= day <= end]


def lunar_birthday_in(lunar_day: LunarDay, solar_year: int) -> list[date]:
    """The civil dates of ``solar_year`` on which ``lunar_day`` is kept: none, one or two, of as many lunar years.

    Raises BadInput for a year outside 1901 to 2100.
    """
    if not FIRST_LUNAR_YEAR < solar_year <= LAST_LUNAR_YEAR:
        raise _out_of_range(str(solar_year))
    between = lunar_dates_between(lunar_day, date(solar_year, 1, 1), date(solar_year, 12, 31))
    return [day for _, day in between]


def lunar_year_of(day: date) -> int:
    """The lunar year that the civil date ``day`` lies in, by the solar year its 正月初一 falls in.

    Raises BadInput for a date outside 1900-01-31 to 2101-01-28.
    """
    if not FIRST_DATE <= day <= LAST_DATE:
        raise _out_of_range(day.isoformat())
    if day.year > LAST_LUNAR_YEAR or day < _months(day.year)[1, False].first:
        return day.year - 1
    return day.year


@lru_cache(maxsize=256)
def _months(lunar_year: int) -> dict[tuple[int, bool], _Month]:
    if not FIRST_LUNAR_YEAR <= lunar_year <= LAST_LUNAR_YEAR:
        raise _out_of_range(str(lunar_year))
    first: date = LunarDate(lunar_year, 1, 1).to_solar_date()
    months: dict[tuple[int, bool], _Month] = {}
    for month, days, leap in LCalendars.iter_year_month(lunar_year):
        months[month, bool(leap)] = _Month(month, bool(leap), days, first)
        first += timedelta(days=days)
    return months


def _out_of_range(what: str) -> BadInput:
    return BadInput(
        f"The lunar calendar is known for the lunar years {FIRST_LUNAR_YEAR} to {LAST_LUNAR_YEAR}, not for {what}.",
        mend="Give a date in that range.",
    )
