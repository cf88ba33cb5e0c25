"""What happens when nobody decides in time: those whose turn it is are told, then the next in line may decide, too.

The first stage is at ``due_by``; each step of the policy's escalation follows its time later. Where all whose turn it
is are out of office and nobody stands in for them, the first step of the escalation happens at once. Any number of
schedulers may look at the same time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, or_, select, update

from outreach.core import clock
from outreach.core.access import Role
from outreach.core.events import SubmissionEscalated, publish
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.away import in_force, present
from outreach.people.tables import absence, staff, staff_role
from outreach.review.binding import submission_fields
from outreach.review.policies import Policy, policy_for
from outreach.review.submissions import Submission
from outreach.review.tables import submission

_AT_ONCE = 200  # submissions in one transaction


def escalate_due(work: Work, limit: int = _AT_ONCE) -> int:
    """Take the next stage of each submission whose time is over and in which something waits; returns how many.

    What another machine is at, or somebody who is deciding just now, is left for the next look.
    """
    now = clock.now()
    rows = work.conn.execute(
        _open(submission.c.escalate_at <= now)
        .order_by(submission.c.escalate_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True, of=submission)
    ).mappings()
    count = 0
    for row in rows.all():
        about = Submission(**row)
        policy = policy_for(work.conn, about.policy_version_id)
        due = sum(1 for at in stages(about, policy) if at <= now)
        _escalate(work, about, policy, max(due, about.escalation), "late")
        count += 1
    return count + _escalate_absent(work, now, limit)


def stages(about: Submission, policy: Policy) -> list[datetime]:
    """When each stage comes: when it is late, and each step of the policy's escalation."""
    return [about.due_by, *(about.due_by + step.after for step in policy.escalation)]


def deciders(work: Work, branch_id: UUID | None, roles: Iterable[Role]) -> set[UUID]:
    """Who has one of ``roles`` today for submissions of ``branch_id`` (None: for the firm's), present or not."""
    here: ColumnElement[bool] = staff_role.c.branch_id.is_(None)
    if branch_id is not None:
        here = or_(here, staff_role.c.branch_id == branch_id)
    rows = work.conn.execute(
        select(staff_role.c.staff_id)
        .join(staff, staff.c.id == staff_role.c.staff_id)
        .where(
            staff.c.status == "active",
            staff_role.c.role.in_(sorted(role.value for role in roles)),
            here,
            _today(work),
        )
        .distinct()
    )
    return set(rows.scalars())


def _today(work: Work) -> ColumnElement[bool]:
    on = clock.today(work.settings.zone)
    return (staff_role.c.valid_from <= on) & or_(
        staff_role.c.valid_until.is_(None), staff_role.c.valid_until >= on
    )


def _open(condition: ColumnElement[bool]) -> Any:
    waits = exists().where(message.c.submission_id == submission.c.id, message.c.state == State.HELD.value)
    return select(submission).where(submission.c.state == "open", condition, waits)


def _escalate(work: Work, about: Submission, policy: Policy, stage: int, basis: str) -> None:
    """Bring a locked submission to ``stage``: what it passes is told and recorded, one after the other."""
    times = stages(about, policy)
    work.conn.execute(
        update(submission)
        .where(submission.c.id == about.id, submission.c.escalation == about.escalation)
        .values(escalation=stage, escalate_at=times[stage] if stage < len(times) else None)
    )
    for passed in range(about.escalation + 1, stage + 1):
        if basis == "away" and passed == 1:
            continue  # nobody is there to be told that it is late
        roles = _told(work.conn, about, policy, passed)
        fields = {
            "number": passed,
            "role": list(roles),
            "basis": basis,
            "due_at": about.due_by,
            **submission_fields(work.conn, about),
        }
        record(work, Entry("escalation", fields, branch_id=about.branch_id))
        publish(work, SubmissionEscalated(about.id, passed, roles, basis))


def _told(conn: Connection, about: Submission, policy: Policy, stage: int) -> tuple[str, ...]:
    if stage == 1:
        return tuple(sorted(role.value for role in policy.steps[_endorsed(conn, about.id, policy)]))
    return tuple(role.value for role in policy.escalation[stage - 2].to)


def _endorsed(conn: Connection, submission_id: UUID, policy: Policy) -> int:
    """How many approvers have endorsed what waits longest for its next one."""
    if len(policy.steps) == 1:
        return 0
    least = conn.execute(
        select(func.min(message.c.endorsed)).where(
            message.c.submission_id == submission_id, message.c.state == State.HELD.value
        )
    ).scalar_one()
    return min(least or 0, len(policy.steps) - 1)


# ── all are away ──────────────────────────────────────────────────────────────────────────────────────────


def _escalate_absent(work: Work, now: datetime, limit: int) -> int:
    """The first step of the escalation, for what waits for people who are all away without a deputy."""
    alone = _left_alone(work, now)
    if not alone:
        return 0
    somebody: dict[tuple[UUID | None, frozenset[Role]], bool] = {}
    chosen: list[UUID] = []
    for row in work.conn.execute(_candidates(work, alone)).mappings():
        about = Submission(**row)
        policy = policy_for(work.conn, about.policy_version_id)
        roles = policy.roles_for("approve", _endorsed(work.conn, about.id, policy))
        key = (about.branch_id, roles)
        if key not in somebody:
            somebody[key] = bool(present(work.conn, deciders(work, about.branch_id, roles), now))
        if not somebody[key]:
            chosen.append(about.id)
        if len(chosen) >= limit:
            break
    count = 0
    for submission_id in chosen:
        one = _open(and_(submission.c.id == submission_id, submission.c.escalation < 2))
        locked = one.with_for_update(skip_locked=True, key_share=True, of=submission)
        found = work.conn.execute(locked).mappings().one_or_none()
        if found is not None:
            about = Submission(**found)
            _escalate(work, about, policy_for(work.conn, about.policy_version_id), 2, "away")
            count += 1
    return count


def _left_alone(work: Work, now: datetime) -> dict[UUID | None, set[Role]]:
    """Branch (None: the firm) -> the roles there of those who are away and for whom nobody present stands in."""
    rows = work.conn.execute(
        select(absence.c.staff_id, staff_role.c.branch_id, staff_role.c.role)
        .join(staff_role, staff_role.c.staff_id == absence.c.staff_id)
        .where(in_force(now), _today(work))
    ).all()
    covered = {one for one in {row.staff_id for row in rows} if present(work.conn, [one], now)}
    found: dict[UUID | None, set[Role]] = defaultdict(set)
    for row in rows:
        if row.staff_id not in covered:
            found[row.branch_id].add(Role(row.role))
    return found


def _candidates(work: Work, alone: Mapping[UUID | None, set[Role]]) -> Any:
    """Open submissions that may wait for nobody: of a branch, or under a policy, in which somebody of a role that
    decides is away. What was escalated to the next in line already is not among them."""
    versions = work.conn.execute(
        select(submission.c.policy_version_id).where(submission.c.state == "open").distinct()
    ).scalars()
    wanted: list[ColumnElement[bool]] = []
    for version_id in versions:
        policy = policy_for(work.conn, version_id)
        roles = {role for step in policy.steps for role in step} if policy.escalation else set()
        here = sorted(branch for branch, away in alone.items() if branch is not None and away & roles)
        if alone.get(None, set()) & roles:
            wanted.append(submission.c.policy_version_id == version_id)
        elif here:
            wanted.append((submission.c.policy_version_id == version_id) & submission.c.branch_id.in_(here))
    some = or_(*wanted) if wanted else false()
    return _open(and_(submission.c.escalation < 2, some)).order_by(submission.c.due_by)
