"""What the client system gets back: what changed about its clients, and what they were sent, as numbered files.

Both are read from the record by leaf, in the order in which entries entered the tree: an entry that commits late gets
its leaf late, and is in the next file, so none is skipped and none comes twice. A file is a folder that appears whole,
under its own name; the same range gives the same bytes. Texts of messages are never in it.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy import select, text

from outreach.content.in_force import template_version
from outreach.core import clock
from outreach.core.access import SYSTEM, Actor, Permission, require
from outreach.core.database import AnyRow
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound
from outreach.ledger.append import Entry, record, unseal_many
from outreach.ledger.integrator import integrate, tree_size
from outreach.ledger.work import Opener, Work
from outreach.people.correctable import shown
from outreach.people.importing.rejects import formula_safe
from outreach.people.tables import client, staff, write_back

CHANGES = ("client_no", "field", "old", "new", "by_staff_no", "source", "at")
CONTACTS = (
    "client_no",
    "message_id",
    "channel",
    "category",
    "template",
    "title",
    "at",
    "state",
    "decision_id",
    "advisor_no",
)
_CHUNK = 2_000
_PART = ".part"
_KINDS = [
    "correction",
    "consent",
    "message.sent",
    "message.handed_over",
    "message.failed",
    "message.unknown",
    "settled",
    "receipt",
]

Progress = Callable[[int, int], None]  # entries done, of how many


@dataclass(frozen=True)
class WriteBack:
    """One file: a folder with ``changes.csv``, ``contacts.csv`` and the list of their digests.

    It holds the record's leaves from ``first_leaf`` to ``end_leaf`` - 1; ``number`` is None for one that was asked for
    out of turn. ``sha256`` is the list's own.
    """

    number: int | None
    path: Path
    first_leaf: int
    end_leaf: int
    changes: int
    contacts: int
    sha256: bytes


def write_next(
    open_work: Opener, actor: Actor, folder: Path, *, progress: Progress = lambda _done, _all: None
) -> WriteBack:
    """Write what the record has since the last numbered file, under the next number.

    Raises Forbidden for who may not import for the whole firm, Conflict while another is being written.
    """
    _may(actor)
    integrate(open_work)
    with open_work(actor) as work:
        _alone(work)
        _finish(work, folder)
        last = work.conn.execute(
            select(write_back).order_by(write_back.c.number.desc()).limit(1)
        ).one_or_none()
        number = 1 if last is None else last.number + 1
        first, end, now = (0 if last is None else last.end_leaf), tree_size(work), clock.now()
        part, made = _write(work, folder, _name(number), number, first, end, progress)
        work.conn.execute(
            text(
                "INSERT INTO write_back (id, number, file_name, sha256, first_leaf, end_leaf, since, until, counts, at,"
                " by_staff_id) VALUES (gen_random_uuid(), :number, :name, :sha256, :first, :end, :since, :now,"
                " CAST(:counts AS jsonb), :now, :staff)"
            ),
            {
                "number": number,
                "name": made.path.name,
                "sha256": made.sha256,
                "first": first,
                "end": end,
                "since": now if last is None else last.until,
                "now": now,
                "counts": json.dumps({"changes": made.changes, "contacts": made.contacts}),
                "staff": actor.staff_id,
            },
        )
        _record(work, made, "scheduled" if actor is SYSTEM else "asked")
    # The row is what counts: a folder that is not renamed now is finished by the next look.
    _appear(part, made.path)
    return made


def write_again(
    open_work: Opener,
    actor: Actor,
    folder: Path,
    number: int,
    *,
    progress: Progress = lambda _done, _all: None,
) -> WriteBack:
    """The numbered file again, byte for byte.

    Raises NotFound for a number that there is not; Conflict when it lies there already, or what it told of was
    disposed of meanwhile, so that it can't be the same.
    """
    _may(actor)
    with open_work(actor) as work:
        _alone(work)
        row = work.conn.execute(select(write_back).where(write_back.c.number == number)).one_or_none()
        if row is None:
            raise NotFound(f"There is no write-back file {number}.", mend="Give a number that was written.")
        part, made = _write(work, folder, row.file_name, number, row.first_leaf, row.end_leaf, progress)
        if made.sha256 != bytes(row.sha256):
            shutil.rmtree(part)
            raise Conflict(
                f"Write-back file {number} can't be made again as it was: what it told of was disposed of since.",
                mend="Use the copy that was kept of it, or ask with --since.",
            )
        _record(work, made, "again")
    _appear(part, made.path)
    return made


def write_since(
    open_work: Opener,
    actor: Actor,
    folder: Path,
    since: datetime,
    *,
    progress: Progress = lambda _done, _all: None,
) -> WriteBack:
    """All that was recorded since an instant and lies in numbered files already, out of turn and without a number.

    The numbered files go on as if it had not been. Raises BadInput for an instant without a time zone, NotFound when
    nothing was written yet.
    """
    _may(actor)
    if since.tzinfo is None:
        raise BadInput("The instant has no time zone.", mend="Write it as 2027-03-05T00:00:00+08:00.")
    with open_work(actor) as work:
        _alone(work)
        end = work.conn.execute(text("SELECT max(end_leaf) FROM write_back")).scalar_one()
        if end is None:
            raise NotFound("No write-back file was written yet.", mend="Leave --since out for the first one.")
        first = work.conn.execute(_FIRST_SINCE, {"since": since, "end": end}).scalar_one_or_none()
        name = f"write-back-since-{since.astimezone(work.settings.zone):%Y%m%dT%H%M%S}-to-{end}"
        part, made = _write(work, folder, name, None, end if first is None else first, end, progress)
        _record(work, made, "since")
    _appear(part, made.path)
    return made


def write_when_due(open_work: Opener) -> WriteBack | None:
    """The scheduler's duty: the night's file, once after the settings' time of day; None when it is not due."""
    with open_work() as work:
        at = work.settings.write_back
        if at is None:
            return None
        zone, folder = work.settings.zone, work.settings.home / "write-back"
        now = clock.now().astimezone(zone)
        due = datetime.combine(now.date(), at, zone)
        if due > now:
            due = datetime.combine(now.date() - timedelta(days=1), at, zone)
        if any(folder.glob(f".write-back-*{_PART}")):
            with suppress(Conflict):  # somebody is writing it
                _alone(work)
                _finish(work, folder)
        last = work.conn.execute(_LAST_OR_BEGINNING).scalar_one_or_none()
        if last is None or last >= due:
            return None
    return write_next(open_work, SYSTEM, folder)


# Before the first file: since the record began, so that a new installation waits for its first night.
_LAST_OR_BEGINNING = text(
    "SELECT coalesce((SELECT max(at) FROM write_back), (SELECT e.at FROM ledger_leaf l"
    " JOIN ledger_entry e ON e.id = l.entry_id WHERE l.leaf_index = 0))"
)
# An entry may commit late, so what is before the first leaf of that time may still be after it: the first counts.
_FIRST_SINCE = text(
    "SELECT l.leaf_index FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id"
    " WHERE l.leaf_index < :end AND e.at >= :since ORDER BY l.leaf_index LIMIT 1"
)


def _may(actor: Actor) -> None:
    require(actor, Permission.IMPORT)
    if actor.scope(Permission.IMPORT) is not None:
        raise Forbidden(
            "A write-back file holds the whole firm's clients.", mend="Ask an operator of head office."
        )


def _alone(work: Work) -> None:
    got = work.conn.execute(
        text("SELECT pg_try_advisory_xact_lock(hashtext('outreach.write_back'))")
    ).scalar_one()
    if not got:
        raise Conflict("A write-back file is being written just now.", mend="Wait for its end.")


def _name(number: int) -> str:
    return f"write-back-{number:06d}"


def _finish(work: Work, folder: Path) -> None:
    """What a run that died left behind: a folder whose row is committed appears, any other goes."""
    for part in sorted(folder.glob(f".write-back-*{_PART}")) if folder.is_dir() else ():
        name = part.name[1 : -len(_PART)]
        row = work.conn.execute(
            select(write_back.c.sha256).where(write_back.c.file_name == name)
        ).one_or_none()
        digests = part / f"{name}.sha256"
        whole = digests.is_file() and row is not None
        if whole and row and hashlib.sha256(digests.read_bytes()).digest() == bytes(row.sha256):
            _appear(part, folder / name)
        else:
            shutil.rmtree(part)


def _appear(part: Path, path: Path) -> None:
    """Rename the whole folder at once; one that another run has finished already is there."""
    with suppress(FileNotFoundError):
        os.rename(part, path)
    _sync(path.parent)


def _record(work: Work, made: WriteBack, basis: str) -> None:
    record(
        work,
        Entry(
            "write_back",
            {
                "number": made.number,
                "count": made.changes + made.contacts,
                "digest": made.sha256,
                "size": made.end_leaf,
                "basis": basis,
            },
        ),
    )


def _write(
    work: Work, folder: Path, name: str, number: int | None, first: int, end: int, progress: Progress
) -> tuple[Path, WriteBack]:
    path, part = folder / name, folder / f".{name}{_PART}"
    if path.exists():
        raise Conflict(f"{path} is there already.", mend="Choose another folder, or move it away.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(mode=0o700)
    counts = {"changes": 0, "contacts": 0}
    with _sheet(part / "changes.csv") as changes, _sheet(part / "contacts.csv") as contacts:
        to_changes, to_contacts = csv.writer(changes), csv.writer(contacts)
        to_changes.writerow(CHANGES)
        to_contacts.writerow(CONTACTS)
        for done, rows in _entries(work, first, end):
            step = _Step.of(work, rows)
            for row in rows:
                sheet, cells = step.line(row)
                if cells:
                    writer = to_changes if sheet == "changes" else to_contacts
                    writer.writerow([formula_safe(cell) for cell in cells])
                    counts[sheet] += 1
            _tell(work, step, number)
            progress(done, end - first)
    lines = [f"{_digest(part / one)}  {one}\n" for one in ("changes.csv", "contacts.csv")]
    listed = "".join(lines).encode()
    digests = part / f"{name}.sha256"
    digests.write_bytes(listed)
    digests.chmod(0o600)
    _sync(digests)
    _sync(part)
    made = WriteBack(
        number, path, first, end, counts["changes"], counts["contacts"], hashlib.sha256(listed).digest()
    )
    return part, made


def _sheet(path: Path) -> IO[str]:
    path.touch(mode=0o600)
    return path.open("w", encoding="utf-8-sig", newline="")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    return digest


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# The attempt that was under way, or the last before it, bears the decision: what the message itself says may change.
_ENTRIES = text(
    """
    SELECT e.kind, e.at, e.envelope, e.sealed_id, e.message_id, coalesce(e.client_id, m.client_id) AS client_id,
           m.channel, m.category, m.language, m.template_version_id, m.advisor_id, a.decision_id
      FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id
      LEFT JOIN message m ON m.id = e.message_id
      LEFT JOIN LATERAL (SELECT decision_id FROM attempt
                          WHERE message_id = e.message_id AND claimed_at <= e.at
                          ORDER BY claimed_at DESC, id DESC LIMIT 1) a ON true
     WHERE l.leaf_index >= :first AND l.leaf_index < :end AND e.kind = ANY(:kinds)
     ORDER BY l.leaf_index
    """
)


def _entries(work: Work, first: int, end: int) -> Iterator[tuple[int, Sequence[AnyRow]]]:
    """The entries that a file speaks of, so many leaves at a time, with how many are done: memory stays flat."""
    for start in range(first, end, _CHUNK):
        values = {"first": start, "end": min(start + _CHUNK, end), "kinds": _KINDS}
        yield min(_CHUNK, end - start) + start - first, work.conn.execute(_ENTRIES, values).all()


@dataclass
class _Step:
    """What the entries of one step need looked up, and what came of it."""

    work: Work
    clients: dict[UUID, str]
    staff: dict[str, str]
    said: dict[UUID, dict[str, Any]]
    corrected: list[tuple[UUID, str, datetime]]

    @classmethod
    def of(cls, work: Work, rows: Sequence[AnyRow]) -> "_Step":
        conn = work.conn
        numbers = conn.execute(
            select(client.c.id, client.c.client_no).where(
                client.c.id.in_({row.client_id for row in rows if row.client_id})
            )
        )
        sealed = {row.sealed_id for row in rows if row.kind in ("correction", "consent") and row.sealed_id}
        people = conn.execute(select(staff.c.id, staff.c.staff_no)) if rows else ()
        return cls(
            work,
            clients={row.id: row.client_no for row in numbers},
            staff={str(row.id): row.staff_no for row in people},
            said={sealed_id: json.loads(plain) for sealed_id, plain in unseal_many(work, sealed).items()},
            corrected=[],
        )

    def line(self, row: AnyRow) -> tuple[str, tuple[str, ...]]:
        """The sheet and the cells of one entry; no cells for what the client system need not hear."""
        fields = json.loads(bytes(row.envelope))
        number = self.clients.get(row.client_id, "")
        if not number:
            return "changes", ()
        at = row.at.astimezone(self.work.settings.zone).isoformat(timespec="seconds")
        if row.kind in ("correction", "consent"):
            told = self._change(row, fields)
            if told is None:
                return "changes", ()
            field, old, new, source = told
            return "changes", (
                number,
                field,
                old,
                new,
                self.staff.get(fields.get("actor", ""), ""),
                source,
                at,
            )
        return "contacts", self._contact(row, fields, number, at)

    def _change(self, row: AnyRow, fields: dict[str, Any]) -> tuple[str, str, str, str] | None:
        action = fields["action"]
        # Sealed bytes that were disposed of leave their cells empty.
        said = self.said.get(row.sealed_id, {})
        if row.kind == "correction":
            if action == "settled":
                return None  # the file itself said so
            self.corrected.append((row.client_id, fields["object"], row.at))
            return fields["object"], shown(said.get("old")), shown(said.get("new")), action
        if action in ("subscribed", "unsubscribed"):
            about = f"subscription/{fields.get('basis_ref', '')}/{said.get('item_type', '')}"
            return about, "", action, fields.get("basis", "")
        if fields.get("basis") == "import":
            return None  # it came from the client system
        return f"consent/{fields['channel']}/{fields['category']}", "", action, fields.get("basis", "")

    def _contact(self, row: AnyRow, fields: dict[str, Any], number: str, at: str) -> tuple[str, ...]:
        state = (
            fields.get("outcome", "")
            if row.kind in ("settled", "receipt")
            else row.kind.removeprefix("message.")
        )
        if state not in _STATES:
            return ()
        template, title = "", ""
        if row.template_version_id is not None:
            version = template_version(self.work.conn, row.template_version_id)
            template = version.name
            title = version.meta.title.en if row.language == "en" else version.meta.title.zh
        return (
            number,
            str(row.message_id),
            row.channel,
            row.category,
            template,
            title,
            at,
            state,
            str(row.decision_id or ""),
            self.staff.get(str(row.advisor_id), ""),
        )


_STATES = frozenset({"sent", "handed_over", "delivered", "undelivered", "unknown", "failed"})


def _tell(work: Work, step: _Step, number: int | None) -> None:
    """Note on the corrections that the client system has been told of them."""
    if number is None or not step.corrected:
        return
    work.conn.execute(
        text(
            "UPDATE client_correction k SET told_at = :now"
            " FROM unnest(CAST(:clients AS uuid[]), CAST(:fields AS text[]), CAST(:ats AS timestamptz[]))"
            "      AS t(client_id, field, at)"
            " WHERE k.client_id = t.client_id AND k.field = t.field AND k.at <= t.at AND k.told_at IS NULL"
        ),
        {
            "now": clock.now(),
            "clients": [client_id for client_id, _, _ in step.corrected],
            "fields": [field for _, field, _ in step.corrected],
            "ats": [at for _, _, at in step.corrected],
        },
    )
