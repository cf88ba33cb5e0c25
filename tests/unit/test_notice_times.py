"""The set times at which staff is told what was gathered: of working days only, in the firm's zone."""

from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from outreach.core.settings import Settings
from outreach.notices.times import next_time

SHANGHAI = ZoneInfo("Asia/Shanghai")
SETTINGS = Settings(home=Path("var"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("after", "then"),
    [
        ("2026-03-03T00:00", "2026-03-03T08:30"),
        ("2026-03-03T08:29", "2026-03-03T08:30"),
        ("2026-03-03T08:30", "2026-03-03T11:30"),  # what comes on the minute is for the next time
        ("2026-03-03T12:00", "2026-03-03T14:30"),
        ("2026-03-03T17:00", "2026-03-04T08:30"),
        ("2026-03-06T18:00", "2026-03-09T08:30"),  # Friday evening: Monday
        ("2026-02-13T18:00", "2026-02-14T08:30"),  # a Saturday worked before Spring Festival
        ("2026-02-14T18:00", "2026-02-24T08:30"),  # Spring Festival
    ],
)
def test_the_next_time_is_on_a_working_day(after: str, then: str) -> None:
    assert next_time(at(after), SETTINGS) == at(then)


def test_the_times_are_the_firms() -> None:
    settings = Settings(home=Path("var"), zone=ZoneInfo("America/New_York"), notice_times=(time(9, 15),))
    found = next_time(at("2026-03-03T12:00"), settings)
    assert found == datetime(2026, 3, 3, 9, 15, tzinfo=ZoneInfo("America/New_York"))


def test_times_come_from_the_setting_in_order() -> None:
    settings = Settings.from_environment({"OUTREACH_NOTICE_TIMES": "16:00, 09:00,09:00"})
    assert settings.notice_times == (time(9), time(16))
