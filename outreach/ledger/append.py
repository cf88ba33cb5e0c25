"""Writing to the record: sealed bytes and entries, in the business transaction itself.

An entry waits in ``ledger_pending`` until the integrator gives it its place in the tree, so writers never
queue behind each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Uuid, any_, bindparam, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.core import clock
from outreach.core.database import driver
from outreach.core.engine import defer
from outreach.core.errors import NotFound
from outreach.core.ids import new_id
from outreach.core.together import together
from outreach.ledger import seal as sealing
from outreach.ledger.envelope import envelope
from outreach.ledger.tables import ledger_entry, ledger_pending, sealed_record
from outreach.ledger.work import Work


@dataclass(frozen=True)
class SealedRef:
    """Where sealed bytes lie, and the hex commitment SHA-256(salt || bytes) that an envelope may carry."""

    id: UUID
    commitment: str


@dataclass(frozen=True)
class Entry:
    """One fact for the record. ``fields`` must be free of clear personal data (``envelope.KINDS``)."""

    kind: str
    fields: Mapping[str, Any]
    sealed: SealedRef | None = None
    message_id: UUID | None = None
    client_id: UUID | None = None
    branch_id: UUID | None = None
    id: UUID = field(default_factory=new_id)
    at: datetime = field(default_factory=clock.now)


def seal_bytes(work: Work, plaintext: bytes) -> SealedRef:
    """Encrypt ``plaintext`` under a key of its own and store it."""
    return seal_many(work, [plaintext])[0]


def seal_many(work: Work, plaintexts: Sequence[bytes]) -> list[SealedRef]:
    """``seal_bytes`` for many at once, by COPY."""
    epoch, key = work.keys.current
    refs: list[SealedRef] = []
    with (
        driver(work.conn).cursor() as cursor,
        cursor.copy(
            "COPY sealed_record (id, epoch, salt, wrapped_key, nonce, ciphertext) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["uuid", "int4", "bytea", "bytea", "bytea", "bytea"])
        for plaintext in plaintexts:
            record_id = new_id()
            sealed = sealing.seal(plaintext, key, record_id)
            copy.write_row(
                (record_id, epoch, sealed.salt, sealed.wrapped_key, sealed.nonce, sealed.ciphertext)
            )
            refs.append(SealedRef(record_id, sealed.commitment.hex()))
    return refs


def unseal_bytes(work: Work, sealed_id: UUID) -> bytes:
    """The bytes sealed under ``sealed_id``.

    Raises NotFound when they were disposed of, SealBroken when ciphertext, key or salt were altered.
    """
    found = unseal_many(work, [sealed_id])
    if sealed_id not in found:
        raise NotFound(
            "These bytes are no longer kept.", mend="The ledger says when and why they were disposed of."
        )
    return found[sealed_id]


def unseal_many(work: Work, sealed_ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """The bytes of each record that is still kept; disposed ones are missing from the answer."""
    return {row_id: plain for row_id, plain in _unseal(work, sealed_ids) if isinstance(plain, bytes)}


def unseal_checked(work: Work, sealed_ids: Iterable[UUID]) -> dict[UUID, bytes | sealing.SealBroken]:
    """Like ``unseal_many``, but an altered record yields its SealBroken instead of raising: one bad row never
    stops a batch."""
    return dict(_unseal(work, sealed_ids, raising=False))


def unsealed(work: Work, rows: Iterable[Any]) -> dict[UUID, bytes]:
    """``unseal_many`` for rows that ``SEALED`` gave. Raises SealBroken."""
    return {row_id: plain for row_id, plain in _opened(work, rows) if isinstance(plain, bytes)}


def _unseal(
    work: Work, sealed_ids: Iterable[UUID], *, raising: bool = True
) -> Iterable[tuple[UUID, bytes | sealing.SealBroken]]:
    return _opened(work, _sealed(work, sealed_ids), raising=raising)


def _opened(
    work: Work, rows: Iterable[Any], *, raising: bool = True
) -> Iterable[tuple[UUID, bytes | sealing.SealBroken]]:
    for row in rows:
        sealed = sealing.Sealed(
            salt=bytes(row.salt),
            wrapped_key=bytes(row.wrapped_key),
            nonce=bytes(row.nonce),
            ciphertext=bytes(row.ciphertext),
        )
        try:
            yield row.id, sealing.unseal(sealed, work.keys.get(row.epoch), row.id)
        except sealing.SealBroken as broken:
            if raising:
                raise
            yield row.id, broken


def _sealed(work: Work, sealed_ids: Iterable[UUID]) -> Sequence[Row[Any]]:
    ids = list(set(sealed_ids))
    return work.conn.execute(SEALED, {"ids": ids}).all() if ids else ()


SEALED = select(sealed_record).where(sealed_record.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))


@dataclass(frozen=True)
class Opened:
    """Sealed bytes that were opened, with the reference an envelope needs. ``plaintext`` is None when the seal
    is broken."""

    plaintext: bytes | None
    ref: SealedRef


def open_sealed(work: Work, sealed_ids: Iterable[UUID]) -> dict[UUID, Opened]:
    """The bytes of many records with their commitments, for entries that speak of them; disposed ones are
    missing, altered ones have no plaintext."""
    found: dict[UUID, Opened] = {}
    for row in _sealed(work, sealed_ids):
        sealed = sealing.Sealed(
            bytes(row.salt), bytes(row.wrapped_key), bytes(row.nonce), bytes(row.ciphertext)
        )
        try:
            plain = sealing.unseal(sealed, work.keys.get(row.epoch), row.id)
        except sealing.SealBroken:
            found[row.id] = Opened(None, SealedRef(row.id, ""))
        else:
            found[row.id] = Opened(plain, SealedRef(row.id, sealing.commit(sealed.salt, plain).hex()))
    return found


def record(work: Work, entry: Entry) -> UUID:
    """Write one entry; returns its id. The actor is added to every envelope."""
    conn = work.conn
    with together(conn) as ask:
        ask(_ENTRY, _row(work, entry))
        ask(_PENDING, entry_id=entry.id)
    defer(conn, "integrate", lock="integrate")
    return entry.id


_ENTRY = insert(ledger_entry)
_PENDING = insert(ledger_pending)


def record_many(work: Work, entries: Sequence[Entry]) -> None:
    """``record`` for many at once, by COPY."""
    if not entries:
        return
    columns = "id, kind, at, envelope, sealed_id, message_id, client_id, branch_id"
    with driver(work.conn).cursor() as cursor:
        with cursor.copy(f"COPY ledger_entry ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["uuid", "text", "timestamptz", "bytea", "uuid", "uuid", "uuid", "uuid"])
            for entry in entries:
                copy.write_row(tuple(_row(work, entry).values()))
        with cursor.copy("COPY ledger_pending (entry_id) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["uuid"])
            for entry in entries:
                copy.write_row((entry.id,))
    defer(work.conn, "integrate", lock="integrate")


def _row(work: Work, entry: Entry) -> dict[str, Any]:
    fields = dict(entry.fields)
    fields["id"] = str(entry.id)
    fields["actor"] = str(work.actor.staff_id) if work.actor.staff_id else work.actor.name
    for name in ("message_id", "client_id", "branch_id"):
        value = getattr(entry, name)
        if value is not None:
            fields[name] = str(value)
    if entry.sealed is not None:
        fields["commitment"] = entry.sealed.commitment
    return {
        "id": entry.id,
        "kind": entry.kind,
        "at": entry.at,
        "envelope": envelope(entry.kind, entry.at, fields),
        "sealed_id": entry.sealed.id if entry.sealed else None,
        "message_id": entry.message_id,
        "client_id": entry.client_id,
        "branch_id": entry.branch_id,
    }
