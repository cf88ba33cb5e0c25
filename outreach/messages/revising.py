"""A new revision of a message: other bytes under the next number, so that whatever was decided about the old
ones no longer binds (P1)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, update

from outreach.core import clock
from outreach.core.errors import Conflict
from outreach.ledger.append import Entry, record, seal_bytes
from outreach.ledger.work import Work
from outreach.messages.copying import text_hash
from outreach.messages.findings import Finding, blocks, flags
from outreach.messages.payload import Payload, digest, to_bytes
from outreach.messages.states import State, move
from outreach.messages.tables import message, message_revision


def revise(
    work: Work,
    row: Row[Any],
    payload: Payload,
    *,
    expected: int,
    editor_id: UUID | None,
    findings: Sequence[Finding],
    lexicon_digest: bytes,
    reason: str | None = None,
    flagged: bool = False,
    **columns: Any,
) -> int:
    """Give the message ``row`` new bytes; returns the new revision's number. It is held afterwards.

    ``expected`` is the revision the editor saw. ``flagged`` asks for a decision of its own whatever the
    findings. ``columns``: others that change with it, such as the submission that it moves to. Raises Conflict when
    the message has another revision by now, or is neither held nor returned (an approved one must be undone first).
    """
    body = to_bytes(payload)
    sealed = seal_bytes(work, body)
    values: dict[str, Any] = {
        "revision": expected + 1,
        "digest": digest(body),
        "payload_id": sealed.id,
        "last_editor_id": editor_id,
        "findings": [finding.to_json() for finding in findings],
        "flagged": flagged or flags(findings),
        "blocked": blocks(findings),
        "lexicon_digest": lexicon_digest,
        "text_hash": text_hash(work.keys, payload),
        "endorsed": 0,
        "decision_id": None,
        "due_at": None,
        **columns,
    }
    this = (
        (message.c.id == row.id)
        & (message.c.scheduled_month == row.scheduled_month)
        & (message.c.revision == expected)
    )
    moved: list[UUID] = []
    if row.state == State.RETURNED:
        moved = move(work.conn, State.RETURNED, State.HELD, this, reason=reason, **values)
    elif row.state == State.HELD:
        held = update(message).where(this, message.c.state == State.HELD.value)
        moved = list(
            work.conn.execute(
                held.values(reason=reason, reason_params=None, **values).returning(message.c.id)
            ).scalars()
        )
    if not moved:
        raise Conflict(
            "This message has changed or was decided in the meantime; your text was not stored.",
            mend="Read it again. An approved message must have its approval undone before it is changed.",
        )
    work.conn.execute(
        insert(message_revision).values(
            message_id=row.id,
            scheduled_month=row.scheduled_month,
            revision=expected + 1,
            digest=values["digest"],
            payload_id=sealed.id,
            editor_id=editor_id,
            at=clock.now(),
        )
    )
    record(
        work,
        Entry(
            "message.revised",
            {
                "submission_id": columns.get("submission_id", row.submission_id),
                "occurrence_id": row.occurrence_id,
                "revision": expected + 1,
                "digest": values["digest"],
                "channel": row.channel,
                "category": row.category,
                "language": row.language,
            },
            sealed=sealed,
            message_id=row.id,
            client_id=row.client_id,
            branch_id=row.branch_id,
        ),
    )
    return expected + 1
