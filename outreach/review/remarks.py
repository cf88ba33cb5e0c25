"""What people say to each other about what waits: comments, questions to compliance, and compliance's answers.

Every text is sealed. A question without an answer keeps what it is about from being approved; so does an objection,
until the words are changed or compliance answers anew (art. 63).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Row, and_, bindparam, exists, insert, or_, select, true, update

from outreach.core import clock
from outreach.core.access import Permission, Role, reach, require, visible
from outreach.core.database import AnyRow
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound
from outreach.core.events import QuestionAnswered, QuestionAsked, publish
from outreach.core.ids import new_id
from outreach.core.together import Question, asked
from outreach.ledger.append import Entry, record, seal_bytes, unseal_many
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.tables import branch, staff
from outreach.review.submissions import REACHED, Submission, submission_for
from outreach.review.tables import remark, submission

LONGEST = 2000  # characters of a remark


@dataclass(frozen=True)
class Remark:
    """One remark. ``message_id`` None: about the whole submission; ``text`` is empty when it was disposed of.

    ``objects``: of an answer, whether compliance objects; ``open``: a question that is neither answered nor taken back.
    """

    id: UUID
    kind: str  # comment | question | answer
    who: str
    staff_id: UUID
    at: datetime
    text: str
    message_id: UUID | None
    objects: bool | None
    answers: UUID | None
    open: bool
    mine: bool


@dataclass(frozen=True)
class OpenQuestion:
    """A question that waits for compliance. ``due_by``: when the decision is needed; ``branch``: empty for the firm."""

    id: UUID
    submission_id: UUID
    message_id: UUID | None
    title: str
    branch: str
    branch_en: str
    who: str
    at: datetime
    due_by: datetime
    urgent: bool
    text: str


def comment(work: Work, submission_id: UUID, text: str, message_id: UUID | None = None) -> UUID:
    """Say something about a submission, or about one message in it; returns the remark's id.

    Raises NotFound beyond the actor's scope, BadInput for an empty or endless text.
    """
    about = submission_for(work, submission_id)
    _check_message(work, submission_id, message_id)
    return _write(work, about, "comment", text, message_id)


def ask_compliance(work: Work, submission_id: UUID, text: str, message_id: UUID | None = None) -> UUID:
    """Ask compliance; until it answers (or the question is taken back) what it is about can't be approved.

    Raises NotFound beyond the scope, Forbidden for who may not decide, Conflict when it does not wait any more,
    BadInput for an empty or endless text.
    """
    require(work.actor, Permission.DECIDE)
    about = submission_for(work, submission_id, Permission.DECIDE, lock=True)
    row = _check_message(work, submission_id, message_id)
    if about.state != "open" or (row is not None and row.state != State.HELD.value):
        raise Conflict("This does not wait for a decision any more.", mend="Read the list again.")
    identifier = _write(work, about, "question", text, message_id)
    publish(work, QuestionAsked(identifier))
    return identifier


def answer_question(work: Work, question_id: UUID, text: str, objects: bool) -> UUID:
    """Compliance answers. ``objects``: it may not go out in these words; nobody approves it until they are changed.

    Raises Forbidden for all but compliance, NotFound beyond the scope, Conflict when it was answered or taken back.
    """
    if Role.COMPLIANCE not in work.actor.roles():
        raise Forbidden(
            "Only compliance answers this.", mend="Wait for the answer, or take the question back."
        )
    question, about = _question(work, question_id, Permission.READ_MESSAGES)
    identifier = _write(
        work, about, "answer", text, question.message_id, answers=question.id, objects=objects
    )
    _close(work, question.id)
    publish(work, QuestionAnswered(identifier))
    return identifier


def withdraw_question(work: Work, question_id: UUID) -> None:
    """Take one's own question back. Raises NotFound beyond the scope, Forbidden for somebody else's question,
    Conflict when it was answered or taken back."""
    question, about = _question(work, question_id, Permission.READ_MESSAGES)
    if question.staff_id != work.actor.staff_id:
        raise Forbidden("This question is somebody else's.", mend="Who asked it takes it back.")
    _close(work, question.id)
    _record(work, about, question.id, "withdraw", question.message_id)


def remarks_on(work: Work, submission_id: UUID, message_id: UUID | None = None) -> list[Remark]:
    """The remarks on a submission, oldest first. With ``message_id`` those on it and on the whole submission.

    Raises NotFound beyond the actor's scope.
    """
    submission_for(work, submission_id)
    return read_remarks(work, remark_rows(work, submission_id, message_id))


def remark_rows(work: Work, submission_id: UUID, message_id: UUID | None = None) -> list[Row[Any]]:
    """The rows behind ``remarks_on``, their texts still sealed, of a submission that the actor is known to see."""
    if message_id is not None:
        return list(work.conn.execute(ON_ONE, {"submission": submission_id, "message": message_id}))
    if work.actor.scope(Permission.READ_MESSAGES) is None:
        about: ColumnElement[bool] = true()
    else:
        seen = exists().where(
            message.c.id == remark.c.message_id,
            visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id),
        )
        about = or_(remark.c.message_id.is_(None), seen)
    return list(work.conn.execute(_SAID.where(remark.c.submission_id == submission_id, about)))


_SAID = (
    select(remark, staff.c.name.label("who"))
    .join(staff, staff.c.id == remark.c.staff_id)
    .order_by(remark.c.at, remark.c.id)
)
ON_ONE = _SAID.where(
    remark.c.submission_id == bindparam("submission"),
    or_(remark.c.message_id.is_(None), remark.c.message_id == bindparam("message")),
)


def read_remarks(work: Work, rows: Collection[Any], bodies: dict[UUID, bytes] | None = None) -> list[Remark]:
    """Rows of ``remark_rows`` with their texts; ``bodies``: those that are unsealed already."""
    if bodies is None:
        bodies = unseal_many(work, [row.sealed_id for row in rows]) if rows else {}
    return [
        Remark(
            id=row.id,
            kind=row.kind,
            who=row.who,
            staff_id=row.staff_id,
            at=row.at,
            text=bodies.get(row.sealed_id, b"").decode(),
            message_id=row.message_id,
            objects=row.objects,
            answers=row.answers,
            open=row.kind == "question" and row.closed_at is None,
            mine=row.staff_id == work.actor.staff_id,
        )
        for row in rows
    ]


def open_questions(work: Work, limit: int = 50) -> list[OpenQuestion]:
    """What waits for compliance's answer, what is needed first on top. Raises Forbidden for all but compliance."""
    if Role.COMPLIANCE not in work.actor.roles():
        raise Forbidden("These questions are compliance's.", mend="Look in the inbox.")
    rows = asked(work.conn, open_questions_question(work, limit)).rows
    bodies = unseal_many(work, [row.sealed_id for row in rows])
    return [
        OpenQuestion(
            id=row.id,
            submission_id=row.submission_id,
            message_id=row.message_id,
            title=row.title,
            branch=row.branch or "",
            branch_en=row.branch_en or "",
            who=row.who,
            at=row.at,
            due_by=row.due_by,
            urgent=row.urgent,
            text=bodies.get(row.sealed_id, b"").decode(),
        )
        for row in rows
    ]


def open_questions_question(work: Work, limit: int = 50) -> Question:
    """What ``open_questions`` asks."""
    return _OPEN_QUESTIONS, {"scope": reach(work.actor, Permission.READ_MESSAGES), "most": limit}


_OPEN_QUESTIONS = (
    select(
        remark,
        staff.c.name.label("who"),
        submission.c.title,
        submission.c.due_by,
        submission.c.urgent,
        branch.c.name.label("branch"),
        branch.c.name_en.label("branch_en"),
    )
    .join(submission, submission.c.id == remark.c.submission_id)
    .join(staff, staff.c.id == remark.c.staff_id)
    .outerjoin(branch, branch.c.id == submission.c.branch_id)
    .where(remark.c.kind == "question", remark.c.closed_at.is_(None), REACHED)
    .order_by(submission.c.urgent.desc(), submission.c.due_by, remark.c.id)
    .limit(bindparam("most", type_=Integer))
)


def _check_message(work: Work, submission_id: UUID, message_id: UUID | None) -> AnyRow | None:
    if message_id is None:
        return None
    found = work.conn.execute(
        select(message.c.id, message.c.state).where(
            message.c.id == message_id,
            message.c.submission_id == submission_id,
            visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id),
        )
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such message that you may see.", mend="Look in the inbox again.")
    return found


def _question(work: Work, question_id: UUID, permission: Permission) -> tuple[Row[Any], Submission]:
    """The open question, its submission locked, since an approval looks for it under that lock."""
    where = and_(remark.c.id == question_id, remark.c.kind == "question")
    found = work.conn.execute(select(remark.c.submission_id).where(where)).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such question that you may see.", mend="Read the list again.")
    try:
        about = submission_for(work, found, permission, lock=True)
    except NotFound:
        raise NotFound("There is no such question that you may see.", mend="Read the list again.") from None
    row = work.conn.execute(select(remark).where(where).with_for_update()).one()
    _check_message(work, row.submission_id, row.message_id)
    if row.closed_at is not None:
        raise Conflict("This question was answered or taken back already.", mend="Read it again.")
    return row, about


def _write(
    work: Work,
    about: Submission,
    kind: str,
    text: str,
    message_id: UUID | None,
    *,
    answers: UUID | None = None,
    objects: bool | None = None,
) -> UUID:
    if work.actor.staff_id is None:
        raise Forbidden("Only a person says something here.", mend="Sign in.")
    said = text.strip()
    if not said or len(said) > LONGEST:
        raise BadInput(
            f"A remark has 1 to {LONGEST} characters.", mend="Say in a few words what others should know."
        )
    sealed = seal_bytes(work, said.encode())
    identifier = new_id()
    work.conn.execute(
        insert(remark).values(
            id=identifier,
            submission_id=about.id,
            message_id=message_id,
            kind=kind,
            staff_id=work.actor.staff_id,
            at=clock.now(),
            sealed_id=sealed.id,
            answers=answers,
            objects=objects,
        )
    )
    _record(work, about, identifier, kind, message_id, sealed=sealed, question_id=answers, objects=objects)
    return identifier


def _record(
    work: Work,
    about: Submission,
    remark_id: UUID,
    verb: str,
    message_id: UUID | None,
    *,
    sealed: Any = None,
    question_id: UUID | None = None,
    objects: bool | None = None,
) -> None:
    fields = {
        "submission_id": about.id,
        "remark_id": remark_id,
        "question_id": question_id,
        "verb": verb,
        "outcome": None if objects is None else "objection" if objects else "no-objection",
    }
    entry = Entry("remark", fields, sealed=sealed, message_id=message_id, branch_id=about.branch_id)
    record(work, entry)


def _close(work: Work, question_id: UUID) -> None:
    work.conn.execute(
        update(remark)
        .where(remark.c.id == question_id, remark.c.closed_at.is_(None))
        .values(closed_at=clock.now())
    )
