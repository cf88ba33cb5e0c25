"""What authors, and who asked, are told of decisions: in the same transaction (``app`` wires it)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Select,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    text,
    true,
    union,
    update,
)

from outreach.content.in_force import reasons_in_force
from outreach.content.tables import content_version
from outreach.core import clock
from outreach.core.events import ClaimTakenOver, DecisionMade, QuestionAnswered
from outreach.core.together import together
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.notices.audience import branches_concerned, named, tell_deciders
from outreach.notices.outbox import tell
from outreach.notices.tables import notice
from outreach.notices.times import LONGEST_PAUSE, PAUSE
from outreach.people.staff import staff_names
from outreach.people.tables import staff
from outreach.review.tables import decision, decision_digest, remark, submission
from outreach.scheduling.occurrences import REQUEST
from outreach.scheduling.tables import occurrence

_STOPPED_WITHIN = timedelta(seconds=5)  # a batch stops in the transaction that returns one of its sample


@dataclass(frozen=True)
class Told:
    """How many messages of a decision are one person's: as their own words, or as their clients' (``own`` False)."""

    person: UUID
    own: bool
    count: int


def on_decision_made(work: Work, event: DecisionMade) -> None:
    """A decision goes back to whoever wrote the messages; a release is nobody's news, and what one approver has
    endorsed goes on to the next."""
    with together(work.conn) as ask:
        decided = ask(_DECIDED, decision=event.decision_id)
        about = ask(_ABOUT, decision=event.decision_id)
    made, row = decided.rows[0], about.rows[0]
    if made.verb == "release":
        return
    if made.verb == "endorse":
        tell_deciders(work, made.submission_id)
        return
    verb = made.verb if made.undone_at is None else "undo"
    at_once = row.urgent and verb == "return"
    because = _because(work, made.reasons)
    for one in _told(work, made, row, verb):
        tell_author(work, one, row, verb, because, at_once=at_once)
    if verb == "return" and row.stopped_at is not None and abs(row.stopped_at - made.at) < _STOPPED_WITHIN:
        _tell_stopped(work, row, made, because)
    if verb == "undo":
        tell_deciders(work, row.id, but=made.undone_by)
    if row.branch_id is None and verb == "approve":
        said = {key: value for key, value in named(work, row).items() if key in ("title", "category")}
        tell(work, branches_concerned(work, row.id), "firm_approved", said)


_DECIDED = select(decision).where(decision.c.id == bindparam("decision"))
_ABOUT = (
    select(submission, (occurrence.c.job_name != REQUEST).label("of_a_job"))
    .join(occurrence, occurrence.c.id == submission.c.occurrence_id)
    .where(
        submission.c.id
        == select(decision.c.submission_id).where(decision.c.id == bindparam("decision")).scalar_subquery()
    )
)


def tell_author(
    work: Work, one: Told, row: Any, verb: str, because: Sequence[dict[str, str]], *, at_once: bool
) -> None:
    """Tell one author of a decision on messages of theirs in the submission ``row``, which is locked.

    What is decided one after the other is one notice, as long as it has not left: it leaves PAUSE after the last of
    them, and LONGEST_PAUSE after the first at the latest. ``at_once``: now.
    """
    if verb == "undo":
        _take_back(work, one.person, row.id, one.count)
    at = clock.now()
    open_ = work.conn.execute(
        _UNTOLD, {"person": one.person, "submission": row.id, "verb": verb, "own": one.own}
    ).first()
    later = None if at_once else at + PAUSE
    if open_ is None:
        params = named(work, row) | {
            "count": one.count,
            "verb": verb,
            "own": one.own,
            "because": list(because),
        }
        tell(
            work,
            [one.person],
            "decision",
            params,
            urgent=at_once,
            not_before=later,
            submission_id=row.id,
            branch_id=row.branch_id,
        )
        return
    joined = [*open_.params.get("because", [])]
    joined += [reason for reason in because if reason not in joined]
    params = {**open_.params, "count": open_.params["count"] + one.count, "because": joined}
    latest = at if later is None else min(later, open_.created_at + LONGEST_PAUSE)
    work.conn.execute(update(notice).where(notice.c.id == open_.id).values(params=params, not_before=latest))


_UNTOLD = text(
    """
    SELECT id, params, created_at FROM notice
     WHERE staff_id = :person AND kind = 'decision' AND submission_id = :submission AND params ->> 'verb' = :verb
       AND CAST(params ->> 'own' AS boolean) = :own AND routed_at IS NULL AND seen_at IS NULL
     ORDER BY id LIMIT 1 FOR UPDATE
    """
)


def _take_back(work: Work, person: UUID, submission_id: UUID, count: int) -> None:
    """An approval that was undone before its author was told of it is not told any more."""
    untold = work.conn.execute(
        select(notice.c.id, notice.c.params)
        .where(
            notice.c.staff_id == person,
            notice.c.kind == "decision",
            notice.c.submission_id == submission_id,
            notice.c.params["verb"].astext == "approve",
            notice.c.routed_at.is_(None),
            notice.c.seen_at.is_(None),
        )
        .with_for_update()
    ).first()
    if untold is None:
        return
    left = untold.params["count"] - count
    if left > 0:
        changed = {**untold.params, "count": left}
        work.conn.execute(update(notice).where(notice.c.id == untold.id).values(params=changed))
    else:
        work.conn.execute(delete(notice).where(notice.c.id == untold.id))


def _told(work: Work, made: Any, row: Any, verb: str) -> list[Told]:
    """Who wrote or last edited the messages; of returned ones that a job made, whose clients they are for, since the
    advisor may mend them. Who edited a job's template is not told of every branch's decision about it. Of an undone
    approval only what waits again counts."""
    wanted = {
        "decision": made.id,
        "month": row.scheduled_month,
        "editor": row.author_id if row.of_a_job else None,
        "decider": made.actor_id,
    }
    return [Told(*found) for found in work.conn.execute(_whose(verb), wanted)]


@cache
def _whose(verb: str) -> Select[Any]:
    editor = bindparam("editor", type_=Uuid)
    mine = (
        select(
            message.c.id,
            message.c.author_id,
            message.c.last_editor_id,
            message.c.advisor_id,
            message.c.state,
        )
        .join(decision_digest, decision_digest.c.message_id == message.c.id)
        .where(
            decision_digest.c.decision_id == bindparam("decision"),
            message.c.scheduled_month == bindparam("month"),
        )
        .subquery()
    )
    again = mine.c.state == State.HELD.value if verb == "undo" else true()
    parts = [
        select(column.label("person"), literal(True).label("own"), mine.c.id).where(
            column.is_not(None), column.is_distinct_from(editor), again
        )
        for column in (mine.c.author_id, mine.c.last_editor_id)
    ]
    if verb == "return":
        nobody = and_(
            *(column.is_(None) | (column == editor) for column in (mine.c.author_id, mine.c.last_editor_id))
        )
        parts.append(
            select(mine.c.advisor_id, literal(False), mine.c.id).where(mine.c.advisor_id.is_not(None), nobody)
        )
    every = union(*parts).subquery()
    return (
        select(every.c.person, every.c.own, func.count())
        .join(staff, staff.c.id == every.c.person)
        .where(every.c.person.is_distinct_from(bindparam("decider", type_=Uuid)), staff.c.status == "active")
        .group_by(every.c.person, every.c.own)
        .order_by(every.c.person)
    )


def _tell_stopped(work: Work, row: Any, made: Any, because: Sequence[dict[str, str]]) -> None:
    """One of the sample came back, so the batch stands still: who wrote it, or its template, is told at once."""
    writer = row.author_id
    if writer is None and row.template_version_id is not None:
        writer = work.conn.execute(
            select(content_version.c.last_editor).where(content_version.c.id == row.template_version_id)
        ).scalar_one_or_none()
    if writer is None or writer == made.actor_id:
        return
    said = named(work, row)
    params = said | {"because": list(because), "own": not said["title"]}  # only a person's own has none
    tell(
        work,
        [writer],
        "stopped",
        params,
        urgent=row.urgent,
        submission_id=row.id,
        branch_id=row.branch_id,
    )


def _because(work: Work, codes: Iterable[str]) -> list[dict[str, str]]:
    """The reasons in both languages, as they are named now; what was written in own words stays on the page."""
    known = reasons_in_force(work.conn) if (wanted := list(codes)) else {}
    return [{"zh": known[code].zh, "en": known[code].en} for code in wanted if code in known]


def on_question_answered(work: Work, event: QuestionAnswered) -> None:
    """Compliance answered: who asked is told at once, and whether it objects; what it says stays on the page."""
    answer = work.conn.execute(select(remark).where(remark.c.id == event.remark_id)).one()
    question = work.conn.execute(select(remark).where(remark.c.id == answer.answers)).one()
    about = work.conn.execute(select(submission).where(submission.c.id == answer.submission_id)).one()
    params = named(work, about) | {"remark_id": str(answer.id), "objects": bool(answer.objects)}
    tell(
        work,
        {question.staff_id} - {answer.staff_id},
        "answer",
        params,
        urgent=about.urgent,
        submission_id=about.id,
        branch_id=about.branch_id,
    )


def on_claim_taken_over(work: Work, event: ClaimTakenOver) -> None:
    """Somebody went on with what another was working through: that other is told."""
    about = work.conn.execute(select(submission).where(submission.c.id == event.submission_id)).one()
    who = staff_names(work.conn, [event.by_id]).get(event.by_id, "")
    params = named(work, about) | {"who": who}
    tell(work, [event.from_id], "claim", params, submission_id=about.id, branch_id=about.branch_id)
