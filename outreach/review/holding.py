"""A branch's hold on what head office puts up for the whole firm (DESIGN §1; articles 7 and 63).

The firm approves once. A branch that has a reason may hold what goes to its own clients: nothing of it leaves until
the hold is lifted, and what is then past its time expires, visibly. Everybody else's goes out.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, text, update

from outreach.core import clock
from outreach.core.access import Permission, reach, require
from outreach.core.database import AnyRow
from outreach.core.engine import defer
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.core.ids import new_id
from outreach.core.together import Question, asked
from outreach.ledger.append import Entry, record, seal_bytes
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.tables import staff
from outreach.review.binding import submission_fields
from outreach.review.submissions import Submission, submission_for
from outreach.review.tables import branch_hold

REASON = "branch_hold"
_LONGEST = 500


@dataclass(frozen=True)
class BranchHold:
    """A hold that stands, with who set it and why."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class FirmLine:
    """A company-wide submission as one branch sees it, with counts of the messages to that branch's clients.

    ``shown``: one of those messages, to be read.
    """

    submission_id: UUID
    title: str
    category: str
    author: str
    branch_id: UUID
    branch: str
    branch_en: str
    waiting: int
    approved: int
    gone: int
    send_at: datetime
    expires_at: datetime
    shown: UUID
    hold: BranchHold | None


def hold_for_branch(work: Work, submission_id: UUID, branch_id: UUID, reason: str) -> int:
    """Hold what ``submission_id`` sends to clients of ``branch_id``; returns how many messages wait now.

    What is on its way already can't be called back. Raises Forbidden for who may not decide for the branch, NotFound
    beyond the actor's scope, RuleBroken for a submission of the branch's own, BadInput without a reason, Conflict
    when it is held already.
    """
    require(work.actor, Permission.LEAD, branch_id)
    said = " ".join(reason.split())
    if not said or len(said) > _LONGEST:
        raise BadInput(
            "A hold needs its reason.",
            mend=f"Say in up to {_LONGEST} characters why your clients should wait.",
        )
    submission = _of_the_firm(work, submission_id, branch_id)
    standing = standing_hold(work.conn, submission_id, branch_id)
    if standing is not None:
        raise Conflict(
            f"{standing.by} holds it since {standing.at.isoformat(timespec='minutes')}.",
            mend="Read the page again.",
            who=standing.by,
            at=standing.at.isoformat(),
        )
    work.conn.execute(
        insert(branch_hold).values(
            id=new_id(),
            submission_id=submission_id,
            branch_id=branch_id,
            by_staff_id=work.actor.staff_id,
            at=clock.now(),
            reason=said,
        )
    )
    count = rest_held(work.conn, submission_id, [branch_id])
    _record(work, submission, branch_id, "hold", count, said)
    return count


def lift_hold(work: Work, submission_id: UUID, branch_id: UUID) -> int:
    """End the hold; returns how many messages go out now, or at their time.

    Raises as ``hold_for_branch``, and NotFound when nothing is held.
    """
    require(work.actor, Permission.LEAD, branch_id)
    submission = _of_the_firm(work, submission_id, branch_id)
    lifted = work.conn.execute(
        update(branch_hold)
        .where(
            branch_hold.c.submission_id == submission_id,
            branch_hold.c.branch_id == branch_id,
            branch_hold.c.lifted_at.is_(None),
        )
        .values(lifted_at=clock.now(), lifted_by=work.actor.staff_id)
    )
    if not lifted.rowcount:
        raise NotFound("Nothing of it is held.", mend="Somebody has lifted the hold: read the page again.")
    count = len(
        work.conn.execute(
            _GO_ON, {"submission": submission_id, "branch": branch_id, "now": clock.now(), "why": REASON}
        ).all()
    )
    _record(work, submission, branch_id, "lift", count, "")
    if count:
        name = "dispatch_urgent" if submission.urgent else "dispatch"
        defer(work.conn, name, lock=name)
    return count


def standing_hold(conn: Connection, submission_id: UUID, branch_id: UUID) -> BranchHold | None:
    """The hold that stands, if any."""
    row = conn.execute(
        select(branch_hold, staff.c.name)
        .join(staff, staff.c.id == branch_hold.c.by_staff_id)
        .where(
            branch_hold.c.submission_id == submission_id,
            branch_hold.c.branch_id == branch_id,
            branch_hold.c.lifted_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else BranchHold(row.name, row.at, row.reason)


def held_branches(conn: Connection, submission_ids: Collection[UUID]) -> set[tuple[UUID, UUID]]:
    """(submission, branch) of every hold that stands on these submissions."""
    rows = conn.execute(
        select(branch_hold.c.submission_id, branch_hold.c.branch_id).where(
            branch_hold.c.submission_id.in_(set(submission_ids)), branch_hold.c.lifted_at.is_(None)
        )
    )
    return {(row.submission_id, row.branch_id) for row in rows}


def rest_held(conn: Connection, submission_id: UUID, branch_ids: Collection[UUID]) -> int:
    """What is approved in held branches is due at no time until the hold is lifted; returns how many messages."""
    if not branch_ids:
        return 0
    return conn.execute(
        update(message)
        .where(
            message.c.submission_id == submission_id,
            message.c.branch_id.in_(branch_ids),
            message.c.state == State.APPROVED.value,
        )
        .values(due_at=None, reason=REASON, reason_params={})
    ).rowcount


def firm_submissions(work: Work, limit: int = 100) -> list[FirmLine]:
    """What head office has put up for clients of the actor's branches and has not wholly gone out, and what is held;
    what leaves first comes first."""
    require(work.actor, Permission.LEAD)
    return [_line(row) for row in asked(work.conn, firm_question(work, limit)).rows]


def firm_question(work: Work, limit: int = 100) -> Question:
    """What ``firm_submissions`` asks."""
    return _FIRM, {"scope": reach(work.actor, Permission.LEAD), "limit": limit, "now": clock.now()}


_GO_ON = text(
    """
    UPDATE message m
       SET due_at = CASE WHEN m.fallback_of IS NULL
                         THEN greatest(m.send_at, d.undo_until, CAST(:now AS timestamptz)) END,
           reason = CASE WHEN m.fallback_of IS NOT NULL THEN 'waits_for_first' END, reason_params = NULL
      FROM decision d
     WHERE m.submission_id = :submission AND m.branch_id = :branch AND m.state = 'approved' AND m.reason = :why
       AND d.id = m.decision_id
    RETURNING m.id
    """
)
# Open submissions by their own index; of the closed ones only those that still send, or are held.
_FIRM = text(
    """
    SELECT s.id, s.title, s.category, coalesce(w.name, '') AS author, s.send_at, s.expires_at, n.branch_id,
           b.name AS branch, b.name_en AS branch_en, n.waiting, n.approved, n.gone, n.shown,
           h.at AS held_at, h.reason AS held_reason, k.name AS held_by
      FROM submission s
      JOIN LATERAL (
            SELECT m.branch_id, count(*) FILTER (WHERE m.state = 'held') AS waiting,
                   count(*) FILTER (WHERE m.state = 'approved') AS approved,
                   count(*) FILTER (WHERE m.state IN ('claimed', 'sent', 'delivered', 'undelivered', 'handed_over',
                                                      'unknown')) AS gone,
                   min(m.id::text)::uuid AS shown
              FROM message m
             WHERE m.submission_id = s.id AND m.scheduled_month = s.scheduled_month
               AND (CAST(:scope AS uuid[]) IS NULL OR m.branch_id = ANY(:scope))
             GROUP BY m.branch_id) n ON true
      JOIN branch b ON b.id = n.branch_id
      LEFT JOIN staff w ON w.id = s.author_id
      LEFT JOIN branch_hold h ON h.submission_id = s.id AND h.branch_id = n.branch_id AND h.lifted_at IS NULL
      LEFT JOIN staff k ON k.id = h.by_staff_id
     WHERE s.branch_id IS NULL AND s.expires_at > :now AND (n.waiting > 0 OR n.approved > 0)
     ORDER BY s.send_at, s.id, b.code
     LIMIT :limit
    """
)


def _line(row: AnyRow) -> FirmLine:
    hold = None if row.held_at is None else BranchHold(row.held_by, row.held_at, row.held_reason)
    return FirmLine(
        row.id,
        row.title,
        row.category,
        row.author,
        row.branch_id,
        row.branch,
        row.branch_en,
        row.waiting,
        row.approved,
        row.gone,
        row.send_at,
        row.expires_at,
        row.shown,
        hold,
    )


def _of_the_firm(work: Work, submission_id: UUID, branch_id: UUID) -> Submission:
    """The submission, locked; it is the firm's, and something in it goes to this branch."""
    submission = submission_for(work, submission_id, Permission.LEAD, lock=True)
    if submission.branch_id is not None:
        raise RuleBroken(
            "This is the branch's own submission.",
            rule="hold_scope",
            article="7",
            mend="Return its messages, or undo the approval.",
        )
    touches = work.conn.execute(
        select(func.count())
        .select_from(message)
        .where(message.c.submission_id == submission_id, message.c.branch_id == branch_id)
    ).scalar_one()
    if not touches:
        raise NotFound("Nothing of it goes to clients of this branch.", mend="Read the page again.")
    return submission


def _record(
    work: Work, submission: Submission, branch_id: UUID, action: str, count: int, reason: str
) -> None:
    sealed = seal_bytes(work, json.dumps({"reason": reason}, ensure_ascii=False).encode()) if reason else None
    fields = {"action": action, "count": count, **submission_fields(work.conn, submission)}
    record(work, Entry("branch_hold", fields, sealed=sealed, branch_id=branch_id))
