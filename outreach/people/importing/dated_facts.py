"""Files of dated facts: client_no, kind, date, subject, withdrawn."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path

from outreach.content.formats import is_slug
from outreach.core.errors import BadInput
from outreach.people.importing.cells import FLOAT, half_width, tidy, value_of
from outreach.people.importing.client_row import Duplicate, Rejected
from outreach.people.importing.dates import parse_date
from outreach.people.importing.delimited import Record
from outreach.people.importing.encoding import FileFacts, inspect
from outreach.people.importing.fields import parse_client_no
from outreach.people.importing.findings import Finding, Issue, issue
from outreach.people.importing.headers import DATE_HEADERS
from outreach.people.importing.record import VALUE_SHOWN, Reader
from outreach.people.importing.repeats import digest_of, possible_repeats
from outreach.people.importing.table import Table, open_table
from outreach.people.importing.words import WITHDRAWN_NO, WITHDRAWN_YES, plain_word

_REQUIRED = ("client_no", "kind", "date")
LONGEST_KIND = 60
LONGEST_SUBJECT = 60


@dataclass(frozen=True)
class FactRow:
    """A date of a client: of which ``kind`` (the institution's own name, such as product-maturity) and about what
    (``subject``, as a client may read it); ``withdrawn``: it is not so any more."""

    row: int
    client_no: str
    kind: str
    on_date: date
    subject: str
    withdrawn: bool
    findings: tuple[Finding, ...] = ()


ParsedFact = FactRow | Rejected | Duplicate


def inspect_dates(path: Path, *, ignored_columns: Collection[str] = ()) -> FileFacts:
    """Encoding and digest of a file of dated facts. Raises BadInput as parse_dates does."""
    facts = inspect(path)
    with open_table(facts, DATE_HEADERS, _REQUIRED, ignored_columns):
        return facts


def parse_dates(path: Path, *, ignored_columns: Collection[str] = ()) -> Iterator[ParsedFact]:
    """Every row of a file of dated facts, in order, in constant memory.

    A second row of the same fact is a duplicate when it says the same, else rejected: whether it is withdrawn is
    not guessed. Raises BadInput, before the first row, for a file that can't be read, has an unknown, doubled or
    missing column, or no row at all. Nothing else is raised.
    """
    facts = inspect(path)
    with open_table(facts, DATE_HEADERS, _REQUIRED, ignored_columns) as table:
        first = next(table.records, None)
        if first is None:
            raise BadInput(f"{path.name} has a header and no rows.", mend="Export it again with its rows.")
        repeats = possible_repeats(_keys(table, chain([first], table.records)), facts.size)
    seen: dict[bytes, tuple[int, bool]] = {}
    with open_table(facts, DATE_HEADERS, _REQUIRED, ignored_columns) as table:
        for record in table.records:
            parsed = _parse(table, record)
            if isinstance(parsed, FactRow) and (key := _key(parsed)) in repeats:
                yield _against_earlier(parsed, seen.setdefault(key, (parsed.row, parsed.withdrawn)), table)
            else:
                yield parsed


def _keys(table: Table, records: Iterable[Record]) -> Iterator[bytes]:
    for record in records:
        parsed = _parse(table, record)
        if isinstance(parsed, FactRow):
            yield _key(parsed)


def _key(row: FactRow) -> bytes:
    return digest_of(row.client_no, row.kind, row.on_date.isoformat(), row.subject)


def _against_earlier(row: FactRow, earlier: tuple[int, bool], table: Table) -> ParsedFact:
    first, withdrawn = earlier
    if first == row.row:
        return row
    code = "duplicate" if withdrawn == row.withdrawn else "fact_again"
    finding = Finding(row.row, table.columns["date"], code, row.on_date.isoformat(), (("first", first),))
    if code == "duplicate":
        return Duplicate(row.row, row.client_no, first, (finding,))
    return Rejected(row.row, row.client_no, (finding,))


def _parse(table: Table, record: Record) -> FactRow | Rejected:
    if record.fault:
        params = (("found", record.found), ("expected", record.expected))
        shown = " | ".join(record.cells[:3])[:VALUE_SHOWN]
        return Rejected(record.row, "", (Finding(record.row, "", record.fault, shown, params),))
    reader = Reader(table, record)
    client_no = reader.take("client_no", parse_client_no)
    kind = reader.take("kind", parse_kind)
    on_date = reader.take("date", parse_fact_date)
    subject = reader.take("subject", parse_subject)
    withdrawn = reader.take("withdrawn", parse_withdrawn)
    findings = tuple(reader.findings)
    if client_no is None or kind is None or on_date is None or subject is None or withdrawn is None:
        return Rejected(record.row, client_no or "", findings)
    return FactRow(record.row, client_no, kind, on_date, subject, withdrawn, findings)


def parse_kind(cell: str) -> tuple[str | None, list[Issue]]:
    """The kind of a fact as jobs name it: lower-case letters, digits and single hyphens (``product-maturity``)."""
    plain, issues = value_of(cell)
    plain = half_width(plain).strip().lower()
    if not is_slug(plain) or len(plain) > LONGEST_KIND:
        return None, [*issues, issue("fact_kind_form")]
    return plain, issues


def parse_fact_date(cell: str) -> tuple[date | None, list[Issue]]:
    """The date, past or to come; an unknown one is no date."""
    plain, issues = value_of(cell)
    found, more = parse_date(plain)
    if found is None:
        return None, [*issues, issue("fact_date_form")]
    return found, [*issues, *more]


def parse_subject(cell: str) -> tuple[str | None, list[Issue]]:
    """What the date is about, in one line, "" for nothing. None when it can't stand in a message: too long, or a
    formula, an error or a number that a spreadsheet made of it."""
    plain, issues = tidy(cell)
    plain = " ".join(plain.split())
    if len(plain) > LONGEST_SUBJECT:
        return None, [*issues, issue("subject_long", limit=LONGEST_SUBJECT)]
    if plain.startswith(("=", "+", "-", "@", "#")) or (FLOAT.fullmatch(plain) and "e" in plain.casefold()):
        return None, [*issues, issue("subject_form")]
    return plain, issues


def parse_withdrawn(cell: str) -> tuple[bool | None, list[Issue]]:
    """Whether the fact is withdrawn; nothing means no. None for a word that is not understood."""
    plain, issues = value_of(cell)
    word = plain_word(plain)
    if not word or word in WITHDRAWN_NO:
        return False, issues
    if word in WITHDRAWN_YES:
        return True, issues
    return None, [*issues, issue("withdrawn_unknown")]
