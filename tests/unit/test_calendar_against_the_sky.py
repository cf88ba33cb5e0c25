"""Every lunar date from 2024 to 2050 against an independent astronomical computation, and DOMAIN's tables by it."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from outreach.occasions.festivals import festival_date
from outreach.occasions.lunar import LunarDay, lunar_days_of, lunar_occurrence, lunar_year_of
from tests.support.astronomy import months, term_day

FIRST, LAST = date(2024, 1, 1), date(2050, 12, 31)
YEARS = range(2024, 2051)
LUNAR = {
    "spring-festival": (1, 1),
    "lantern": (1, 15),
    "dragon-boat": (5, 5),
    "qixi": (7, 7),
    "zhongyuan": (7, 15),
    "mid-autumn": (8, 15),
    "double-ninth": (9, 9),
}


def test_every_day_has_the_lunar_date_that_the_sky_gives_it() -> None:
    compared = 0
    for month, following in pairwise(months(2022, 2052)):
        for shift in range((following.first - month.first).days):
            day = month.first + timedelta(days=shift)
            if not FIRST <= day <= LAST:
                continue
            lunar = LunarDay(month.number, shift + 1, month.leap)
            assert lunar_year_of(day) == month.year, day
            assert lunar in lunar_days_of(day), day
            assert lunar_occurrence(lunar, month.year) == day
            compared += 1
    assert compared == (LAST - FIRST).days + 1


def test_leap_months_are_where_the_sky_puts_them() -> None:
    leaps = {month.year: month.number for month in months(2022, 2052) if month.leap and month.year in YEARS}
    assert {year: leaps[year] for year in (2025, 2028, 2031, 2033)} == {2025: 6, 2028: 5, 2031: 3, 2033: 11}
    assert len(leaps) == 10


@pytest.mark.parametrize("name", sorted(LUNAR))
def test_lunar_festivals(name: str) -> None:
    number, day = LUNAR[name]
    firsts = {
        month.year: month.first
        for month in months(2022, 2052)
        if (month.number, month.leap) == (number, False)
    }
    for year in YEARS:
        assert festival_date(name, year) == firsts[year] + timedelta(days=day - 1), year


def test_solar_terms_and_the_eve() -> None:
    firsts = {
        month.year: month.first for month in months(2022, 2052) if (month.number, month.leap) == (1, False)
    }
    for year in YEARS:
        assert festival_date("winter-solstice", year) == term_day(year, 270), year
        assert festival_date("qingming", year) == term_day(year, 15), year
        assert festival_date("spring-festival-eve", year) == firsts[year] - timedelta(days=1), year


@pytest.mark.parametrize(
    ("year", "dates"),
    [
        (2026, "02-16 02-17 03-03 04-05 06-19 08-19 09-25 10-18 12-22"),
        (2027, "02-05 02-06 02-20 04-05 06-09 08-08 09-15 10-08 12-22"),
        (2028, "01-25 01-26 02-09 04-04 05-28 08-26 10-03 10-26 12-21"),
    ],
)
def test_the_tables_of_the_domain(year: int, dates: str) -> None:
    names = (
        "spring-festival-eve spring-festival lantern qingming dragon-boat qixi mid-autumn double-ninth"
        " winter-solstice"
    ).split()
    assert [festival_date(name, year).strftime("%m-%d") for name in names] == dates.split()
