"""The one way to approve: locked rows are looked at once more, bound by a decision and moved (P1, P2, P5)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, func, update

from outreach.core import clock
from outreach.core.access import Grant
from outreach.core.engine import defer
from outreach.core.errors import Forbidden, RuleBroken
from outreach.ledger.work import Work
from outreach.messages.chains import WAITS
from outreach.messages.fallthrough import take_next
from outreach.messages.recheck import facts_for, verdict
from outreach.messages.rules import Verdict as RuleVerdict
from outreach.messages.states import State
from outreach.messages.suppress import stop
from outreach.messages.tables import message
from outreach.people.away import still_stands_in
from outreach.review.binding import (
    Verdict,
    among,
    bound,
    endorse_bound,
    move_bound,
    record_decision,
    write_decision,
)
from outreach.review.eyes import endorsed_before, other_eyes
from outreach.review.holding import held_branches, rest_held
from outreach.review.policies import Policy, refusal
from outreach.review.questions import check_no_open_question
from outreach.review.relex import recheck_words
from outreach.review.submissions import Submission, refresh_state
from outreach.review.tables import submission as submission_table
from outreach.review.turns import chains, mend_endorsed
from outreach.review.whose import as_whom, eyes_of
from outreach.review.wording import refuse

_STOPS = {"suppress": State.SUPPRESSED, "expired": State.EXPIRED, "hold": State.HELD}
_CHUNK = 5000


@dataclass(frozen=True)
class SetAside:
    """A message that was not approved although it was asked for: a rule forbids it now (P5)."""

    message_id: UUID
    state: str  # suppressed | expired | held
    code: str  # of messages/reasons.py
    params: dict[str, Any]


@dataclass(frozen=True)
class Decided:
    """What came of it. ``decisions`` has one id for each submission; ``undo_until`` is the earliest of theirs."""

    decisions: tuple[UUID, ...]
    verb: str
    count: int
    at: datetime
    undo_until: datetime
    set_aside: tuple[SetAside, ...] = field(default=())
    alternatives: int = 0  # of ``count``: what goes only if another did not reach its client
    left: int = 0  # of a batch: what left it while it was being read
    submissions: tuple[UUID, ...] = ()

    @property
    def suppressed(self) -> int:
        """How many were set aside instead."""
        return len(self.set_aside)


def approve_locked(
    work: Work,
    submission: Submission,
    rows: Sequence[Row[Any]],
    policy: Policy,
    at: datetime,
    *,
    sampled: int | None = None,
    release: UUID | None = None,
    decider: UUID | None = None,
) -> Decided:
    """Approve (or, with ``release``, release under that standing approval) locked, held rows of one submission.

    Where the policy has several approvers in order, what is not before the last of them is endorsed: it stays held
    and waits for the next one. ``decider``: whose eyes they are, where it is not the actor (who granted the standing
    approval). Raises Forbidden when it is no person or not their turn, RuleBroken for what they may not decide by
    four eyes, Conflict when a row is not what was read.
    """
    if release is None and work.actor.staff_id is None:
        raise Forbidden("Only a person approves.", mend="Sign in as somebody who may decide.")
    fit, aside, waits = recheck_rows(work, rows, at)
    parts: list[_Part] = []
    if release is not None:
        parts.append(_Part("release", 1, fit, (decider,) if decider else ()))
    else:
        standing = chains(work.conn, fit, policy)
        mend_endorsed(work.conn, fit, standing)
        by_step: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in fit:
            by_step[len(standing[row.id]) + 1].append(row)
        for step, members in sorted(by_step.items()):
            verb = "approve" if step == len(policy.steps) else "endorse"
            whose = as_whom(work, submission, policy, members, step, standing)
            parts.append(_Part(verb, step, members, eyes_of(work, whose), whose))
    made = [
        _decide(work, submission, policy, part, at, sampled, release, waits) for part in parts if part.rows
    ]
    refresh_state(work.conn, [submission.id])
    verbs = {verdict.verb for _, verdict in made} or {"release" if release else "approve"}
    return Decided(
        tuple(decision_id for decision_id, _ in made),
        verbs.pop() if len(verbs) == 1 else "approve",
        len(fit),
        at,
        min((verdict.undo_until for _, verdict in made), default=at),
        tuple(aside),
        sum(row.fallback_of is not None for row in fit),
        submissions=(submission.id,),
    )


@dataclass(frozen=True)
class _Part:
    """Rows that one decision binds: they wait for the same approver."""

    verb: str
    step: int
    rows: list[Row[Any]]
    eyes: tuple[UUID, ...]  # who decides, and for whom they stand in
    grant: Grant | None = None


def _decide(
    work: Work,
    submission: Submission,
    policy: Policy,
    part: _Part,
    at: datetime,
    sampled: int | None,
    release: UUID | None,
    waits: Mapping[UUID, datetime],
) -> tuple[UUID, Verdict]:
    """Write one decision and move what it binds; four eyes and the steps before are asked in that statement."""
    acting_for = part.grant.acting_for if part.grant else None
    made = Verdict(
        verb=part.verb,
        at=at,
        undo_until=at if release else at + policy.undo_window,
        sampled=sampled,
        standing_approval_id=release,
        step=part.step,
        acting_for=acting_for,
    )
    bounds = [bound(row) for row in part.rows]
    months = {row.scheduled_month for row in part.rows}
    decision_id = write_decision(work, submission, made, bounds)
    allowed = other_eyes(*part.eyes, step=part.step) & message.c.blocked.is_(False)
    if acting_for is not None and part.grant is not None:
        allowed &= still_stands_in(part.eyes[0], acting_for, part.grant.through, at)
    if len(policy.steps) > 1:
        allowed &= (message.c.endorsed == part.step - 1) & endorsed_before(part.step)
    if part.verb == "endorse":
        endorse_bound(work, decision_id, part.step, bounds, months, allowed)
        _let_go(work, submission, part.step)
    else:
        firsts = [one for one, row in zip(bounds, part.rows, strict=True) if row.fallback_of is None]
        move_bound(
            work,
            decision_id,
            State.APPROVED,
            firsts,
            months,
            allowed & message.c.fallback_of.is_(None),
            decision_id=decision_id,
            due_at=func.greatest(message.c.send_at, made.undo_until),
        )
        _wait(work, waits, made.undo_until)
        if len(firsts) < len(bounds):
            _let_rest(work, decision_id, part.rows, months, allowed)
        if submission.branch_id is None:
            held = held_branches(work.conn, [submission.id])
            rest_held(work.conn, submission.id, {branch_id for _, branch_id in held})
    record_decision(work, submission, made, decision_id, bounds, {row.id: row for row in part.rows})
    if part.verb != "endorse":
        _wake(work, submission, min(row.send_at for row in part.rows), made.undo_until)
    return decision_id, made


def _let_rest(
    work: Work, decision_id: UUID, rows: Sequence[Row[Any]], months: set[date], allowed: ColumnElement[bool]
) -> None:
    """Approve the alternatives among ``rows``: due at no time, until the one before did not reach its client. Where
    that is known already, they go."""
    alternatives = [row for row in rows if row.fallback_of is not None]
    move_bound(
        work,
        decision_id,
        State.APPROVED,
        [bound(row) for row in alternatives],
        months,
        allowed & message.c.fallback_of.is_not(None),
        decision_id=decision_id,
        due_at=None,
        reason=WAITS,
        params={},
    )
    together = {row.id for row in rows}
    take_next(work, [row.id for row in alternatives if row.fallback_of not in together])


def _let_go(work: Work, about: Submission, step: int) -> None:
    """Whoever claimed a submission is done with it when all that waits has been passed on to the next approver."""
    left = exists().where(
        message.c.submission_id == about.id,
        message.c.state == State.HELD.value,
        message.c.endorsed < step,
    )
    work.conn.execute(
        update(submission_table)
        .where(submission_table.c.id == about.id, submission_table.c.claimed_by == work.actor.staff_id, ~left)
        .values(claimed_by=None, claimed_until=None)
    )


def recheck_rows(
    work: Work, rows: Sequence[Row[Any]], at: datetime
) -> tuple[list[Row[Any]], list[SetAside], dict[UUID, datetime]]:
    """Look once more at what is about to be approved (P5): consent, status, suitability, licence, expiry, words.

    Returns the rows that may be approved, those set aside (already moved, with their ledger entries), and until
    when a message must wait beyond its ``send_at``.
    """
    by_id = {row.id: row for row in rows}
    aside: list[SetAside] = []
    waits: dict[UUID, datetime] = {}
    for message_id in recheck_words(work, rows):
        del by_id[message_id]
        aside.append(SetAside(message_id, State.HELD.value, "lexicon_changed", {}))
    stopping: list[tuple[Row[Any], RuleVerdict]] = []
    for chunk in _chunks(list(by_id)):
        facts = facts_for(work.conn, [by_id[one] for one in chunk], at)
        for message_id in chunk:
            said = verdict(facts[message_id], at)
            if said.kind == "wait" and said.until is not None:
                waits[message_id] = said.until
            elif said.kind in _STOPS:
                aside.append(SetAside(message_id, _STOPS[said.kind].value, said.code, dict(said.params)))
                stopping.append((by_id.pop(message_id), said))
    stop(work, [(row, said) for row, said in stopping if said.kind != "hold"])
    for row, said in stopping:
        if said.kind == "hold":  # it stays where it is, and says why
            work.conn.execute(
                update(message)
                .where(message.c.id == row.id, message.c.state == State.HELD.value)
                .values(reason=said.code, reason_params=said.params)
            )
    return list(by_id.values()), aside, waits


def check_may_decide(
    work: Work,
    submission: Submission,
    policy: Policy,
    verb: str,
    *,
    step: int | None = None,
    branches: Iterable[UUID | None] = (None,),
) -> None:
    """Raise Forbidden, with the words, unless the actor may act by ``verb`` on ``submission`` under its pinned policy.

    ``step``: of which approver (by default of any of them: whose turn it is for a message, ``approve_locked`` asks);
    ``branches``: of the clients concerned, where a branch returns what the firm put up.
    """
    steps = range(len(policy.steps)) if step is None else (step - 1,)
    for branch_id in branches:
        why = [
            refusal(
                work.actor,
                submission.branch_id,
                policy,
                verb,
                work.settings.locale,
                branch_id,
                endorsed=endorsed,
                escalation=submission.escalation,
            )
            for endorsed in steps
        ]
        if all(why) and (first := why[0]) is not None:
            raise Forbidden(first.reason, mend=first.mend, rule=first.rule)


def check_approvable(work: Work, rows: Sequence[Row[Any]]) -> None:
    """Raise RuleBroken for blocked messages and for what compliance was asked about.

    This gives the words; the UPDATE that approves checks again. Four eyes are asked for where it is known as whom the
    actor decides (``whose``), and in that UPDATE.
    """
    locale = work.settings.locale
    blocked = [row for row in rows if row.blocked]
    if blocked:
        stops = [item for item in blocked[0].findings if item.get("severity") == "block"]
        first = stops[0] if stops else {}
        words = refuse("blocked", locale)
        raise RuleBroken(
            words.reason,
            rule=first.get("rule", words.rule),
            article=first.get("article", words.article),
            mend=words.mend,
            messages=[str(row.id) for row in blocked],
        )
    check_no_open_question(work, rows)
    if work.actor.staff_id is None:
        raise Forbidden("Only a person approves.", mend="Sign in as somebody who may decide.")


def _chunks(ids: list[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _wait(work: Work, waits: Mapping[UUID, datetime], undo_until: datetime) -> None:
    by_instant: dict[datetime, list[UUID]] = defaultdict(list)
    for message_id, until in waits.items():
        by_instant[until].append(message_id)
    for until, message_ids in by_instant.items():
        work.conn.execute(
            update(message)
            .where(among(message.c.id, message_ids), message.c.state == State.APPROVED.value)
            .values(due_at=func.greatest(message.c.send_at, until, undo_until))
        )


def _wake(work: Work, submission: Submission, send_at: datetime, undo_until: datetime) -> None:
    """What may go at once is not left to the next sweep."""
    if max(send_at, undo_until) <= clock.now():
        name = "dispatch_urgent" if submission.urgent else "dispatch"
        defer(work.conn, name, lock=name)
