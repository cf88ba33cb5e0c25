"""Taking an approval or an endorsement back while its undo window is open and nothing of it is on its way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, select, update

from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import Conflict, Forbidden, NotFound
from outreach.core.events import DecisionMade, publish
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work
from outreach.messages.states import State, move
from outreach.messages.tables import message
from outreach.review.approving import check_may_decide
from outreach.review.binding import among, lock_messages, submission_fields
from outreach.review.policies import policy_for
from outreach.review.submissions import refresh_state, submission_for
from outreach.review.tables import decision, decision_digest


@dataclass(frozen=True)
class TooLate:
    """A message that the undo did not bring back, and the state it has."""

    message_id: UUID
    state: str
    at: datetime


@dataclass(frozen=True)
class Undone:
    """How many wait again, and which went on already."""

    decision_id: UUID
    count: int
    too_late: tuple[TooLate, ...]


def undo(work: Work, decision_id: UUID) -> Undone:
    """Take an approval back: what is still approved is held again, undecided. An endorsement taken back voids what the
    approvers after it have decided on the same messages, as far as it is not on its way.

    Messages already claimed for sending (or stopped meanwhile) stay where they are and are listed. Raises
    NotFound beyond the scope, Forbidden when the actor may not decide this, Conflict when it was undone already,
    when its time is over or when nothing can be brought back.
    """
    require(work.actor, Permission.DECIDE)
    submission_id = work.conn.execute(
        select(decision.c.submission_id).where(decision.c.id == decision_id)
    ).scalar_one_or_none()
    if submission_id is None:
        raise NotFound("There is no such decision that you may see.")
    submission = submission_for(work, submission_id, Permission.DECIDE, lock=True)
    made = work.conn.execute(select(decision).where(decision.c.id == decision_id).with_for_update()).one()
    policy = policy_for(work.conn, submission.policy_version_id)
    at = clock.now()
    if made.verb not in ("approve", "endorse"):
        check_may_decide(work, submission, policy, "approve")
        raise Forbidden(
            "Only an approval can be undone.",
            mend="A release ends by revoking its standing approval; a returned message is put up again.",
        )
    check_may_decide(work, submission, policy, "approve", step=made.step)
    if made.undone_at is not None:
        raise Conflict("This decision was undone already.", mend="Read the list again.")
    if at >= made.undo_until:
        raise Conflict(
            f"The time to undo this ended at {made.undo_until.isoformat()}.",
            mend="What has gone out can't be called back.",
        )
    ids = work.conn.execute(
        select(decision_digest.c.message_id).where(decision_digest.c.decision_id == decision_id)
    ).scalars()
    chosen = among(message.c.id, ids)
    rows = lock_messages(work.conn, chosen)
    moved = _back(work, made, chosen)
    if not moved:
        raise Conflict("Nothing of this decision can be brought back any more.", mend="Read the list again.")
    work.conn.execute(
        update(decision)
        .where(decision.c.id == decision_id, decision.c.undone_at.is_(None))
        .values(undone_at=at, undone_by=work.actor.staff_id)
    )
    refresh_state(work.conn, [submission.id])
    record(
        work,
        Entry(
            "undo",
            {
                "decision_id": decision_id,
                "verb": "undo",
                "count": len(moved),
                "step": made.step if made.verb == "endorse" or made.step > 1 else None,
                "manifest_digest": bytes(made.manifest_digest),
                **submission_fields(work.conn, submission),
            },
            branch_id=submission.branch_id,
        ),
    )
    publish(work, DecisionMade(decision_id))
    late = tuple(
        TooLate(row.id, row.state, row.state_at)
        for row in rows
        if row.id not in moved and (made.verb == "approve" or row.state != State.HELD)
    )
    return Undone(decision_id, len(moved), late)


def _back(work: Work, made: Row[Any], chosen: ColumnElement[bool]) -> set[UUID]:
    """Bring back what the decision binds; returns which messages."""
    if made.verb == "approve":
        mine = chosen & (message.c.decision_id == made.id)
        again: dict[str, Any] = {"reason": "undone", "decision_id": None, "due_at": None}
        return set(move(work.conn, State.APPROVED, State.HELD, mine, **again))
    bound_still = (
        chosen
        & (message.c.endorsed >= made.step)
        & exists().where(
            decision_digest.c.decision_id == made.id,
            decision_digest.c.message_id == message.c.id,
            decision_digest.c.revision == message.c.revision,
            decision_digest.c.digest == message.c.digest,
        )
    )
    moved = move(
        work.conn,
        State.APPROVED,
        State.HELD,
        bound_still,
        reason="undone",
        decision_id=None,
        due_at=None,
        endorsed=made.step - 1,
    )
    waiting = (
        update(message)
        .where(bound_still, message.c.state == State.HELD.value)
        .values(endorsed=made.step - 1, reason="undone", reason_params=None)
        .returning(message.c.id)
    )
    return set(moved) | set(work.conn.execute(waiting).scalars())
