"""Claims: one person works through a submission, and the others see so. A claim ends by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select, update

from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import Conflict, Forbidden
from outreach.core.events import ClaimTakenOver, publish
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work
from outreach.people.tables import staff
from outreach.review.submissions import Submission, submission_for
from outreach.review.tables import submission

LEASE = timedelta(minutes=15)  # what nobody renews ends after this


@dataclass(frozen=True)
class Claim:
    """Who works through a submission, and until when at the longest."""

    by_id: UUID
    by: str
    until: datetime
    mine: bool


def claim(work: Work, submission_id: UUID, take_over: bool = False) -> Claim:
    """Claim a submission for 15 minutes, or renew one's claim. ``take_over``: from whoever holds it, who is told.

    Raises NotFound beyond the scope, Forbidden for who may not decide on it, Conflict (``details``: who, until) when
    somebody else holds it or nothing of it waits.
    """
    require(work.actor, Permission.DECIDE)
    about = submission_for(work, submission_id, Permission.DECIDE, lock=True)
    if work.actor.staff_id is None or _only_a_part(work, about):
        raise Forbidden(
            "What was put up for the whole firm is worked through by head office.",
            mend="You may hold, return or reject what goes to your own clients.",
        )
    if about.state != "open":
        raise Conflict("Nothing of this waits for a decision any more.", mend="Read the list again.")
    standing = claim_on(work, about)
    if standing is not None and not standing.mine:
        if not take_over:
            raise _held(work, standing)
        fields = {"submission_id": about.id, "action": "take_over", "owner_id": standing.by_id}
        record(work, Entry("claim", fields, branch_id=about.branch_id))
        publish(work, ClaimTakenOver(about.id, standing.by_id, work.actor.staff_id))
    until = clock.now() + LEASE
    work.conn.execute(
        update(submission)
        .where(submission.c.id == about.id)
        .values(claimed_by=work.actor.staff_id, claimed_until=until)
    )
    return Claim(work.actor.staff_id, work.actor.name, until, mine=True)


def release_claim(work: Work, submission_id: UUID) -> bool:
    """Give one's claim back; returns whether there was one. Raises NotFound beyond the actor's scope."""
    about = submission_for(work, submission_id, Permission.DECIDE)
    given = work.conn.execute(
        update(submission)
        .where(submission.c.id == about.id, submission.c.claimed_by == work.actor.staff_id)
        .values(claimed_by=None, claimed_until=None)
    )
    return given.rowcount > 0


def claim_on(work: Work, about: Submission) -> Claim | None:
    """Who works through a submission now."""
    if about.claimed_by is None or about.claimed_until is None or about.claimed_until <= clock.now():
        return None
    mine = about.claimed_by == work.actor.staff_id
    by = work.actor.name if mine else name_of(work.conn, about.claimed_by)
    return Claim(about.claimed_by, by, about.claimed_until, mine)


def check_claim(work: Work, about: Submission) -> None:
    """Raise Conflict when somebody else is working through ``about``, which is locked.

    A branch that gives back what the firm put up for its own clients is not in head office's way.
    """
    standing = claim_on(work, about)
    if standing is not None and not standing.mine and not _only_a_part(work, about):
        raise _held(work, standing)


def name_of(conn: Connection, staff_id: UUID) -> str:
    """The name of a member of staff."""
    return str(conn.execute(select(staff.c.name).where(staff.c.id == staff_id)).scalar_one())


def _only_a_part(work: Work, about: Submission) -> bool:
    return about.branch_id is None and work.actor.scope(Permission.DECIDE) is not None


def _held(work: Work, standing: Claim) -> Conflict:
    return Conflict(
        f"{standing.by} is working through this until {standing.until.astimezone(work.settings.zone):%H:%M}.",
        mend="Wait, or take it over; then they are told.",
        kind="claim",
        who=standing.by,
        staff_id=str(standing.by_id),
        until=standing.until.isoformat(),
    )
