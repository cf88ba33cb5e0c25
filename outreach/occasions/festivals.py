"""Festivals and the civil dates they fall on.

Lunar festivals and solar terms come from ``borax``'s tables (China Standard Time). 清明 and 中元 are days of
remembrance: off unless an institution asks for them, and no wish of joy (快乐) belongs in their text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType

from borax.calendars.lunardate import LunarDate, TermUtils

from outreach.core.errors import BadInput

FIRST_YEAR = 1950
LAST_YEAR = 2050


@dataclass(frozen=True)
class Observance:
    """A festival: its id, its names, whether 快乐 suits it, and whether it is kept unless said otherwise."""

    id: str
    zh: str
    en: str
    cheerful: bool = True
    on_by_default: bool = True


def _solar(month: int, day: int) -> Callable[[int], date]:
    return lambda year: date(year, month, day)


def _lunar(month: int, day: int, plus_days: int = 0) -> Callable[[int], date]:
    # Every lunar festival here lies in the solar year of the same number, and in the ordinary month, not
    # in the leap month that may follow it.
    def falls_on(year: int) -> date:
        solar: date = LunarDate(year, month, day).to_solar_date()
        return solar + timedelta(days=plus_days)

    return falls_on


def _term(name: str) -> Callable[[int], date]:
    def falls_on(year: int) -> date:
        day: date = TermUtils.nth_term_day(year, term_name=name)
        return day

    return falls_on


_TABLE: tuple[tuple[Observance, Callable[[int], date]], ...] = (
    (Observance("new-year", "元旦", "New Year's Day"), _solar(1, 1)),
    # 除夕 is the day before 正月初一: 腊月 has 29 days in many years, so its 30th may not exist.
    (Observance("spring-festival-eve", "除夕", "Lunar New Year's Eve"), _lunar(1, 1, plus_days=-1)),
    (Observance("spring-festival", "春节", "Spring Festival"), _lunar(1, 1)),
    (Observance("lantern", "元宵节", "Lantern Festival"), _lunar(1, 15)),
    (
        Observance("qingming", "清明节", "Qingming Festival", cheerful=False, on_by_default=False),
        _term("清明"),
    ),
    (Observance("dragon-boat", "端午节", "Dragon Boat Festival"), _lunar(5, 5)),
    (Observance("qixi", "七夕节", "Qixi Festival"), _lunar(7, 7)),
    (
        Observance("zhongyuan", "中元节", "Zhongyuan Festival", cheerful=False, on_by_default=False),
        _lunar(7, 15),
    ),
    (Observance("mid-autumn", "中秋节", "Mid-Autumn Festival"), _lunar(8, 15)),
    (Observance("national-day", "国庆节", "National Day"), _solar(10, 1)),
    (Observance("double-ninth", "重阳节", "Double Ninth Festival"), _lunar(9, 9)),
    (Observance("winter-solstice", "冬至", "Winter Solstice"), _term("冬至")),
    (Observance("christmas", "圣诞节", "Christmas"), _solar(12, 25)),
)

FESTIVALS: Mapping[str, Observance] = MappingProxyType({row.id: row for row, _ in _TABLE})
_RULES = {row.id: rule for row, rule in _TABLE}


def festival(name: str) -> Observance:
    """The table row of the festival with id ``name``.

    Raises BadInput for an unknown id, with the nearest known one.
    """
    row = FESTIVALS.get(name)
    if row is None:
        near = get_close_matches(name, FESTIVALS, n=1)
        mend = f"Did you mean {near[0]!r}?" if near else f"Use one of: {', '.join(FESTIVALS)}."
        raise BadInput(f"There is no festival {name!r}.", mend=mend)
    return row


@lru_cache(maxsize=4096)
def festival_date(name: str, year: int) -> date:
    """The civil date of the festival ``name`` in the solar year ``year``.

    Raises BadInput for an unknown festival, or a year outside 1950 to 2050.
    """
    festival(name)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise BadInput(
            f"Festivals are known for the years {FIRST_YEAR} to {LAST_YEAR}, not for {year}.",
            mend="Give a year in that range.",
        )
    return _RULES[name](year)


def next_festival(name: str, after: date) -> date:
    """The first date of the festival ``name`` later than ``after``.

    Raises BadInput for an unknown festival, or when the answer lies outside 1950 to 2050.
    """
    this_year = festival_date(name, after.year)
    return this_year if this_year > after else festival_date(name, after.year + 1)


def upcoming_festivals(after: date) -> list[tuple[date, Observance]]:
    """The next date of each festival kept by default, soonest first.

    Raises BadInput outside 1950 to 2050.
    """
    rows = [(next_festival(row.id, after), row) for row in FESTIVALS.values() if row.on_by_default]
    return sorted(rows, key=lambda pair: pair[0])
