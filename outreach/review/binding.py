"""Writing a decision down: its row, the digests it binds, the move of its messages and its ledger entry.

Lock order, for every service of review: submissions by id, then messages by id.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Uuid,
    any_,
    exists,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.content.in_force import name_and_version
from outreach.core.database import driver
from outreach.core.events import DecisionMade, publish
from outreach.core.ids import new_id
from outreach.core.together import together
from outreach.ledger.append import Entry, record, seal_bytes
from outreach.ledger.work import Work
from outreach.messages.states import State, move
from outreach.messages.tables import message
from outreach.review.conflicts import lost
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.submissions import Submission
from outreach.review.tables import decision, decision_digest


@dataclass(frozen=True)
class Verdict:
    """What is being decided, before it is written. ``note`` is free text; it is sealed in the record."""

    verb: str  # approve | endorse | return | reject | release
    at: datetime
    undo_until: datetime
    reasons: tuple[str, ...] = ()
    note: str = ""
    sampled: int | None = None
    standing_approval_id: UUID | None = None
    step: int = 1  # which of the policy's approvers decides
    acting_for: UUID | None = None  # whom they stand in for


def among(column: ColumnElement[Any], ids: Iterable[UUID]) -> ColumnElement[bool]:
    """``column`` is one of ``ids``: one array parameter, however many there are (a statement takes 65,535)."""
    return column == any_(literal(sorted(set(ids)), ARRAY(Uuid)))


def lock_messages(
    conn: Connection, where: ColumnElement[bool], params: Mapping[str, Any] | None = None
) -> list[Row[Any]]:
    """Lock the messages that fit ``where`` (with ``params``, where it has any), in the order of their ids, and read
    them as they now are."""
    return list(conn.execute(LOCKED.where(where), params))


LOCKED = select(message).order_by(message.c.id).with_for_update()


def bound(row: Row[Any]) -> Bound:
    """The line of the manifest for a row of ``lock_messages``."""
    return Bound(row.id, row.revision, bytes(row.digest))


def write_decision(work: Work, submission: Submission, verdict: Verdict, bounds: Sequence[Bound]) -> UUID:
    """Insert the decision and exactly the digests it binds; returns its id. The messages are not moved yet."""
    identifier = new_id()
    made = {
        "id": identifier,
        "submission_id": submission.id,
        "verb": verdict.verb,
        "actor_id": None if verdict.verb == "release" else work.actor.staff_id,
        "standing_approval_id": verdict.standing_approval_id,
        "at": verdict.at,
        "undo_until": verdict.undo_until,
        "reasons": list(verdict.reasons),
        "note": verdict.note,
        "manifest_digest": manifest_digest(bounds),
        "count": len(bounds),
        "policy_version_id": submission.policy_version_id,
        "step": verdict.step,
        "acting_for": verdict.acting_for,
    }
    if len(bounds) <= _FEW:
        with together(work.conn) as ask:
            ask(_DECISION, made)
            ask(
                _DIGESTS,
                decision=identifier,
                messages=[item.message_id for item in bounds],
                revisions=[item.revision for item in bounds],
                digests=[item.digest for item in bounds],
            )
        return identifier
    work.conn.execute(_DECISION, made)
    with (
        driver(work.conn).cursor() as cursor,
        cursor.copy(
            "COPY decision_digest (decision_id, message_id, revision, digest) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["uuid", "uuid", "int4", "bytea"])
        for item in bounds:
            copy.write_row((identifier, item.message_id, item.revision, item.digest))
    return identifier


_FEW = 50  # digests that are written with the decision itself; more of them go by COPY
_DECISION = insert(decision)
_DIGESTS = text(
    """
    INSERT INTO decision_digest (decision_id, message_id, revision, digest)
    SELECT :decision, b.message_id, b.revision, b.digest
      FROM unnest(CAST(:messages AS uuid[]), CAST(:revisions AS int[]), CAST(:digests AS bytea[]))
           AS b(message_id, revision, digest)
    """
)


def move_bound(
    work: Work,
    decision_id: UUID,
    target: State,
    bounds: Sequence[Bound],
    months: Collection[date],
    condition: ColumnElement[bool] | None = None,
    /,
    **columns: Any,
) -> None:
    """Move the messages that the decision binds from held to ``target``, by one UPDATE that compares revision and
    digest with the decision's own rows.

    Raises Conflict, saying who did what, when it moves fewer than the decision binds.
    """
    where = _as_bound(decision_id, months)
    if condition is not None:
        where = where & condition
    _all_moved(work.conn, bounds, set(move(work.conn, State.HELD, target, where, **columns)))


def endorse_bound(
    work: Work,
    decision_id: UUID,
    step: int,
    bounds: Sequence[Bound],
    months: Collection[date],
    condition: ColumnElement[bool],
) -> None:
    """Pass the held messages that the decision binds on to the approver after ``step``, as ``move_bound`` does."""
    statement = (
        update(message)
        .where(message.c.state == State.HELD.value, _as_bound(decision_id, months), condition)
        .values(endorsed=step)
        .returning(message.c.id)
    )
    _all_moved(work.conn, bounds, set(work.conn.execute(statement).scalars()))


def _as_bound(decision_id: UUID, months: Collection[date]) -> ColumnElement[bool]:
    return message.c.scheduled_month.in_(sorted(set(months))) & exists().where(
        decision_digest.c.decision_id == decision_id,
        decision_digest.c.message_id == message.c.id,
        decision_digest.c.revision == message.c.revision,
        decision_digest.c.digest == message.c.digest,
    )


def _all_moved(conn: Connection, bounds: Sequence[Bound], moved: Collection[UUID]) -> None:
    if len(moved) != len(bounds):
        raise lost(conn, [item.message_id for item in bounds if item.message_id not in moved])


def record_decision(
    work: Work,
    submission: Submission,
    verdict: Verdict,
    decision_id: UUID,
    bounds: Sequence[Bound],
    rows: Mapping[UUID, Row[Any]],
) -> None:
    """The decision's entry in the ledger, and the event for the rooms above."""
    note = seal_bytes(work, verdict.note.encode()) if verdict.note else None
    fields = {
        "decision_id": decision_id,
        "verb": verdict.verb,
        "reasons": list(verdict.reasons) or None,
        "sampled": verdict.sampled,
        "undo_until": verdict.undo_until,
        "standing_approval_id": verdict.standing_approval_id,
        "manifest_digest": manifest_digest(bounds),
        "count": len(bounds),
        "step": verdict.step if verdict.verb == "endorse" or verdict.step > 1 else None,
        "on_behalf_of": verdict.acting_for,
        **submission_fields(work.conn, submission),
    }
    only = bounds[0] if len(bounds) == 1 else None
    if only is not None:
        fields |= {"revision": only.revision, "digest": only.digest}
    record(
        work,
        Entry(
            "release" if verdict.verb == "release" else "decision",
            fields,
            sealed=note,
            message_id=only.message_id if only else None,
            client_id=rows[only.message_id].client_id if only else None,
            branch_id=submission.branch_id,
        ),
    )
    publish(work, DecisionMade(decision_id))


def submission_fields(conn: Connection, submission: Submission) -> dict[str, Any]:
    """What every ledger entry about a submission says of it."""
    policy = version_of(conn, submission.policy_version_id)
    template = version_of(conn, submission.template_version_id)
    return {
        "submission_id": submission.id,
        "occurrence_id": submission.occurrence_id,
        "mode": submission.mode,
        "category": submission.category,
        "urgent": submission.urgent,
        "scope": "branch" if submission.branch_id else "firm",
        "author_id": submission.author_id,
        "policy": policy[0],
        "policy_version": policy[1],
        "template": template[0],
        "template_version": template[1],
    }


def version_of(conn: Connection, version_id: UUID | None) -> tuple[str | None, str | None]:
    """Name and version of a version of content, as the ledger's entries name it."""
    if version_id is None:
        return None, None
    name, version = name_and_version(conn, version_id)
    return name, str(version)
