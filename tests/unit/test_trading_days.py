"""Working days and trading days: the announced ones, the days worked in their stead, and years without a notice."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.core.errors import BadInput
from outreach.occasions.festivals import festival_date
from outreach.occasions.trading import (
    FIRST_KNOWN_YEAR,
    LAST_KNOWN_YEAR,
    is_provisional,
    is_trading_day,
    is_working_day,
    minus_working_days,
    next_trading_day,
    previous_trading_day,
)

UNKNOWN_YEAR = LAST_KNOWN_YEAR + 1


def _days(first: str, last: str) -> list[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def test_the_exchange_was_closed_on_a_working_day() -> None:
    assert is_working_day(date(2024, 2, 9))
    assert not is_trading_day(date(2024, 2, 9))
    assert next_trading_day(date(2024, 2, 8)) == date(2024, 2, 19)
    assert previous_trading_day(date(2024, 2, 19)) == date(2024, 2, 8)


@pytest.mark.parametrize("day", ["2024-02-04", "2024-02-18", "2025-01-26", "2025-02-08", "2025-10-11"])
def test_a_weekend_day_that_is_worked_is_no_trading_day(day: str) -> None:
    worked = date.fromisoformat(day)
    assert worked.weekday() >= 5
    assert is_working_day(worked)
    assert not is_trading_day(worked)


def test_spring_festival_2025() -> None:
    assert [day for day in _days("2025-01-25", "2025-02-05") if is_working_day(day)] == [
        date(2025, 1, 26),
        date(2025, 1, 27),
        date(2025, 2, 5),
    ]
    assert next_trading_day(date(2025, 1, 27)) == date(2025, 2, 5)


@pytest.mark.parametrize(
    ("day", "count", "before"),
    [
        # Over Spring Festival 2025 (28 January to 4 February; Sunday the 26th is worked).
        ("2025-02-06", 1, "2025-02-05"),
        ("2025-02-05", 1, "2025-01-27"),
        ("2025-02-05", 2, "2025-01-26"),
        ("2025-02-05", 3, "2025-01-24"),
        # 正月初一 itself, of which a lead is counted back.
        ("2025-01-29", 5, "2025-01-22"),
        ("2025-01-29", 0, "2025-01-29"),
        # Sunday 20 September 2026 is worked for the National Day holiday.
        ("2026-09-25", 5, "2026-09-20"),
    ],
)
def test_counting_back_in_working_days(day: str, count: int, before: str) -> None:
    assert minus_working_days(date.fromisoformat(day), count) == date.fromisoformat(before)


def test_nothing_is_counted_forward() -> None:
    with pytest.raises(BadInput, match="-1"):
        minus_working_days(date(2025, 2, 5), -1)


@given(day=st.dates(date(2005, 1, 1), date(2049, 12, 31)), count=st.integers(1, 30))
def test_counting_back_passes_exactly_so_many_working_days(day: date, count: int) -> None:
    before = minus_working_days(day, count)
    assert is_working_day(before)
    between = [before + timedelta(days=n) for n in range((day - before).days)]
    assert sum(map(is_working_day, between)) == count


def test_a_year_without_a_notice_is_provisional() -> None:
    assert LAST_KNOWN_YEAR >= 2026
    assert [is_provisional(year) for year in (FIRST_KNOWN_YEAR - 1, FIRST_KNOWN_YEAR, LAST_KNOWN_YEAR)] == [
        True,
        False,
        False,
    ]
    assert is_provisional(UNKNOWN_YEAR)


def test_a_provisional_year_has_the_holidays_of_the_law_and_no_worked_weekend() -> None:
    year = max(UNKNOWN_YEAR, 2027)
    spring = festival_date("spring-festival", year)
    for day in (
        date(year, 1, 1),
        spring - timedelta(days=1),
        spring,
        spring + timedelta(days=6),
        festival_date("qingming", year),
        date(year, 5, 1),
        date(year, 5, 2),
        festival_date("dragon-boat", year),
        festival_date("mid-autumn", year),
        date(year, 10, 1),
        date(year, 10, 7),
    ):
        assert not is_working_day(day), day
        assert not is_trading_day(day), day
    weekend = [day for day in _days(f"{year}-01-01", f"{year}-12-31") if day.weekday() >= 5]
    assert not any(map(is_working_day, weekend))


@given(day=st.dates(date(FIRST_KNOWN_YEAR, 1, 1), date(LAST_KNOWN_YEAR, 12, 31)))
def test_a_trading_day_is_a_working_weekday(day: date) -> None:
    assert not is_trading_day(day) or (is_working_day(day) and day.weekday() < 5)


@given(day=st.dates(date(1951, 1, 1), date(2049, 12, 31)))
def test_next_and_previous_are_neighbours(day: date) -> None:
    later = next_trading_day(day)
    assert later > day
    assert is_trading_day(later)
    assert previous_trading_day(later) <= day
    assert not any(is_trading_day(day + timedelta(days=n)) for n in range(1, (later - day).days))


@pytest.mark.parametrize("day", [date(1949, 12, 30), date(2051, 1, 3)])
def test_years_beyond_the_tables_are_refused(day: date) -> None:
    for call in (is_working_day, is_trading_day):
        with pytest.raises(BadInput, match=str(day.year)):
            call(day)
