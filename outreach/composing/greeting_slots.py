"""One greeting an address for a date and occasion, across chunks, jobs and branches (P3)."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, text

from outreach.messages.copying import NewMessage
from outreach.messages.leftout import LeftOut

_SLOTS = text(
    """
    INSERT INTO greeting_slot (send_date, occasion, address_hash, message_id)
    SELECT day, :occasion, hash, message
      FROM unnest(CAST(:days AS date[]), CAST(:hashes AS bytea[]), CAST(:messages AS uuid[]))
           AS wanted(day, hash, message)
     ORDER BY hash, message
    ON CONFLICT (send_date, occasion, address_hash) DO NOTHING
    RETURNING message_id
    """
)


def take_slots(
    conn: Connection, occasion: str, send_date: date, messages: Sequence[NewMessage]
) -> tuple[list[NewMessage], list[LeftOut]]:
    """Keep one greeting an address for the date and occasion, across chunks, jobs and branches (P3).

    The rows are inserted in the order of their key, so that two batches never wait for each other in a ring.
    """
    won = set(
        conn.execute(
            _SLOTS,
            {
                "occasion": occasion,
                "days": [send_date] * len(messages),
                "hashes": [item.address_hash for item in messages],
                "messages": [item.id for item in messages],
            },
        ).scalars()
    )
    kept = [item for item in messages if item.id in won]
    lost = [
        LeftOut(item.client_id, item.branch_id, "greeting_taken", {}, item.channel)
        for item in messages
        if item.id not in won
    ]
    return kept, lost
