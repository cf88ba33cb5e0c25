"""Holdings files: client_no, code, quantity, date."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

from outreach.core.clock import today as civil_today
from outreach.core.errors import BadInput
from outreach.people.importing.cells import half_width, value_of
from outreach.people.importing.client_row import Duplicate, Rejected
from outreach.people.importing.dates import parse_past_date
from outreach.people.importing.delimited import Record
from outreach.people.importing.encoding import FileFacts, inspect
from outreach.people.importing.fields import parse_client_no
from outreach.people.importing.findings import Finding, Issue, issue
from outreach.people.importing.headers import HOLDING_HEADERS
from outreach.people.importing.record import VALUE_SHOWN, Reader
from outreach.people.importing.repeats import digest_of, possible_repeats
from outreach.people.importing.table import Table, open_table

_REQUIRED = ("client_no", "code", "quantity", "date")
_ZONE = ZoneInfo("Asia/Shanghai")
_FULL_CODE = re.compile(r"([0-9A-Z]{1,12})\.([A-Z]{2,4})")
_PREFIXED = re.compile(r"(SH|SZ|BJ)\.?(\d{6})")
_BARE = re.compile(r"\d{6}")
_EXCHANGES = {
    "SS": "SH",
    "XSHG": "SH",
    "SSE": "SH",
    "XSHE": "SZ",
    "SZSE": "SZ",
    "XBSE": "BJ",
    "BSE": "BJ",
    "XHKG": "HK",
}
# How the exchanges give out six-digit codes of what can be held; the longest prefix counts.
_BY_PREFIX = {
    "6": "SH", "5": "SH", "900": "SH", "11": "SH", "00": "SZ", "30": "SZ", "20": "SZ", "12": "SZ", "15": "SZ",
    "16": "SZ", "18": "SZ", "43": "BJ", "83": "BJ", "87": "BJ", "88": "BJ", "920": "BJ",
}  # fmt: skip
_QUANTITY = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d{1,18}(\.\d{1,8})?")


@dataclass(frozen=True)
class HoldingRow:
    """What a client holds of one security (``code`` such as 600000.SH) on a day; zero means sold."""

    row: int
    client_no: str
    code: str
    quantity: Decimal
    as_of: date
    findings: tuple[Finding, ...] = ()


ParsedHolding = HoldingRow | Rejected | Duplicate


def inspect_holdings(path: Path, *, ignored_columns: Collection[str] = ()) -> FileFacts:
    """Encoding and digest of a holdings file. Raises BadInput as parse_holdings does."""
    facts = inspect(path)
    with open_table(facts, HOLDING_HEADERS, _REQUIRED, ignored_columns):
        return facts


def parse_holdings(
    path: Path, *, ignored_columns: Collection[str] = (), today: date | None = None
) -> Iterator[ParsedHolding]:
    """Every row of a holdings file, in order, in constant memory.

    A second row for the same client, code and date is a duplicate when the quantity is the same, else rejected:
    whether accounts are to be added up is not guessed. Raises BadInput, before the first row, for a file that
    can't be read, has an unknown, doubled or missing column, or no row at all. Nothing else is raised.
    """
    facts = inspect(path)
    day = today or civil_today(_ZONE)
    with open_table(facts, HOLDING_HEADERS, _REQUIRED, ignored_columns) as table:
        first = next(table.records, None)
        if first is None:
            raise BadInput(f"{path.name} has a header and no rows.", mend="Export it again with its rows.")
        repeats = possible_repeats(_keys(table, chain([first], table.records), day), facts.size)
    seen: dict[bytes, tuple[int, Decimal]] = {}
    with open_table(facts, HOLDING_HEADERS, _REQUIRED, ignored_columns) as table:
        for record in table.records:
            parsed = _parse(table, record, day)
            if isinstance(parsed, HoldingRow) and (key := _key(parsed)) in repeats:
                yield _against_earlier(parsed, seen.setdefault(key, (parsed.row, parsed.quantity)), table)
            else:
                yield parsed


def _keys(table: Table, records: Iterable[Record], today: date) -> Iterator[bytes]:
    for record in records:
        parsed = _parse(table, record, today)
        if isinstance(parsed, HoldingRow):
            yield _key(parsed)


def _key(row: HoldingRow) -> bytes:
    return digest_of(row.client_no, row.code, row.as_of.isoformat())


def _against_earlier(row: HoldingRow, earlier: tuple[int, Decimal], table: Table) -> ParsedHolding:
    first, quantity = earlier
    if first == row.row:
        return row
    code = "duplicate" if quantity == row.quantity else "holding_again"
    finding = Finding(row.row, table.columns["quantity"], code, str(row.quantity), (("first", first),))
    if code == "duplicate":
        return Duplicate(row.row, row.client_no, first, (finding,))
    return Rejected(row.row, row.client_no, (finding,))


def _parse(table: Table, record: Record, today: date) -> HoldingRow | Rejected:
    if record.fault:
        params = (("found", record.found), ("expected", record.expected))
        shown = " | ".join(record.cells[:3])[:VALUE_SHOWN]
        return Rejected(record.row, "", (Finding(record.row, "", record.fault, shown, params),))
    reader = Reader(table, record)
    client_no = reader.take("client_no", parse_client_no)
    code = reader.take("code", parse_code)
    quantity = reader.take("quantity", parse_quantity)
    as_of = reader.take("date", lambda cell: _parse_as_of(cell, today))
    findings = tuple(reader.findings)
    if client_no is None or code is None or quantity is None or as_of is None:
        return Rejected(record.row, client_no or "", findings)
    return HoldingRow(record.row, client_no, code, quantity, as_of, findings)


def parse_code(cell: str) -> tuple[str | None, list[Issue]]:
    """A security's code as the feeds write it, 600000.SH. A bare six-digit code gets the exchange of its prefix.

    What has lost its leading zeros (2594 for 002594) is rejected, not guessed.
    """
    plain, issues = value_of(cell)
    plain = "".join(half_width(plain).split()).upper()
    if not plain:
        return None, [*issues, issue("code_missing")]
    if prefixed := _PREFIXED.fullmatch(plain):
        return f"{prefixed[2]}.{prefixed[1]}", issues
    full = _FULL_CODE.fullmatch(plain)
    if full and not (full[2] in {"SH", "SZ", "BJ"} and not _BARE.fullmatch(full[1])):
        return f"{full[1]}.{_EXCHANGES.get(full[2], full[2])}", issues
    if _BARE.fullmatch(plain):
        exchange = _BY_PREFIX.get(plain[:3]) or _BY_PREFIX.get(plain[:2]) or _BY_PREFIX.get(plain[:1])
        if exchange:
            return f"{plain}.{exchange}", issues
    return None, [*issues, issue("code_form")]


def parse_quantity(cell: str) -> tuple[Decimal | None, list[Issue]]:
    """A quantity of zero or more, with thousands separators or not; an exponent is rejected, not guessed."""
    plain, issues = value_of(cell)
    plain = half_width(plain).replace(" ", "")
    if not _QUANTITY.fullmatch(plain):
        return None, [*issues, issue("quantity_form")]
    return Decimal(plain.replace(",", "")), issues


def _parse_as_of(cell: str, today: date) -> tuple[date | None, list[Issue]]:
    plain, issues = value_of(cell)
    found, more = parse_past_date(plain, today)
    if found is None:
        is_future = any(problem.code == "date_future" for problem in more)
        return None, [*issues, issue("as_of_future" if is_future else "as_of_form")]
    return found, [*issues, *more]
