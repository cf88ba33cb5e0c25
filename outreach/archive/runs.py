"""Exports that were made, and where the record stands: for the page of the archive."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sqlalchemy import ColumnElement, func, select, true

from outreach.archive.export import signature_of
from outreach.archive.tables import export_run
from outreach.core.access import Permission, require
from outreach.core.database import AnyRow
from outreach.core.errors import NotFound
from outreach.ledger.tables import ledger_checkpoint, ledger_entry, ledger_pending
from outreach.ledger.work import Work
from outreach.people.tables import staff

_PIECE = 1 << 18


@dataclass(frozen=True)
class ExportLine:
    """One export in a list. ``kept``: the bag is still where it was written."""

    id: UUID
    at: datetime
    by: str
    query: dict[str, Any]
    state: str
    records: int | None
    tree_size: int | None
    manifest_sha256: bytes | None
    error: str | None
    kept: bool


def exports(work: Work, limit: int = 20) -> list[ExportLine]:
    """Exports, newest first: all of them for whoever exports for the firm, else the actor's own."""
    query = select(export_run, func.coalesce(staff.c.name, "").label("by")).outerjoin(
        staff, staff.c.id == export_run.c.by_staff_id
    )
    query = query.where(_seen_by(work)).order_by(export_run.c.id.desc()).limit(limit)
    return [_line(row) for row in work.conn.execute(query)]


def bag_of(work: Work, export_id: UUID) -> Path:
    """The folder of a finished export. Raises NotFound when it is not the actor's to fetch, or not there."""
    row = work.conn.execute(
        select(export_run.c.path, export_run.c.state).where(export_run.c.id == export_id, _seen_by(work))
    ).one_or_none()
    if row is None or row.state != "done" or not Path(row.path).is_dir():
        raise NotFound("There is no such export to fetch.", mend="It may have been moved; export it again.")
    return Path(row.path)


def zipped(bag: Path) -> Iterator[bytes]:
    """The bag and its signature as one ZIP file, piece by piece: memory stays flat however large it is."""
    sink = _Sink()
    signature = signature_of(bag)
    files = sorted(path for path in bag.rglob("*") if path.is_file())
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for path in [*files, *([signature] if signature.is_file() else [])]:
            entry = ZipInfo.from_file(path, path.relative_to(bag.parent).as_posix())
            entry.compress_type = ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield sink.taken()
    yield sink.taken()


@dataclass(frozen=True)
class RecordState:
    """Where the record stands. ``fingerprint`` is of the key that signs it: to be known from outside it."""

    leaves: int
    waiting: int
    newest: datetime | None
    checkpoint_at: datetime | None
    fingerprint: str


def record_state(work: Work) -> RecordState:
    """Leaves, what waits to become one, the last checkpoint. Raises Forbidden without Permission.VERIFY."""
    require(work.actor, Permission.VERIFY)
    last = work.conn.execute(
        select(ledger_checkpoint.c.tree_size, ledger_checkpoint.c.at)
        .order_by(ledger_checkpoint.c.tree_size.desc())
        .limit(1)
    ).one_or_none()
    return RecordState(
        leaves=last.tree_size if last else 0,
        waiting=work.conn.execute(select(func.count()).select_from(ledger_pending)).scalar_one(),
        newest=work.conn.execute(select(func.max(ledger_entry.c.at))).scalar_one(),
        checkpoint_at=last.at if last else None,
        fingerprint=work.keys.signing.fingerprint,
    )


class _Sink:
    """What a ZipFile writes into; it can't seek, so sizes follow each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _seen_by(work: Work) -> ColumnElement[bool]:
    require(work.actor, Permission.EXPORT)
    if work.actor.scope(Permission.EXPORT) is None:
        return true()
    return export_run.c.by_staff_id == work.actor.staff_id


def _line(row: AnyRow) -> ExportLine:
    return ExportLine(
        id=row.id,
        at=row.at,
        by=row.by,
        query=dict(row.query),
        state=row.state,
        records=row.records,
        tree_size=row.tree_size,
        manifest_sha256=bytes(row.manifest_sha256) if row.manifest_sha256 else None,
        error=row.error,
        kept=row.state == "done" and Path(row.path).is_dir(),
    )
