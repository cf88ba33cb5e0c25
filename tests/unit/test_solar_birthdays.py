"""Birthdays by the solar calendar; 29 February by either rule; terms counted in months and years."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.core.errors import BadInput
from outreach.occasions.birthdays import (
    LeapDayRule,
    anniversary_in,
    assessment_valid_until,
    birth_monthdays_on,
    solar_birthday_in,
    welcome_call,
    years_between,
)

LEAPLING = date(1972, 2, 29)
RULES: tuple[LeapDayRule, ...] = ("02-28", "03-01")


@pytest.mark.parametrize(
    ("rule", "year", "day"),
    [
        ("02-28", 2027, date(2027, 2, 28)),
        ("03-01", 2027, date(2027, 3, 1)),
        ("02-28", 2028, date(2028, 2, 29)),
        ("03-01", 2028, date(2028, 2, 29)),
        ("02-28", 2100, date(2100, 2, 28)),
        ("03-01", 2100, date(2100, 3, 1)),
        ("02-28", 2000, date(2000, 2, 29)),
    ],
)
def test_29_february(rule: LeapDayRule, year: int, day: date) -> None:
    assert solar_birthday_in(LEAPLING, year, rule) == day
    assert anniversary_in(LEAPLING, year, rule) == day


@pytest.mark.parametrize(
    ("rule", "day", "kept"),
    [
        ("02-28", date(2027, 2, 28), {(2, 28), (2, 29)}),
        ("02-28", date(2027, 3, 1), {(3, 1)}),
        ("03-01", date(2027, 2, 28), {(2, 28)}),
        ("03-01", date(2027, 3, 1), {(3, 1), (2, 29)}),
        ("02-28", date(2028, 2, 28), {(2, 28)}),
        ("02-28", date(2028, 2, 29), {(2, 29)}),
        ("03-01", date(2028, 2, 29), {(2, 29)}),
        ("03-01", date(2028, 3, 1), {(3, 1)}),
    ],
)
def test_whose_birthday_a_day_is(rule: LeapDayRule, day: date, kept: set[tuple[int, int]]) -> None:
    assert birth_monthdays_on(day, rule) == kept


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("year", [2027, 2028, 2100])
def test_every_birth_date_is_kept_on_exactly_one_day_of_a_year(rule: LeapDayRule, year: int) -> None:
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    kept = [one for day in days if day.year == year for one in birth_monthdays_on(day, rule)]
    every = {(day.month, day.day) for day in (date(2000, 1, 1) + timedelta(days=n) for n in range(366))}
    assert len(kept) == len(set(kept)) == 366
    assert set(kept) == every


@given(
    birth=st.dates(date(1900, 1, 1), date(2010, 12, 31)),
    year=st.integers(2010, 2100),
    rule=st.sampled_from(RULES),
)
def test_the_reverse_finds_what_the_rule_gives(birth: date, year: int, rule: LeapDayRule) -> None:
    assert (birth.month, birth.day) in birth_monthdays_on(solar_birthday_in(birth, year, rule), rule)


def test_nobody_has_a_birthday_before_the_birth() -> None:
    assert solar_birthday_in(LEAPLING, 1972) == LEAPLING
    with pytest.raises(BadInput):
        solar_birthday_in(LEAPLING, 1971)


def test_an_unknown_rule_is_refused() -> None:
    rule: Any = "02-30"
    for call in (
        lambda: solar_birthday_in(LEAPLING, 2027, rule),
        lambda: birth_monthdays_on(LEAPLING, rule),
        lambda: anniversary_in(LEAPLING, 2027, rule),
    ):
        with pytest.raises(BadInput, match="29 February"):
            call()


def test_there_is_no_anniversary_in_the_first_year() -> None:
    since = date(2026, 3, 5)
    assert anniversary_in(since, 2025) is None
    assert anniversary_in(since, 2026) is None
    assert anniversary_in(since, 2027) == date(2027, 3, 5)


@pytest.mark.parametrize(
    ("since", "on", "years"),
    [
        (date(2000, 5, 6), date(2026, 5, 5), 25),
        (date(2000, 5, 6), date(2026, 5, 6), 26),
        (LEAPLING, date(2027, 2, 28), 55),
        (LEAPLING, date(2027, 2, 27), 54),
        (date(2026, 5, 6), date(2025, 5, 6), -1),
    ],
)
def test_whole_years(since: date, on: date, years: int) -> None:
    assert years_between(since, on) == years


@pytest.mark.parametrize(
    ("opened", "due", "latest"),
    [
        (date(2026, 5, 6), date(2026, 5, 30), date(2026, 6, 6)),
        (date(2027, 1, 31), date(2027, 2, 21), date(2027, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 22), date(2028, 2, 29)),
    ],
)
def test_the_welcome_call_is_made_within_a_month(opened: date, due: date, latest: date) -> None:
    assert (welcome_call(opened).due, welcome_call(opened).latest) == (due, latest)


@pytest.mark.parametrize(
    ("assessed", "until"),
    [(date(2025, 3, 4), date(2027, 3, 4)), (date(2024, 2, 29), date(2026, 2, 28))],
)
def test_an_assessment_counts_for_two_years(assessed: date, until: date) -> None:
    assert assessment_valid_until(assessed) == until
