"""The tick: every job in force gets the occurrences that are due since its mark, exactly once (P3, P4).

A row for each schedule carries a high-water mark. A tick locks the row, computes what is due since the mark,
inserts it (unique), defers the composing and advances the mark, all in one transaction; so any number of
schedulers need no leader, and a start after a stop catches up, or expires visibly, by the job's own rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, NotFound
from outreach.core.events import ClientsImported
from outreach.ledger.work import Opener, Work
from outreach.occasions.triggers import Firing, next_firing
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.occurrences import add_occurrence, compose_soon, occurrence_id_of
from outreach.scheduling.plan import Plan
from outreach.scheduling.tables import occurrence, schedule

_AHEAD = timedelta(days=400)

log = structlog.get_logger(__name__)


@dataclass
class TickResult:
    """What a tick did; ``failed`` names the jobs that could not be brought up to now (the next tick tries again)."""

    added: int = 0
    missed: int = 0
    failed: list[str] = field(default_factory=list)


def tick(open_work: Opener, now: datetime | None = None) -> TickResult:
    """Bring every schedule up to ``now``, a transaction for each job. Safe from any number of processes.

    A job that the calendar has no answer for is logged and stops no other.
    """
    moment = now or clock.now()
    result = TickResult()
    with open_work() as work:
        plans = plans_in_force(work.conn)
        # Nothing is missed of a job that is out of force; should it come back, it starts from here.
        work.conn.execute(
            update(schedule)
            .where(
                schedule.c.job_name.not_in([plan.job_name for plan in plans]), schedule.c.high_water < moment
            )
            .values(high_water=moment)
        )
    for plan in plans:
        if plan.feed is not None:
            continue
        try:
            with open_work() as work:
                advance(work, plan, moment, result)
        except BadInput as error:
            log.error("job not scheduled", job=plan.job_name, error=str(error))
            result.failed.append(plan.job_name)
    return result


def advance(work: Work, plan: Plan, now: datetime, result: TickResult) -> None:
    """Insert what is due of one job since its mark, and advance the mark, in this transaction.

    Of a job that is switched off nothing is inserted, and nothing of that time is missed later: once it is on
    again it takes up what is still to be sent.
    """
    locked = _locked_mark(work, plan, now)
    if locked is None:
        return
    mark, fresh, enabled = locked
    if mark > now:
        return
    due = plan.due(plan.looks_back_to(mark, now, fresh), now) if enabled else []
    for firing in _without_known(work, plan, due):
        late = plan.too_late(firing, now)
        if late and firing.compose_at <= mark:
            continue  # before the job's first day, or while it was off: never missed
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


def _locked_mark(work: Work, plan: Plan, now: datetime) -> tuple[datetime, bool, bool] | None:
    """The job's mark, its row locked until this transaction ends; whether the job is seen for the first time (its
    mark is ``now``), and whether it is switched on. None when another tick holds the row."""
    mark = (
        select(schedule.c.high_water, schedule.c.enabled)
        .where(schedule.c.job_name == plan.job_name)
        .with_for_update(skip_locked=True)
    )
    fresh = False
    # An insert would wait for whoever holds the row, so it is only tried when there is none.
    if not work.conn.execute(select(schedule.c.job_name).where(schedule.c.job_name == plan.job_name)).first():
        made = work.conn.execute(
            insert(schedule)
            .values(job_name=plan.job_name, high_water=now)
            .on_conflict_do_nothing(index_elements=["job_name"])
            .returning(schedule.c.job_name)
        )
        fresh = made.first() is not None
    row = work.conn.execute(mark).one_or_none()
    return (row.high_water, fresh, row.enabled) if row is not None else None


def _without_known(work: Work, plan: Plan, due: Sequence[Firing]) -> list[Firing]:
    """The firings that have no occurrence yet."""
    if not due:
        return []
    known = set(
        work.conn.execute(
            select(occurrence.c.occurrence_key).where(
                occurrence.c.job_name == plan.job_name,
                occurrence.c.occurrence_key.in_([firing.key for firing in due]),
            )
        ).scalars()
    )
    return [firing for firing in due if firing.key not in known]


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
    # The next one to be sent may be past its time of composing.
    started = [
        firing for firing in plan.due(plan.looks_back_to(now, now, False), now) if firing.send_at > now
    ]
    firing = started[0] if started else next_firing(plan.trigger, now, _AHEAD)
    if firing is None:
        raise BadInput(f"{job_name} does not fire within a year.", mend="Check its trigger.")
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
