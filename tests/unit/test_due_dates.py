"""Dates that follow from a client's date: forward by the calendar, and back to every date that leads there."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.composing.context import date_in_words, due_context
from outreach.occasions.dues import moved, sources_of

DAYS = st.dates(date(1990, 1, 1), date(2060, 12, 31))


@given(DAYS, st.integers(0, 5), st.integers(0, 24), st.integers(-120, 120))
def test_a_date_is_among_the_sources_of_what_it_leads_to(
    day: date, years: int, months: int, days: int
) -> None:
    there = moved(day, years=years, months=months, days=days)
    found = sources_of(there, years=years, months=months, days=days)
    assert day in found
    assert all(moved(one, years=years, months=months, days=days) == there for one in found)
    assert found == sorted(set(found))


@given(DAYS, st.integers(0, 3), st.integers(0, 24))
def test_no_source_is_missed_and_none_counts_twice(first: date, years: int, months: int) -> None:
    """Over a span of days, every source of every target is found once."""
    span = [first + timedelta(days=shift) for shift in range(60)]
    targets = {moved(day, years=years, months=months) for day in span}
    found = [one for target in targets for one in sources_of(target, years=years, months=months)]
    assert len(found) == len(set(found))
    assert set(span) <= set(found)


@pytest.mark.parametrize(
    ("day", "rule", "sources"),
    [
        (date(2027, 2, 28), {"months": 1}, [date(2027, 1, day) for day in (28, 29, 30, 31)]),
        (date(2028, 2, 29), {"months": 1}, [date(2028, 1, day) for day in (29, 30, 31)]),
        (date(2027, 3, 31), {"months": 1}, []),
        (date(2026, 2, 28), {"years": 2}, [date(2024, 2, 28), date(2024, 2, 29)]),
        (date(2027, 1, 1), {"days": -7}, [date(2027, 1, 8)]),
        (date(2027, 2, 21), {"months": 1, "days": -7}, [date(2027, 1, day) for day in (28, 29, 30, 31)]),
    ],
)
def test_ends_of_months(day: date, rule: dict[str, int], sources: list[date]) -> None:
    assert sources_of(day, **rule) == sources


def test_due_says_the_date_in_each_language_and_the_days_to_it() -> None:
    assert date_in_words(date(2027, 3, 5), "zh-CN") == "2027年3月5日"
    assert date_in_words(date(2027, 3, 5), "en") == "5 March 2027"
    due = due_context(date(2027, 3, 5), date(2027, 2, 3), "en")
    assert (due["date"], due["days"]) == ("5 March 2027", 30)
