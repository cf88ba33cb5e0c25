"""What a server received: an append-only JSONL file, synced before anything is answered, and its index.

Only offsets, addresses and keys are kept in memory; texts stay on disk. Records that arrive together share one
fsync.
"""

import asyncio
import fcntl
import json
import os
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from outreach.core.clock import now
from outreach.core.errors import Conflict, Misconfigured

Record = dict[str, Any]

MESSAGE = "message"
"""Came in from the firm, for a client."""
INBOUND = "inbound"
"""Typed by a client, for the firm."""
ENTRIES = (MESSAGE, INBOUND)


class Store:
    """The file and its index. Entries (messages both ways) are numbered from 1 in the order they were stored.

    An entry has ``kind``, ``addresses`` (the client's side, as a list) and ``key`` (the firm's own message id, or
    ''); the other fields are the server's. Every record goes to ``on_record`` with its number (0 for one of another
    kind, such as ``step`` or ``config``) when it is on the disk, and again when the file is read at the start.

    Raises Conflict when another process has the file open, Misconfigured when a line in it is damaged.
    """

    def __init__(
        self, path: Path, *, fsync: bool = True, on_record: Callable[[Record, int], None] | None = None
    ) -> None:
        self.path = path
        self._fsync = fsync
        self._on_record = on_record
        self._offsets = array("Q")
        self._lengths = array("L")
        self.times = array("d")
        self.by_address: dict[str, array[int]] = {}
        self.first_by_key: dict[str, int] = {}
        self.duplicates: dict[str, int] = {}
        self._inbound = bytearray()
        self._pending: list[tuple[bytes, Record, asyncio.Future[int] | None]] = []
        self._promised = 0
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fsync")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise Conflict(
                f"Another sandbox server uses {path}.", mend="Stop it, or name another --state folder."
            ) from error
        self._end = self._replay()
        self._promised = self.total
        self._flusher: asyncio.Task[None] | None = None

    @property
    def total(self) -> int:
        """Entries stored."""
        return len(self._offsets)

    @property
    def upcoming(self) -> int:
        """The number that the next entry given to ``append`` will have."""
        return self._promised + 1

    def start(self) -> asyncio.Task[None]:
        """Begin to write. The task ends only by an error (disk full …), after which the server must stop."""
        self._flusher = asyncio.create_task(self._flush_forever())
        return self._flusher

    async def close(self) -> None:
        """Write what waits and let go of the file."""
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        self._thread.shutdown()
        if self._pending:
            self._settle(self._write_out())
        os.close(self._file)

    def append(self, record: Record) -> asyncio.Future[int]:
        """Store an entry. The future gives its number once it is on the disk."""
        self._promised += 1
        return self._put(record)

    def note(self, record: Record) -> asyncio.Future[int]:
        """Store a record that is no entry; awaiting it is only needed where it must be on the disk."""
        return self._put(record)

    def _put(self, record: Record) -> asyncio.Future[int]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._pending.append((line, record, future))
        self._wake.set()
        return future

    def read(self, number: int) -> Record:
        """The entry with that number, with ``n`` in it. Raises IndexError when there is none."""
        if not 1 <= number <= self.total:
            raise IndexError(number)
        raw = os.pread(self._file, self._lengths[number - 1], self._offsets[number - 1])
        record: Record = json.loads(raw)
        record["n"] = number
        return record

    def is_inbound(self, number: int) -> bool:
        """Whether a client typed it."""
        return bool(self._inbound[number - 1])

    def page(self, after: int, limit: int, address: str | None = None) -> list[Record]:
        """Entries with a number above ``after``, oldest first, at most ``limit``; those of one address, if given."""
        if address is None:
            numbers = iter(range(after + 1, self.total + 1))
        else:
            numbers = (n for n in self.by_address.get(address, ()) if n > after)
        return [self.read(number) for number, _ in zip(numbers, range(limit), strict=False)]

    def counts(self, *, brief: bool = False) -> Record:
        """Totals; unless ``brief``, also per recipient and per key. ``duplicates`` is always complete."""
        inbound = sum(self._inbound)
        totals: Record = {
            "total": self.total - inbound,
            "inbound": inbound,
            "distinct": len(self.first_by_key),
            "duplicates": dict(self.duplicates),
        }
        if not brief:
            totals["recipients"] = dict(self._recipients())
            totals["references"] = {key: self.duplicates.get(key, 1) for key in self.first_by_key}
        return totals

    def _recipients(self) -> Iterator[tuple[str, int]]:
        for address, numbers in self.by_address.items():
            received = sum(1 for number in numbers if not self._inbound[number - 1])
            if received:
                yield address, received

    async def _flush_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._pending = self._pending, []
            data = b"".join(line for line, _, _ in batch)
            try:
                if self._fsync:
                    await loop.run_in_executor(self._thread, self._write, data)
                else:
                    self._write(data)
            except asyncio.CancelledError:
                # The thread finishes its write before close() goes on; these lines are in the file.
                self._settle(batch)
                raise
            self._settle(batch)

    def _write_out(self) -> list[tuple[bytes, Record, asyncio.Future[int] | None]]:
        batch, self._pending = self._pending, []
        self._write(b"".join(line for line, _, _ in batch))
        return batch

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        if self._fsync:
            os.fdatasync(self._file)

    def _settle(self, batch: list[tuple[bytes, Record, asyncio.Future[int] | None]]) -> None:
        for line, record, future in batch:
            self._take_in(record, len(line))
            if future is not None and not future.done():
                future.set_result(self.total)

    def _take_in(self, record: Record, length: int) -> None:
        offset, self._end = self._end, self._end + length
        if record["kind"] in ENTRIES:
            self._index(record, offset, length)
        if self._on_record is not None:
            self._on_record(record, self.total if record["kind"] in ENTRIES else 0)

    def _index(self, record: Record, offset: int, length: int) -> None:
        self._offsets.append(offset)
        self._lengths.append(length)
        self.times.append(record["time"])
        self._inbound.append(record["kind"] == INBOUND)
        for address in record["addresses"]:
            self.by_address.setdefault(address, array("L")).append(self.total)
        if record["kind"] == MESSAGE and record["key"]:
            if record["key"] in self.first_by_key:
                self.duplicates[record["key"]] = self.duplicates.get(record["key"], 1) + 1
            else:
                self.first_by_key[record["key"]] = self.total

    def _replay(self) -> int:
        self._end = 0
        with open(self.path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    # Torn by a kill in the middle of a write: it was never answered.
                    os.ftruncate(self._file, self._end)
                    break
                try:
                    record = json.loads(line)
                except ValueError as error:
                    raise Misconfigured(
                        f"{self.path} is damaged at byte {self._end}.", mend="Move the file away."
                    ) from error
                self._take_in(record, len(line))
        return self._end


def stamp() -> float:
    """The present instant in seconds since 1970, as records keep it."""
    return now().timestamp()
