"""Four eyes (P2, art. 63): whoever wrote or last edited content does not approve it, by whatever account."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Uuid, any_, exists, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.content.tables import content_version
from outreach.messages.tables import message
from outreach.people.tables import staff
from outreach.review.tables import submission


def other_eyes(actor_id: UUID) -> ColumnElement[bool]:
    """The condition on ``message`` that holds where ``actor_id`` is another natural person than each of: who
    wrote it, who last edited it, who queued it, who last edited its template version.

    Persons are compared by ``person_key`` as the database has it now, in the statement that approves.
    """
    me = staff.alias("decider")
    writer = staff.alias("writer")
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
            me.c.id == actor_id,
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
    return known & ~same_person


def own_words(conn: Connection, actor_id: UUID, message_ids: Iterable[UUID]) -> set[UUID]:
    """Those of ``message_ids`` that ``actor_id`` may not approve because the words are their own."""
    rows = conn.execute(
        select(message.c.id).where(
            message.c.id == any_(literal(list(message_ids), ARRAY(Uuid))), ~other_eyes(actor_id)
        )
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
