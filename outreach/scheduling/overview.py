"""Jobs as whoever runs them sees them: when each fires next, and what became of its last firing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text

from outreach.content.in_force import closures_in_force, job_version
from outreach.core import clock
from outreach.core.access import Permission, require, visible
from outreach.ledger.work import Work
from outreach.messages.tables import message
from outreach.occasions.trading import NONE_NAMED, is_provisional
from outreach.occasions.triggers import Cron, next_firing
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.tables import occurrence, schedule

_AHEAD = timedelta(days=400)


@dataclass(frozen=True)
class Last:
    """The newest occurrence of a job, with its messages counted by state."""

    id: UUID
    key: str
    send_at: datetime
    composed_at: datetime | None
    state: str
    note: str
    messages: dict[str, int]
    left_out: int


@dataclass(frozen=True)
class JobLine:
    """One job in force. ``provisional``: its next date rests on holidays that are not yet announced."""

    name: str
    title_zh: str
    title_en: str
    feed: str | None
    enabled: bool
    compose_at: datetime | None
    send_at: datetime | None
    prepared: bool  # the next firing's occurrence is there already
    provisional: bool
    last: Last | None


_LAST = text(
    """
    SELECT DISTINCT ON (job_name) job_name, id, occurrence_key, send_at, composed_at, state, note
      FROM occurrence WHERE job_name = ANY(:names) ORDER BY job_name, created_at DESC, send_at DESC
    """
)


def job_lines(work: Work) -> list[JobLine]:
    """Every job in force, by name. Raises Forbidden, and NotFound before the first publication."""
    require(work.actor, Permission.WATCH_DELIVERY)
    now = clock.now()
    plans = plans_in_force(work.conn)
    closures = closures_in_force(work.conn) if plans else NONE_NAMED
    names = [plan.job_name for plan in plans]
    enabled = {row.job_name: row.enabled for row in work.conn.execute(select(schedule))}
    last = {row.job_name: row for row in work.conn.execute(_LAST, {"names": names})}
    lines: list[JobLine] = []
    for plan in plans:
        title = job_version(work.conn, plan.job_version_id).meta.title
        firing = None if plan.feed else next_firing(plan.trigger, now, _AHEAD)
        there = firing is not None and _there(work, plan.job_name, firing.key)
        newest = last.get(plan.job_name)
        dated = firing is not None and not isinstance(plan.trigger, Cron)
        lines.append(
            JobLine(
                name=plan.job_name,
                title_zh=title.zh,
                title_en=title.en,
                feed=plan.feed,
                enabled=enabled.get(plan.job_name, True),
                compose_at=firing.compose_at if firing else None,
                send_at=firing.send_at if firing else None,
                prepared=there,
                provisional=bool(
                    firing is not None
                    and dated
                    and any(is_provisional(at.year, closures) for at in (firing.send_at, firing.compose_at))
                ),
                last=Last(
                    id=newest.id,
                    key=newest.occurrence_key,
                    send_at=newest.send_at,
                    composed_at=newest.composed_at,
                    state=newest.state,
                    note=newest.note,
                    messages=_messages(work, newest.id),
                    left_out=_left_out(work, newest.id),
                )
                if newest
                else None,
            )
        )
    return lines


def _there(work: Work, job_name: str, key: str) -> bool:
    query = select(occurrence.c.id).where(
        occurrence.c.job_name == job_name, occurrence.c.occurrence_key == key
    )
    return work.conn.execute(query).first() is not None


def _messages(work: Work, occurrence_id: UUID) -> dict[str, int]:
    rows = work.conn.execute(
        select(message.c.state, func.count().label("n"))
        .where(
            message.c.occurrence_id == occurrence_id,
            visible(work.actor, Permission.WATCH_DELIVERY, message.c.branch_id),
        )
        .group_by(message.c.state)
        .order_by(message.c.state)
    )
    return {row.state: row.n for row in rows}


def _left_out(work: Work, occurrence_id: UUID) -> int:
    query = text("SELECT count(*) FROM left_out WHERE occurrence_id = :id")
    return int(work.conn.execute(query, {"id": occurrence_id}).scalar_one())
