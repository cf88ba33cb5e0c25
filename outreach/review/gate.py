"""The last word before sending: which digest, if any, a decision in force binds for a message (P1)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Uuid, and_, any_, cast, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.core.database import AnyRow
from outreach.messages.tables import message
from outreach.people.tables import staff
from outreach.review.policies import policy_for
from outreach.review.tables import decision, decision_digest, standing_approval, submission
from outreach.review.turns import Endorsement, chain, endorsements


class Binding(NamedTuple):
    """What a decision in force binds: compare ``digest`` with the SHA-256 of the bytes about to go out."""

    decision_id: UUID
    digest: bytes
    revision: int


def bound_digests(conn: Connection, message_ids: Iterable[UUID]) -> dict[UUID, Binding]:
    """For each message what its own decision binds; a message missing from the answer has no decision in force.

    In force: an approval that was not undone, by the last of the approvers that the submission's pinned policy
    version has, after endorsements of this very revision and digest by each one before, all other persons; a release
    under a standing approval that is not revoked and was valid when it released. Only ``decision_digest`` and the
    policy's own file are believed, which nobody can update, so that a row of ``message`` changed by raw SQL gains
    nothing.
    """
    ids = cast(list(message_ids), ARRAY(Uuid))
    absent = staff.alias("absent")
    # Two plain look-ups by key instead of one join: no plan can go wrong over tables that have just been filled.
    believed = conn.execute(
        select(
            decision_digest.c.message_id,
            decision_digest.c.decision_id,
            decision_digest.c.digest,
            decision_digest.c.revision,
            decision.c.submission_id,
            decision.c.verb,
            decision.c.step,
            decision.c.at,
            decision.c.policy_version_id,
            staff.c.person_key,
            absent.c.person_key.label("absent_key"),
        )
        .join(decision, decision.c.id == decision_digest.c.decision_id)
        .join(submission, submission.c.id == decision.c.submission_id)
        .outerjoin(standing_approval, standing_approval.c.id == decision.c.standing_approval_id)
        .outerjoin(staff, staff.c.id == decision.c.actor_id)
        .outerjoin(absent, absent.c.id == decision.c.acting_for)
        .where(
            decision_digest.c.message_id == any_(ids),
            decision.c.undone_at.is_(None),
            decision.c.policy_version_id == submission.c.policy_version_id,
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
    ).all()
    versions = {row.policy_version_id for row in believed}
    steps = {version_id: len(policy_for(conn, version_id).steps) for version_id in versions}
    in_order = {row.message_id for row in believed if steps[row.policy_version_id] > 1}
    endorsed = endorsements(conn, in_order) if in_order else {}
    bindings = {
        (row.message_id, row.decision_id, row.submission_id): Binding(
            row.decision_id, bytes(row.digest), row.revision
        )
        for row in believed
        if _in_order(row, steps[row.policy_version_id], endorsed.get(row.message_id, []))
    }
    own = conn.execute(
        select(message.c.id, message.c.decision_id, message.c.submission_id).where(message.c.id == any_(ids))
    )
    return {row.id: bindings[key] for row in own if (key := tuple(row)) in bindings}


def _in_order(row: AnyRow, steps: int, endorsed: Sequence[Endorsement]) -> bool:
    """Whether all the approvers before have endorsed what ``row`` binds, each another person than who approved."""
    if steps == 1:
        return True
    before = chain(endorsed, row.submission_id, row.revision, bytes(row.digest), steps)
    eyes = {row.person_key, row.absent_key} - {None}
    return (
        row.verb == "approve"
        and row.step == steps == len(before) + 1
        and all(one.at <= row.at and not one.eyes & eyes for one in before)
    )
