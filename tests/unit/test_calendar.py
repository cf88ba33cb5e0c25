"""The calendar: festivals, lunar birthdays, working and trading days, triggers."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.core.errors import BadInput
from outreach.occasions.birthdays import assessment_valid_until, solar_birthday_in, welcome_call
from outreach.occasions.festivals import festival_date, next_festival
from outreach.occasions.lunar import LunarDay, lunar_birthday_in, lunar_days_of, lunar_occurrence, parse_lunar
from outreach.occasions.trading import (
    is_provisional,
    is_trading_day,
    is_working_day,
    minus_working_days,
    next_trading_day,
    previous_trading_day,
)
from outreach.occasions.triggers import (
    ClientDate,
    Cron,
    Feed,
    Festival,
    TradingDay,
    Trigger,
    check_cron,
    firings,
    next_firing,
)
from outreach.occasions.windows import EASTERNMOST, next_open, parse_window, start_of_day

NAMES = (
    "spring-festival-eve spring-festival lantern qingming dragon-boat qixi mid-autumn double-ninth winter-solstice"
).split()
TABLE = {
    2026: "02-16 02-17 03-03 04-05 06-19 08-19 09-25 10-18 12-22",
    2027: "02-05 02-06 02-20 04-05 06-09 08-08 09-15 10-08 12-22",
    2028: "01-25 01-26 02-09 04-04 05-28 08-26 10-03 10-26 12-21",
}


@pytest.mark.parametrize(
    ("year", "name", "day"),
    [
        (year, name, day)
        for year, days in TABLE.items()
        for name, day in zip(NAMES, days.split(), strict=True)
    ],
)
def test_festivals(year: int, name: str, day: str) -> None:
    assert festival_date(name, year) == date.fromisoformat(f"{year}-{day}")


def test_the_next_festival_and_an_unknown_one() -> None:
    assert next_festival("mid-autumn", date(2026, 9, 25)) == date(2027, 9, 15)
    with pytest.raises(BadInput, match="mid-autum"):
        festival_date("mid-autum", 2026)


# ── lunar and solar birthdays ─────────────────────────────────────────────────────────────────────────────

lunar_days = st.builds(LunarDay, st.integers(1, 12), st.integers(1, 30))


@given(lunar_days, st.integers(1905, 2095))
def test_a_lunar_birthday_is_kept_once_in_each_lunar_year(day: LunarDay, year: int) -> None:
    kept = lunar_occurrence(day, year)
    assert day in lunar_days_of(kept)


@given(st.dates(date(1905, 1, 1), date(2095, 12, 31)))
def test_the_reverse_is_exact(day: date) -> None:
    for lunar in lunar_days_of(day):
        assert day in {lunar_occurrence(lunar, year) for year in (day.year - 1, day.year)}


def test_leap_months_and_thirtieths() -> None:
    assert lunar_birthday_in(LunarDay(6, 6, leap=True), 2025) == [date(2025, 7, 30)]  # 闰六月 is there
    assert lunar_birthday_in(LunarDay(6, 6, leap=True), 2026) == lunar_birthday_in(LunarDay(6, 6), 2026)
    assert lunar_birthday_in(LunarDay(12, 30), 2027) == [festival_date("spring-festival-eve", 2027)]
    assert len(lunar_birthday_in(LunarDay(12, 1), 2027)) == 2
    assert lunar_birthday_in(LunarDay(12, 1), 2028) == []


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("八月十五", LunarDay(8, 15)),
        ("闰六月初六", LunarDay(6, 6, True)),
        ("腊月廿九", LunarDay(12, 29)),
        ("8-15", LunarDay(8, 15)),
    ],
)
def test_lunar_birthdays_are_read(text: str, day: LunarDay) -> None:
    assert parse_lunar(text) == day


@pytest.mark.parametrize("text", ["8.15", "十三月初一", "八月卅一", "", "闰正月初一"])
def test_what_is_no_lunar_birthday(text: str) -> None:
    with pytest.raises(BadInput):
        parse_lunar(text)


def test_29_february_both_ways() -> None:
    born = date(1980, 2, 29)
    assert solar_birthday_in(born, 2028) == date(2028, 2, 29)
    assert solar_birthday_in(born, 2027) == date(2027, 2, 28)
    assert solar_birthday_in(born, 2027, "03-01") == date(2027, 3, 1)


def test_terms_in_months_and_years() -> None:
    assert welcome_call(date(2026, 1, 31)).latest == date(2026, 2, 28)
    assert assessment_valid_until(date(2024, 2, 29)) == date(2026, 2, 28)


# ── working and trading days ──────────────────────────────────────────────────────────────────────────────


def test_working_and_trading_days() -> None:
    assert is_working_day(date(2024, 2, 9))
    assert not is_trading_day(date(2024, 2, 9))  # the exchange was closed
    assert is_working_day(date(2026, 2, 14))  # a Saturday worked instead
    assert not is_trading_day(date(2026, 2, 14))
    assert next_trading_day(date(2026, 2, 13)) == date(2026, 2, 24)
    assert previous_trading_day(date(2026, 2, 24)) == date(2026, 2, 13)


def test_working_days_over_spring_festival() -> None:
    assert minus_working_days(date(2026, 2, 24), 1) == date(2026, 2, 14)
    assert minus_working_days(date(2026, 2, 17), 5) == date(2026, 2, 10)
    assert minus_working_days(date(2026, 2, 17), 0) == date(2026, 2, 17)
    with pytest.raises(BadInput):
        minus_working_days(date(2026, 2, 17), -1)


def test_a_year_without_a_notice_is_provisional() -> None:
    assert not is_provisional(2026)
    assert is_provisional(2027)
    assert not is_working_day(date(2027, 10, 1))
    assert is_working_day(date(2027, 10, 8))


# ── triggers ──────────────────────────────────────────────────────────────────────────────────────────────

NEW_YORK = ZoneInfo("America/New_York")
SOME: list[Trigger] = [
    Festival(name="mid-autumn", lead_working_days=5),
    Festival(name="spring-festival", offset_days=-1, lead_working_days=10),
    ClientDate(lead_working_days=1),
    TradingDay(at=time(8, 30)),
    Cron(expression="30 2 * * *", zone=NEW_YORK),
    Cron(expression="0 9 1 */3 *"),
]
instants = st.datetimes(
    datetime(2025, 1, 1),  # noqa: DTZ001 - bounds are naive, the zone comes beside them
    datetime(2028, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(st.sampled_from(SOME), instants, st.floats(0, 90), st.floats(0, 90))
@settings(max_examples=120, deadline=None)
def test_firings_do_not_depend_on_when_one_looks(
    trigger: Trigger, start: datetime, one: float, two: float
) -> None:
    middle, end = start + timedelta(days=one), start + timedelta(days=one + two)
    whole = firings(trigger, start, end)
    assert whole == firings(trigger, start, middle) + firings(trigger, middle, end)
    assert len({firing.key for firing in whole}) == len(whole)


@given(st.sampled_from(SOME[:4]), instants)
@settings(max_examples=60, deadline=None)
def test_composed_before_the_easternmost_window_opens(trigger: Trigger, start: datetime) -> None:
    for firing in firings(trigger, start, start + timedelta(days=40)):
        assert firing.send_date is not None
        opens = next_open(
            start_of_day(firing.send_date, EASTERNMOST), parse_window("09:00-20:00"), EASTERNMOST
        )
        assert firing.compose_at <= opens <= firing.send_at


def test_a_cron_over_changes_of_the_clock() -> None:
    daily = Cron(expression="30 2 * * *", zone=NEW_YORK)
    spring = firings(daily, datetime(2026, 3, 7, 12, tzinfo=UTC), datetime(2026, 3, 9, 12, tzinfo=UTC))
    assert [firing.key for firing in spring] == ["2026-03-08T02:30", "2026-03-09T02:30"]
    assert spring[0].send_at == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)  # 03:30 EDT: 02:30 does not exist
    half_past_one = Cron(expression="30 1 * * *", zone=NEW_YORK)
    autumn = firings(
        half_past_one, datetime(2026, 10, 31, 12, tzinfo=UTC), datetime(2026, 11, 2, 12, tzinfo=UTC)
    )
    assert [firing.key for firing in autumn] == [
        "2026-11-01T01:30",
        "2026-11-02T01:30",
    ]  # once, though it is twice


def test_a_feed_fires_by_its_items_only() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert firings(Feed(kind="research"), now, now + timedelta(days=9)) == []
    assert next_firing(Feed(kind="research"), now) is None


def test_the_next_firing_of_a_festival() -> None:
    found = next_firing(Festival(name="mid-autumn", lead_working_days=5), datetime(2026, 9, 26, tzinfo=UTC))
    assert found is not None
    assert found.key == "2027-09-15"


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "61 * * * *", "* * * * * *", "0 9 31 2 *", "a b c d e"]
)
def test_what_is_no_cron_expression(expression: str) -> None:
    with pytest.raises(BadInput):
        check_cron(expression)
