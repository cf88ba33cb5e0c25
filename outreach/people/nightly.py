"""The client system's files in the watched folder: a night's file that looks like the ones before is taken in by
itself, one that would change too much is left for a person, who sees its preview and decides.

What was left lies in ``waiting/`` under its SHA-256. Importing the same content, by whichever way, settles it.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from outreach.core import clock
from outreach.core.access import SYSTEM, Permission, require
from outreach.core.dropped import WAITING, DropResult
from outreach.core.errors import Conflict, Forbidden, NotFound, Unavailable
from outreach.core.events import FileWaits, publish
from outreach.core.ids import new_id
from outreach.core.settings import Settings
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener, Work
from outreach.people.apply import ImportPreview, apply_import
from outreach.people.dated_facts import DatesResult, import_dates
from outreach.people.holdings import HoldingsResult, import_holdings
from outreach.people.importing.findings import Finding
from outreach.people.tables import import_waiting

FEW = 10  # so many rows never look like too many
_NAMED = 200


@dataclass(frozen=True)
class Doubt:
    """Why a file is not taken in by itself: ``count`` of ``of``, where ``most`` percent are usual.

    ``code``: rejected (rows of the file), changed or ended (clients that there are already).
    """

    code: str
    count: int
    of: int
    most: float


@dataclass(frozen=True)
class WaitingFile:
    """A file that waits for a person."""

    id: UUID
    kind: str
    file_name: str
    at: datetime
    doubts: tuple[Doubt, ...]
    path: Path = field(repr=False)


class Doubtful(Conflict):
    """The file would change too much to be taken in by itself; nothing was stored."""

    def __init__(self, doubts: tuple[Doubt, ...], sha256: bytes) -> None:
        self.doubts, self.sha256 = doubts, sha256
        super().__init__(
            "; ".join(_TOLD[one.code].format(n=one.count, of=one.of, most=one.most) for one in doubts),
            mend="Look at its preview on the page Import, and decide.",
        )


_TOLD = {
    "rejected": "{n} of {of} rows would be refused (more than {most:g} %)",
    "changed": "{n} of {of} clients would change (more than {most:g} %)",
    "ended": "{n} of {of} clients would be closed or said to have died (more than {most:g} %)",
}


def take_clients_file(open_work: Opener, path: Path) -> DropResult:
    """Import a night's file of clients, or leave it for a person. Raises BadInput when it can't be read."""
    settings = _tidy(open_work, path.parent)

    def look(preview: ImportPreview) -> None:
        found = (
            Doubt("rejected", preview.rejected, preview.rows, settings.import_rejected_percent),
            Doubt("changed", preview.changed, preview.known, settings.import_changed_percent),
            Doubt("ended", preview.ending, preview.known, settings.import_ended_percent),
        )
        _doubt(found, preview.sha256)

    try:
        result = apply_import(open_work, SYSTEM, path, look=look)
    except Doubtful as doubtful:
        return _leave(open_work, "clients", path, doubtful)
    done = result.preview
    counts = {
        "rows": done.rows,
        "new": done.new,
        "changed": done.changed,
        "unchanged": done.unchanged,
        "rejected": done.rejected,
        "conflicts": done.clashes.conflicts,
    }
    return DropResult(counts, _lines(done.findings, settings.locale))


def take_holdings_file(open_work: Opener, path: Path) -> DropResult:
    """Import a night's file of holdings, or leave it for a person. Raises BadInput when it can't be read."""
    settings = _tidy(open_work, path.parent)

    def look(result: HoldingsResult, sha256: bytes) -> None:
        _doubt((Doubt("rejected", result.rejected, result.rows, settings.import_rejected_percent),), sha256)

    try:
        result = import_holdings(open_work, SYSTEM, path, look=look)
    except Doubtful as doubtful:
        return _leave(open_work, "holdings", path, doubtful)
    counts = {
        "rows": result.rows,
        "new": result.new,
        "changed": result.changed,
        "unchanged": result.unchanged,
        "rejected": result.rejected,
    }
    return DropResult(counts, _lines(result.findings, settings.locale))


def take_dates_file(open_work: Opener, path: Path) -> DropResult:
    """Import a file of dated facts, or leave it for a person. Raises BadInput when it can't be read."""
    settings = _tidy(open_work, path.parent)

    def look(result: DatesResult, sha256: bytes) -> None:
        _doubt((Doubt("rejected", result.rejected, result.rows, settings.import_rejected_percent),), sha256)

    try:
        result = import_dates(open_work, SYSTEM, path, look=look)
    except Doubtful as doubtful:
        return _leave(open_work, "dates", path, doubtful)
    counts = {
        "rows": result.rows,
        "new": result.new,
        "changed": result.withdrawn,
        "unchanged": result.unchanged,
        "rejected": result.rejected,
    }
    return DropResult(counts, _lines(result.findings, settings.locale))


def waiting_files(work: Work) -> list[WaitingFile]:
    """The files that wait for a person, oldest first; none for who may not import for the whole firm."""
    require(work.actor, Permission.IMPORT)
    if not _for_all(work):
        return []
    rows = work.conn.execute(
        select(import_waiting)
        .where(import_waiting.c.state == "waiting")
        .order_by(import_waiting.c.at, import_waiting.c.id)
    )
    return [_waiting(work, row) for row in rows]


def waiting_file(work: Work, waiting_id: UUID) -> WaitingFile:
    """One of them.

    Raises Forbidden for who may not import for the whole firm; NotFound when it is decided, or lies on another
    machine.
    """
    require(work.actor, Permission.IMPORT)
    if not _for_all(work):
        raise Forbidden("The night's files are the whole firm's.", mend="Ask an operator of head office.")
    row = work.conn.execute(
        select(import_waiting).where(import_waiting.c.id == waiting_id, import_waiting.c.state == "waiting")
    ).one_or_none()
    if row is None:
        raise NotFound("That file waits no longer.", mend="Somebody has decided: see the imports.")
    found = _waiting(work, row)
    if not found.path.is_file():
        raise NotFound(
            "The file does not lie on this machine.",
            mend="Open the page on the machine with the watched folder, or share it (OUTREACH_DROP).",
        )
    return found


def discard_waiting(work: Work, waiting_id: UUID) -> None:
    """Leave a file be: nothing of it is imported. Raises as ``waiting_file``."""
    found = waiting_file(work, waiting_id)
    work.conn.execute(
        update(import_waiting)
        .where(import_waiting.c.id == found.id)
        .values(state="discarded", decided_by=work.actor.staff_id, decided_at=clock.now())
    )
    _record(work, found.kind, bytes.fromhex(found.path.stem), "discarded")


def _for_all(work: Work) -> bool:
    return work.actor.scope(Permission.IMPORT) is None


def _waiting(work: Work, row: Any) -> WaitingFile:
    return WaitingFile(
        row.id,
        row.kind,
        row.file_name,
        row.at,
        tuple(Doubt(**one) for one in row.reasons),
        work.settings.drop_folder / row.kind / WAITING / row.path,
    )


def _doubt(found: Iterable[Doubt], sha256: bytes) -> None:
    doubts = tuple(one for one in found if one.count > FEW and one.count * 100 > one.most * one.of)
    if doubts:
        raise Doubtful(doubts, sha256)


def _leave(open_work: Opener, kind: str, path: Path, doubtful: Doubtful) -> DropResult:
    """Keep the file under its digest, and tell who decides."""
    folder = path.parent / WAITING
    folder.mkdir(exist_ok=True, mode=0o700)
    name = f"{doubtful.sha256.hex()}{path.suffix.lower() if _SUFFIX.fullmatch(path.suffix) else ''}"
    _copy(path, folder / name, doubtful.sha256)
    with open_work() as work:
        known = work.conn.execute(
            select(import_waiting.c.id).where(
                import_waiting.c.kind == kind,
                import_waiting.c.file_sha256 == doubtful.sha256,
                import_waiting.c.state == "waiting",
            )
        ).scalar_one_or_none()
        if known is None:
            waiting_id = new_id()
            work.conn.execute(
                insert(import_waiting).values(
                    id=waiting_id,
                    kind=kind,
                    file_name="".join(sign if sign.isprintable() else "_" for sign in path.name[:200]),
                    file_sha256=doubtful.sha256,
                    path=name,
                    reasons=[vars(one) for one in doubtful.doubts],
                    at=clock.now(),
                )
            )
            _record(work, kind, doubtful.sha256, "waiting")
            publish(work, FileWaits(waiting_id, kind))
    return DropResult({"waiting": 1}, [f"Not taken in by itself: {doubtful.message}. {doubtful.mend}"])


_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


def _copy(path: Path, target: Path, sha256: bytes) -> None:
    """Copy whole or not at all. Raises Unavailable when the file changed meanwhile, so that it is looked at again."""
    part = target.with_name(f".{target.name}.part")
    with path.open("rb") as source, part.open("wb") as copy:
        part.chmod(0o600)
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    with part.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").digest() != sha256:
            part.unlink()
            raise Unavailable("The file changed while it was read.")
    part.replace(target)


def _record(work: Work, kind: str, sha256: bytes, action: str) -> None:
    record(work, Entry("import", {"object": kind, "file_digest": sha256, "action": action}))


def _tidy(open_work: Opener, folder: Path) -> Settings:
    """Delete the copies of what was decided; the file itself lies in ``done/``."""
    with open_work() as work:
        names = {one.name for one in (folder / WAITING).glob("*")} if (folder / WAITING).is_dir() else set()
        if names:
            kept = set(
                work.conn.execute(
                    select(import_waiting.c.path).where(
                        import_waiting.c.state == "waiting", import_waiting.c.path.in_(names)
                    )
                ).scalars()
            )
            for name in names - kept:
                (folder / WAITING / name).unlink(missing_ok=True)
        return work.settings


def _lines(findings: Iterable[Finding], locale: str) -> list[str]:
    """The first findings, without what a cell held."""
    return [
        f"{one.row}: {one.column} [{one.code}] {one.message(locale)} {one.mend(locale)}"
        for _, one in zip(range(_NAMED), findings, strict=False)
        if one.severity != "info"
    ]
