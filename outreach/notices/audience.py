"""Who is told of what: subscribers of the rooms' events, in the same transaction (``app`` wires them)."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from outreach.core import clock
from outreach.core.access import Role
from outreach.core.events import DecisionMade, FileWaits, ReplyReceived, SubmissionHeld
from outreach.delivery.tables import reply
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.notices.outbox import tell
from outreach.people.tables import staff, staff_role
from outreach.review.policies import policy_for
from outreach.review.tables import decision, decision_digest, submission
from outreach.scheduling.tables import occurrence


def on_submission_held(work: Work, event: SubmissionHeld) -> None:
    """Something waits: whoever may decide on it is told, but not who wrote it. Wire it after the release of
    standing approvals, so that nobody is told of what released itself."""
    held = work.conn.execute(
        select(func.count())
        .select_from(message)
        .where(message.c.submission_id == event.submission_id, message.c.state == State.HELD.value)
    ).scalar_one()
    if not held:
        return
    row = work.conn.execute(select(submission).where(submission.c.id == event.submission_id)).one()
    policy = policy_for(work.conn, row.policy_version_id)
    author = select(staff.c.person_key).where(staff.c.id == row.author_id).scalar_subquery()
    deciders = work.conn.execute(
        select(staff.c.id)
        .join(staff_role, staff_role.c.staff_id == staff.c.id)
        .where(
            staff_role.c.role.in_([role.value for role in policy.deciders]),
            _in_branch(row.branch_id),
            _today(work),
            staff.c.status == "active",
            or_(author.is_(None), staff.c.person_key != author),
        )
        .distinct()
    ).scalars()
    params = _named(work, row) | {"count": held, "urgent": row.urgent}
    tell(work, deciders, "submission_held", params)


def on_decision_made(work: Work, event: DecisionMade) -> None:
    """A decision goes back to whoever wrote the messages; a release is nobody's news."""
    made = work.conn.execute(select(decision).where(decision.c.id == event.decision_id)).one()
    if made.verb == "release":
        return
    row = work.conn.execute(select(submission).where(submission.c.id == made.submission_id)).one()
    authors = work.conn.execute(
        select(message.c.author_id)
        .join(decision_digest, decision_digest.c.message_id == message.c.id)
        .where(decision_digest.c.decision_id == made.id, message.c.author_id.is_not(None))
        .union(
            select(message.c.last_editor_id)
            .join(decision_digest, decision_digest.c.message_id == message.c.id)
            .where(decision_digest.c.decision_id == made.id, message.c.last_editor_id.is_not(None))
        )
    ).scalars()
    verb = made.verb if made.undone_at is None else "undo"
    params = _named(work, row) | {
        "count": made.count,
        "verb": verb,
        "decision_id": str(made.id),
        "reasons": list(made.reasons),
    }
    told = {author for author in authors if author != made.actor_id}
    tell(work, told, "decision", params)
    if row.branch_id is None and verb == "approve":
        tell(
            work,
            _branches_concerned(work, row.id),
            "firm_approved",
            {"title": params["title"], "category": row.category},
        )


def _branches_concerned(work: Work, submission_id: UUID) -> list[UUID]:
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
    tell(work, owners, "reply", {"reply_id": str(row.id)})


def _named(work: Work, row: Any) -> dict[str, Any]:
    """What a notice may say of a submission. An advisor's own title could name a client, so it is left out."""
    job = work.conn.execute(
        select(occurrence.c.job_name).where(occurrence.c.id == row.occurrence_id)
    ).scalar_one()
    return {
        "submission_id": str(row.id),
        "title": "" if job == "advisor" else row.title,
        "category": row.category,
    }


def _in_branch(branch_id: UUID | None) -> Any:
    if branch_id is None:
        return staff_role.c.branch_id.is_(None)
    return or_(staff_role.c.branch_id == branch_id, staff_role.c.branch_id.is_(None))


def _today(work: Work) -> Any:
    on = clock.today(work.settings.zone)
    return (staff_role.c.valid_from <= on) & (
        staff_role.c.valid_until.is_(None) | (staff_role.c.valid_until >= on)
    )
