"""Lunar birthdays: once in every lunar year, leap months and short months included, and read as people write them."""

from datetime import date, timedelta

import pytest
from borax.calendars.lunardate import LunarDate
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.core.errors import BadInput
from outreach.occasions.lunar import (
    FIRST_DATE,
    FIRST_LUNAR_YEAR,
    LAST_DATE,
    LAST_LUNAR_YEAR,
    LEAP_MONTHS,
    LunarDay,
    lunar_birthday_in,
    lunar_dates_between,
    lunar_days_of,
    lunar_occurrence,
    lunar_year_of,
    parse_lunar,
)

ORDINARY = [LunarDay(month, day) for month in range(1, 13) for day in range(1, 31)]
EVERY = ORDINARY + [LunarDay(month, day, True) for month in LEAP_MONTHS for day in range(1, 31)]
LEAP_YEARS = {2025: 6, 2028: 5, 2031: 3, 2033: 11}

lunar_days = st.sampled_from(EVERY)
lunar_years = st.integers(1901, LAST_LUNAR_YEAR)


@pytest.mark.parametrize(("year", "month"), LEAP_YEARS.items())
def test_a_leap_month_birthday_is_kept_in_the_leap_month_where_there_is_one(year: int, month: int) -> None:
    kept = lunar_occurrence(LunarDay(month, 6, True), year)
    lunar = LunarDate.from_solar(kept)
    assert (lunar.year, lunar.month, lunar.day, lunar.leap) == (year, month, 6, 1)


@pytest.mark.parametrize(("year", "month"), LEAP_YEARS.items())
def test_an_ordinary_birthday_is_kept_in_the_ordinary_month_of_a_leap_year(year: int, month: int) -> None:
    kept = lunar_occurrence(LunarDay(month, 6), year)
    lunar = LunarDate.from_solar(kept)
    assert (lunar.year, lunar.month, lunar.day, lunar.leap) == (year, month, 6, 0)


@pytest.mark.parametrize("month", LEAP_YEARS.values())
def test_a_leap_month_birthday_is_kept_in_the_ordinary_month_of_other_years(month: int) -> None:
    for year in range(2024, 2034):
        if LEAP_YEARS.get(year) != month:
            assert lunar_occurrence(LunarDay(month, 6, True), year) == lunar_occurrence(
                LunarDay(month, 6), year
            )


@pytest.mark.parametrize(
    ("birthday", "year", "day"),
    [
        (LunarDay(8, 15), 2026, date(2026, 9, 25)),
        (LunarDay(6, 6, True), 2025, date(2025, 7, 30)),
        (LunarDay(6, 6), 2025, date(2025, 6, 30)),
        (LunarDay(5, 5, True), 2028, date(2028, 6, 27)),
        (LunarDay(5, 5), 2028, date(2028, 5, 28)),
        # 腊月 of lunar 2027 has 29 days: the 30th is kept on 除夕.
        (LunarDay(12, 30), 2027, date(2028, 1, 25)),
        (LunarDay(12, 29), 2027, date(2028, 1, 25)),
    ],
)
def test_known_dates(birthday: LunarDay, year: int, day: date) -> None:
    assert lunar_occurrence(birthday, year) == day


@pytest.mark.parametrize("year", range(2024, 2034))
def test_day_30_is_kept_on_the_last_day_of_every_month(year: int) -> None:
    for birthday in (one for one in EVERY if one.day == 30):
        kept = lunar_occurrence(birthday, year)
        lunar, next_day = LunarDate.from_solar(kept), LunarDate.from_solar(kept + timedelta(days=1))
        assert lunar.month == birthday.month
        assert next_day.day == 1


@pytest.mark.parametrize(
    ("solar_year", "times"),
    [(2024, 2), (2025, 0), (2026, 1), (2027, 2), (2028, 0), (2029, 1), (2030, 2)],
)
def test_the_first_of_month_12_falls_twice_or_never_in_a_solar_year(solar_year: int, times: int) -> None:
    assert len(lunar_birthday_in(LunarDay(12, 1), solar_year)) == times


def test_the_two_dates_of_one_solar_year_are_of_two_lunar_years() -> None:
    between = lunar_dates_between(LunarDay(12, 1), date(2027, 1, 1), date(2027, 12, 31))
    assert between == [(2026, date(2027, 1, 8)), (2027, date(2027, 12, 28))]


@given(birthday=lunar_days, year=st.integers(1902, 2099))
def test_once_in_every_lunar_year(birthday: LunarDay, year: int) -> None:
    start = lunar_occurrence(LunarDay(1, 1), year)
    end = lunar_occurrence(LunarDay(1, 1), year + 1) - timedelta(days=1)
    assert lunar_dates_between(birthday, start, end) == [(year, lunar_occurrence(birthday, year))]
    assert start <= lunar_occurrence(birthday, year) <= end


@settings(max_examples=400)
@given(birthday=lunar_days, year=lunar_years)
def test_the_reverse_finds_what_the_rule_gives(birthday: LunarDay, year: int) -> None:
    assert birthday in lunar_days_of(lunar_occurrence(birthday, year))


@settings(max_examples=400)
@given(day=st.dates(date(1901, 2, 19), LAST_DATE))
def test_the_reverse_finds_nothing_else(day: date) -> None:
    year = lunar_year_of(day)
    assert lunar_days_of(day) == {one for one in EVERY if lunar_occurrence(one, year) == day}


@pytest.mark.parametrize("year", [2025, 2026, 2028, 2033])
def test_every_birthday_is_kept_on_exactly_one_day_of_a_lunar_year(year: int) -> None:
    day, end = lunar_occurrence(LunarDay(1, 1), year), lunar_occurrence(LunarDay(1, 1), year + 1)
    kept: list[LunarDay] = []
    while day < end:
        kept += lunar_days_of(day)
        day += timedelta(days=1)
    assert sorted(kept) == sorted(EVERY)


@given(day=st.dates(FIRST_DATE, LAST_DATE))
def test_the_lunar_year_of_a_day(day: date) -> None:
    assert lunar_year_of(day) == LunarDate.from_solar(day).year


def test_the_limits_are_said() -> None:
    assert lunar_year_of(FIRST_DATE) == FIRST_LUNAR_YEAR
    assert lunar_year_of(LAST_DATE) == LAST_LUNAR_YEAR
    for day in (FIRST_DATE - timedelta(days=1), LAST_DATE + timedelta(days=1)):
        with pytest.raises(BadInput, match="1900 to 2100"):
            lunar_days_of(day)
    for year in (FIRST_LUNAR_YEAR - 1, LAST_LUNAR_YEAR + 1):
        with pytest.raises(BadInput, match=str(year)):
            lunar_occurrence(LunarDay(1, 1), year)
    for solar_year in (1900, 2101):
        with pytest.raises(BadInput, match=str(solar_year)):
            lunar_birthday_in(LunarDay(1, 1), solar_year)


@pytest.mark.parametrize(
    ("month", "day", "leap"),
    [(0, 1, False), (13, 1, False), (1, 0, False), (1, 31, False), (1, 1, True), (12, 1, True)],
)
def test_days_that_no_year_has_are_refused(month: int, day: int, leap: bool) -> None:
    with pytest.raises(BadInput):
        LunarDay(month, day, leap)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("八月十五", LunarDay(8, 15)),
        ("农历八月十五日", LunarDay(8, 15)),
        ("闰六月初六", LunarDay(6, 6, True)),
        ("閏六月初六", LunarDay(6, 6, True)),
        ("腊月廿九", LunarDay(12, 29)),
        ("臘月三十", LunarDay(12, 30)),
        ("冬月初一", LunarDay(11, 1)),
        ("正月初十", LunarDay(1, 10)),
        ("十一月二十一", LunarDay(11, 21)),
        ("十二月卅", LunarDay(12, 30)),
        ("五月二十", LunarDay(5, 20)),
        ("8-15", LunarDay(8, 15)),
        ("12/30", LunarDay(12, 30)),
        ("闰5-5", LunarDay(5, 5, True)),
        (" 8月15日 ", LunarDay(8, 15)),
        ("８月１５日", LunarDay(8, 15)),
    ],
)
def test_reading(written: str, read: LunarDay) -> None:
    assert parse_lunar(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "",
        "8.10",
        "八月",
        "十三月初一",
        "八月三十一",
        "闰正月初一",
        "13-1",
        "8-31",
        "1980-8-15",
        "八月十五号左右",
    ],
)
def test_what_is_no_lunar_birthday_is_refused_with_a_mend(written: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_lunar(written)
    assert "八月十五" in refused.value.mend
