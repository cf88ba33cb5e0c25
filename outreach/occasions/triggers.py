"""Triggers: the firings of a job between two instants, as pure functions of the calendar.

A dated firing belongs to a civil date (its key); it is composed ``lead`` working days before, and never later than
the moment at which that date's window opens for the easternmost client there can be. A cron firing belongs to a
wall-clock time in the job's zone: a time that a change of the clock skips fires when the clock has jumped, one
that happens twice fires the first time only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

from outreach.core.errors import BadInput
from outreach.occasions.festivals import FIRST_YEAR, LAST_YEAR, festival_date
from outreach.occasions.trading import NONE_NAMED, Closures, is_trading_day, minus_working_days
from outreach.occasions.windows import DEFAULT_WINDOW, EASTERNMOST, Window, at_local, next_open, start_of_day

COMPOSE_TIME = time(8, 0)
# 30 working days of lead span a little more than two months at most, holidays included.
_LONGEST_LEAD = timedelta(days=75)


@dataclass(frozen=True, kw_only=True)
class Dated:
    """What every trigger by civil dates has: the wall-clock time ``at`` on which it is sent, in ``zone`` for the
    firm and in each client's own for the client; ``lead_working_days`` before it is composed, counted with the
    ``closures`` that the institution has named."""

    at: time = time(9, 0)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    window: Window = DEFAULT_WINDOW
    lead_working_days: int = 0
    closures: Closures = NONE_NAMED


@dataclass(frozen=True, kw_only=True)
class Festival(Dated):
    """On a festival, or ``offset_days`` after it (before it when negative)."""

    name: str
    offset_days: int = 0


@dataclass(frozen=True, kw_only=True)
class ClientDate(Dated):
    """Every day, for the clients whose date it is."""


@dataclass(frozen=True, kw_only=True)
class TradingDay(Dated):
    """Every trading day of the mainland exchanges."""


@dataclass(frozen=True, kw_only=True)
class Cron:
    """By a five-field cron expression on the wall clock of ``zone``."""

    expression: str
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))


@dataclass(frozen=True, kw_only=True)
class Feed:
    """At each accepted item of the feed ``kind`` ; ``types`` narrows to some of its item types,
    ``except_types`` leaves some to other jobs."""

    kind: str
    types: tuple[str, ...] = ()
    except_types: tuple[str, ...] = ()


Trigger = Festival | ClientDate | TradingDay | Cron | Feed


@dataclass(frozen=True, order=True)
class Firing:
    """One firing. ``key`` names it among its job's firings; ``send_at`` is in the job's zone (instants in UTC)."""

    compose_at: datetime
    send_at: datetime
    key: str
    send_date: date | None


def check_cron(expression: str) -> str:
    """The expression itself, when it is a five-field cron expression that fires. Raises BadInput otherwise."""
    mend = "Write minute, hour, day of month, month and day of week, such as: 30 8 * * mon-fri"
    if len(expression.split()) != 5:
        raise BadInput(f"{expression!r} has not five fields.", mend=mend)
    try:
        croniter(expression, datetime(2024, 1, 1, tzinfo=UTC), max_years_between_matches=9).get_next(datetime)
    except (CroniterError, ValueError, KeyError) as error:
        raise BadInput(f"{expression!r} is not a cron expression: {error}", mend=mend) from error
    return expression


def firings(trigger: Trigger, after: datetime, until: datetime) -> list[Firing]:
    """The firings of ``trigger`` to be composed later than ``after`` and not later than ``until``, in order.

    A feed has none of its own. Raises BadInput outside the years 1950 to 2050, or for a cron expression that is
    none.
    """
    match trigger:
        case Feed():
            return []
        case Cron():
            made: Iterator[Firing] = _cron(trigger, after, until)
        case _:
            first = after.astimezone(trigger.zone).date() - timedelta(days=1)
            # Composed on `until` may be what is sent a lead later.
            last = until.astimezone(trigger.zone).date() + timedelta(days=2)
            if trigger.lead_working_days:
                last += _LONGEST_LEAD
            made = (_dated(trigger, day) for day in _dates(trigger, first, last))
    return sorted(firing for firing in made if after < firing.compose_at <= until)


def _dates(trigger: Festival | ClientDate | TradingDay, first: date, last: date) -> Iterator[date]:
    if isinstance(trigger, Festival):
        offset = timedelta(days=trigger.offset_days)
        for year in range(first.year - 2, last.year + 3):
            if FIRST_YEAR <= year <= LAST_YEAR:
                day = festival_date(trigger.name, year) + offset
                if first <= day <= last:
                    yield day
        return
    day = first
    while day <= last:
        if isinstance(trigger, ClientDate) or is_trading_day(day, trigger.closures):
            yield day
        day += timedelta(days=1)


@lru_cache(maxsize=8192)  # a scheduler asks for the same weeks again and again
def _dated(trigger: Festival | ClientDate | TradingDay, day: date) -> Firing:
    lead = at_local(
        minus_working_days(day, trigger.lead_working_days, trigger.closures), COMPOSE_TIME, trigger.zone
    )
    eastern = next_open(start_of_day(day, EASTERNMOST), trigger.window, EASTERNMOST)
    return Firing(
        compose_at=min(lead, eastern),
        send_at=at_local(day, trigger.at, trigger.zone),
        key=day.isoformat(),
        send_date=day,
    )


def _cron(trigger: Cron, after: datetime, until: datetime) -> Iterator[Firing]:
    # The expression is walked on the wall clock, without a zone; each wall-clock time is one firing, whatever
    # the clock does. Start a day early: a change of the clock moves instants by less than that.
    check_cron(trigger.expression)
    start = after.astimezone(trigger.zone).replace(tzinfo=None) - timedelta(days=1)
    stop = until.astimezone(trigger.zone).replace(tzinfo=None) + timedelta(days=1)
    walk = croniter(trigger.expression, start, ret_type=datetime)
    while (local := walk.get_next(datetime)) <= stop:
        instant = at_local(local.date(), local.time(), trigger.zone)
        yield Firing(compose_at=instant, send_at=instant, key=local.isoformat("T", "minutes"), send_date=None)


def next_firing(trigger: Trigger, after: datetime, within: timedelta = timedelta(days=800)) -> Firing | None:
    """The first firing to be composed after ``after``; None for a feed, or when there is none ``within``."""
    # A cron expression may fire every minute and a festival once a year: look further with each step.
    step, start = timedelta(days=1), after.astimezone(UTC)
    end = start + within
    while start < end:
        found = firings(trigger, start, min(start + step, end))
        if found:
            return found[0]
        start, step = start + step, min(step * 2, timedelta(days=64))
    return None
