"""Who is told of what waits: subscribers of the rooms' events, in the same transaction (``app`` wires them)."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from outreach.core import clock
from outreach.core.access import Role
from outreach.core.events import (
    FileWaits,
    PendingChanged,
    QuestionAsked,
    ReplyReceived,
    SubmissionEscalated,
    SubmissionHeld,
)
from outreach.delivery.tables import reply
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.notices.holding import held
from outreach.notices.outbox import tell
from outreach.notices.times import gathered_until
from outreach.people.tables import branch, staff, staff_role
from outreach.review.policies import policy_for
from outreach.review.tables import decision, remark, submission
from outreach.scheduling.occurrences import REQUEST
from outreach.scheduling.tables import occurrence


def on_submission_held(work: Work, event: SubmissionHeld) -> None:
    """Something waits: whoever may decide on it now is told, but not who wrote it. Wire it after the release of
    standing approvals, so that nobody is told of what released itself."""
    tell_deciders(work, event.submission_id)


def tell_deciders(work: Work, submission_id: UUID, but: UUID | None = None) -> int:
    """Tell whose turn it is, ``but`` for one who knows: at once when it is urgent, gathered otherwise; returns how many
    were told."""
    steps = held(work.conn, [submission_id]).get(submission_id)
    if not steps:
        return 0
    row = work.conn.execute(select(submission).where(submission.c.id == submission_id)).one()
    policy = policy_for(work.conn, row.policy_version_id)
    told = 0
    for endorsed, count in sorted(steps.items()):
        roles = policy.steps[min(endorsed, len(policy.steps) - 1)]
        people = deciders(work, row, roles) - (_endorsers(work, row.id) if endorsed else set()) - {but}
        params = named(work, row) | {"count": count, "urgent": row.urgent}
        if len(policy.steps) > 1:
            params["step"] = endorsed + 1
        if row.urgent:
            params["by"] = f"{row.due_by.astimezone(work.settings.zone):%H:%M}"
        told += tell(
            work,
            people,
            "submission_held",
            params,
            urgent=row.urgent,
            not_before=None if row.urgent else gathered_until(work, row.due_by),
            submission_id=row.id,
            branch_id=row.branch_id,
        )
    return told


def on_pending_changed(work: Work, event: PendingChanged) -> None:
    """An advisor took one message out of a batch that waits, or gave it words of its own: whose turn it is learns of it
    with the next gathered letter. Whoever approved it learns of it at once when it is taken back after that."""
    row = work.conn.execute(select(submission).where(submission.c.id == event.submission_id)).one()
    if event.what == "taken_back":
        _tell_taken_back(work, row, event.message_id)
        return
    steps = held(work.conn, [row.id]).get(row.id)
    if row.mode == "each" or not steps:
        return
    policy = policy_for(work.conn, row.policy_version_id)
    roles = policy.steps[min(min(steps), len(policy.steps) - 1)]
    tell(
        work,
        deciders(work, row, roles) - {work.actor.staff_id},
        "pending",
        named(work, row) | {"what": event.what},
        not_before=gathered_until(work, row.due_by),
        submission_id=row.id,
        branch_id=row.branch_id,
    )


def _tell_taken_back(work: Work, row: Any, message_id: UUID) -> None:
    """Who approved it; of what a standing approval released, whoever may decide."""
    actor_id = work.conn.execute(
        select(decision.c.actor_id)
        .join(message, message.c.decision_id == decision.c.id)
        .where(message.c.id == message_id)
    ).scalar_one_or_none()
    policy = policy_for(work.conn, row.policy_version_id)
    people = {actor_id} if actor_id else deciders(work, row, policy.steps[-1])
    tell(
        work,
        people - {work.actor.staff_id},
        "taken_back",
        named(work, row),
        submission_id=row.id,
        branch_id=row.branch_id,
    )


def tell_late(
    work: Work, submission_id: UUID, roles: Collection[Role], *, again: bool, away: bool = False
) -> int:
    """Nobody decided in time. ``again``: ``roles`` were to decide, and are reminded; otherwise it is now also with
    them, ``away``: because all who were to decide are. Returns how many were told."""
    count = sum(held(work.conn, [submission_id]).get(submission_id, {}).values())
    if not count:
        return 0
    row = work.conn.execute(select(submission).where(submission.c.id == submission_id)).one()
    params = named(work, row) | {"count": count, "again": again, "away": away}
    return tell(
        work,
        deciders(work, row, roles),
        "escalated",
        params,
        urgent=row.urgent,
        submission_id=row.id,
        branch_id=row.branch_id,
    )


def on_submission_escalated(work: Work, event: SubmissionEscalated) -> None:
    """Time ran out, or all are away: whose turn it is are reminded, or the next in line told."""
    tell_late(
        work,
        event.submission_id,
        [Role(role) for role in event.roles],
        again=event.stage == 1,
        away=event.basis == "away",
    )


def deciders(work: Work, row: Any, roles: Collection[Role]) -> set[UUID]:
    """Everybody with one of ``roles`` for the submission ``row``, but not who wrote it, by whatever account."""
    author = select(staff.c.person_key).where(staff.c.id == row.author_id).scalar_subquery()
    return set(
        work.conn.execute(
            select(staff.c.id)
            .join(staff_role, staff_role.c.staff_id == staff.c.id)
            .where(
                staff_role.c.role.in_([role.value for role in roles]),
                _in_branch(row.branch_id),
                _today(work),
                staff.c.status == "active",
                or_(author.is_(None), staff.c.person_key != author),
            )
        ).scalars()
    )


def _endorsers(work: Work, submission_id: UUID) -> set[UUID]:
    """Every account of those who endorsed already: the next approver is another person."""
    who, same = staff.alias("who"), staff.alias("same")
    return set(
        work.conn.execute(
            select(same.c.id)
            .join(who, who.c.person_key == same.c.person_key)
            .join(decision, decision.c.actor_id == who.c.id)
            .where(
                decision.c.submission_id == submission_id,
                decision.c.verb == "endorse",
                decision.c.undone_at.is_(None),
            )
        ).scalars()
    )


def branches_concerned(work: Work, submission_id: UUID) -> list[UUID]:
    """Managers and deputies of the branches whose clients a company-wide submission reaches: they may hold it."""
    branches = select(message.c.branch_id).where(
        message.c.submission_id == submission_id, message.c.state == State.APPROVED.value
    )
    return list(
        work.conn.execute(
            select(staff_role.c.staff_id)
            .join(staff, staff.c.id == staff_role.c.staff_id)
            .where(
                staff_role.c.role.in_([Role.MANAGER.value, Role.DEPUTY.value]),
                staff_role.c.branch_id.in_(branches),
                _today(work),
                staff.c.status == "active",
            )
            .distinct()
        ).scalars()
    )


def on_question_asked(work: Work, event: QuestionAsked) -> None:
    """Somebody asked compliance: whoever of compliance is in charge of the branch is told, at once; what was asked
    stays on the page."""
    row, about = _remark(work, event.remark_id)
    people = deciders(work, about, [Role.COMPLIANCE]) - {row.staff_id}
    params = named(work, about) | {"remark_id": str(row.id)}
    tell(
        work,
        people,
        "question",
        params,
        urgent=about.urgent,
        submission_id=about.id,
        branch_id=about.branch_id,
    )


def _remark(work: Work, remark_id: UUID) -> tuple[Any, Any]:
    row = work.conn.execute(select(remark).where(remark.c.id == remark_id)).one()
    return row, work.conn.execute(select(submission).where(submission.c.id == row.submission_id)).one()


def on_file_waits(work: Work, event: FileWaits) -> None:
    """A night's file would change too much: who runs the firm's imports is told, and decides."""
    operators = work.conn.execute(
        select(staff.c.id)
        .join(staff_role, staff_role.c.staff_id == staff.c.id)
        .where(
            staff_role.c.role == Role.OPERATOR.value,
            staff_role.c.branch_id.is_(None),
            _today(work),
            staff.c.status == "active",
        )
        .distinct()
    ).scalars()
    tell(work, operators, "file_waits", {"title": event.kind, "id": str(event.waiting_id)})


def on_reply_received(work: Work, event: ReplyReceived) -> None:
    """A client wrote back: whoever owns the reply is told; without an owner the branch's manager is."""
    row = work.conn.execute(select(reply).where(reply.c.id == event.reply_id)).one()
    if row.kind != "reply":
        return
    owners = [row.owner_id] if row.owner_id else []
    if not owners and row.branch_id:
        owners = list(
            work.conn.execute(
                select(staff_role.c.staff_id).where(
                    staff_role.c.role == Role.MANAGER.value,
                    staff_role.c.branch_id == row.branch_id,
                    _today(work),
                )
            ).scalars()
        )
    params: dict[str, Any] = {"reply_id": str(row.id)}
    if row.branch_id:
        params["branch"] = branch_named(work, row.branch_id)
    tell(work, owners, "reply", params, branch_id=row.branch_id)


def named(work: Work, row: Any) -> dict[str, Any]:
    """What a notice may say of a submission. The title of what a person put up could name a client: it is left out."""
    job = work.conn.execute(
        select(occurrence.c.job_name).where(occurrence.c.id == row.occurrence_id)
    ).scalar_one()
    said: dict[str, Any] = {
        "submission_id": str(row.id),
        "title": "" if job == REQUEST else _in_both(row.title),
        "category": row.category,
    }
    if row.branch_id is not None:
        said["branch"] = branch_named(work, row.branch_id)
    return said


def _in_both(title: str) -> dict[str, str]:
    """A title as a submission has it: its Chinese, and in a line of its own its English."""
    first, _, second = title.partition("\n")
    return {"zh": " ".join(first.split()), "en": " ".join((second or first).split())}


def branch_named(work: Work, branch_id: UUID) -> dict[str, str]:
    """A branch's name in both languages."""
    found = work.conn.execute(select(branch.c.name, branch.c.name_en).where(branch.c.id == branch_id)).one()
    return {"zh": found.name, "en": found.name_en or found.name}


def _in_branch(branch_id: UUID | None) -> ColumnElement[bool]:
    if branch_id is None:
        return staff_role.c.branch_id.is_(None)
    return or_(staff_role.c.branch_id == branch_id, staff_role.c.branch_id.is_(None))


def _today(work: Work) -> ColumnElement[bool]:
    on = clock.today(work.settings.zone)
    return (staff_role.c.valid_from <= on) & (
        staff_role.c.valid_until.is_(None) | (staff_role.c.valid_until >= on)
    )
