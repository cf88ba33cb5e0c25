"""Approving a batch: template and audience are seen, a seeded random sample is read, then one decision is made
on the manifest of all its digests (DESIGN §6, mode ``batch``)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select

from outreach.core import clock
from outreach.core.access import Permission, require, visible
from outreach.core.errors import BadInput, Conflict, RuleBroken
from outreach.ledger.work import Work
from outreach.messages.reasons import words
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.tables import staff
from outreach.review import manifest
from outreach.review.approving import Decided, approve_locked, check_approvable, check_may_decide
from outreach.review.binding import bound, lock_messages
from outreach.review.claims import check_claim
from outreach.review.leavers import left_since
from outreach.review.manifest import Bound
from outreach.review.policies import Policy, policy_for
from outreach.review.questions import undisputed
from outreach.review.submissions import Submission, submission_for
from outreach.review.turns import in_turn

CONFIRM_ABOVE = 200  # a decision on more messages than this needs their number confirmed


@dataclass(frozen=True)
class Sampled:
    """What one decision would approve, and what must be read before: unflagged, unedited messages that wait.

    Flagged, edited and blocked messages are not among them; each of those needs a decision of its own.
    """

    submission_id: UUID
    manifest_digest: bytes
    count: int
    message_ids: tuple[UUID, ...]  # the sample, in the order to read it in
    needs_count: bool  # whether it must be confirmed that it is so many
    alternatives: int = 0  # of ``count``: what goes only if another did not reach its client
    drawn: int = 0  # clients in the sample, each with all that they might get
    round: int = 1  # how many samples were drawn: each after a stop is twice as large as the one before

    @property
    def clients(self) -> int:
        """How many clients get something."""
        return self.count - self.alternatives


def sample_of(work: Work, submission_id: UUID) -> Sampled:
    """The sample of what waits now. Drawn again it is the same, as long as nothing in it changes.

    Raises NotFound beyond the actor's scope.
    """
    submission = submission_for(work, submission_id)
    policy = policy_for(work.conn, submission.policy_version_id)
    rows = work.conn.execute(
        select(message.c.id, message.c.revision, message.c.digest, message.c.fallback_of)
        .where(
            approvable_at_once(submission),
            in_turn(work, submission, policy),
            visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id),
        )
        .order_by(message.c.id)
    ).all()
    bounds = [Bound(row.id, row.revision, bytes(row.digest)) for row in rows]
    return _sampled(submission, bounds, policy, standing_in(rows))


def approve_batch(
    work: Work,
    submission_id: UUID,
    manifest_digest: bytes,
    sample_seen: Collection[UUID],
    confirmed: int | None = None,
) -> Decided:
    """Approve at once all that ``sample_of`` spoke of, by one decision that binds the manifest of all digests.

    What left it since, because an advisor took it out or made it personal, or because it may not go any more, is not
    approved, and keeps nothing else from it. ``sample_seen``: the messages that were read; ``confirmed``: above
    CONFIRM_ABOVE, the number that the actor ticked.
    Raises NotFound beyond the scope, Forbidden when the policy gives the decision to others, RuleBroken for
    one's own words, for mode ``each``, for a batch that stopped, or when part of the sample was not read, BadInput
    without the number, Conflict when the batch is no longer what was seen.
    """
    require(work.actor, Permission.DECIDE)
    submission = submission_for(work, submission_id, Permission.DECIDE, lock=True)
    policy = policy_for(work.conn, submission.policy_version_id)
    check_may_decide(work, submission, policy, "approve")
    check_claim(work, submission)
    if submission.mode == "each":
        raise RuleBroken(
            "By its policy every message of this submission is read and decided one by one.",
            rule="policy_each",
            article="63",
            mend="Open them one after the other.",
        )
    check_goes_on(work, submission)
    rows = lock_messages(work.conn, approvable_at_once(submission) & in_turn(work, submission, policy))
    seen, left = _as_seen(work, submission, policy, rows, manifest_digest)
    unread = [item for item in seen.message_ids if item not in sample_seen]
    if unread:
        raise RuleBroken(
            f"{len(unread)} of the {len(seen.message_ids)} messages of the sample were not read.",
            rule="policy_sample",
            article="63",
            mend="Open each message of the sample first.",
            messages=[str(item) for item in unread],
        )
    if seen.needs_count and confirmed != seen.count:
        raise BadInput(
            f"This approves {seen.count} messages at once.", mend=f"Confirm that it is {seen.count}."
        )
    check_approvable(work, rows)
    sampled = len(seen.message_ids)
    decided = approve_locked(work, submission, rows, policy, clock.now(), sampled=sampled)
    return replace(decided, left=left)


def _as_seen(
    work: Work, submission: Submission, policy: Policy, rows: Sequence[Row[Any]], manifest_digest: bytes
) -> tuple[Sampled, int]:
    """The batch as it was when it had ``manifest_digest``, and how many have left since. Raises Conflict when anything
    else has changed."""
    bounds = [bound(row) for row in rows]
    present = _sampled(submission, bounds, policy, standing_in(rows))
    if present.manifest_digest == manifest_digest and rows:
        return present, 0
    left = left_since(work, submission, rows, manifest_digest) if rows else None
    if left is None:
        raise Conflict(
            f"This batch is not what you saw: {present.count} messages wait in it now.",
            mend="Read it again; what you have read of the sample still counts.",
            manifest_digest=present.manifest_digest.hex(),
            count=present.count,
        )
    before = [*bounds, *(one.bound for one in left)]
    return _sampled(submission, before, policy, standing_in([*rows, *left])), len(left)


def check_goes_on(work: Work, submission: Submission) -> None:
    """Raise RuleBroken when the batch stopped because one of its sample was given back."""
    if submission.stopped_at is None:
        return
    params = stopped_params(work, submission)
    said = words("batch_stopped", params, "en")
    raise RuleBroken(said.reason, rule="batch_stopped", article=said.article, mend=said.mend, params=params)


def stopped_params(work: Work, submission: Submission) -> dict[str, str]:
    """What fills the words of ``batch_stopped``."""
    assert submission.stopped_at is not None
    by = select(staff.c.name).where(staff.c.id == submission.stopped_by)
    return {
        "who": work.conn.execute(by).scalar_one_or_none() or "",
        "at": f"{submission.stopped_at.astimezone(work.settings.zone):%Y-%m-%d %H:%M}",
    }


def approvable_at_once(submission: Submission) -> ColumnElement[bool]:
    """The messages of ``submission`` that one decision may approve together."""
    return (
        (message.c.submission_id == submission.id)
        & (message.c.state == State.HELD.value)
        & message.c.flagged.is_(False)
        & message.c.blocked.is_(False)
        & (message.c.revision == 1)
        & undisputed()
    )


class _Row(Protocol):
    """A row of ``message``, or what was one."""

    @property
    def id(self) -> UUID: ...
    @property
    def fallback_of(self) -> UUID | None: ...


def standing_in(rows: Iterable[_Row]) -> dict[UUID, UUID]:
    """alternative -> the first of ``rows`` that it stands in for, directly or after others; those directly first."""
    before = {row.id: row.fallback_of for row in rows}
    found: list[tuple[int, UUID, UUID]] = []
    for one in before:
        first, steps = one, 0
        while (earlier := before[first]) is not None and earlier in before:
            first, steps = earlier, steps + 1
        if steps:
            found.append((steps, one, first))
    return {one: first for _, one, first in sorted(found)}


def draw(
    submission: Submission, bounds: Sequence[Bound], policy: Policy, alternatives: Mapping[UUID, UUID]
) -> list[UUID]:
    """The sample of ``bounds`` under the submission's seed; after each stop twice as large as before. Drawn are
    clients: each with all that they might get."""
    firsts = [one for one in bounds if one.message_id not in alternatives] if alternatives else bounds
    size = policy.sample_size(len(firsts)) << (submission.sample_round - 1)
    drawn = manifest.sample(submission.sample_seed, firsts, min(len(firsts), size))
    following: dict[UUID, list[UUID]] = {first: [first] for first in drawn}
    for one, first in alternatives.items():
        if first in following:
            following[first].append(one)
    return [one for first in drawn for one in following[first]]


def _sampled(
    submission: Submission, bounds: list[Bound], policy: Policy, alternatives: Mapping[UUID, UUID]
) -> Sampled:
    drawn = draw(submission, bounds, policy, alternatives)
    return Sampled(
        submission_id=submission.id,
        manifest_digest=manifest.manifest_digest(bounds),
        count=len(bounds),
        message_ids=tuple(drawn),
        needs_count=len(bounds) > CONFIRM_ABOVE,
        alternatives=len(alternatives),
        drawn=sum(one not in alternatives for one in drawn),
        round=submission.sample_round,
    )
