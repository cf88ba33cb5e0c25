"""Giving back, by one decision, all that still waits in a submission."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select

from outreach.core.access import Permission, require, visible
from outreach.core.errors import Conflict
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.review.approving import Decided
from outreach.review.binding import bound, lock_messages
from outreach.review.decide import return_
from outreach.review.identical import Bulk
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.submissions import submission_for


def rest_of(work: Work, submission_id: UUID) -> Bulk:
    """All that waits in a submission within the actor's scope. Raises NotFound beyond it."""
    submission_for(work, submission_id)
    rows = work.conn.execute(
        select(message.c.id, message.c.revision, message.c.digest).where(
            _rest(work, submission_id, Permission.READ_MESSAGES)
        )
    )
    bounds = [Bound(row.id, row.revision, bytes(row.digest)) for row in rows]
    return Bulk(len(bounds), manifest_digest(bounds))


def return_rest(
    work: Work, submission_id: UUID, manifest: bytes, reasons: Sequence[str], note: str = ""
) -> Decided:
    """Return all that ``rest_of`` spoke of, for the same reasons, by one decision.

    Raises Conflict when something else waits by now, otherwise as ``decide.return_`` does.
    """
    require(work.actor, Permission.DECIDE)
    submission_for(work, submission_id, Permission.DECIDE, lock=True)
    rows = lock_messages(work.conn, _rest(work, submission_id, Permission.DECIDE))
    present = manifest_digest(map(bound, rows))
    if not rows or present != manifest:
        raise Conflict(
            f"This is not what you saw: {len(rows)} messages wait in it now.",
            mend="Read it again.",
            manifest_digest=present.hex(),
            count=len(rows),
        )
    expected = {row.id: (row.revision, bytes(row.digest)) for row in rows}
    return return_(work, list(expected), expected, reasons, note)


def _rest(work: Work, submission_id: UUID, permission: Permission) -> ColumnElement[bool]:
    return (
        (message.c.submission_id == submission_id)
        & (message.c.state == State.HELD.value)
        & visible(work.actor, permission, message.c.branch_id)
    )
