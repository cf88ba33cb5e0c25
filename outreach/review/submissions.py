"""Submissions: who may see them, and whether anything in them still waits."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, and_, func, or_, select, text

from outreach.core.access import Permission, in_reach, reach, visible
from outreach.core.errors import NotFound
from outreach.core.events import SubmissionHeld
from outreach.core.together import Answer, together
from outreach.ledger.work import Work
from outreach.messages.states import WAITING
from outreach.messages.tables import message
from outreach.review.tables import submission
from outreach.review.tally import UNFOLDED, fold, touches


@dataclass(frozen=True)
class Submission:
    """What is put up for review: one message, or the batch of one occurrence, for one branch or (None) the firm."""

    id: UUID
    occurrence_id: UUID
    scheduled_month: date  # of the partitions in which its messages lie
    branch_id: UUID | None
    mode: str  # each | batch | standing
    policy_version_id: UUID
    template_version_id: UUID | None
    title: str
    category: str
    author_id: UUID | None
    urgent: bool
    sample_seed: str
    created_at: datetime
    due_by: datetime
    send_at: datetime
    expires_at: datetime
    state: str
    text_hash: bytes | None = None
    escalation: int = 0
    escalate_at: datetime | None = None
    claimed_by: UUID | None = None
    claimed_until: datetime | None = None
    stopped_at: datetime | None = None  # one of its sample was returned
    stopped_by: UUID | None = None
    sample_round: int = 1


# The submissions that an actor sees: those of their branches, and the firm's that hold messages to clients of their
# branches, for a branch may hold back what concerns its own (DESIGN §1). Its parameter is ``access.reach``.
REACHED = or_(
    in_reach(submission.c.branch_id), and_(submission.c.branch_id.is_(None), touches(submission.c.id))
)


def decided_under(work: Work, policy_version_id: UUID) -> dict[str, int]:
    """State -> how many messages that wait are decided under this version of a policy, whatever is published now."""
    rows = work.conn.execute(
        select(message.c.state, func.count().label("n"))
        .join(submission, submission.c.id == message.c.submission_id)
        .where(
            submission.c.policy_version_id == policy_version_id,
            message.c.state.in_([one.value for one in WAITING]),
            visible(work.actor, Permission.WATCH_DELIVERY, message.c.branch_id),
        )
        .group_by(message.c.state)
    )
    return {row.state: row.n for row in rows}


def submission_for(
    work: Work, submission_id: UUID, permission: Permission = Permission.READ_MESSAGES, *, lock: bool = False
) -> Submission:
    """The submission. ``lock``: no other decision about it is made until this transaction ends.

    Raises NotFound beyond the actor's scope (P7).
    """
    wanted = {"id": submission_id, "scope": reach(work.actor, permission)}
    with together(work.conn) as ask:
        found = ask(_LOCKED if lock else _ONE, wanted)
    row = found.one_or_none()
    if row is None:
        raise NotFound("There is no such submission that you may see.", mend="Look in the inbox again.")
    return Submission(*row)


# One of those in REACHED.
_COLUMNS = ", ".join(f"s.{field.name}" for field in fields(Submission))
_ONE = text(
    f"""
    SELECT {_COLUMNS} FROM submission s
     WHERE s.id = :id
       AND (CAST(:scope AS uuid[]) IS NULL OR s.branch_id = ANY(:scope)
            OR (s.branch_id IS NULL AND EXISTS (SELECT FROM submission_tally t
                                                 WHERE t.submission_id = s.id AND t.branch_id = ANY(:scope))))
    """
)
_LOCKED = text(f"{_ONE.text} FOR NO KEY UPDATE OF s")


def submission_of(work: Work, message_id: UUID) -> UUID:
    """The submission that a message is in. Raises NotFound beyond the actor's scope (P7)."""
    found = work.conn.execute(
        select(message.c.submission_id).where(
            message.c.id == message_id, visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
        )
    ).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such message that you may see.", mend="Look in the inbox again.")
    identifier: UUID = found
    return identifier


def lock_submissions(work: Work, submission_ids: Iterable[UUID]) -> dict[UUID, Submission]:
    """Lock submissions in the order of their ids, as every service of review does before it locks messages,
    so that no two decisions ever wait for each other in a ring."""
    with together(work.conn) as ask:
        locked = ask(LOCK_SUBMISSIONS, ids=sorted(set(submission_ids)))
    return locked_submissions(locked)


LOCK_SUBMISSIONS = text(
    f"SELECT {_COLUMNS} FROM submission s WHERE s.id = ANY(:ids) ORDER BY s.id FOR NO KEY UPDATE"
)


def locked_submissions(locked: Answer) -> dict[UUID, Submission]:
    """What ``LOCK_SUBMISSIONS`` has answered, by id."""
    return {row.id: Submission(*row) for row in locked.rows}


def refresh_state(conn: Connection, submission_ids: Collection[UUID]) -> None:
    """Open while a message in it waits for a decision or was returned to be mended; closed otherwise. Who had claimed
    it is done with it when nothing waits for a decision any more."""
    many = conn.execute(_REFRESH, {"ids": sorted(set(submission_ids))}).scalars().all()
    if many:
        fold(conn, many)


# By what the tally says, in one look: messages lie in many partitions. Answers which tallies want folding.
_REFRESH = text(
    f"""
    WITH n AS (
        SELECT submission_id, sum(held) AS held, {UNFOLDED} AS many,
               CASE WHEN sum(held) + sum(returned) > 0 THEN 'open' ELSE 'closed' END AS state
          FROM submission_tally WHERE submission_id = ANY(:ids) GROUP BY submission_id),
    changed AS (
        UPDATE submission s
           SET state = n.state, claimed_by = CASE WHEN n.held > 0 THEN s.claimed_by END,
               claimed_until = CASE WHEN n.held > 0 THEN s.claimed_until END
          FROM n
         WHERE s.id = n.submission_id AND (s.state <> n.state OR (s.claimed_by IS NOT NULL AND n.held = 0)))
    SELECT submission_id FROM n WHERE many
    """
)


def on_submission_held(work: Work, event: SubmissionHeld) -> None:
    """Something was added to a submission, or came back to it: it is open (again) when anything waits in it."""
    refresh_state(work.conn, [event.submission_id])
