"""A year ahead: what goes out on which day, to how many, and under which policy.

The counts are of the clients as they are now, by each job's own audience, before consent, limits and what else may
keep a message back on its day. One query a job (two for birthdays), never one a day.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection, text

from outreach.composing.audience import Audience, counted
from outreach.content.formats import (
    ClientDateTrigger,
    CronTrigger,
    FeedTrigger,
    FestivalTrigger,
    JobFile,
    TradingDayTrigger,
)
from outreach.content.in_force import (
    JobVersion,
    anything_published,
    closures_in_force,
    jobs_in_force,
    policy_in_force,
)
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.occasions.birthdays import birth_monthdays_on
from outreach.occasions.dues import moved
from outreach.occasions.festivals import FIRST_YEAR, LAST_YEAR, festival_date
from outreach.occasions.lunar import lunar_days_of
from outreach.occasions.trading import NONE_NAMED, Closures, is_provisional, is_trading_day
from outreach.occasions.triggers import firings
from outreach.scheduling.jobs import trigger_of

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class MonthSum:
    """What a job by clients' dates has in one month: messages in all, on how many days, and the busiest day."""

    month: int
    count: int
    days: int
    busiest: date | None
    busiest_count: int


@dataclass(frozen=True)
class YearLine:
    """One job in a year. ``kind`` is its trigger's; ``dates`` are its days with the clients of each (festivals),
    ``months`` its sums (clients' dates); ``firings`` how often it fires (trading days, cron) with ``audience``
    clients at most each time. ``rule`` is the cron expression or the feed."""

    job: str
    title_zh: str
    title_en: str
    policy_zh: str
    policy_en: str
    mode: str
    kind: str
    audience: int
    dates: tuple[tuple[date, int], ...] = ()
    months: tuple[MonthSum, ...] = ()
    firings: int = 0
    rule: str = ""

    @property
    def total(self) -> int | None:
        """Messages in the year, before consent and limits; None where it depends on what comes."""
        match self.kind:
            case "festival":
                return sum(count for _, count in self.dates)
            case "client_date":
                return sum(one.count for one in self.months)
            case "feed":
                return None
            case _:
                return self.firings * self.audience


@dataclass(frozen=True)
class Year:
    """A year of jobs, by name. ``provisional``: its public holidays are not announced yet, so leads and trading
    days are computed. ``source``: the notice that the institution's own closures of the year come from, "" when it
    has named none."""

    year: int
    provisional: bool
    source: str
    lines: tuple[YearLine, ...]

    def on(self, month: int) -> list[tuple[date, YearLine, int]]:
        """The dated lines of a month, by day."""
        found = [(day, line, count) for line in self.lines for day, count in line.dates if day.month == month]
        return sorted(found, key=lambda one: (one[0], one[1].job))

    def sums(self, month: int) -> list[tuple[YearLine, MonthSum]]:
        """The sums of a month, jobs without a client in it left out."""
        return [(line, one) for line in self.lines for one in line.months if one.month == month and one.count]


def year_ahead(work: Work, year: int) -> Year:
    """Every job in force in ``year``, counted over the clients within the actor's scope.

    Raises Forbidden without the permission to watch delivery, BadInput for a year outside 1950 to 2050.
    """
    require(work.actor, Permission.WATCH_DELIVERY)
    if not FIRST_YEAR < year < LAST_YEAR:
        raise BadInput(
            f"The calendar knows {FIRST_YEAR + 1} to {LAST_YEAR - 1}.", mend="Choose one of these."
        )
    there = anything_published(work.conn)
    jobs = jobs_in_force(work.conn) if there else []
    closures = closures_in_force(work.conn) if there else NONE_NAMED
    named = closures.of(year)
    return Year(
        year,
        is_provisional(year, closures),
        named.source if named else "",
        tuple(_line(work, job, year, closures) for job in jobs),
    )


def _line(work: Work, job: JobVersion, year: int, closures: Closures) -> YearLine:
    meta, conn = job.meta, work.conn
    policy = policy_in_force(conn, meta.policy).meta
    audience = _base(work, meta)
    line = YearLine(
        job=job.name,
        title_zh=meta.title.zh,
        title_en=meta.title.en,
        policy_zh=policy.title.zh,
        policy_en=policy.title.en,
        mode=policy.mode,
        kind=meta.trigger.kind,
        audience=counted(conn, audience)[0].n,
    )
    match meta.trigger:
        case FestivalTrigger(festival=name, offset_days=offset):
            days = (festival_date(name, one) + offset * _DAY for one in (year - 1, year, year + 1))
            return replace(line, dates=tuple((day, line.audience) for day in days if day.year == year))
        case ClientDateTrigger() as trigger:
            return replace(line, months=_months(_by_day(conn, audience, trigger, year), year))
        case TradingDayTrigger():
            return replace(line, firings=sum(is_trading_day(day, closures) for day in _days_of(year)))
        case CronTrigger(cron=expression):
            return replace(line, firings=_firings(meta, year, closures), rule=expression)
        case FeedTrigger(feed=feed):
            return replace(line, rule=feed)


def _base(work: Work, job: JobFile) -> Audience:
    """The job's audience within the branch walls, without what belongs to one day or one item."""
    wanted = job.audience
    return Audience(
        tiers=wanted.tiers,
        branches=wanted.branches,
        risk_classes=wanted.risk_classes,
        tags=wanted.tags,
        languages=wanted.languages,
        kinds=(wanted.kind,) if wanted.kind else (),
        holders_of=wanted.holders_of,
        branch_ids=work.actor.scope(Permission.WATCH_DELIVERY),
    )


def _days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + shift * _DAY for shift in range((date(year + 1, 1, 1) - first).days)]


def _firings(job: JobFile, year: int, closures: Closures) -> int:
    trigger = trigger_of(job, closures)
    zone = getattr(trigger, "zone", None)
    start, end = (datetime.combine(date(one, 1, 1), time(0, 0), zone) for one in (year, year + 1))
    return len(firings(trigger, start - timedelta(microseconds=1), end - timedelta(microseconds=1)))


def _by_day(
    conn: Connection, audience: Audience, trigger: ClientDateTrigger, year: int
) -> Mapping[date, int]:
    """send date -> clients, for the days of ``year``."""
    offset = trigger.offset_days * _DAY
    days = [day - offset for day in _days_of(year)]  # the dates that are kept, whenever it is sent
    if trigger.field in ("birthday", "birth_date", "lunar_birthday"):
        found = _birthdays(conn, audience, trigger.field, days)
    elif trigger.yearly:
        found = _anniversaries(conn, audience, trigger.field, days)
    else:
        found = _once(conn, audience, trigger)
    return {day + offset: n for day, n in found.items() if n and (day + offset).year == year}


def _birthdays(conn: Connection, audience: Audience, field: str, days: list[date]) -> Counter[date]:
    found: Counter[date] = Counter()
    if field in ("birthday", "birth_date"):
        columns = _parts("birth_date")[:2]
        groups = {
            (row.m, row.d): row.n
            for row in counted(conn, audience, *columns, "c.lunar_month IS NULL AS solar")
            if row.solar and row.m is not None
        }
        for day in days:
            found[day] += sum(groups.get(pair, 0) for pair in birth_monthdays_on(day))
    if field in ("birthday", "lunar_birthday"):
        lunar_columns = ("c.lunar_month AS m", "c.lunar_day AS d", "coalesce(c.lunar_leap, false) AS leap")
        lunar = {
            (row.m, row.d, row.leap): row.n
            for row in counted(conn, audience, *lunar_columns)
            if row.m is not None
        }
        for day in days:
            found[day] += sum(lunar.get((one.month, one.day, one.leap), 0) for one in lunar_days_of(day))
    return found


def _anniversaries(conn: Connection, audience: Audience, field: str, days: list[date]) -> Counter[date]:
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row in counted(conn, audience, *_parts(field)):
        if row.y is not None:
            groups.setdefault((row.m, row.d), []).append((row.y, row.n))
    found: Counter[date] = Counter()
    for day in days:
        for pair in birth_monthdays_on(day):
            found[day] += sum(n for since, n in groups.get(pair, ()) if since < day.year)
    return found


def _parts(field: str) -> tuple[str, str, str]:
    return (
        f"extract(month FROM c.{field})::int AS m",
        f"extract(day FROM c.{field})::int AS d",
        f"extract(year FROM c.{field})::int AS y",
    )


_FACTS = text(
    """
    SELECT d.on_date AS day, d.client_id FROM client_date d WHERE d.kind = :kind GROUP BY d.on_date, d.client_id
    """
)


def _once(conn: Connection, audience: Audience, trigger: ClientDateTrigger) -> Counter[date]:
    found: Counter[date] = Counter()
    if trigger.fact is not None:
        rows = conn.execute(_FACTS, {"kind": trigger.fact}).all()
        inside = (
            {
                row.id
                for row in counted(
                    conn, replace(audience, client_ids={row.client_id for row in rows}), "c.id"
                )
            }
            if rows
            else set()
        )
        days = Counter(row.day for row in rows if row.client_id in inside)
    else:
        days = Counter({row.day: row.n for row in counted(conn, audience, f"c.{trigger.field} AS day")})
    for day, n in days.items():
        if day is not None and day.year < 9000:  # "long-term" documents never expire
            found[moved(day, years=trigger.years, months=trigger.months)] += n
    return found


def _months(days: Mapping[date, int], year: int) -> tuple[MonthSum, ...]:
    sums: list[MonthSum] = []
    for month in range(1, 13):
        own = {day: n for day, n in days.items() if day.month == month and day.year == year}
        busiest = max(own, key=lambda day: (own[day], -day.toordinal()), default=None)
        sums.append(MonthSum(month, sum(own.values()), len(own), busiest, own[busiest] if busiest else 0))
    return tuple(sums)
