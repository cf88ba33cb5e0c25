"""What the ledger is told about a message that goes on or stops (DESIGN.md, the ledger's kinds)."""

from typing import Any

from outreach.ledger.append import Entry
from outreach.messages.chains import Link


def message_entry(kind: str, row: Any, rule: str | None, before: Link | None = None) -> Entry:
    """The entry of ``kind`` about a row of ``message``, for the reason ``rule``.

    ``before``: the message that it stands in for, where that is another one than its row names.
    """
    return Entry(
        kind,
        {
            "submission_id": row.submission_id,
            "occurrence_id": row.occurrence_id,
            "revision": row.revision,
            "digest": bytes(row.digest),
            "channel": row.channel,
            "category": row.category,
            "decision_id": row.decision_id,
            "rule": rule,
            "fallback_of": before.id if before is not None else row.fallback_of,
        },
        message_id=row.id,
        client_id=row.client_id,
        branch_id=row.branch_id,
    )
