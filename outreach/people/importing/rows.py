"""A client file as a stream of rows: taken, rejected, or there already."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

from outreach.core.clock import today as civil_today
from outreach.core.errors import BadInput
from outreach.people.importing.client_row import ClientRow, Duplicate, Parsed, Rejected
from outreach.people.importing.delimited import Record
from outreach.people.importing.encoding import FileFacts, inspect
from outreach.people.importing.fields import parse_client_no
from outreach.people.importing.findings import Finding
from outreach.people.importing.headers import CLIENT_HEADERS
from outreach.people.importing.record import content_digest, parse_record
from outreach.people.importing.repeats import digest_of, possible_repeats
from outreach.people.importing.table import Table, open_table

__all__ = [
    "ClientFile",
    "ClientRow",
    "Duplicate",
    "Finding",
    "Parsed",
    "Rejected",
    "inspect_clients",
    "parse_clients",
]

_REQUIRED = ("client_no", "name")
_ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class ClientFile:
    """A client file that can be read: what it is, and which fields it has (field → its header)."""

    facts: FileFacts
    columns: dict[str, str]


def inspect_clients(path: Path, *, ignored_columns: Collection[str] = ()) -> ClientFile:
    """Encoding, digest and columns of a client file. Raises BadInput as parse_clients does."""
    facts = inspect(path)
    with open_table(facts, CLIENT_HEADERS, _REQUIRED, ignored_columns) as table:
        return ClientFile(facts, table.columns)


def parse_clients(
    path: Path,
    *,
    known_advisors: Collection[str] | None = None,
    ignored_columns: Collection[str] = (),
    today: date | None = None,
) -> Iterator[Parsed]:
    """Every row of a client file, in order, in constant memory: the file is read three times, never held.

    ``known_advisors``: advisor numbers in service; another number is warned of (an orphan, kept as it is).
    ``today`` (default: today in Shanghai) decides what lies in the future and who is a minor.
    Raises BadInput, before the first row, for a file that can't be read, has an unknown, doubled or missing
    column, or no row at all. Nothing else is raised, whatever the bytes.
    """
    facts = inspect(path)
    day = today or civil_today(_ZONE)
    with open_table(facts, CLIENT_HEADERS, _REQUIRED, ignored_columns) as table:
        first = next(table.records, None)
        if first is None:
            raise BadInput(f"{path.name} has a header and no rows.", mend="Export it again with its rows.")
        repeats = possible_repeats(_keys(table, chain([first], table.records)), facts.size)
    seen: dict[bytes, tuple[int, bytes, bytes]] = {}
    with open_table(facts, CLIENT_HEADERS, _REQUIRED, ignored_columns) as table:
        for record in table.records:
            parsed = parse_record(table, record, day, known_advisors)
            key = digest_of(parsed.client_no) if isinstance(parsed, ClientRow) else b""
            yield _against_earlier(parsed, key, seen, table) if key in repeats else parsed


def _keys(table: Table, records: Iterable[Record]) -> Iterator[bytes]:
    at = table.fields.index("client_no")
    for record in records:
        if not record.fault:
            client_no, _ = parse_client_no(record.cells[at])
            if client_no:
                yield digest_of(client_no)


def _against_earlier(
    parsed: Parsed, key: bytes, seen: dict[bytes, tuple[int, bytes, bytes]], table: Table
) -> Parsed:
    if not isinstance(parsed, ClientRow):
        return parsed
    person = content_digest(parsed, leave_out=frozenset({"account_no"}))
    earlier = seen.get(key)
    if earlier is None:
        seen[key] = (parsed.row, parsed.digest[:16], person[:16])
        return parsed
    first, whole, without_account = earlier
    code = "client_no_again"
    if whole == parsed.digest[:16]:
        code = "duplicate"
    elif without_account == person[:16]:
        code = "another_account"
    column = table.columns["account_no" if code == "another_account" else "client_no"]
    finding = Finding(parsed.row, column, code, parsed.client_no, (("first", first),))
    if code == "client_no_again":
        return Rejected(parsed.row, parsed.client_no, (finding,))
    return Duplicate(parsed.row, parsed.client_no, first, (finding,))
