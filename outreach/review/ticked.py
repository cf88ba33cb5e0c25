"""Approving several messages that were ticked in the list: whoever approves has opened each of them (art. 63)."""

from sqlalchemy import any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from outreach.core.access import Permission, require
from outreach.core.errors import RuleBroken
from outreach.ledger.work import Work
from outreach.review.approving import Decided
from outreach.review.decide import Expected, approve
from outreach.review.submissions import submission_of
from outreach.review.tables import message_seen


def approve_ticked(work: Work, expected: Expected) -> Decided:
    """Approve the messages of ``expected`` exactly as they were read, each of which the actor has opened in that
    revision. Raises RuleBroken when one was not opened, otherwise as ``decide.approve`` does; then nothing is changed.
    """
    require(work.actor, Permission.DECIDE)
    seen = {
        row.message_id: row.revision
        for row in work.conn.execute(
            select(message_seen.c.message_id, message_seen.c.revision).where(
                message_seen.c.staff_id == work.actor.staff_id,
                message_seen.c.message_id == any_(literal(sorted(expected), ARRAY(Uuid))),
            )
        )
    }
    unread = [one for one, (revision, _) in expected.items() if seen.get(one) != revision]
    if unread:
        for one in unread:
            submission_of(work, one)  # what is not the actor's to see is not there
        raise RuleBroken(
            f"{len(unread)} of these {len(expected)} messages were not read.",
            rule="not_read",
            article="63",
            mend="Open each of them first, as it stands now.",
            messages=[str(one) for one in unread],
        )
    return approve(work, list(expected), expected)
