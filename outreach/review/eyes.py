"""Four eyes (P2, art. 63): whoever wrote or last edited content does not approve it, by whatever account."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Uuid, and_, any_, exists, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.content.tables import content_version
from outreach.messages.tables import message
from outreach.people.tables import staff
from outreach.review.tables import decision, decision_digest, submission


def other_eyes(actor_id: UUID, *also: UUID, step: int = 1) -> ColumnElement[bool]:
    """The condition on ``message`` that holds where ``actor_id``, and each of ``also`` (for whom they stand in), is
    another natural person than each of: who wrote it, who last edited it, who queued it, who last edited its template
    version, and who endorsed this revision as an approver before ``step``, for themselves or for somebody else.

    Persons are compared by ``person_key`` as the database has it now, in the statement that approves.
    """
    me = staff.alias("decider")
    writer = staff.alias("writer")
    eyes = sorted({actor_id, *also})
    template_editor = (
        select(content_version.c.last_editor)
        .where(content_version.c.id == message.c.template_version_id)
        .correlate(message)
        .scalar_subquery()
    )
    queued_by = (
        select(submission.c.author_id)
        .where(submission.c.id == message.c.submission_id)
        .correlate(message)
        .scalar_subquery()
    )
    same_person = (
        exists()
        .select_from(writer.join(me, me.c.person_key == writer.c.person_key))
        .where(
            me.c.id.in_(eyes),
            or_(
                writer.c.id == message.c.author_id,
                writer.c.id == message.c.last_editor_id,
                writer.c.id == template_editor,
                writer.c.id == queued_by,
            ),
        )
        .correlate(message)
    )
    known = exists().where(staff.c.id == actor_id, staff.c.status == "active")
    condition = known & ~same_person
    return condition & _others_endorsed(eyes) if step > 1 else condition


def _others_endorsed(eyes: list[UUID]) -> ColumnElement[bool]:
    me, endorser = staff.alias("decider"), staff.alias("endorser")
    return ~(
        exists()
        .select_from(
            decision_digest.join(decision, decision.c.id == decision_digest.c.decision_id)
            .join(endorser, or_(endorser.c.id == decision.c.actor_id, endorser.c.id == decision.c.acting_for))
            .join(me, me.c.person_key == endorser.c.person_key)
        )
        .where(_binds_this_message, me.c.id.in_(eyes))
        .correlate(message)
    )


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


def own_words(conn: Connection, actor_id: UUID, message_ids: Iterable[UUID], *also: UUID) -> set[UUID]:
    """Those of ``message_ids`` that ``actor_id`` (standing in for ``also``) may not approve because the words are
    their own."""
    return _not(conn, message_ids, other_eyes(actor_id, *also))


def own_endorsements(conn: Connection, actor_id: UUID, message_ids: Iterable[UUID], *also: UUID) -> set[UUID]:
    """Those of ``message_ids`` that ``actor_id`` (standing in for ``also``) had a part in endorsing."""
    return _not(conn, message_ids, _others_endorsed(sorted({actor_id, *also})))


def _not(conn: Connection, message_ids: Iterable[UUID], condition: ColumnElement[bool]) -> set[UUID]:
    rows = conn.execute(
        select(message.c.id).where(message.c.id == any_(literal(list(message_ids), ARRAY(Uuid))), ~condition)
    )
    return set(rows.scalars())


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
