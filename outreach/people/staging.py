"""The file in the database, before anything is decided: a temporary table that goes with the transaction."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from sqlalchemy import text

from outreach.core.database import driver
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from outreach.people.importing.client_row import ClientRow, Duplicate, Parsed, Rejected
from outreach.people.importing.findings import Finding

CHUNK = 5_000
_SHOWN = 200

# column of client -> (type, field of the file that fills it)
CLIENT_COLUMNS: dict[str, tuple[str, str]] = {
    "account_no": ("text", "account_no"),
    "name": ("text", "name"),
    "gender": ("text", "gender"),
    "kind": ("text", "name"),
    "id_type": ("text", "id_type"),
    "id_no": ("text", "id_no"),
    "id_expiry": ("date", "id_expiry"),
    "birth_date": ("date", "birth_date"),
    "lunar_month": ("int2", "lunar_birthday"),
    "lunar_day": ("int2", "lunar_birthday"),
    "lunar_leap": ("bool", "lunar_birthday"),
    "tier": ("text", "tier"),
    "risk_class": ("int2", "risk_level"),
    "risk_minimum": ("bool", "risk_level"),
    "assessed_on": ("date", "assessed_on"),
    "investor_class": ("text", "investor_class"),
    "opened_on": ("date", "opened_on"),
    "status": ("text", "status"),
    "deceased": ("bool", "name"),
    "test": ("bool", "name"),
    "advisor_no": ("text", "advisor_id"),
    "advisor_id": ("uuid", "advisor_id"),
    "consultant_id": ("uuid", "consultant_id"),
    "channel_preference": ("text", "channel"),
    "language": ("text", "language"),
    "address": ("text", "address"),
    "postcode": ("text", "postcode"),
    "margin_expiry": ("date", "margin_expiry"),
    "note": ("text", "note"),
    "branch_id": ("uuid", "branch"),
}
_STAGED = {
    "row": "int8",
    "id": "uuid",
    "client_no": "text",
    "row_digest": "bytea",
    "mobile": "text",
    "mobile_country": "text",
    "email": "text",
    "opt_out": "bool",
    "suppressed": "text[]",
    "kept": "text[]",  # fields whose cell could not be read: what is stored already stays
} | {name: kind for name, (kind, _) in CLIENT_COLUMNS.items()}


@dataclass
class Tally:
    """What reading a file came to."""

    rows: int = 0
    rejected: int = 0
    duplicates: int = 0
    warnings: int = 0
    suppressed: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)  # the first of them, to be shown


@dataclass(frozen=True)
class Places:
    """What the words of a file mean here: branch name or code -> id, staff number -> id."""

    branches: Mapping[str, UUID]
    staff: Mapping[str, UUID]
    allowed: frozenset[UUID] | None  # branches the actor may import for; None: all
    default: UUID | None  # for a file without a branch column


def stage_clients(
    work: Work,
    parsed: Iterable[Parsed],
    columns: Mapping[str, str],
    places: Places,
    keep: Callable[[Finding], None],
    progress: Callable[[int], None],
) -> Tally:
    """Read every row into the temporary table ``stage``; ``keep`` gets each finding that somebody must see.

    ``columns`` is field -> header as the file has it. ``progress`` gets the number of rows read so far.
    """
    work.conn.execute(text("DROP TABLE IF EXISTS stage"))
    declared = ", ".join(f"{name} {kind}" for name, kind in _STAGED.items())
    work.conn.execute(text(f"CREATE TEMPORARY TABLE stage ({declared}) ON COMMIT DROP"))
    tally = Tally()
    fields = {header: name for name, header in columns.items()}
    source = iter(parsed)
    while chunk := list(islice(source, CHUNK)):
        _copy(work, _rows(chunk, tally, fields, columns, places, keep))
        progress(tally.rows)
    work.conn.execute(text("CREATE UNIQUE INDEX ON stage (client_no)"))
    work.conn.execute(text("ANALYZE stage"))
    return tally


def refuse_foreign(
    work: Work,
    allowed: Collection[UUID],
    columns: Mapping[str, str],
    tally: Tally,
    keep: Callable[[Finding], None],
) -> None:
    """Take out what would move another branch's client here: only who imports for both may do that."""
    foreign = work.conn.execute(
        text(
            "DELETE FROM stage s USING client c WHERE c.client_no = s.client_no AND c.branch_id <> ALL(:allowed)"
            " RETURNING s.row, s.client_no, s.suppressed"
        ),
        {"allowed": list(allowed)},
    ).all()
    for row in sorted(foreign, key=lambda one: int(one.row)):
        finding = Finding(row.row, columns.get("client_no", ""), "branch_foreign", row.client_no)
        tally.rejected += 1
        for why in row.suppressed:
            tally.suppressed[why] -= 1
        keep(finding)
        if len(tally.findings) < _SHOWN:
            tally.findings.append(finding)


def _rows(
    chunk: list[Parsed],
    tally: Tally,
    fields: Mapping[str, str],
    columns: Mapping[str, str],
    places: Places,
    keep: Callable[[Finding], None],
) -> Iterator[tuple[object, ...]]:
    for item in chunk:
        tally.rows += 1
        branch = None
        if isinstance(item, ClientRow):
            branch, refused = _branch(item, columns, places)
            if refused is not None:
                item = Rejected(item.row, item.client_no, (*item.findings, refused))
        for finding in item.findings:
            if finding.severity != "info":
                tally.warnings += finding.severity == "warning"
                keep(finding)
                if len(tally.findings) < _SHOWN:
                    tally.findings.append(finding)
        if isinstance(item, Rejected):
            tally.rejected += 1
        elif isinstance(item, Duplicate):
            tally.duplicates += 1
        else:
            for why in item.suppressed:
                tally.suppressed[why] = tally.suppressed.get(why, 0) + 1
            kept = {
                fields.get(finding.column, "")
                for finding in item.warnings
                if finding.code != "advisor_unknown"
            }
            yield _staged(item, branch, sorted(kept), places)


def _branch(
    item: ClientRow, columns: Mapping[str, str], places: Places
) -> tuple[UUID | None, Finding | None]:
    """The row's branch, or why it can't be taken. A file without the column serves the importer's only branch."""
    column = columns.get("branch", "")
    if not item.branch:
        if places.default is None:
            return None, Finding(item.row, column, "branch_missing")
        return places.default, None
    found = places.branches.get(item.branch)
    if found is None:
        return None, Finding(item.row, column, "branch_unknown", item.branch)
    if places.allowed is not None and found not in places.allowed:
        return None, Finding(item.row, column, "branch_foreign", item.branch)
    return found, None


def _staged(
    item: ClientRow, branch: UUID | None, kept: Collection[str], places: Places
) -> tuple[object, ...]:
    lunar = item.lunar_birthday
    values: dict[str, object] = {
        name: getattr(item, name)
        for name in CLIENT_COLUMNS
        if name
        not in {
            "lunar_month",
            "lunar_day",
            "lunar_leap",
            "advisor_id",
            "consultant_id",
            "branch_id",
            "channel_preference",
        }
    }
    values |= {
        "row": item.row,
        "id": new_id(),
        "client_no": item.client_no,
        "row_digest": item.digest,
        "mobile": item.mobile,
        "mobile_country": item.mobile_country,
        "email": item.email,
        "opt_out": item.opt_out,
        "suppressed": list(item.suppressed),
        "kept": list(kept),
        "lunar_month": lunar.month if lunar else None,
        "lunar_day": lunar.day if lunar else None,
        "lunar_leap": lunar.leap if lunar else None,
        "advisor_id": places.staff.get(item.advisor_no) if item.advisor_no else None,
        "consultant_id": places.staff.get(item.consultant_no) if item.consultant_no else None,
        "channel_preference": item.channel,
        "branch_id": branch,
    }
    return tuple(values[name] for name in _STAGED)


def _copy(work: Work, rows: Iterable[tuple[object, ...]]) -> None:
    with (
        driver(work.conn).cursor() as cursor,
        cursor.copy(f"COPY stage ({', '.join(_STAGED)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(list(_STAGED.values()))
        for row in rows:
            copy.write_row(row)


@dataclass(frozen=True)
class Change:
    """One field of one client that the file changes."""

    row: int
    client_no: str
    column: str
    before: str | None
    after: str | None


def changing(columns: Mapping[str, str]) -> list[str]:
    """The columns of client that a file with these fields speaks of."""
    return [name for name, (_, source) in CLIENT_COLUMNS.items() if source in columns]


def value_of(name: str) -> str:
    """What ``name`` becomes: the file's value, or, where the cell could not be read, what is stored."""
    source = CLIENT_COLUMNS[name][1]
    return f"CASE WHEN '{source}' = ANY(s.kept) AND s.{name} IS NULL THEN c.{name} ELSE s.{name} END"


def changes(work: Work, columns: Mapping[str, str], limit: int = _SHOWN) -> list[Change]:
    """What the staged file would change of the clients that exist, field by field, the first ``limit``.

    Identity numbers are shown by their last four characters.
    """
    pairs = ", ".join(
        f"('{name}', {_shown('c', name)}, {_shown_value(name)}, c.{name} IS DISTINCT FROM {value_of(name)})"
        for name in changing(columns)
        if name not in {"advisor_id", "consultant_id", "branch_id", "kind"}
    )
    found = work.conn.execute(
        text(
            f"SELECT s.row, s.client_no, v.name, v.before, v.after FROM stage s JOIN client c USING (client_no)"
            f" CROSS JOIN LATERAL (VALUES {pairs}) AS v(name, before, after, changed)"
            " WHERE c.row_digest IS DISTINCT FROM s.row_digest AND v.changed ORDER BY s.row, v.name LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [Change(row.row, row.client_no, row.name, row.before, row.after) for row in found]


def _shown(table: str, name: str) -> str:
    return f"'…' || right({table}.{name}, 4)" if name == "id_no" else f"{table}.{name}::text"


def _shown_value(name: str) -> str:
    return "'…' || right(s.id_no, 4)" if name == "id_no" else f"({value_of(name)})::text"
