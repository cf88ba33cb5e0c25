"""From one record to one client's row: every cell by its field's parser, then what the cells say together."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import TypeVar

from dateutil.relativedelta import relativedelta

from outreach.occasions.lunar import LunarDay
from outreach.people.importing.cells import value_of
from outreach.people.importing.client_row import ClientRow, Rejected
from outreach.people.importing.dates import lunar_in_solar, parse_expiry, parse_lunar_cell, parse_past_date
from outreach.people.importing.delimited import Record
from outreach.people.importing.fields import (
    parse_address,
    parse_branch,
    parse_channel,
    parse_client_no,
    parse_email,
    parse_gender,
    parse_id_type,
    parse_investor_class,
    parse_language,
    parse_name,
    parse_note,
    parse_number_text,
    parse_opt_out,
    parse_postcode,
    parse_risk,
    parse_status,
    parse_tier,
    says_deceased,
)
from outreach.people.importing.findings import Finding, Issue, issue
from outreach.people.importing.identity import Identity, parse_identity
from outreach.people.importing.phones import parse_mobile
from outreach.people.importing.table import Table
from outreach.people.importing.words import COMPANY_ID_TYPES, is_company_name

VALUE_SHOWN = 200
# What is not the file's content, and so not part of the row's digest.
_NOT_CONTENT = frozenset({"row", "suppressed", "findings", "digest", "sensitive"})

T = TypeVar("T")


class Reader:
    """The cells of one record by field, and the findings so far."""

    def __init__(self, table: Table, record: Record) -> None:
        self._cells = {field: record.cells[at] for at, field in enumerate(table.fields) if field}
        self._table = table
        self._record = record
        self.findings: list[Finding] = []

    def cell(self, field: str) -> str:
        """The raw cell; empty when the file has no such column."""
        return self._cells.get(field, "")

    def add(self, field: str, issues: Sequence[Issue]) -> None:
        """Put ``issues`` in their place."""
        for found in issues:
            value = self.cell(field)[:VALUE_SHOWN]
            column = self._table.columns.get(field, field)
            self.findings.append(Finding(self._record.row, column, found.code, value, found.params))

    def take(self, field: str, parse: Callable[[str], tuple[T, Sequence[Issue]]]) -> T:
        """The field's value by its parser."""
        value, issues = parse(self.cell(field))
        if issues:
            self.add(field, issues)
        return value

    def take_value(self, field: str, parse: Callable[[str], tuple[T, Sequence[Issue]]]) -> T:
        """The same for a parser that wants the cell cleaned."""
        return self.take(field, lambda cell: self._cleaned(cell, parse))

    def _cleaned(
        self, cell: str, parse: Callable[[str], tuple[T, Sequence[Issue]]]
    ) -> tuple[T, Sequence[Issue]]:
        plain, issues = value_of(cell)
        value, found = parse(plain)
        return value, [*issues, *found]

    def unnamed_columns(self) -> None:
        """A cell with content under a header without a name is said to be passed over."""
        for at, head in enumerate(self._table.header):
            if not head and self._record.cells[at].strip():
                value = self._record.cells[at].strip()[:VALUE_SHOWN]
                self.findings.append(Finding(self._record.row, f"#{at + 1}", "no_header", value))
                return


def parse_record(
    table: Table, record: Record, today: date, known_advisors: Collection[str] | None = None
) -> ClientRow | Rejected:
    """One record as a client's row."""
    if record.fault:
        shown = " | ".join(record.cells[:3])[:VALUE_SHOWN]
        params = (("found", record.found), ("expected", record.expected))
        return Rejected(record.row, "", (Finding(record.row, "", record.fault, shown, params),))
    reader = Reader(table, record)
    client_no = reader.take("client_no", parse_client_no)
    name = reader.take("name", parse_name)
    status, died, issues = parse_status(reader.cell("status"))
    reader.add("status", issues)
    if client_no is None or name is None or status is None:
        return Rejected(record.row, client_no or "", tuple(reader.findings))
    risk_class, risk_minimum, issues = parse_risk(reader.cell("risk_level"))
    reader.add("risk_level", issues)
    mobile, country = reader.take_value("mobile", _mobile)
    note = reader.take("note", parse_note)
    died_by_note = note is not None and says_deceased(note)
    if died_by_note:
        reader.add("note", [issue("deceased_note")])
    advisor_no = reader.take("advisor_id", parse_number_text)
    if advisor_no and known_advisors is not None and advisor_no not in known_advisors:
        reader.add("advisor_id", [issue("advisor_unknown")])
    person = _person(reader, name.text, today)
    opened_on = reader.take_value("opened_on", lambda text: parse_past_date(text, today))
    if opened_on and person.birth_date and opened_on < person.birth_date:
        reader.add("opened_on", [issue("opened_before_birth")])
    deceased = name.deceased or died or died_by_note
    reasons = (
        ("deceased", deceased),
        ("closed", status == "closed"),
        ("test", name.test),
        ("minor", person.under_14),
    )
    row = ClientRow(
        row=record.row,
        client_no=client_no,
        name=name.text,
        account_no=reader.take("account_no", parse_number_text),
        gender=person.gender,
        kind=person.kind,
        id_type=person.id_type,
        id_no=person.id_no,
        id_expiry=reader.take_value("id_expiry", parse_expiry),
        birth_date=person.birth_date,
        lunar_birthday=person.lunar_birthday,
        mobile=mobile,
        mobile_country=country,
        email=reader.take("email", parse_email),
        address=reader.take("address", parse_address),
        postcode=reader.take("postcode", parse_postcode),
        tier=reader.take("tier", parse_tier),
        risk_class=risk_class,
        risk_minimum=risk_minimum,
        assessed_on=reader.take_value("assessed_on", lambda text: parse_past_date(text, today)),
        investor_class=reader.take("investor_class", parse_investor_class),
        opened_on=opened_on,
        status=status,
        deceased=deceased,
        test=name.test,
        sensitive=person.under_14,
        advisor_no=advisor_no,
        consultant_no=reader.take("consultant_id", parse_number_text),
        branch=reader.take("branch", parse_branch),
        channel=reader.take("channel", parse_channel),
        opt_out=reader.take("opt_out", parse_opt_out),
        language=reader.take("language", parse_language),
        margin_expiry=reader.take_value("margin_expiry", parse_expiry),
        note=note,
        suppressed=tuple(reason for reason, holds in reasons if holds),
    )
    reader.unnamed_columns()
    return _sealed(row, tuple(reader.findings))


def _mobile(text: str) -> tuple[tuple[str | None, str], list[Issue]]:
    number, country, issues = parse_mobile(text)
    return (number, country), issues


@dataclass(frozen=True)
class _Person:
    kind: str
    gender: str | None
    id_type: str | None
    id_no: str | None
    birth_date: date | None
    lunar_birthday: LunarDay | None
    under_14: bool


def _person(reader: Reader, name: str, today: date) -> _Person:
    id_type = reader.take("id_type", parse_id_type)
    identity = reader.take_value("id_no", lambda text: parse_identity(id_type, text))
    gender = reader.take("gender", parse_gender)
    if identity.id_type in COMPANY_ID_TYPES or (identity.born is None and is_company_name(name)):
        reader.add("name", [issue("company")])
        return _Person("company", None, identity.id_type, identity.id_no, None, None, under_14=False)
    lunar = reader.take_value("lunar_birthday", parse_lunar_cell)
    moved = lunar_in_solar(value_of(reader.cell("birth_date"))[0]) if reader.cell("birth_date") else None
    if moved is not None:
        birth_date = None
        reader.add("birth_date", [issue("lunar_in_solar")])
        if lunar is not None and lunar != moved:
            reader.add("lunar_birthday", [issue("lunar_conflict")])
    else:
        birth_date = reader.take_value("birth_date", lambda text: parse_past_date(text, today))
    _compare(reader, identity, birth_date, gender)
    under_14 = _is_minor(reader, birth_date, identity.born, today)
    return _Person("person", gender, identity.id_type, identity.id_no, birth_date, lunar or moved, under_14)


def _compare(reader: Reader, identity: Identity, birth_date: date | None, gender: str | None) -> None:
    if identity.born and birth_date and identity.born != birth_date:
        reader.add("birth_date", [issue("id_birth_differs")])
    if identity.sex and gender and identity.sex != gender:
        reader.add("gender", [issue("gender_differs")])


def _is_minor(reader: Reader, birth_date: date | None, born_by_id: date | None, today: date) -> bool:
    """Whether the client is under 14 by either date: in doubt the client is protected."""
    dates = [day for day in (birth_date, born_by_id) if day is not None and day <= today]
    if not dates:
        return False
    field = "birth_date" if birth_date else "id_no"
    under_14 = max(dates) > today - relativedelta(years=14)
    if under_14:
        reader.add(field, [issue("minor_14")])
    elif max(dates) > today - relativedelta(years=18):
        reader.add(field, [issue("minor_18")])
    return under_14


def content_digest(row: ClientRow, leave_out: frozenset[str] = frozenset()) -> bytes:
    """SHA-256 of what the row says of the client, without ``leave_out``, its place and its findings."""
    left_out = _NOT_CONTENT | leave_out
    content = [
        (field.name, repr(getattr(row, field.name))) for field in fields(row) if field.name not in left_out
    ]
    return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).digest()


def _sealed(row: ClientRow, findings: tuple[Finding, ...]) -> ClientRow:
    return replace(row, findings=findings, digest=content_digest(row))
