"""What a person put right in a client's file: the night's file does not overwrite it silently.

A correction remembers what the file had said. A file that says our value settles it; one that repeats what it had
said changes nothing; one that says a third thing makes a conflict, which a person decides (``people.conflicts``).
Each change is in the record with its values sealed, and goes back to the client system (``people`` write-back).
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.database import AnyRow
from outreach.core.errors import Forbidden
from outreach.core.events import ContactChanged, publish
from outreach.ledger.append import Entry, record, seal_bytes
from outreach.ledger.work import Work
from outreach.people.clients import client_for
from outreach.people.correctable import TOUCHING, Value, present, put_value, read_value
from outreach.people.masking import sees_addresses
from outreach.people.tables import client, client_correction, import_conflict, staff

_LONGEST_NOTE = 500


@dataclass(frozen=True)
class Correction:
    """A value that a person put right, with what the file had said before."""

    field: str
    value: Value
    file_value: Value
    by: str
    at: datetime
    note: str


def correct_client(
    work: Work, client_id: UUID, field: str, written: str, note: str = "", *, locale: str = "en"
) -> bool:
    """Put ``field`` of a client right; whether that changed anything. ``written`` empty: there is none.

    What waits for the client is checked again when an address or the date of birth changes. Raises NotFound beyond the
    actor's scope, Forbidden for who does not care for the client, BadInput for a value that an import would not take.
    """
    client_for(work, client_id)  # before a lock is taken for somebody who may not see it
    share_with_imports(work.conn)
    row = work.conn.execute(select(client).where(client.c.id == client_id).with_for_update()).one()
    staff_id = may_correct(work, row)
    value = read_value(field, written, row, clock.today(work.settings.zone), locale)
    before = present(work, row, field)
    if value == before:
        return False
    now = clock.now()
    known = work.conn.execute(
        select(client_correction.c.file_value).where(
            client_correction.c.client_id == client_id, client_correction.c.field == field
        )
    ).one_or_none()
    file_value = before if known is None else known.file_value
    dispute = work.conn.execute(
        select(import_conflict)
        .where(
            import_conflict.c.client_id == client_id,
            import_conflict.c.field == field,
            import_conflict.c.state == "open",
        )
        .with_for_update()
    ).one_or_none()
    if dispute is not None:
        # Whoever corrects it has looked: the newest that the file said is what it is measured by from now on.
        file_value = dispute.theirs
        work.conn.execute(
            update(import_conflict)
            .where(import_conflict.c.id == dispute.id)
            .values(state="taken" if value == dispute.theirs else "kept", decided_by=staff_id, decided_at=now)
        )
    put_value(work, client_id, field, value)
    if value == file_value:
        forget_correction(work, client_id, field)
    else:
        keep_correction(work, client_id, field, value, file_value, note)
    record_correction(work, row, "corrected", field, before, value, note)
    if field in TOUCHING:
        publish(work, ContactChanged(client_id, "correction"))
    return True


def corrections_of(work: Work, client_id: UUID) -> list[Correction]:
    """The corrections that stand for a client, newest first. Raises NotFound beyond the actor's scope."""
    client_for(work, client_id)
    rows = work.conn.execute(
        select(client_correction, staff.c.name)
        .join(staff, staff.c.id == client_correction.c.by_staff_id)
        .where(client_correction.c.client_id == client_id)
        .order_by(client_correction.c.at.desc(), client_correction.c.field)
    )
    return [Correction(row.field, row.value, row.file_value, row.name, row.at, row.note) for row in rows]


def may_correct(work: Work, row: AnyRow) -> UUID:
    """Who corrects: a person of the client's branch who cares for clients. Raises Forbidden for everybody else."""
    require(work.actor, Permission.COMPOSE, row.branch_id)
    if work.actor.staff_id is None or not sees_addresses(work.actor, row.branch_id):
        raise Forbidden(
            "A client's file is put right by the branch's own people.",
            mend="Ask the client's advisor or the branch manager.",
        )
    return work.actor.staff_id


def share_with_imports(conn: Connection) -> None:
    """Wait while an import stores clients, and keep the next one waiting: neither sees half of the other."""
    conn.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('outreach.corrections'))"))


def shut_out_corrections(conn: Connection) -> None:
    """For an import, which holds all clients until its end."""
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtext('outreach.corrections'))"))


def keep_correction(
    work: Work, client_id: UUID, field: str, value: Value, file_value: Value, note: str
) -> None:
    """Note the value as ours, against ``file_value``."""
    statement = insert(client_correction).values(
        client_id=client_id,
        field=field,
        value=value,
        file_value=file_value,
        by_staff_id=work.actor.staff_id,
        at=clock.now(),
        note=note.strip()[:_LONGEST_NOTE],
    )
    taken = {name: statement.excluded[name] for name in ("value", "file_value", "by_staff_id", "at", "note")}
    work.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["client_id", "field"], set_={**taken, "told_at": None}
        )
    )


def forget_correction(work: Work, client_id: UUID, field: str) -> None:
    """The file and we say the same again."""
    work.conn.execute(
        delete(client_correction).where(
            client_correction.c.client_id == client_id, client_correction.c.field == field
        )
    )


def record_correction(
    work: Work, row: AnyRow, action: str, field: str, before: Value, after: Value, note: str = ""
) -> None:
    """Into the record: which field and by whom in the open, the values and the note sealed."""
    said: dict[str, Any] = {"field": field, "old": before, "new": after, "note": note.strip()[:_LONGEST_NOTE]}
    sealed = seal_bytes(work, json.dumps(said, ensure_ascii=False, sort_keys=True).encode())
    record(
        work,
        Entry(
            "correction",
            {"object": field, "action": action},
            sealed=sealed,
            client_id=row.id,
            branch_id=row.branch_id,
        ),
    )
