"""Files that other programs drop into a watched folder: each content once, whoever looks, and nothing is lost.

A file stays where it was dropped until it was taken in as a whole; then it moves to ``done/``, or to
``refused/`` when it could not be used. A row of ``dropped_file`` (unique folder and SHA-256) remembers it, so the
same content is taken once even when two machines watch one shared folder. While a file is taken in, its lock is
held by an open transaction: a machine that dies lets go of it, and the next look takes the file up again.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

import structlog
from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.errors import BadInput, Misconfigured, OutreachError, Unavailable
from outreach.core.ids import new_id
from outreach.core.tables import dropped_file

# A file whose size and time stay the same for so long (seconds) is taken for complete.
SETTLED = 5.0
DONE, REFUSED, WAITING = "done", "refused", "waiting"
_UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload", ".swp")
_BLOCK = 1 << 20

log = structlog.get_logger(__name__)


class Transaction(Protocol):
    """What one transaction offers here."""

    @property
    def conn(self) -> Connection: ...


Begin = Callable[[], AbstractContextManager[Transaction]]
Looks = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class DropResult:
    """What taking in a file came to. ``reasons``: parts of it that were refused, each in one line with its mend; the
    rest was taken."""

    counts: Mapping[str, int] = field(default_factory=dict)
    reasons: Sequence[str] = ()


@dataclass(frozen=True)
class Dropped:
    """What became of one file.

    taken; known (the same content was taken before: nothing changed); refused (as a whole); waiting (something it
    needs is away, it is tried again at the next look).
    """

    file_name: str
    outcome: Literal["taken", "known", "refused", "waiting"]
    counts: Mapping[str, int] = field(default_factory=dict)
    detail: str = ""
    moved_to: Path | None = None


def take_dropped(
    begin: Begin, name: str, folder: Path, take: Callable[[Path], DropResult], looks: Looks
) -> list[Dropped]:
    """Take in every complete file of ``folder``, by name, each by ``take(path)``; returns what became of each.

    ``name`` is the folder's name in ``dropped_file``. ``looks`` remembers what the last look saw; keep one for each
    folder. Complete is what is neither a dotfile nor named like an unfinished upload, and has not changed since the
    last look or for 5 s. Links, folders and devices are refused and never followed. What ``take`` refuses by an
    OutreachError is refused as a whole, with its reason in ``refused/NAME.reasons.txt``; Unavailable, or a fault of
    ours, leaves the file where it is for the next look. Raises Misconfigured when the folder can't be used.
    """
    prepare(folder)
    results: list[Dropped] = []
    for path, is_file in _complete(folder, looks):
        if not is_file:
            results.append(_refuse_entry(folder, path))
            continue
        try:
            content = _read(path)
        except OSError as error:
            log.warning("dropped file unreadable", folder=name, reason=error.strerror)
            results.append(Dropped(path.name, "waiting", detail=str(error.strerror)))
            continue
        except BadInput:
            continue  # it is still changing, or was taken away
        done = _take_one(begin, name, folder, path, content, take)
        if done is not None:
            results.append(done)
            log.info(
                "dropped file",
                folder=name,
                digest=content.digest.hex(),
                outcome=done.outcome,
                counts=dict(done.counts),
            )
    return results


def prepare(folder: Path) -> None:
    """Make the folder with ``done/`` and ``refused/``. Raises Misconfigured when that can't be, or one is a link."""
    for part in (folder, folder / DONE, folder / REFUSED):
        try:
            part.mkdir(parents=True, exist_ok=True, mode=0o770)
            is_own = stat.S_ISDIR(os.lstat(part).st_mode) or part == folder
        except OSError as error:
            raise Misconfigured(
                f"The watched folder {part} can't be used: {error.strerror}.", mend="Check OUTREACH_DROP."
            ) from error
        if not is_own:
            raise Misconfigured(f"{part} is a link.", mend="Make it a folder of its own.")


def _complete(folder: Path, looks: Looks) -> Iterator[tuple[Path, bool]]:
    """The entries that are no longer being written, and whether each is a regular file."""
    seen: Looks = {}
    ready: list[tuple[Path, bool]] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # another machine moved it
            if entry.name in (DONE, REFUSED, WAITING) and stat.S_ISDIR(status.st_mode):
                continue
            seen[entry.name] = (status.st_size, status.st_mtime_ns)
            if looks.get(entry.name) == seen[entry.name] or time.time() - status.st_mtime >= SETTLED:
                ready.append((folder / entry.name, stat.S_ISREG(status.st_mode)))
    looks.clear()
    looks.update(seen)
    yield from ready


@dataclass(frozen=True)
class _Content:
    """What a file held when it was read; ``mark`` tells whether it is still that file, unchanged."""

    digest: bytes
    mark: tuple[int, int, int]  # inode, size, time


def _mark(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(path: Path) -> _Content:
    """A link that took the file's place meanwhile is not followed (OSError); BadInput when the file is gone, or
    changed while it was read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise BadInput("The file is gone.") from error
    with os.fdopen(descriptor, "rb") as stream:
        before = _mark(os.fstat(descriptor))
        running = hashlib.sha256()
        while block := stream.read(_BLOCK):
            running.update(block)
        after = _mark(os.fstat(descriptor))
    if before != after:
        raise BadInput("The file is still changing.")
    return _Content(running.digest(), after)


def _is_still(path: Path, content: _Content) -> bool:
    try:
        return _mark(os.lstat(path)) == content.mark
    except FileNotFoundError:
        return False


def _take_one(
    begin: Begin,
    name: str,
    folder: Path,
    path: Path,
    content: _Content,
    take: Callable[[Path], DropResult],
) -> Dropped | None:
    """Take in one file under its lock; None when another machine is at it, or has just moved it."""
    with begin() as holding:
        if not holding.conn.execute(_LOCK, {"key": f"dropped:{name}:{content.digest.hex()}"}).scalar_one():
            return None
        # Another machine may have taken it before the lock was ours, and a new file may bear its name by now.
        if not _is_still(path, content):
            return None
        claimed, earlier = _claim(begin, name, path, content)
        if claimed is None:
            note = f"The same content was taken in on {earlier}; nothing was changed."
            return Dropped(path.name, "known", detail=note, moved_to=_move(folder, DONE, path, [note]))
        try:
            result = take(path)
        except Unavailable as error:
            return Dropped(path.name, "waiting", detail=str(error))
        except OutreachError as error:
            _settle(begin, claimed, "refused", {}, error.code)
            moved = _move(folder, REFUSED, path, [str(error)])
            return Dropped(path.name, "refused", detail=str(error), moved_to=moved)
        except Exception as error:
            # One file that our own code stumbles over must not keep the others waiting; it stays where it is.
            log.exception("dropped file not taken", folder=name, digest=content.digest.hex())
            return Dropped(path.name, "waiting", detail=type(error).__name__)
        _settle(begin, claimed, "taken", result.counts, "")
        if not _is_still(path, content):
            # More was written to it after it seemed complete: as a new content it is taken at the next look.
            return Dropped(path.name, "taken", dict(result.counts), "It changed meanwhile.")
        moved = _move(folder, DONE, path, [])
        if result.reasons:
            _tell(folder / REFUSED, moved.name, result.reasons)
        return Dropped(path.name, "taken", dict(result.counts), "", moved)


_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 0))")


def _claim(begin: Begin, name: str, path: Path, content: _Content) -> tuple[UUID | None, str]:
    """The row of the file, now ``taking``; (None, when) for a content that was taken before.

    A row that is ``taking`` although the lock was free is of a machine that died; one that was refused may be tried
    again, since what it lacked may be there now.
    """
    with begin() as work:
        statement = insert(dropped_file).values(
            id=new_id(),
            folder=name,
            file_name=_printable(path.name),
            sha256=content.digest,
            size=content.mark[1],
            state="taking",
            at=clock.now(),
        )
        fresh: UUID | None = work.conn.execute(
            statement.on_conflict_do_update(
                index_elements=["folder", "sha256"],
                set_={
                    "state": "taking",
                    "file_name": statement.excluded.file_name,
                    "at": statement.excluded.at,
                    "detail": "",
                },
                where=dropped_file.c.state != "taken",
            ).returning(dropped_file.c.id)
        ).scalar_one_or_none()
        if fresh is not None:
            return fresh, ""
        at = work.conn.execute(
            select(dropped_file.c.at).where(
                dropped_file.c.folder == name, dropped_file.c.sha256 == content.digest
            )
        ).scalar_one()
        return None, at.isoformat(timespec="minutes")


def _settle(begin: Begin, row_id: UUID, state: str, counts: Mapping[str, Any], detail: str) -> None:
    with begin() as work:
        work.conn.execute(
            update(dropped_file)
            .where(dropped_file.c.id == row_id)
            .values(state=state, counts=dict(counts), detail=detail)
        )


def _refuse_entry(folder: Path, path: Path) -> Dropped:
    reason = "Only regular files are taken in here, no links, folders or devices. Copy the file itself."
    try:
        moved = _move(folder, REFUSED, path, [reason])
    except FileNotFoundError:
        moved = None  # another machine was faster
    return Dropped(path.name, "refused", detail=reason, moved_to=moved)


def _move(folder: Path, where: str, path: Path, reasons: Sequence[str]) -> Path:
    """Move the entry itself (never what a link points to), beside an equally named one when there is one."""
    # Room for a number and for the note's own ending; a name has at most 255 bytes.
    stem = os.fsdecode(os.fsencode(path.stem)[:180])
    suffix = os.fsdecode(os.fsencode(path.suffix)[:40])
    target = folder / where / f"{stem}{suffix}"
    number = 1
    while os.path.lexists(target):
        number += 1
        target = folder / where / f"{stem}-{number}{suffix}"
    os.rename(path, target)
    if reasons:
        _tell(target.parent, target.name, reasons)
    return target


def _tell(where: Path, name: str, reasons: Sequence[str]) -> None:
    note = where / f"{name}.reasons.txt"
    note.write_text("".join(f"{' '.join(reason.split())}\n" for reason in reasons), encoding="utf-8")


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in name[:200])
