"""The jobs in force as plans: a published definition's words, as the calendar needs them."""

from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

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
    template_in_force,
)
from outreach.occasions.trading import Closures
from outreach.occasions.triggers import ClientDate, Cron, Feed, Festival, TradingDay, Trigger
from outreach.occasions.windows import parse_window
from outreach.scheduling.plan import Plan


def plans_in_force(conn: Connection) -> list[Plan]:
    """Every job in force with the versions it composes from now, by name; none before the first publication."""
    if not anything_published(conn):
        return []
    closures = closures_in_force(conn)
    return [
        _plan(
            job.id,
            job.name,
            job.meta,
            template_in_force(conn, job.meta.template).id,
            policy_in_force(conn, job.meta.policy).id,
            closures,
        )
        for job in jobs_in_force(conn)
    ]


def titles_in_force(conn: Connection, locale: str) -> list[tuple[str, str]]:
    """(name, title in the language of ``locale``) of every job in force; none before the first publication."""
    if not anything_published(conn):
        return []
    chinese = locale.startswith("zh")
    return [(job.name, job.meta.title.zh if chinese else job.meta.title.en) for job in jobs_in_force(conn)]


def plan_of(conn: Connection, job: JobVersion) -> Plan:
    """One job's plan with the versions in force now. Raises NotFound when its template or policy is not."""
    template = template_in_force(conn, job.meta.template)
    policy = policy_in_force(conn, job.meta.policy)
    return _plan(job.id, job.name, job.meta, template.id, policy.id, closures_in_force(conn))


@lru_cache(maxsize=512)
def _plan(
    job_version_id: UUID,
    name: str,
    job: JobFile,
    template_version_id: UUID,
    policy_version_id: UUID,
    closures: Closures,
) -> Plan:
    return Plan(
        job_name=name,
        job_version_id=job_version_id,
        template_version_id=template_version_id,
        policy_version_id=policy_version_id,
        trigger=trigger_of(job, closures),
        expiry=job.expiry,
        catch_up=job.misfire.within if job.misfire.rule == "catch_up" else None,
        top_up=job.top_up,
    )


def trigger_of(job: JobFile, closures: Closures) -> Trigger:
    """When a job fires; trading days and leads are counted with the institution's ``closures``."""
    zone, window = ZoneInfo(job.zone), parse_window(job.window)
    match job.trigger:
        case FeedTrigger(feed=kind, types=types, except_types=others):
            return Feed(kind=kind, types=types, except_types=others)
        case CronTrigger(cron=expression):
            return Cron(expression=expression, zone=zone)
        case FestivalTrigger(festival=name, offset_days=offset):
            return Festival(
                name=name,
                offset_days=offset,
                at=job.at,
                zone=zone,
                window=window,
                lead_working_days=job.lead,
                closures=closures,
            )
        case ClientDateTrigger():
            return ClientDate(
                at=job.at, zone=zone, window=window, lead_working_days=job.lead, closures=closures
            )
        case TradingDayTrigger():
            return TradingDay(
                at=job.at, zone=zone, window=window, lead_working_days=job.lead, closures=closures
            )
