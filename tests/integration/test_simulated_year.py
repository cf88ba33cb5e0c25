"""A whole year of ticks and stops: every festival and every birthday exactly once, on the right day for each client."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from outreach.composing.compose import compose_occurrence
from outreach.core import clock
from outreach.ledger.work import Opener
from outreach.occasions.birthdays import solar_birthday_in
from outreach.occasions.festivals import festival_date
from outreach.occasions.lunar import LunarDay, lunar_birthday_in
from outreach.scheduling.tick import tick
from tests.support.builders import firm, make_client, publish_starter

YEAR = 2028  # a leap year with a leap month 5; 腊月初一 falls in no civil day of it
ZONES = ("Asia/Shanghai", "America/New_York", "Pacific/Auckland", "Pacific/Honolulu", "Europe/London")
SOLAR = [
    date(1980, 2, 29),
    date(1981, 1, 1),
    date(1975, 12, 31),
    date(1990, 6, 15),
    date(1962, 10, 3),
    date(1970, 1, 26),
]
LUNAR = [
    LunarDay(8, 15),
    LunarDay(1, 1),
    LunarDay(12, 30),
    LunarDay(12, 1),
    LunarDay(5, 6),
    LunarDay(5, 6, leap=True),
    LunarDay(6, 6, leap=True),
    LunarDay(2, 30),
]
BIRTHDAYS = text(
    "SELECT m.client_id, o.send_date, m.send_at, m.created_at, m.time_zone FROM message m"
    " JOIN occurrence o ON o.id = m.occurrence_id WHERE o.job_name LIKE :job ORDER BY o.send_date"
)


@pytest.mark.timeout(400)
def test_a_year_of_festivals_and_birthdays(open_work: Opener) -> None:
    start = datetime(YEAR - 1, 12, 10, 0, 30, tzinfo=UTC)
    expected: dict[UUID, list[date]] = {}
    with freeze_time(start):
        people = firm(open_work)
        publish_starter(open_work, people)
        with open_work() as work:
            for number, born in enumerate(SOLAR):
                zone = ZONES[number % len(ZONES)]
                client = make_client(work, people.b01, birth_date=born, time_zone=zone)
                expected[client] = [solar_birthday_in(born, YEAR)]
            for number, lunar in enumerate(LUNAR):
                zone = ZONES[number % len(ZONES)]
                client = make_client(
                    work,
                    people.b02,
                    birth_date=date(1985, 3, 4),
                    lunar_month=lunar.month,
                    lunar_day=lunar.day,
                    lunar_leap=lunar.leap,
                    time_zone=zone,
                )
                expected[client] = lunar_birthday_in(lunar, YEAR)
    _live(open_work, start, datetime(YEAR + 1, 1, 2, tzinfo=UTC))

    found: dict[UUID, list[date]] = defaultdict(list)
    with open_work() as work:
        rows = work.conn.execute(BIRTHDAYS, {"job": "birthday-%"}).all()
        festivals = {
            job: work.conn.execute(BIRTHDAYS, {"job": job}).all()
            for job in ("new-year", "spring-festival", "mid-autumn")
        }
        missed = work.conn.execute(
            text("SELECT count(*) FROM occurrence WHERE state IN ('expired', 'due')")
        ).scalar_one()
    assert missed == 0
    for row in rows:
        if row.send_date.year == YEAR:
            found[row.client_id].append(row.send_date)
        _on_its_day(row)
    assert {client: sorted(days) for client, days in expected.items() if days} == dict(found)
    for job, sent in festivals.items():
        day = festival_date(job, YEAR)
        there = [row.client_id for row in sent if row.send_date == day]
        assert sorted(there) == sorted(expected), job
        for row in sent:
            _on_its_day(row)


def _live(open_work: Opener, start: datetime, end: datetime) -> None:
    """Schedulers that tick, stop for up to a day, and come back; two of them at every fifth moment."""
    chance = random.Random(7)
    now = start
    while now < end:
        with freeze_time(now):
            tick(open_work)
            if chance.random() < 0.2:
                tick(open_work)
            with open_work() as work:
                due = list(work.conn.execute(text("SELECT id FROM occurrence WHERE state = 'due'")).scalars())
            for occurrence_id in due:
                compose_occurrence(open_work, occurrence_id)
            assert clock.now() == now
        now += timedelta(hours=chance.uniform(6, 26))


def _on_its_day(row: object) -> None:
    """It leaves at 09:00 on the civil date on the client's own clock, or as soon as it was made after that."""
    zone = ZoneInfo(row.time_zone)  # type: ignore[attr-defined]
    local = row.send_at.astimezone(zone)  # type: ignore[attr-defined]
    assert local.date() == row.send_date, row  # type: ignore[attr-defined]
    assert local.hour >= 9
    assert row.created_at <= row.send_at  # type: ignore[attr-defined]
