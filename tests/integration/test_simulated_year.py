"""A whole year with stops and kills: each festival and each birthday reaches each client once, on their day (P3, P4).

From December 2027 to the end of 2028, which has a 29 February and, by the lunar calendar, a second fifth month.
What is expected comes from walking the civil days and reading each one's lunar date, not from the code under test.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import cycle
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from borax.calendars.lunardate import LunarDate
from dateutil.relativedelta import relativedelta
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.composing.compose import compose_occurrence
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from outreach.occasions.windows import at_local
from outreach.scheduling.tables import occurrence
from outreach.scheduling.tick import expire_due, tick
from tests.support.builders import FEW_JOBS, firm, make_client, publish_starter

BEGIN, END = datetime(2027, 12, 15, tzinfo=UTC), datetime(2028, 12, 31, 23, tzinfo=UTC)
FIRST_DAY, LAST_DAY = date(2027, 12, 16), date(2028, 12, 31)
ZONES = ("Asia/Shanghai", "America/New_York", "Pacific/Auckland", "Pacific/Honolulu")
FESTIVALS = {
    "new-year": [date(2028, 1, 1)],
    "spring-festival": [date(2028, 1, 26)],
    "mid-autumn": [date(2028, 10, 3)],
}
# The easternmost window opens 19 hours after a firing with a lead is to be composed; a stop beyond that is caught
# up, and up to 30 hours it still reaches everybody on the day.
LONGEST_STEP, LONGEST_STOP = timedelta(hours=18), timedelta(hours=30)

SOLAR = [
    (1, 1), (1, 26), (2, 1), (2, 27), (2, 28), (2, 29), (2, 29), (2, 29), (2, 29), (3, 1), (3, 12), (3, 13),
    (4, 2), (5, 31), (6, 30), (8, 8), (9, 24), (10, 1), (10, 3), (11, 5), (12, 16), (12, 17), (12, 30), (12, 31),
]  # fmt: skip
LUNAR = [
    (1, 1, False), (1, 15, False), (1, 30, False), (2, 30, False), (3, 3, False), (3, 30, True), (4, 30, False),
    (5, 1, False), (5, 1, True), (5, 5, False), (5, 5, True), (5, 29, True), (5, 30, False), (5, 30, True),
    (6, 6, True), (6, 30, False), (7, 15, False), (7, 30, False), (8, 15, False), (8, 30, False), (9, 9, False),
    (9, 30, False), (10, 10, False), (10, 30, False), (11, 1, True), (11, 30, False), (12, 1, False), (12, 8, False),
    (12, 23, False), (12, 29, False), (12, 30, False), (12, 30, False),
]  # fmt: skip


class Killed(Exception):
    """A process ended here."""


@dataclass(frozen=True)
class Person:
    """A client and their zone; ``days`` are those on which their birthday is kept."""

    id: UUID
    zone: ZoneInfo
    days: frozenset[date]
    language: str = "zh-CN"


@dataclass(frozen=True)
class Greeting:
    """One message as composed."""

    client_id: UUID
    job: str
    on: date  # in the client's zone
    zone: ZoneInfo
    send_at: datetime
    composed_at: datetime


def _walk() -> Iterator[date]:
    day = FIRST_DAY
    while day <= LAST_DAY:
        yield day
        day += timedelta(days=1)


def _solar_days(month: int, number: int) -> frozenset[date]:
    return frozenset(day for day in _walk() if (day.month, day.day) == (month, number))


def _lunar_days(month: int, number: int, leap: bool) -> frozenset[date]:
    return frozenset(day for day in _walk() if _is_kept(day, month, number, leap))


def _is_kept(day: date, month: int, number: int, leap: bool) -> bool:
    lunar, tomorrow = LunarDate.from_solar(day), LunarDate.from_solar(day + timedelta(days=1))
    # Of the lunar years that this year touches only 2028 has a leap month, the fifth.
    in_leap_month = leap and (lunar.year, month) == (2028, 5)
    last_of_29 = lunar.day == 29 and tomorrow.day == 1
    return (
        lunar.month == month
        and bool(lunar.leap) == in_leap_month
        and (lunar.day == number or (number == 30 and last_of_29))
    )


@pytest.fixture
def people(open_work: Opener) -> list[Person]:
    zones, languages = cycle(ZONES), cycle(("zh-CN", "en"))
    found: list[Person] = []
    with freeze_time(BEGIN):
        with open_work() as work:
            for n in range(15):
                first = date(2027, 12, 1) + relativedelta(months=n)
                work.conn.execute(text("SELECT ensure_month(:month)"), {"month": first})
        staff = firm(open_work)
        publish_starter(open_work, staff, jobs=FEW_JOBS)
        teams = cycle((staff.b01, staff.b02))
        with open_work() as work:
            for month, number in SOLAR:
                zone = next(zones)
                made = make_client(
                    work, next(teams), time_zone=zone, birth_date=date(1972, month, number), mobile=None
                )
                found.append(Person(made, ZoneInfo(zone), _solar_days(month, number)))
            for month, number, leap in LUNAR:
                zone, language = next(zones), next(languages)
                made = make_client(
                    work, next(teams), time_zone=zone, birth_date=date(1970, 6, 1), lunar_month=month,
                    lunar_day=number, lunar_leap=leap, language=language, tier="vip",
                )  # fmt: skip
                found.append(Person(made, ZoneInfo(zone), _lunar_days(month, number, leap), language))
            for zone in ZONES:
                made = make_client(work, next(teams), time_zone=zone, birth_date=None)
                found.append(Person(made, ZoneInfo(zone), frozenset()))
    return found


def _live_through_the_year(open_work: Opener, chance: random.Random) -> list[tuple[datetime, datetime]]:
    """Tick and compose from BEGIN to END; returns the stops that were longer than the clock's usual pause."""
    stops: list[tuple[datetime, datetime]] = []
    moment = BEGIN
    with freeze_time(moment) as frozen:
        while moment < END:
            assert tick(open_work).failed == []
            _compose_all(open_work, chance)
            with open_work() as work:
                assert expire_due(work) == 0
            pause = timedelta(minutes=chance.randrange(8 * 60, int(LONGEST_STEP.total_seconds() // 60)))
            if chance.random() < 0.07:
                pause = LONGEST_STEP + (LONGEST_STOP - LONGEST_STEP) * chance.random()
                stops.append((moment, moment + pause))
            moment += pause
            frozen.move_to(moment)
    return stops


def _compose_all(open_work: Opener, chance: random.Random) -> None:
    """Compose what is due; now and then the composer is killed between two chunks and begins again."""

    def perhaps_killed(messages: int, left_out: int) -> None:
        if chance.random() < 0.2:
            raise Killed

    with open_work() as work:
        due = list(work.conn.execute(select(occurrence.c.id).where(occurrence.c.state == "due")).scalars())
    while due:
        try:
            compose_occurrence(open_work, due[-1], perhaps_killed, chunk=25)
        except Killed:
            continue
        due.pop()


def _greetings(open_work: Opener) -> list[Greeting]:
    with open_work() as work:
        rows = work.conn.execute(
            select(
                message.c.client_id, message.c.time_zone, message.c.send_at, occurrence.c.job_name,
                occurrence.c.composed_at,
            ).join(occurrence, occurrence.c.id == message.c.occurrence_id)
        ).all()  # fmt: skip
    found = []
    for row in rows:
        zone = ZoneInfo(row.time_zone)
        on = row.send_at.astimezone(zone).date()
        if FIRST_DAY <= on <= LAST_DAY:
            found.append(Greeting(row.client_id, row.job_name, on, zone, row.send_at, row.composed_at))
    return found


@pytest.mark.parametrize("seed", [20280626])
def test_p3_p4_everybody_is_greeted_once_on_their_own_day(
    open_work: Opener, people: list[Person], seed: int
) -> None:
    stops = _live_through_the_year(open_work, random.Random(seed))
    greetings = _greetings(open_work)

    festivals = Counter((one.client_id, one.job, one.on) for one in greetings if one.job in FESTIVALS)
    assert festivals == Counter(
        (person.id, job, day)
        for person in people
        for job, days in FESTIVALS.items()
        for day in days
        # English-speaking clients are wished a happy New Year at Christmas, by a job of its own.
        if job != "new-year" or person.language == "zh-CN"
    )
    birthdays = Counter((one.client_id, one.on) for one in greetings if one.job.startswith("birthday-"))
    assert birthdays == Counter((person.id, day) for person in people for day in person.days)
    assert len(greetings) == festivals.total() + birthdays.total()

    assert len(stops) > 10
    in_good_time = 0
    for one in greetings:
        assert time(9, 0) <= one.send_at.astimezone(one.zone).time() < time(20, 0)
        opens = at_local(one.on, time(9, 0), one.zone)
        if one.composed_at < opens:
            in_good_time += 1
            assert one.send_at == opens
        else:
            # Only a stop makes it late.
            assert any(begin < opens <= end == one.composed_at for begin, end in stops), one
    assert in_good_time > len(greetings) * 0.9
    with open_work() as work:
        assert work.conn.execute(text("SELECT count(*) FROM left_out")).scalar_one() == 0
        expired = text("SELECT count(*) FROM occurrence WHERE state <> 'composed'")
        assert work.conn.execute(expired).scalar_one() == 0
        # A submission's messages lie where it says that they do.
        elsewhere = text(
            "SELECT count(*) FROM message m JOIN submission s ON s.id = m.submission_id"
            " WHERE s.scheduled_month <> m.scheduled_month"
        )
        assert work.conn.execute(elsewhere).scalar_one() == 0


def test_the_year_has_what_makes_it_hard() -> None:
    assert _solar_days(2, 29) == {date(2028, 2, 29)}
    assert _lunar_days(5, 5, False) == {date(2028, 5, 28)}
    assert _lunar_days(5, 5, True) == {date(2028, 6, 27)}
    assert _lunar_days(12, 30, False) == {date(2028, 1, 25)}
    # 腊月初一 falls at the end of 2027 and then only in 2029.
    assert _lunar_days(12, 1, False) == {date(2027, 12, 28)}
    assert all(len(_lunar_days(*one)) <= 2 for one in LUNAR)
