"""Standing approvals: a template version is approved for a period, and what renders from exactly that version,
under exactly that policy and those lexicons, without a finding, is released by itself (P1, mode ``standing``).

Both ends have effect at once. A revocation takes back whatever is not on its way. What is due after the approval's last
instant is never released under it; what was due before may still go when the client's quiet hours, an undo window or a
provider held it up, as it was approved for that day.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, insert, or_, select, update

from outreach.content.in_force import lexicons_in_force
from outreach.content.tables import content_version
from outreach.core import clock
from outreach.core.access import SYSTEM, Permission, require, visible
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.core.events import SubmissionHeld, publish
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work
from outreach.messages.states import State, move
from outreach.messages.tables import message
from outreach.people.tables import staff
from outreach.review.approving import Decided, approve_locked, check_may_decide
from outreach.review.batch import approvable_at_once, check_goes_on
from outreach.review.binding import among, bound, lock_messages, submission_fields, version_of
from outreach.review.claims import check_claim
from outreach.review.eyes import other_eyes, own_version
from outreach.review.manifest import manifest_digest
from outreach.review.policies import policy_for
from outreach.review.questions import asked_about, check_not_asked_about
from outreach.review.submissions import Submission, lock_submissions, refresh_state, submission_for
from outreach.review.tables import decision, standing_approval, submission
from outreach.review.wording import refuse


@dataclass(frozen=True)
class Standing:
    """A standing approval in force. ``branch_id`` None: for every branch of the firm."""

    id: UUID
    branch_id: UUID | None
    template_version_id: UUID
    template: str
    template_version: int
    policy_version_id: UUID
    lexicon_digest: bytes
    granted_by: UUID
    granted_by_name: str
    granted_at: datetime
    valid_until: datetime


@dataclass(frozen=True)
class Granted:
    """A new standing approval, and what it released at once."""

    standing_approval_id: UUID
    released: int


def grant_standing(work: Work, submission_id: UUID, until: datetime) -> Granted:
    """Approve the template version of a standing submission until ``until`` (aware), bound to the submission's
    policy version and the lexicons in force; releases what waits under it.

    Raises NotFound beyond the scope, Forbidden when the policy gives the decision to others, RuleBroken when the
    submission is not of mode ``standing`` or the actor last edited the template, BadInput for a time that is past
    or longer than the policy allows.
    """
    require(work.actor, Permission.DECIDE)
    # For weeks to come one answers with one's own name: nobody gives it as somebody's deputy.
    work = replace(work, actor=work.actor.in_own_right())
    wanted = submission_for(work, submission_id, Permission.DECIDE, lock=True)
    policy = policy_for(work.conn, wanted.policy_version_id)
    check_may_decide(work, wanted, policy, "approve")
    if wanted.mode != "standing" or wanted.template_version_id is None:
        raise RuleBroken(
            "By its policy this submission can't have a standing approval.",
            rule="policy_mode",
            article="63",
            mend="Decide on its messages.",
        )
    check_claim(work, wanted)
    check_goes_on(work, wanted)
    check_not_asked_about(work, wanted.id)
    at = clock.now()
    longest = at + policy.standing_longest
    if not at < until <= longest:
        raise BadInput(
            f"A standing approval ends after now and not after {longest.date().isoformat()}.",
            mend="Choose a date in between.",
        )
    if work.actor.staff_id is None or own_version(work.conn, work.actor.staff_id, wanted.template_version_id):
        words = refuse("four_eyes", work.settings.locale)
        raise RuleBroken(words.reason, rule=words.rule, article=words.article, mend=words.mend)
    _, digest = lexicons_in_force(work.conn)
    identifier = new_id()
    work.conn.execute(
        insert(standing_approval).values(
            id=identifier,
            branch_id=wanted.branch_id,
            template_version_id=wanted.template_version_id,
            policy_version_id=wanted.policy_version_id,
            lexicon_digest=digest,
            granted_by=work.actor.staff_id,
            granted_at=at,
            valid_until=until,
        )
    )
    fields = {
        "standing_approval_id": identifier,
        "action": "grant",
        "expires_at": until,
        "lexicon_digest": digest,
        **submission_fields(work.conn, wanted),
    }
    record(work, Entry("standing_approval", fields, branch_id=wanted.branch_id))
    same = select(submission.c.id).where(
        submission.c.state == "open",
        submission.c.mode == "standing",
        submission.c.template_version_id == wanted.template_version_id,
        submission.c.policy_version_id == wanted.policy_version_id,
        submission.c.branch_id.is_not_distinct_from(wanted.branch_id),
    )
    waiting = sorted(work.conn.execute(same).scalars())
    return Granted(identifier, sum(release_standing(work, found).count for found in waiting))


def revoke_standing(work: Work, standing_approval_id: UUID) -> int:
    """End a standing approval now: what it released and is not yet on its way waits for a decision again.

    Returns how many. Raises NotFound beyond the scope, Forbidden when the actor may not decide, Conflict when it
    was revoked already.
    """
    require(work.actor, Permission.DECIDE)
    at = clock.now()
    mine = select(standing_approval).where(
        standing_approval.c.id == standing_approval_id,
        visible(work.actor, Permission.DECIDE, standing_approval.c.branch_id),
    )
    found = work.conn.execute(mine).one_or_none()
    if found is None:
        raise NotFound("There is no such standing approval that you may see.")
    releasable = select(submission.c.id).where(
        submission.c.template_version_id == found.template_version_id, submission.c.expires_at > at
    )
    lock_submissions(work, work.conn.execute(releasable).scalars())
    found = work.conn.execute(mine.with_for_update()).one()
    if found.revoked_at is not None:
        raise Conflict("This standing approval was revoked already.", mend="Read the list again.")
    work.conn.execute(
        update(standing_approval)
        .where(standing_approval.c.id == standing_approval_id, standing_approval.c.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=work.actor.staff_id)
    )
    under = select(decision.c.id).where(decision.c.standing_approval_id == standing_approval_id)
    rows = lock_messages(
        work.conn, message.c.decision_id.in_(under) & (message.c.state == State.APPROVED.value)
    )
    back = move(
        work.conn,
        State.APPROVED,
        State.HELD,
        among(message.c.id, (row.id for row in rows)),
        reason="standing_revoked",
        decision_id=None,
        due_at=None,
    )
    template = version_of(work.conn, found.template_version_id)
    policy = version_of(work.conn, found.policy_version_id)
    fields = {
        "standing_approval_id": standing_approval_id,
        "action": "revoke",
        "count": len(back),
        "manifest_digest": manifest_digest(bound(row) for row in rows if row.id in set(back)),
        "lexicon_digest": bytes(found.lexicon_digest),
        "template": template[0],
        "template_version": template[1],
        "policy": policy[0],
        "policy_version": policy[1],
    }
    record(work, Entry("standing_approval", fields, branch_id=found.branch_id))
    touched = sorted({row.submission_id for row in rows})
    refresh_state(work.conn, touched)
    for submission_id in touched:
        publish(work, SubmissionHeld(submission_id))
    return len(back)


def release_standing(work: Work, submission_id: UUID) -> Decided:
    """Release what waits in a standing submission and is fully covered by a standing approval in force: exactly
    its template, policy and lexicon versions, unedited, unflagged, due before the approval ends, and still allowed
    (P5). Nothing is released while compliance was asked about the submission, or its sample stopped it.

    Done by the system itself, in the transaction of the caller; without such an approval nothing happens.
    Raises NotFound beyond the actor's scope.
    """
    waiting = submission_for(work, submission_id, lock=True)
    work = replace(work, actor=SYSTEM)
    at = clock.now()
    nothing = Decided((), "release", 0, at, at)
    if waiting.mode != "standing" or waiting.template_version_id is None or waiting.stopped_at is not None:
        return nothing
    if asked_about(work, waiting.id):
        return nothing
    standing = _covering(work, waiting, at)
    if standing is None:
        return nothing
    covered = (
        approvable_at_once(waiting)
        & (message.c.template_version_id == standing["template_version_id"])
        & (message.c.lexicon_digest == standing["lexicon_digest"])
        & message.c.last_editor_id.is_not_distinct_from(message.c.author_id)
        & (message.c.send_at < standing["valid_until"])
        & other_eyes(standing["granted_by"])
    )
    rows = lock_messages(work.conn, covered)
    if not rows:
        return nothing
    policy = policy_for(work.conn, waiting.policy_version_id)
    return approve_locked(
        work, waiting, rows, policy, at, release=standing["id"], decider=standing["granted_by"]
    )


def on_submission_held(work: Work, event: SubmissionHeld) -> None:
    """What a standing approval covers does not wait for a person."""
    release_standing(work, event.submission_id)


def standing_in_force(work: Work) -> list[Standing]:
    """The standing approvals in force that the actor may see, the one that ends first on top."""
    require(work.actor, Permission.READ_MESSAGES)
    scope = or_(
        visible(work.actor, Permission.READ_MESSAGES, standing_approval.c.branch_id),
        standing_approval.c.branch_id.is_(None),
    )
    rows = work.conn.execute(
        select(
            standing_approval.c.id,
            standing_approval.c.branch_id,
            standing_approval.c.template_version_id,
            content_version.c.name.label("template"),
            content_version.c.version.label("template_version"),
            standing_approval.c.policy_version_id,
            standing_approval.c.lexicon_digest,
            standing_approval.c.granted_by,
            staff.c.name.label("granted_by_name"),
            standing_approval.c.granted_at,
            standing_approval.c.valid_until,
        )
        .join(content_version, content_version.c.id == standing_approval.c.template_version_id)
        .join(staff, staff.c.id == standing_approval.c.granted_by)
        .where(
            scope,
            standing_approval.c.revoked_at.is_(None),
            standing_approval.c.valid_until > clock.now(),
        )
        .order_by(standing_approval.c.valid_until, standing_approval.c.id)
    ).mappings()
    return [Standing(**{**row, "lexicon_digest": bytes(row["lexicon_digest"])}) for row in rows]


def standing_covers(
    work: Work, branch_id: UUID | None, template_version_id: UUID, policy_version_id: UUID
) -> bool:
    """Whether a text of this template version without findings, put up now by the actor under this policy version,
    would be released at once: somebody else's standing approval covers it with the lexicons in force."""
    found = work.conn.execute(
        _approvals(work, branch_id, template_version_id, policy_version_id, clock.now())
    ).one_or_none()
    return found is not None and found.granted_by != work.actor.staff_id


def _covering(work: Work, waiting: Submission, at: datetime) -> RowMapping | None:
    template, policy = waiting.template_version_id, waiting.policy_version_id
    # A revocation waits until it can see what is being released.
    query = _approvals(work, waiting.branch_id, template, policy, at).with_for_update(read=True)
    found: RowMapping | None = work.conn.execute(query).mappings().one_or_none()
    return found


def _approvals(
    work: Work, branch_id: UUID | None, template_id: UUID | None, policy_id: UUID, at: datetime
) -> Any:
    """The newest approval that covers a branch's messages of these versions with the lexicons in force."""
    _, digest = lexicons_in_force(work.conn)
    return (
        select(standing_approval)
        .where(
            standing_approval.c.template_version_id == template_id,
            standing_approval.c.policy_version_id == policy_id,
            standing_approval.c.lexicon_digest == digest,
            or_(standing_approval.c.branch_id.is_(None), standing_approval.c.branch_id == branch_id),
            standing_approval.c.revoked_at.is_(None),
            standing_approval.c.granted_at <= at,
            standing_approval.c.valid_until > at,
        )
        .order_by(standing_approval.c.granted_at.desc())
        .limit(1)
    )
