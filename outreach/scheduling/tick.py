"""The tick: every job in force gets the occurrences that are due since its mark, exactly once (P3, P4).

A row for each schedule carries a high-water mark. A tick locks the row, computes what is due since the mark,
inserts it (unique), defers the composing and advances the mark, all in one transaction; so any number of
schedulers need no leader, and a start after a stop catches up, or expires visibly, by the job's own rule.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, NotFound
from outreach.core.events import ClientsImported
from outreach.ledger.work import Opener, Work
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.occurrences import add_occurrence, compose_soon, occurrence_id_of
from outreach.scheduling.plan import Plan
from outreach.scheduling.tables import occurrence, schedule

# How far back a new job looks: what is still worth sending, although it was to be composed earlier.
_FIRST_LOOK = timedelta(days=75)
_AHEAD = timedelta(days=400)


@dataclass
class TickResult:
    """What a tick did."""

    added: int = 0
    missed: int = 0


def tick(open_work: Opener, now: datetime | None = None) -> TickResult:
    """Bring every schedule up to ``now``, a transaction for each job. Safe from any number of processes."""
    moment = now or clock.now()
    result = TickResult()
    with open_work() as work:
        plans = [plan for plan in plans_in_force(work.conn) if plan.feed is None]
    for plan in plans:
        with open_work() as work:
            advance(work, plan, moment, result)
    return result


def advance(work: Work, plan: Plan, now: datetime, result: TickResult) -> None:
    """Insert what is due of one job since its mark, and advance the mark, in this transaction."""
    locked = _locked_mark(work, plan, now)
    if locked is None:
        return
    mark, fresh = locked
    if mark >= now:
        return
    for firing in plan.due(mark, now):
        late = plan.too_late(firing, now)
        if late and fresh:
            continue  # What lies before a job's first day was never missed.
        added = add_occurrence(
            work,
            plan,
            firing.key,
            send_date=firing.send_date,
            send_at=firing.send_at,
            expires_at=plan.expires_at(firing),
            expired=late,
            note="missed" if late else "",
        )
        if added is not None:
            result.missed += late
            result.added += not late
    work.conn.execute(update(schedule).where(schedule.c.job_name == plan.job_name).values(high_water=now))


def _locked_mark(work: Work, plan: Plan, now: datetime) -> tuple[datetime, bool] | None:
    """The job's mark, its row locked until this transaction ends, and whether the job is seen for the first time
    (it starts a little in the past); None when another tick holds the row or the job is switched off."""
    made = work.conn.execute(
        insert(schedule)
        .values(job_name=plan.job_name, high_water=now - _FIRST_LOOK)
        .on_conflict_do_nothing(index_elements=["job_name"])
        .returning(schedule.c.job_name)
    ).first()
    row = work.conn.execute(
        select(schedule.c.high_water, schedule.c.enabled)
        .where(schedule.c.job_name == plan.job_name)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    return (row.high_water, made is not None) if row is not None and row.enabled else None


def prepare_next(work: Work, job_name: str) -> UUID:
    """Compose the next firing of a job ahead of its time, at somebody's request; returns the occurrence.

    The regular firing later finds the same unique key there. Raises NotFound for an unknown job, BadInput for
    one that is fired by a feed or has nothing within the next 400 days.
    """
    require(work.actor, Permission.RUN_JOBS)
    plan = next((plan for plan in plans_in_force(work.conn) if plan.job_name == job_name), None)
    if plan is None:
        raise NotFound(f"There is no job {job_name} in force.", mend="List them with: outreach jobs list")
    if plan.feed:
        raise BadInput(f"{job_name} is fired by a feed.", mend="Import an item of that feed.")
    now = clock.now()
    upcoming = [firing for firing in plan.due(now - _FIRST_LOOK, now + _AHEAD) if firing.send_at > now]
    if not upcoming:
        raise BadInput(f"{job_name} does not fire within a year.", mend="Check its trigger.")
    firing = upcoming[0]
    added = add_occurrence(
        work,
        plan,
        firing.key,
        send_date=firing.send_date,
        send_at=firing.send_at,
        expires_at=plan.expires_at(firing),
        note="prepared ahead",
    )
    found = added or occurrence_id_of(work, job_name, firing.key)
    if found is None:
        raise NotFound("The occurrence vanished while it was looked for.", mend="Try again.")
    return found


def top_up(work: Work, event: ClientsImported) -> None:
    """New clients: occurrences that are composed already and still open take them in."""
    if not event.created:
        return
    open_ones = work.conn.execute(
        select(occurrence.c.id).where(
            occurrence.c.state == "composed", occurrence.c.top_up, occurrence.c.expires_at > clock.now()
        )
    ).scalars()
    for occurrence_id in open_ones:
        compose_soon(work, occurrence_id)


def expire_due(work: Work) -> int:
    """Occurrences that could not be composed before they expired."""
    done = work.conn.execute(
        text(
            "UPDATE occurrence SET state = 'expired', note = 'not composed in time'"
            " WHERE state = 'due' AND expires_at <= :now"
        ),
        {"now": clock.now()},
    )
    return done.rowcount
