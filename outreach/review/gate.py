"""The last word before sending: which digest, if any, a decision in force binds for a message (P1)."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Uuid, and_, any_, cast, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

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
    ids = cast(list(message_ids), ARRAY(Uuid))
    # Two plain look-ups by key instead of one join: no plan can go wrong over tables that have just been filled.
    believed = conn.execute(
        select(
            decision_digest.c.message_id,
            decision_digest.c.decision_id,
            decision_digest.c.digest,
            decision_digest.c.revision,
            decision.c.submission_id,
        )
        .join(decision, decision.c.id == decision_digest.c.decision_id)
        .outerjoin(standing_approval, standing_approval.c.id == decision.c.standing_approval_id)
        .where(
            decision_digest.c.message_id == any_(ids),
            decision.c.undone_at.is_(None),
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
    bindings = {
        (row.message_id, row.decision_id, row.submission_id): Binding(
            row.decision_id, bytes(row.digest), row.revision
        )
        for row in believed
    }
    own = conn.execute(
        select(message.c.id, message.c.decision_id, message.c.submission_id).where(message.c.id == any_(ids))
    )
    return {row.id: bindings[key] for row in own if (key := tuple(row)) in bindings}
