"""Four eyes (P2, art. 63): whoever wrote or last edited content does not approve it, by whatever account."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.content.tables import content_version
from outreach.messages.tables import Placed, message
from outreach.people.tables import staff
from outreach.review.tables import decision, decision_digest, submission

_ME, _WRITER, _ENDORSER = staff.alias("decider"), staff.alias("writer"), staff.alias("endorser")

_TEMPLATE_EDITOR = (
    select(content_version.c.last_editor)
    .where(content_version.c.id == message.c.template_version_id)
    .correlate(message)
    .scalar_subquery()
)
_QUEUED_BY = (
    select(submission.c.author_id)
    .where(submission.c.id == message.c.submission_id)
    .correlate(message)
    .scalar_subquery()
)


def other_eyes(actor_id: UUID, *also: UUID, step: int = 1) -> ColumnElement[bool]:
    """The condition on ``message`` that holds where ``actor_id``, and each of ``also`` (for whom they stand in), is
    another natural person than each of: who wrote it, who last edited it, who queued it, who last edited its template
    version, and who endorsed this revision as an approver before ``step``, for themselves or for somebody else.

    Persons are compared by ``person_key`` as the database has it now, in the statement that approves.
    """
    eyes = literal(_sorted(actor_id, also), ARRAY(Uuid))
    condition = _others_wrote(literal(actor_id, Uuid), eyes)
    return condition & _others_endorsed(eyes) if step > 1 else condition


def _others_wrote(actor_id: ColumnElement[UUID], eyes: ColumnElement[Any]) -> ColumnElement[bool]:
    same_person = (
        exists()
        .select_from(_WRITER.join(_ME, _ME.c.person_key == _WRITER.c.person_key))
        .where(
            _ME.c.id == any_(eyes),
            or_(
                _WRITER.c.id == message.c.author_id,
                _WRITER.c.id == message.c.last_editor_id,
                _WRITER.c.id == _TEMPLATE_EDITOR,
                _WRITER.c.id == _QUEUED_BY,
            ),
        )
        .correlate(message)
    )
    known = exists().where(staff.c.id == actor_id, staff.c.status == "active")
    return known & ~same_person


def _others_endorsed(eyes: ColumnElement[Any]) -> ColumnElement[bool]:
    return ~(
        exists()
        .select_from(
            decision_digest.join(decision, decision.c.id == decision_digest.c.decision_id)
            .join(
                _ENDORSER, or_(_ENDORSER.c.id == decision.c.actor_id, _ENDORSER.c.id == decision.c.acting_for)
            )
            .join(_ME, _ME.c.person_key == _ENDORSER.c.person_key)
        )
        .where(_binds_this_message, _ME.c.id == any_(eyes))
        .correlate(message)
    )


def _sorted(actor_id: UUID, also: Iterable[UUID]) -> list[UUID]:
    return sorted({actor_id, *also})


# The same for statements that are built once: they take what ``seen_by`` gives.
_EYES: ColumnElement[Any] = bindparam("eyes", type_=ARRAY(Uuid))
OTHERS_WROTE = _others_wrote(bindparam("decider", type_=Uuid), _EYES)


def seen_by(actor_id: UUID | None, *also: UUID) -> dict[str, Any]:
    """The parameters of ``OTHERS_WROTE``; the system itself has no eyes."""
    return {"decider": actor_id, "eyes": [] if actor_id is None else _sorted(actor_id, also)}


def endorsed_before(step: int) -> ColumnElement[bool]:
    """The condition on ``message`` that each approver before ``step`` has endorsed this very revision and digest."""
    return and_(
        true(),
        *(
            exists()
            .select_from(decision_digest.join(decision, decision.c.id == decision_digest.c.decision_id))
            .where(_binds_this_message, decision.c.step == earlier)
            .correlate(message)
            for earlier in range(1, step)
        ),
    )


_binds_this_message = and_(
    decision_digest.c.message_id == message.c.id,
    decision_digest.c.revision == message.c.revision,
    decision_digest.c.digest == message.c.digest,
    decision.c.submission_id == message.c.submission_id,
    decision.c.verb == "endorse",
    decision.c.undone_at.is_(None),
)


def own_words(conn: Connection, actor_id: UUID, rows: Sequence[Placed], *also: UUID) -> set[UUID]:
    """Those of the messages ``rows`` that ``actor_id`` (standing in for ``also``) may not approve because the words
    are their own."""
    return _among(conn, OWN_WORDS, rows, seen_by(actor_id, *also))


def own_endorsements(conn: Connection, actor_id: UUID, rows: Sequence[Placed], *also: UUID) -> set[UUID]:
    """Those of the messages ``rows`` that ``actor_id`` (standing in for ``also``) had a part in endorsing."""
    return _among(conn, _OWN_ENDORSEMENTS, rows, {"eyes": _sorted(actor_id, also)})


_THESE = select(message.c.id).where(
    message.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
    message.c.scheduled_month == any_(bindparam("months", type_=ARRAY(Date))),
)
OWN_WORDS = _THESE.where(~OTHERS_WROTE)
_OWN_ENDORSEMENTS = _THESE.where(~_others_endorsed(_EYES))


def _among(
    conn: Connection, statement: Select[Any], rows: Sequence[Placed], eyes: dict[str, Any]
) -> set[UUID]:
    return set(conn.execute(statement, places(rows) | eyes).scalars())


def places(rows: Sequence[Placed]) -> dict[str, Any]:
    """Which messages ``OWN_WORDS`` asks about, as its parameters beside ``seen_by``."""
    return {"ids": [row.id for row in rows], "months": sorted({row.scheduled_month for row in rows})}


def own_version(conn: Connection, actor_id: UUID, version_id: UUID) -> bool:
    """Whether ``actor_id`` is the same natural person as whoever last edited this version of content."""
    me = staff.alias("decider")
    writer = staff.alias("writer")
    same = (
        select(writer.c.id)
        .join(content_version, content_version.c.last_editor == writer.c.id)
        .join(me, me.c.person_key == writer.c.person_key)
        .where(content_version.c.id == version_id, me.c.id == actor_id)
    )
    return conn.execute(same.limit(1)).first() is not None
