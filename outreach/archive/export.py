"""Exports: the answer to a regulator's question as a bag that anybody can check without us.

The bag grows in ``OUT.partial`` and is renamed when it is whole, so a folder named OUT is always complete. An
export that ends early removes what it wrote and says so in its ``export_run``; one that was killed leaves
``OUT.partial``, which the next export to OUT replaces. That somebody exported, and what, is a leaf of the tree
that the bag itself is proved against.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError

from outreach.archive.bag import TAG_MANIFEST, BagWriter
from outreach.archive.dossier.pages import write_dossier
from outreach.archive.instructions import VERIFY
from outreach.archive.names import Names
from outreach.archive.records import write_records
from outreach.archive.selection import Asked, choose
from outreach.archive.statements import cover_of, info_of, json_bytes, write_consistency, write_manifests
from outreach.archive.tables import export_run
from outreach.core import clock
from outreach.core.access import Actor, Permission, require, visible
from outreach.core.errors import BadInput, Conflict, NotFound, OutreachError, Unavailable
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.envelope import rfc3339
from outreach.ledger.integrator import integrate
from outreach.ledger.signing import allowed_signers, public_openssh, public_pem
from outreach.ledger.tables import ledger_checkpoint, ledger_leaf
from outreach.ledger.work import Opener, Work
from outreach.people.tables import client

Progress = Callable[[int, int], None]

_MARK = ".outreach-export"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LEAF_WITHIN = 60.0


@dataclass(frozen=True)
class ExportResult:
    """A finished export. ``path`` is the bag, ``signature`` the SSHSIG over its tag manifest, beside it."""

    export_id: UUID
    path: Path
    signature: Path
    records: int
    messages: int
    withheld: int
    pages: int
    octets: int
    tree_size: int
    root: bytes
    manifest_sha256: bytes
    fingerprint: str


def export_period(
    open_work: Opener,
    actor: Actor,
    start: datetime,
    end: datetime,
    out: Path,
    progress: Progress | None = None,
) -> ExportResult:
    """Export what was recorded from ``start`` up to (not including) ``end``, within the actor's scope.

    Raises Forbidden without Permission.EXPORT, BadInput for an impossible period or a taken OUT, Conflict when
    another export writes to OUT, Unavailable when the disk is full or the database goes away.
    """
    if start.tzinfo is None or end.tzinfo is None or end <= start:
        raise BadInput("The period has no length.", mend="Give a first day that is not after the last.")
    return _export(open_work, actor, Asked(start=start, end=end), out, progress)


def export_client(
    open_work: Opener, actor: Actor, client_no: str, out: Path, progress: Progress | None = None
) -> ExportResult:
    """Export all that was recorded about one client. Raises NotFound beyond the actor's scope; else as
    ``export_period``."""
    require(actor, Permission.EXPORT)
    with open_work(actor) as work:
        client_id = work.conn.execute(
            select(client.c.id).where(
                client.c.client_no == client_no,
                visible(actor, Permission.EXPORT, client.c.branch_id),
            )
        ).scalar_one_or_none()
    if client_id is None:
        raise NotFound(f"There is no client {client_no} that you may see.", mend="Check the client number.")
    return _export(open_work, actor, Asked(client_id=client_id, client_no=client_no), out, progress)


def _export(
    open_work: Opener, actor: Actor, asked: Asked, out: Path, progress: Progress | None
) -> ExportResult:
    require(actor, Permission.EXPORT)
    out = Path(os.path.abspath(out))
    with _folder(out) as partial:
        export_id, entry_id = _begin(open_work, actor, asked, out)
        try:
            (partial / _MARK).write_text(f"{export_id}\n")
            _await_leaf(open_work, entry_id)
            return _write(open_work, actor, asked, out, partial, export_id, entry_id, progress or _silent)
        except BaseException as error:
            # OUT is ours only once it has taken the place of the unfinished folder.
            shutil.rmtree(partial if partial.exists() else out, ignore_errors=True)
            signature_of(out).unlink(missing_ok=True)
            told = _in_words(error, out)
            with suppress(OutreachError, DBAPIError):  # the database may be what went away
                _fail(open_work, actor, export_id, told or error)
            if told is None:
                raise
            raise told from error


def _silent(done: int, total: int) -> None:
    del done, total


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """The folder in which the bag grows, ours alone until the end of the block."""
    if out.exists():
        raise BadInput(f"{out} exists already.", mend="Choose a name that is free.")
    partial = out.with_name(f"{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        known = partial.exists()
        partial.mkdir(mode=0o700, exist_ok=True)
        held = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _in_words(error, out) or error from error
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another export is writing to {out}.", mend="Wait for it, or choose another name."
            ) from error
        if known:
            if any(partial.iterdir()) and not (partial / _MARK).exists():
                raise BadInput(f"{partial} exists and is no unfinished export.", mend="Move it away.")
            for left in list(partial.iterdir()):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield partial
    finally:
        os.close(held)


def _begin(open_work: Opener, actor: Actor, asked: Asked, out: Path) -> tuple[UUID, UUID]:
    """Note the export as running, and in the record that it was asked for."""
    export_id, now = new_id(), clock.now()
    with open_work(actor) as work:
        work.conn.execute(
            update(export_run)
            .where(export_run.c.path == str(out), export_run.c.state == "running")
            .values(
                state="failed",
                error="It was interrupted; what it had written was replaced by a later export.",
            )
        )
        work.conn.execute(
            insert(export_run).values(
                id=export_id,
                at=now,
                by_staff_id=actor.staff_id,
                query=_query(asked),
                path=str(out),
                state="running",
            )
        )
        entry_id = record(
            work,
            Entry(
                "export",
                {**_about(work, asked, export_id), "purpose": "begun"},
                client_id=asked.client_id,
                at=now,
            ),
        )
    return export_id, entry_id


def _about(work: Work, asked: Asked, export_id: UUID) -> dict[str, Any]:
    zone = work.settings.zone
    fields: dict[str, Any] = {
        "export_id": export_id,
        "object": asked.object,
        "scope": "firm" if work.actor.scope(Permission.EXPORT) is None else "branch",
    }
    if asked.client_id:
        fields["subject_hash"] = work.keys.keyed_hash(asked.client_no)
    if asked.start and asked.end:
        fields["from_date"] = asked.start.astimezone(zone).date()
        fields["until_date"] = (asked.end - timedelta(microseconds=1)).astimezone(zone).date()
    return fields


def _query(asked: Asked) -> dict[str, Any]:
    if asked.client_id:
        return {"object": "client", "client_no": asked.client_no}
    return {
        "object": "period",
        "start": asked.start.isoformat() if asked.start else None,
        "end": asked.end.isoformat() if asked.end else None,
    }


def _await_leaf(open_work: Opener, entry_id: UUID) -> None:
    """Have the export's own entry, and all that was recorded before it, in the tree."""
    deadline = time.monotonic() + _LEAF_WITHIN
    while True:
        integrate(open_work)
        with open_work() as work:
            found = select(ledger_leaf.c.leaf_index).where(ledger_leaf.c.entry_id == entry_id)
            if work.conn.execute(found).first() is not None:
                return
        if time.monotonic() > deadline:
            raise Unavailable(
                "The ledger did not take the export's entry within a minute.",
                mend="Another process is writing a large batch; try again shortly.",
            )
        time.sleep(0.05)  # another integrator is at it


def _write(
    open_work: Opener,
    actor: Actor,
    asked: Asked,
    out: Path,
    partial: Path,
    export_id: UUID,
    entry_id: UUID,
    progress: Progress,
) -> ExportResult:
    bag = BagWriter(partial)
    try:
        with open_work(actor) as work:
            # One picture of the tables for the whole export, however long it takes.
            work.conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            result = _fill(work, bag, asked, out, export_id, entry_id, progress)
    finally:
        bag.close()
    with open_work(actor) as work:
        _finish(work, asked, result)
        (partial / _MARK).unlink()
        os.rename(partial, out)
    return result


def _fill(
    work: Work, bag: BagWriter, asked: Asked, out: Path, export_id: UUID, entry_id: UUID, progress: Progress
) -> ExportResult:
    """Write the whole bag and the signature beside where it will lie."""
    latest = work.conn.execute(
        select(ledger_checkpoint).order_by(ledger_checkpoint.c.tree_size.desc()).limit(1)
    ).one()
    size, root, signing = int(latest.tree_size), bytes(latest.root), work.keys.signing
    chosen = choose(work, asked, size, entry_id)
    names = Names.load(work)
    made = clock.now()
    bag.write("VERIFY.txt", VERIFY.encode())
    bag.write("keys/outreach.pub", public_openssh(signing.public).encode() + b"\n")
    bag.write("keys/outreach.pem", public_pem(signing.public))
    bag.write("keys/allowed_signers", allowed_signers([signing.public]).encode())
    bag.write("data/ledger/checkpoint", latest.note.encode())
    write_consistency(work, bag, size, root)
    bag.write(
        "data/query.json",
        json_bytes({**_query(asked), "export_id": str(export_id), "at": rfc3339(made), **_scope(work)}),
    )
    written = write_records(
        work, bag, names, size, chosen.beyond, lambda done: progress(done, chosen.records)
    )
    write_manifests(work, bag)
    cover = cover_of(work, asked, chosen, names, latest.note, size, written.withheld, made)
    pages = write_dossier(work, bag, names, cover)
    listed = bag.finish(info_of(work, asked, export_id, made))
    signature = signature_of(out)
    signature.write_text(signing.sshsig(listed), encoding="ascii")
    return ExportResult(
        export_id=export_id,
        path=out,
        signature=signature,
        records=written.records,
        messages=chosen.messages,
        withheld=written.withheld,
        pages=pages,
        octets=bag.octets,
        tree_size=size,
        root=root,
        manifest_sha256=hashlib.sha256(listed).digest(),
        fingerprint=signing.fingerprint,
    )


def signature_of(out: Path) -> Path:
    """Where the signature over a bag's tag manifest lies: beside the bag."""
    return out.with_name(f"{out.name}.tagmanifest.sig")


def _scope(work: Work) -> dict[str, Any]:
    scope = work.actor.scope(Permission.EXPORT)
    return {"scope": "firm" if scope is None else sorted(str(branch_id) for branch_id in scope)}


def _finish(work: Work, asked: Asked, result: ExportResult) -> None:
    work.conn.execute(
        update(export_run)
        .where(export_run.c.id == result.export_id)
        .values(
            state="done",
            tree_size=result.tree_size,
            records=result.records,
            manifest_sha256=result.manifest_sha256,
        )
    )
    record(
        work,
        Entry(
            "export",
            {
                **_about(work, asked, result.export_id),
                "purpose": "done",
                "count": result.records,
                "withheld": result.withheld,
                "bytes": result.octets,
                "manifest_digest": result.manifest_sha256,
                "root": result.root,
                "size": result.tree_size,
                "fingerprint": result.fingerprint,
            },
            client_id=asked.client_id,
        ),
    )


def _fail(open_work: Opener, actor: Actor, export_id: UUID, error: BaseException) -> None:
    said = str(error) if isinstance(error, OutreachError) else f"It was stopped ({type(error).__name__})."
    with open_work(actor) as work:
        work.conn.execute(
            update(export_run)
            .where(export_run.c.id == export_id, export_run.c.state == "running")
            .values(state="failed", error=said)
        )
        record(work, Entry("export", {"export_id": export_id, "purpose": "failed"}))


def _in_words(error: BaseException, out: Path) -> OutreachError | None:
    """What a failing disk or database means for the export; None for what speaks for itself."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return Unavailable(
            f"The disk under {out.parent} is full ({error.strerror}); the export was not made.",
            mend="Nothing of it was left behind. Make room, or choose a folder on another disk, and run it again.",
        )
    if isinstance(error, OSError):
        return BadInput(
            f"{out} can't be written: {error.strerror or error}.",
            mend="Choose a folder that you may write to.",
        )
    if isinstance(error, DBAPIError):
        return Unavailable(
            f"The database stopped answering during the export ({type(error.orig).__name__}).",
            mend="Nothing of the export was left behind. Run it again when the database is back.",
        )
    return None


__all__ = ["TAG_MANIFEST", "ExportResult", "export_client", "export_period"]
