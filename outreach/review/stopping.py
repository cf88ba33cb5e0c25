"""A batch stops when one message of its sample is given back: what was read by sample is no longer believed.

The ways on: everything that waits is returned (``rest``), a new sample of twice the size is drawn, or each message is
decided by itself (DESIGN §6, mode ``batch``).
"""

import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import Conflict
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work
from outreach.messages.tables import message
from outreach.review.approving import check_may_decide
from outreach.review.batch import Sampled, approvable_at_once, draw, sample_of, standing_in
from outreach.review.binding import submission_fields
from outreach.review.claims import check_claim
from outreach.review.manifest import Bound
from outreach.review.policies import policy_for
from outreach.review.submissions import Submission, submission_for
from outreach.review.tables import submission
from outreach.review.turns import in_turn


def stop_if_sampled(work: Work, about: Submission, rows: Sequence[Row[Any]]) -> bool:
    """Stop the batch when one of ``rows``, which are locked, still held and about to be given back, is of its sample.

    Returns whether it stopped now.
    """
    plain = {row.id for row in rows if row.revision == 1 and not row.flagged and not row.blocked}
    if about.mode == "each" or about.stopped_at is not None or not plain:
        return False
    policy = policy_for(work.conn, about.policy_version_id)
    there = work.conn.execute(
        select(message.c.id, message.c.revision, message.c.digest, message.c.fallback_of).where(
            approvable_at_once(about), in_turn(work, about, policy)
        )
    ).all()
    waiting = [Bound(row.id, row.revision, bytes(row.digest)) for row in there]
    if plain.isdisjoint(draw(about, waiting, policy, standing_in(there))):
        return False
    work.conn.execute(
        update(submission)
        .where(submission.c.id == about.id)
        .values(stopped_at=clock.now(), stopped_by=work.actor.staff_id)
    )
    _record(work, about, "stop", len(waiting), None)
    return True


def resume_batch(work: Work, submission_id: UUID) -> Sampled:
    """Go on with a stopped batch: a new sample under a new seed, twice as large, which has to be read.

    Raises NotFound beyond the scope, Forbidden for who may not approve it, Conflict when it has not stopped or
    somebody else works through it.
    """
    require(work.actor, Permission.DECIDE)
    about = submission_for(work, submission_id, Permission.DECIDE, lock=True)
    policy = policy_for(work.conn, about.policy_version_id)
    check_may_decide(work, about, policy, "approve")
    check_claim(work, about)
    if about.stopped_at is None:
        raise Conflict("This batch has not stopped, or goes on already.", mend="Read it again.")
    work.conn.execute(
        update(submission)
        .where(submission.c.id == about.id)
        .values(
            stopped_at=None,
            stopped_by=None,
            sample_round=about.sample_round + 1,
            sample_seed=secrets.token_hex(16),
        )
    )
    sampled = sample_of(work, submission_id)
    _record(work, about, "resume", sampled.count, len(sampled.message_ids))
    return sampled


def _record(work: Work, about: Submission, action: str, count: int, sampled: int | None) -> None:
    fields = {"action": action, "count": count, "sampled": sampled, **submission_fields(work.conn, about)}
    record(work, Entry("batch", fields, branch_id=about.branch_id))
