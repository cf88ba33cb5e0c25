"""Send windows on the client's wall clock: changes of the clock, the first and the last zone, half-hour zones."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.core.errors import BadInput
from outreach.occasions.windows import (
    DEFAULT_WINDOW,
    EASTERNMOST,
    WESTERNMOST,
    Window,
    at_local,
    client_send_at,
    earliest_start,
    end_of_day,
    is_open,
    next_open,
    parse_window,
    parse_zone,
    start_of_day,
)

SHANGHAI, NEW_YORK, LONDON = (
    ZoneInfo("Asia/Shanghai"),
    ZoneInfo("America/New_York"),
    ZoneInfo("Europe/London"),
)
AUCKLAND, LORD_HOWE = ZoneInfo("Pacific/Auckland"), ZoneInfo("Australia/Lord_Howe")
HONOLULU, APIA, KATHMANDU = ZoneInfo("Pacific/Honolulu"), ZoneInfo("Pacific/Apia"), ZoneInfo("Asia/Kathmandu")
ZONES = (SHANGHAI, NEW_YORK, LONDON, AUCKLAND, LORD_HOWE, HONOLULU, APIA, KATHMANDU, EASTERNMOST, WESTERNMOST)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("09:00-20:00", DEFAULT_WINDOW),
        ("9:00 – 20:00", DEFAULT_WINDOW),
        ("０９：００～２０：００", DEFAULT_WINDOW),
        ("00:00-24:00", Window(0, 1440)),
        ("08:30-08:31", Window(510, 511)),
    ],
)
def test_reading(text: str, window: Window) -> None:
    assert parse_window(text) == window
    assert parse_window(str(window)) == window


@pytest.mark.parametrize(
    "text", ["", "9-20", "20:00-09:00", "09:00-09:00", "09:60-20:00", "09:00-24:01", "09:00-20:61"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_window(text)


def test_zones_are_known_by_name() -> None:
    assert parse_zone("Asia/Shanghai") == SHANGHAI
    for name in ("Mars/Olympus", "", "/etc/passwd", "../UTC", "America"):
        with pytest.raises(BadInput, match="time zone"):
            parse_zone(name)


@pytest.mark.parametrize(
    ("zone", "day", "wall", "instant"),
    [
        # The clock jumps from 2:00 to 3:00: 2:30 is half an hour after the jump.
        (NEW_YORK, date(2028, 3, 12), time(2, 30), "2028-03-12 07:30"),
        (LONDON, date(2028, 3, 26), time(1, 30), "2028-03-26 01:30"),
        (LORD_HOWE, date(2028, 10, 1), time(2, 15), "2028-09-30 15:45"),
        # The clock is set back: the first of the two.
        (NEW_YORK, date(2028, 11, 5), time(1, 30), "2028-11-05 05:30"),
        (LONDON, date(2028, 10, 29), time(1, 30), "2028-10-29 00:30"),
        (AUCKLAND, date(2028, 4, 2), time(2, 30), "2028-04-01 13:30"),
        # Samoa had no 30 December 2011.
        (APIA, date(2011, 12, 30), time(9, 0), "2011-12-30 19:00"),
        (EASTERNMOST, date(2028, 1, 26), time(9, 0), "2028-01-25 19:00"),
        (WESTERNMOST, date(2028, 1, 26), time(9, 0), "2028-01-26 20:00"),
        (KATHMANDU, date(2028, 1, 26), time(9, 0), "2028-01-26 03:15"),
    ],
)
def test_wall_clock_to_instant(zone: ZoneInfo, day: date, wall: time, instant: str) -> None:
    assert at_local(day, wall, zone) == utc(instant)
    assert at_local(day, wall.replace(fold=1), zone) == utc(instant)


def test_a_day_has_23_24_or_25_hours() -> None:
    hours = {
        day: (end_of_day(day, NEW_YORK) - start_of_day(day, NEW_YORK)) / timedelta(hours=1)
        for day in (date(2028, 3, 12), date(2028, 7, 1), date(2028, 11, 5))
    }
    assert list(hours.values()) == [23, 24, 25]


@pytest.mark.parametrize(
    ("zone", "instant", "window", "opens"),
    [
        (SHANGHAI, "2028-01-26 00:59:59", "09:00-20:00", "2028-01-26 01:00"),
        (SHANGHAI, "2028-01-26 01:00", "09:00-20:00", "2028-01-26 01:00"),
        (SHANGHAI, "2028-01-26 11:59:59", "09:00-20:00", "2028-01-26 11:59:59"),
        (SHANGHAI, "2028-01-26 12:00", "09:00-20:00", "2028-01-27 01:00"),
        (SHANGHAI, "2028-01-26 15:30", "00:00-24:00", "2028-01-26 15:30"),
        # Opening in the hour that is skipped: it opens with the jump.
        (NEW_YORK, "2028-03-12 06:00", "02:30-20:00", "2028-03-12 07:00"),
        (LONDON, "2028-03-25 22:00", "01:15-12:00", "2028-03-26 01:00"),
        # A window that lies in the skipped hour altogether: the next day.
        (NEW_YORK, "2028-03-12 06:00", "02:00-03:00", "2028-03-13 06:00"),
        # The hour that comes twice is open twice, and closed between the two.
        (NEW_YORK, "2028-11-05 05:10", "01:00-01:30", "2028-11-05 05:10"),
        (NEW_YORK, "2028-11-05 05:30", "01:00-01:30", "2028-11-05 06:00"),
        (NEW_YORK, "2028-11-05 06:30", "01:00-01:30", "2028-11-06 06:00"),
        (LORD_HOWE, "2028-04-01 15:00", "01:45-02:00", "2028-04-01 15:15"),
        # No 30 December in Samoa: after the 29th comes the 31st.
        (APIA, "2011-12-30 07:00", "09:00-20:00", "2011-12-30 19:00"),
        (EASTERNMOST, "2028-01-25 18:00", "09:00-20:00", "2028-01-25 19:00"),
    ],
)
def test_the_next_opening(zone: ZoneInfo, instant: str, window: str, opens: str) -> None:
    assert next_open(utc(instant), parse_window(window), zone) == utc(opens)


@settings(max_examples=150)
@given(
    zone=st.sampled_from(ZONES),
    minute=st.integers(0, 366 * 24 * 60),
    opens=st.integers(0, 1439),
    length=st.integers(1, 1440),
)
def test_the_next_opening_is_open_and_nothing_before_it_is(
    zone: ZoneInfo, minute: int, opens: int, length: int
) -> None:
    window = Window(opens, min(opens + length, 1440))
    instant = utc("2028-01-01") + timedelta(minutes=minute)
    found = next_open(instant, window, zone)
    assert found >= instant
    assert is_open(found, window, zone)
    step = instant
    while step < found:
        assert not is_open(step, window, zone)
        step += timedelta(minutes=1)


def test_an_instant_without_a_zone_is_refused() -> None:
    naive = datetime(2028, 1, 1)  # noqa: DTZ001
    for call in (is_open, next_open):
        with pytest.raises(BadInput, match="no time zone"):
            call(naive, DEFAULT_WINDOW, SHANGHAI)


def test_the_first_and_the_last_zone_of_a_date() -> None:
    day = date(2028, 1, 26)
    assert earliest_start(day, DEFAULT_WINDOW) == utc("2028-01-25 19:00")
    assert earliest_start(day, DEFAULT_WINDOW, [SHANGHAI, NEW_YORK]) == utc("2028-01-26 01:00")
    for zone in ZONES:
        assert start_of_day(day, EASTERNMOST) <= start_of_day(day, zone) <= start_of_day(day, WESTERNMOST)


@pytest.mark.parametrize(
    ("zone", "wall", "goes"),
    [
        (SHANGHAI, time(9, 0), "2028-01-26 01:00"),
        (NEW_YORK, time(9, 0), "2028-01-26 14:00"),
        (HONOLULU, time(6, 0), "2028-01-26 19:00"),
        (AUCKLAND, time(21, 0), "2028-01-26 20:00"),
    ],
)
def test_when_a_client_gets_it(zone: ZoneInfo, wall: time, goes: str) -> None:
    assert client_send_at(date(2028, 1, 26), wall, DEFAULT_WINDOW, zone) == utc(goes)
