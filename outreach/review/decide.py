"""Deciding on messages that were read: approve, return, reject (P1, P2, art. 63).

One transaction, all or nothing: revision, digest and four eyes are compared in the UPDATE itself, and whoever
comes second gets a Conflict that says who decided what and when.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Date, Row, Uuid, any_, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.content.in_force import reasons_in_force
from outreach.core import clock
from outreach.core.access import Permission, reach, require
from outreach.core.errors import BadInput, NotFound
from outreach.core.together import together
from outreach.ledger.work import Work
from outreach.messages.fallthrough import take_next
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.review.approving import (
    Decided,
    SetAside,
    approve_locked,
    check_approvable,
    check_may_decide,
)
from outreach.review.batch import Sampled, approve_batch, sample_of
from outreach.review.binding import (
    LOCKED,
    Verdict,
    bound,
    move_bound,
    record_decision,
    write_decision,
)
from outreach.review.claims import check_claim
from outreach.review.conflicts import lost
from outreach.review.manifest import Bound
from outreach.review.policies import Policy, fitting, policy_for
from outreach.review.standing import grant_standing, release_standing, revoke_standing
from outreach.review.stopping import stop_if_sampled
from outreach.review.submissions import LOCK_SUBMISSIONS, Submission, locked_submissions, refresh_state
from outreach.review.undo import Undone, undo

__all__ = [
    "Decided",
    "Expected",
    "Sampled",
    "SetAside",
    "Undone",
    "approve",
    "approve_batch",
    "grant_standing",
    "reject",
    "release_standing",
    "return_",
    "revoke_standing",
    "sample_of",
    "undo",
]

Expected = Mapping[UUID, tuple[int, bytes]]  # message id -> the revision and digest that were read


def approve(work: Work, message_ids: Sequence[UUID], expected: Expected) -> Decided:
    """Approve messages exactly as they were read; before the last of several approvers in order this endorses them.

    A message that must not go out any more is suppressed (or expires, or stays held with new findings) with its
    reason, and counted in ``set_aside``. Raises NotFound beyond the scope, Forbidden when the policy gives the
    decision to others, RuleBroken for one's own words or a blocked message, Conflict when one of them was
    decided or edited meanwhile. Then nothing is changed.
    """
    at = clock.now()
    outcomes = [
        approve_locked(work, submission, rows, policy, at)
        for submission, rows, policy in _locked(work, message_ids, expected, "approve")
    ]
    return _joined("approve", at, outcomes)


def return_(
    work: Work, message_ids: Sequence[UUID], expected: Expected, reasons: Sequence[str], note: str
) -> Decided:
    """Give messages back to be mended. ``reasons``: codes of approvals/reasons.toml; ``note``: in own words.

    A branch may return what a company-wide submission holds for its own clients. Raises BadInput without a
    reason, otherwise as ``approve`` does.
    """
    return _refuse(work, message_ids, expected, reasons, note, "return", State.RETURNED)


def reject(
    work: Work, message_ids: Sequence[UUID], expected: Expected, reasons: Sequence[str], note: str
) -> Decided:
    """Refuse messages for good. As ``return_``."""
    return _refuse(work, message_ids, expected, reasons, note, "reject", State.REJECTED)


def known_reasons(conn: Connection, codes: Iterable[str]) -> tuple[str, ...]:
    """``codes``, if all of them are in approvals/reasons.toml; raises BadInput otherwise."""
    wanted = tuple(dict.fromkeys(codes))
    known = reasons_in_force(conn) if wanted else {}
    for code in wanted:
        if code not in known:
            raise BadInput(
                f"{code!r} is no reason that is in force.", mend=f"Use {', '.join(sorted(known))}."
            )
    return wanted


def _refuse(
    work: Work,
    message_ids: Sequence[UUID],
    expected: Expected,
    reasons: Sequence[str],
    note: str,
    verb: str,
    target: State,
) -> Decided:
    codes = known_reasons(work.conn, reasons)
    if not codes and not note.strip():
        raise BadInput(
            f"A message is not {verb}ed without a reason.",
            mend="Choose a reason or write one in your own words.",
        )
    at = clock.now()
    outcomes: list[Decided] = []
    for submission, rows, policy in _locked(work, message_ids, expected, verb):
        stop_if_sampled(work, submission, rows)
        made = Verdict(
            verb=verb,
            at=at,
            undo_until=at,
            reasons=codes,
            note=note.strip(),
            step=max(row.endorsed for row in rows) + 1,
            acting_for=_acting_for(work, submission, policy, verb, rows),
        )
        bounds = [bound(row) for row in rows]
        decision_id = write_decision(work, submission, made, bounds)
        months = {row.scheduled_month for row in rows}
        params = {"reasons": list(codes), "decision_id": str(decision_id)}
        move_bound(work, decision_id, target, bounds, months, reason=target.value, params=params, endorsed=0)
        record_decision(work, submission, made, decision_id, bounds, {row.id: row for row in rows})
        if target is State.REJECTED:
            take_next(work, [row.id for row in rows], locked=True)
        refresh_state(work.conn, [submission.id])
        outcomes.append(Decided((decision_id,), verb, len(rows), at, at, submissions=(submission.id,)))
    return _joined(verb, at, outcomes)


def _acting_for(
    work: Work, submission: Submission, policy: Policy, verb: str, rows: Sequence[Row[Any]]
) -> UUID | None:
    """For whom the actor refuses; None: in their own right, for all of it."""
    for row in rows:
        grants = fitting(
            work.actor, submission.branch_id, policy, verb, row.branch_id, escalation=submission.escalation
        )
        if grants and grants[0].acting_for is not None:
            return grants[0].acting_for
    return None


def _locked(
    work: Work, message_ids: Sequence[UUID], expected: Expected, verb: str
) -> list[tuple[Submission, list[Row[Any]], Policy]]:
    """Lock what is decided on, and check everything that can be said before the UPDATE says it again."""
    require(work.actor, Permission.DECIDE)
    wanted = set(message_ids)
    if not wanted:
        raise BadInput("No message was named.", mend="Choose at least one.")
    if missing := wanted - set(expected):
        raise BadInput(
            f"The revision and digest that were read are missing for {len(missing)} messages.",
            mend="Send what the message's page shows.",
        )
    seen = {"ids": sorted(wanted), "scope": reach(work.actor, Permission.DECIDE)}
    with together(work.conn) as ask:
        found = ask(_PLACES if len(wanted) > 1 else _PLACE, seen)
    places = found.rows
    if len(places) != len(wanted):
        raise NotFound(
            "A message among these does not exist, or you may not see it.", mend="Read the list again."
        )
    months = sorted({place.scheduled_month for place in places})
    with together(work.conn) as ask:  # submissions first, then messages
        first = ask(LOCK_SUBMISSIONS, ids=sorted({place.submission_id for place in places}))
        then = ask(_LOCK_CHOSEN, ids=sorted(wanted), months=months)
    submissions, rows = locked_submissions(first), then.rows
    changed = [row.id for row in rows if not _as_expected(row, expected)]
    if changed:
        raise lost(work.conn, changed)
    grouped: dict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        grouped[row.submission_id].append(row)
    result: list[tuple[Submission, list[Row[Any]], Policy]] = []
    for submission_id, members in grouped.items():
        submission = submissions[submission_id]
        policy = policy_for(work.conn, submission.policy_version_id)
        check_may_decide(work, submission, policy, verb, branches=sorted({row.branch_id for row in members}))
        check_claim(work, submission)
        if verb == "approve":
            check_approvable(work, members)
        result.append((submission, members, policy))
    return result


_PLACES = text(
    """
    SELECT id, submission_id, scheduled_month FROM message
     WHERE id = ANY(:ids) AND (CAST(:scope AS uuid[]) IS NULL OR branch_id = ANY(:scope))
    """
)
# Of one: a plan that is made once for all of them; an array's is made each time, over every month.
_PLACE = text(_PLACES.text.replace("id = ANY(:ids)", "id = (CAST(:ids AS uuid[]))[1]"))
_LOCK_CHOSEN = LOCKED.where(
    message.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
    message.c.scheduled_month == any_(bindparam("months", type_=ARRAY(Date))),
)


def _as_expected(row: Row[Any], expected: Expected) -> bool:
    revision, digest = expected[row.id]
    return row.state == State.HELD.value and bound(row) == Bound(row.id, revision, digest)


def _joined(verb: str, at: datetime, outcomes: Sequence[Decided]) -> Decided:
    verbs = {outcome.verb for outcome in outcomes}
    verb = verbs.pop() if len(verbs) == 1 else verb
    return Decided(
        decisions=tuple(item for outcome in outcomes for item in outcome.decisions),
        submissions=tuple(item for outcome in outcomes for item in outcome.submissions),
        verb=verb,
        count=sum(outcome.count for outcome in outcomes),
        at=at,
        undo_until=min((outcome.undo_until for outcome in outcomes), default=at),
        set_aside=tuple(item for outcome in outcomes for item in outcome.set_aside),
        alternatives=sum(outcome.alternatives for outcome in outcomes),
    )
