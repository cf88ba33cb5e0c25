"""Festivals fall on the dates that the calendar says, the day before 正月初一 included."""

from datetime import date, timedelta

import pytest
from borax.calendars.lunardate import LunarDate

from outreach.core.errors import BadInput
from outreach.occasions.festivals import (
    FESTIVALS,
    FIRST_YEAR,
    LAST_YEAR,
    festival,
    festival_date,
    next_festival,
    upcoming_festivals,
)

NAMES = (
    "spring-festival-eve",
    "spring-festival",
    "lantern",
    "qingming",
    "dragon-boat",
    "qixi",
    "mid-autumn",
    "double-ninth",
    "winter-solstice",
)
TABLE = {
    2026: "02-16 02-17 03-03 04-05 06-19 08-19 09-25 10-18 12-22",
    2027: "02-05 02-06 02-20 04-05 06-09 08-08 09-15 10-08 12-22",
    2028: "01-25 01-26 02-09 04-04 05-28 08-26 10-03 10-26 12-21",
}
EVERY_YEAR = range(FIRST_YEAR, LAST_YEAR + 1)


@pytest.mark.parametrize(
    ("year", "name", "day"),
    [
        (year, name, day)
        for year, days in TABLE.items()
        for name, day in zip(NAMES, days.split(), strict=True)
    ],
)
def test_the_announced_dates(year: int, name: str, day: str) -> None:
    assert festival_date(name, year) == date.fromisoformat(f"{year}-{day}")


@pytest.mark.parametrize(
    ("name", "day"), [("new-year", (1, 1)), ("national-day", (10, 1)), ("christmas", (12, 25))]
)
def test_solar_festivals_keep_their_date(name: str, day: tuple[int, int]) -> None:
    assert {(festival_date(name, year).month, festival_date(name, year).day) for year in EVERY_YEAR} == {day}


def test_the_eve_is_the_last_day_of_the_lunar_year_whether_its_last_month_has_29_days_or_30() -> None:
    last_days = set()
    for year in EVERY_YEAR:
        eve = festival_date("spring-festival-eve", year)
        assert eve + timedelta(days=1) == festival_date("spring-festival", year)
        lunar = LunarDate.from_solar(eve)
        assert (lunar.year, lunar.month) == (year - 1, 12)
        last_days.add(lunar.day)
        if 2025 <= year <= 2029:
            assert lunar.day == 29
    assert last_days == {29, 30}


@pytest.mark.parametrize("name", FESTIVALS)
def test_every_festival_falls_once_in_every_year(name: str) -> None:
    days = [festival_date(name, year) for year in EVERY_YEAR]
    assert [day.year for day in days] == list(EVERY_YEAR)


@pytest.mark.parametrize(("name", "year", "month"), [("dragon-boat", 2028, 5), ("qixi", 2006, 7)])
def test_a_leap_month_of_the_same_number_has_no_second_festival(name: str, year: int, month: int) -> None:
    lunar = LunarDate.from_solar(festival_date(name, year))
    assert (lunar.month, lunar.leap) == (month, 0)


def test_mid_autumn_of_1995_comes_before_its_leap_month() -> None:
    assert festival_date("mid-autumn", 1995) == date(1995, 9, 9)


def test_days_of_remembrance_are_off_and_never_cheerful() -> None:
    sad = {row.id for row in FESTIVALS.values() if not row.cheerful}
    assert sad == {"qingming", "zhongyuan"} == {row.id for row in FESTIVALS.values() if not row.on_by_default}


@pytest.mark.parametrize("year", [FIRST_YEAR - 1, LAST_YEAR + 1, 0, 9999])
@pytest.mark.parametrize("name", ["new-year", "spring-festival", "qingming"])
def test_years_beyond_the_tables_are_refused(name: str, year: int) -> None:
    with pytest.raises(BadInput, match=f"not for {year}"):
        festival_date(name, year)


def test_an_unknown_festival_is_told_the_nearest() -> None:
    with pytest.raises(BadInput) as refused:
        festival("mid-autum")
    assert "'mid-autumn'" in refused.value.mend
    with pytest.raises(BadInput) as refused:
        festival_date("xyzzy", 2026)
    assert "dragon-boat" in refused.value.mend


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (date(2028, 1, 25), date(2028, 1, 26)),
        (date(2028, 1, 26), date(2029, 2, 13)),
        (date(2027, 12, 31), date(2028, 1, 26)),
    ],
)
def test_the_next_festival_is_later_than_the_day_asked_for(after: date, expected: date) -> None:
    assert next_festival("spring-festival", after) == expected


def test_after_the_last_known_one_there_is_no_next() -> None:
    assert next_festival("christmas", date(LAST_YEAR, 12, 24)) == date(LAST_YEAR, 12, 25)
    with pytest.raises(BadInput):
        next_festival("christmas", date(LAST_YEAR, 12, 25))


def test_upcoming_are_soonest_first_one_of_each() -> None:
    rows = upcoming_festivals(date(2028, 1, 1))
    days = [day for day, _ in rows]
    assert days == sorted(days)
    assert days[0] == date(2028, 1, 25)
    assert days[-1] == date(2029, 1, 1)
    assert {row.id for _, row in rows} == {row.id for row in FESTIVALS.values() if row.on_by_default}
