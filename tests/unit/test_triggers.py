"""Triggers: what fires when, over leads, zones and changes of the clock, however time is cut into ticks."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.core.errors import BadInput
from outreach.occasions.festivals import FESTIVALS, festival_date
from outreach.occasions.trading import is_trading_day, minus_working_days
from outreach.occasions.triggers import (
    COMPOSE_TIME,
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
from outreach.occasions.windows import (
    DEFAULT_WINDOW,
    EASTERNMOST,
    Window,
    at_local,
    client_send_at,
    earliest_start,
)

SHANGHAI, NEW_YORK, LONDON = (
    ZoneInfo("Asia/Shanghai"),
    ZoneInfo("America/New_York"),
    ZoneInfo("Europe/London"),
)
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ZONES = (SHANGHAI, NEW_YORK, LONDON, LORD_HOWE, EASTERNMOST, ZoneInfo("Pacific/Pago_Pago"))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron_times(expression: str, zone: ZoneInfo, after: str, until: str) -> list[tuple[str, datetime]]:
    return [
        (firing.key, firing.send_at)
        for firing in firings(Cron(expression=expression, zone=zone), utc(after), utc(until))
    ]


def test_a_festival_fires_once_a_year_on_its_date() -> None:
    trigger = Festival(name="mid-autumn")
    found = firings(trigger, utc("2026-01-01"), utc("2029-01-01"))
    assert [firing.key for firing in found] == ["2026-09-25", "2027-09-15", "2028-10-03"]
    first = found[0]
    assert first.send_date == date(2026, 9, 25)
    assert first.send_at == utc("2026-09-25 01:00")


@pytest.mark.parametrize(("offset", "key"), [(-7, "2026-09-18"), (1, "2026-09-26"), (300, "2026-08-02")])
def test_a_festival_with_an_offset(offset: int, key: str) -> None:
    trigger = Festival(name="mid-autumn", offset_days=offset)
    found = firings(trigger, utc("2026-01-01"), utc("2027-01-01"))
    assert key in [firing.key for firing in found]
    assert len(found) == 1


def test_client_dates_fire_every_day() -> None:
    found = firings(ClientDate(), utc("2027-12-31 15:00"), utc("2028-12-31 15:00"))
    days = [firing.send_date for firing in found]
    assert len(days) == 366
    assert days == [date(2028, 1, 1) + timedelta(days=n) for n in range(366)]


def test_trading_days_fire_on_trading_days() -> None:
    found = firings(TradingDay(), utc("2024-02-01"), utc("2024-03-01"))
    days = {firing.send_date for firing in found}
    assert date(2024, 2, 8) in days
    assert not days & {date(2024, 2, 9), date(2024, 2, 18)}
    assert all(day is not None and is_trading_day(day) for day in days)


def test_a_feed_has_no_firings_of_its_own() -> None:
    feed = Feed(kind="research")
    assert firings(feed, utc("2026-01-01"), utc("2030-01-01")) == []
    assert next_firing(feed, utc("2026-01-01")) is None


def test_a_lead_is_counted_in_working_days_over_spring_festival() -> None:
    trigger = ClientDate(lead_working_days=2)
    (firing,) = [
        one for one in firings(trigger, utc("2025-01-20"), utc("2025-02-10")) if one.key == "2025-02-05"
    ]
    # The working days before 5 February are 27 and (a Sunday) 26 January.
    assert firing.compose_at == utc("2025-01-26 00:00")
    assert firing.send_at == utc("2025-02-05 01:00")


def test_without_a_lead_it_is_composed_before_the_easternmost_window_opens() -> None:
    (firing,) = [
        one for one in firings(ClientDate(), utc("2028-01-20"), utc("2028-01-30")) if one.key == "2028-01-26"
    ]
    assert firing.compose_at == utc("2028-01-25 19:00") == earliest_start(date(2028, 1, 26), DEFAULT_WINDOW)


@settings(max_examples=100, deadline=None)
@given(
    day=st.dates(date(2005, 1, 1), date(2049, 10, 1)),
    at=st.times().map(lambda wall: wall.replace(second=0, microsecond=0)),
    opens=st.integers(0, 1438),
    lead=st.integers(0, 30),
    home=st.sampled_from(ZONES),
    client=st.sampled_from(ZONES),
)
def test_every_client_is_composed_before_their_window_opens(
    day: date, at: time, opens: int, lead: int, home: ZoneInfo, client: ZoneInfo
) -> None:
    window = Window(opens, 1440)
    trigger = ClientDate(at=at, zone=home, window=window, lead_working_days=lead)
    around = datetime(day.year, day.month, day.day, tzinfo=UTC)
    found = {
        one.key: one for one in firings(trigger, around - timedelta(days=80), around + timedelta(days=2))
    }
    firing = found[day.isoformat()]
    assert firing.compose_at <= client_send_at(day, at, window, client)
    assert firing.compose_at <= at_local(minus_working_days(day, lead), COMPOSE_TIME, home)


def test_cron_in_its_own_zone() -> None:
    assert cron_times("30 8 * * mon-fri", SHANGHAI, "2028-01-06", "2028-01-11") == [
        ("2028-01-06T08:30", utc("2028-01-06 00:30")),
        ("2028-01-07T08:30", utc("2028-01-07 00:30")),
        ("2028-01-10T08:30", utc("2028-01-10 00:30")),
    ]


@pytest.mark.parametrize(
    ("zone", "expression", "after", "until", "expected"),
    [
        # 2:30 does not exist on 12 March: it fires once, when the clock has jumped.
        (
            NEW_YORK, "30 2 * * *", "2028-03-11 12:00", "2028-03-13 12:00",
            [("2028-03-12T02:30", "2028-03-12 07:30"), ("2028-03-13T02:30", "2028-03-13 06:30")],
        ),
        # 1:30 comes twice on 5 November: it fires the first time only.
        (
            NEW_YORK, "30 1 * * *", "2028-11-04 12:00", "2028-11-06 12:00",
            [("2028-11-05T01:30", "2028-11-05 05:30"), ("2028-11-06T01:30", "2028-11-06 06:30")],
        ),
        (
            LORD_HOWE, "10 2 * * *", "2028-09-30 00:00", "2028-10-01 23:00",
            [("2028-10-01T02:10", "2028-09-30 15:40"), ("2028-10-02T02:10", "2028-10-01 15:10")],
        ),
        # The time before and after the jump fire as ever.
        (
            LONDON, "30 0,2 * * *", "2028-03-25 23:00", "2028-03-26 12:00",
            [("2028-03-26T00:30", "2028-03-26 00:30"), ("2028-03-26T02:30", "2028-03-26 01:30")],
        ),
    ],
)  # fmt: skip
def test_cron_over_changes_of_the_clock(
    zone: ZoneInfo, expression: str, after: str, until: str, expected: list[tuple[str, str]]
) -> None:
    assert cron_times(expression, zone, after, until) == [(key, utc(at)) for key, at in expected]


@pytest.mark.parametrize(("day", "hours"), [("2028-03-12", 24), ("2028-07-01", 24), ("2028-11-05", 24)])
def test_an_hourly_cron_fires_for_every_hour_on_the_wall(day: str, hours: int) -> None:
    found = cron_times("0 * * * *", NEW_YORK, "2028-01-01", "2029-01-01")
    assert len([key for key, _ in found if key.startswith(day)]) == hours
    assert len({key for key, _ in found}) == len(found)


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "61 * * * *", "0 0 30 2 *", "0 0 * * someday", "@daily", "a b c d e"],
)
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_cron(expression)
    assert "30 8 * * mon-fri" in refused.value.mend


def test_29_february_is_a_cron_expression() -> None:
    assert check_cron("0 9 29 2 *") == "0 9 29 2 *"
    assert next_firing(Cron(expression="0 9 29 2 *"), utc("2026-01-01")) is not None


TRIGGERS: st.SearchStrategy[Trigger] = st.one_of(
    st.builds(
        Festival,
        name=st.sampled_from(sorted(FESTIVALS)),
        offset_days=st.integers(-40, 40),
        at=st.sampled_from([time(0, 0), time(9, 0), time(23, 59)]),
        zone=st.sampled_from(ZONES),
        lead_working_days=st.integers(0, 30),
    ),
    st.builds(ClientDate, zone=st.sampled_from(ZONES), lead_working_days=st.integers(0, 30)),
    st.builds(TradingDay, zone=st.sampled_from(ZONES), lead_working_days=st.integers(0, 10)),
    st.builds(
        Cron,
        expression=st.sampled_from(
            ["30 2 * * *", "30 1 * * *", "*/20 1-3 * * *", "0 9 1 * *", "15 0 * * sun"]
        ),
        zone=st.sampled_from(ZONES),
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    trigger=TRIGGERS,
    start=st.datetimes(datetime(2023, 1, 1), datetime(2029, 12, 31)),  # noqa: DTZ001
    cuts=st.lists(st.integers(0, 40 * 24 * 60), min_size=2, max_size=5).map(sorted),
)
def test_however_time_is_cut_the_firings_are_the_same(
    trigger: Trigger, start: datetime, cuts: list[int]
) -> None:
    marks = [start.replace(tzinfo=UTC) + timedelta(minutes=cut) for cut in cuts]
    whole = firings(trigger, marks[0], marks[-1])
    parts = [one for a, b in pairwise(marks) for one in firings(trigger, a, b)]
    assert sorted(parts) == whole
    assert len({one.key for one in whole}) == len(whole)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(FESTIVALS)), lead=st.integers(0, 30), hours=st.integers(1, 37))
def test_ticks_of_any_length_find_each_festival_of_a_year_once(name: str, lead: int, hours: int) -> None:
    trigger = Festival(name=name, lead_working_days=lead)
    mark, end, keys = utc("2026-06-01"), utc("2028-03-01"), []
    while mark < end:
        step = mark + timedelta(hours=hours * 20)
        keys += [one.key for one in firings(trigger, mark, step)]
        mark = step
    expected = {festival_date(name, year).isoformat() for year in (2026, 2027, 2028)}
    assert len(keys) == len(set(keys))
    assert festival_date(name, 2027).isoformat() in keys
    assert set(keys) <= expected | {festival_date(name, 2029).isoformat()}


@pytest.mark.parametrize(
    ("trigger", "key"),
    [
        (Festival(name="spring-festival", lead_working_days=5), "2028-01-26"),
        (ClientDate(lead_working_days=1), "2027-06-03"),
        (TradingDay(), "2027-06-02"),
        (Cron(expression="* * * * *"), "2027-06-01T08:01"),
        (Cron(expression="0 9 29 2 *"), "2028-02-29T09:00"),
    ],
)
def test_the_next_firing(trigger: Trigger, key: str) -> None:
    found = next_firing(trigger, utc("2027-06-01 00:00"))
    assert found is not None
    assert found.key == key


def test_there_may_be_no_next_firing() -> None:
    assert next_firing(Festival(name="christmas"), utc("2026-01-01"), timedelta(days=30)) is None
