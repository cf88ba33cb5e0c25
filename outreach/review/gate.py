"""The last word before sending: which digest, if any, a decision in force binds for a message (P1)."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, and_, or_, select

from outreach.messages.tables import message
from outreach.review.tables import decision, decision_digest, standing_approval


class Binding(NamedTuple):
    """What a decision in force binds: compare ``digest`` with the SHA-256 of the bytes about to go out."""

    decision_id: UUID
    digest: bytes
    revision: int


def bound_digests(conn: Connection, message_ids: Iterable[UUID]) -> dict[UUID, Binding]:
    """For each message what its own decision binds; a message missing from the answer has no decision in force.

    In force: an approval that was not undone; a release under a standing approval that is not revoked and was
    valid when it released. Only ``decision_digest`` is believed, which nobody can update, so that a row of
    ``message`` changed by raw SQL gains nothing.
    """
    rows = conn.execute(
        select(
            message.c.id,
            decision_digest.c.decision_id,
            decision_digest.c.digest,
            decision_digest.c.revision,
        )
        .join(
            decision_digest,
            and_(
                decision_digest.c.decision_id == message.c.decision_id,
                decision_digest.c.message_id == message.c.id,
            ),
        )
        .join(decision, decision.c.id == decision_digest.c.decision_id)
        .outerjoin(standing_approval, standing_approval.c.id == decision.c.standing_approval_id)
        .where(
            message.c.id.in_(list(message_ids)),
            decision.c.undone_at.is_(None),
            decision.c.submission_id == message.c.submission_id,
            or_(
                decision.c.verb == "approve",
                and_(
                    decision.c.verb == "release",
                    standing_approval.c.revoked_at.is_(None),
                    standing_approval.c.granted_at <= decision.c.at,
                    standing_approval.c.valid_until > decision.c.at,
                ),
            ),
        )
    )
    return {row.id: Binding(row.decision_id, bytes(row.digest), row.revision) for row in rows}
