"""Importing clients: a preview that stores nothing, then one transaction that stores everything."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, insert, select, text

from outreach.core import clock
from outreach.core.access import Actor, Permission, require, visible
from outreach.core.database import driver
from outreach.core.events import ClientsImported, ContactChanged, publish
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener, Work
from outreach.occasions.birthdays import birth_monthdays_on
from outreach.occasions.lunar import lunar_days_of
from outreach.people.clashes import Clashes, find_clashes, store_clashes
from outreach.people.consent import opt_out
from outreach.people.corrections import shut_out_corrections
from outreach.people.importing.findings import Finding
from outreach.people.importing.rejects import write_rejects
from outreach.people.importing.rows import ClientFile, inspect_clients, parse_clients
from outreach.people.importing.spool import Spool
from outreach.people.left import settle_waiting
from outreach.people.staff import branches, staff_numbers
from outreach.people.staging import (
    Change,
    Places,
    Tally,
    changes,
    changing,
    refuse_foreign,
    stage_clients,
    value_of,
)
from outreach.people.tables import client, import_run

Progress = Callable[[int], None]


@dataclass(frozen=True)
class ImportPreview:
    """What a client file says and would do. Nothing of it is stored."""

    file_name: str
    encoding: str
    sha256: bytes
    rows: int
    new: int
    changed: int
    unchanged: int
    rejected: int
    duplicates: int
    warnings: int
    birthdays_today: int
    orphans: int  # VIP and core clients without an advisor in service (art. 55)
    expired_assessments: int
    suppressed: dict[str, int]
    changes: list[Change] = field(repr=False)
    findings: list[Finding] = field(repr=False)
    ending: int = 0  # clients in good standing whom the file closes or says have died
    known: int = 0  # clients there are already, within the actor's branches
    clashes: Clashes = field(default_factory=Clashes)  # with what a person put right here


@dataclass(frozen=True)
class ImportResult:
    """What an import did. ``rejects`` is the file of what was not taken, or None when everything was."""

    import_id: UUID
    preview: ImportPreview
    rejects: Path | None


def preview_import(
    open_work: Opener, actor: Actor, path: Path, *, name: str = "", progress: Progress = lambda _: None
) -> ImportPreview:
    """Read the whole file and say what importing it would do; stores nothing.

    Raises BadInput for a file that can't be read, Forbidden for an actor who may not import.
    """
    with open_work(actor) as work:
        file, tally = _read(work, path, lambda _: None, progress)
        clashes = find_clashes(work, file.columns)
        return _preview(work, file, tally, clashes, name or path.name)


def apply_import(
    open_work: Opener,
    actor: Actor,
    path: Path,
    *,
    name: str = "",
    progress: Progress = lambda _: None,
    look: Callable[[ImportPreview], None] = lambda _: None,
) -> ImportResult:
    """Import the file in one transaction: every row that is sound, or, when anything fails, none.

    ``look`` is shown the preview before anything is stored: what it raises takes the import back.

    The same file again changes nothing. Findings are kept, and written to a file beside the others in
    ``OUTREACH_HOME/imports``.
    """
    import_id = new_id()
    folder = _rejects_folder(open_work, actor)
    rejects = folder / f"{import_id}.csv"
    with Spool() as spool, open_work(actor) as work:
        file, tally = _read(work, path, spool.keep, progress)
        shut_out_corrections(work.conn)
        clashes = find_clashes(work, file.columns)
        preview = _preview(work, file, tally, clashes, name or path.name)
        look(preview)
        work.conn.execute(
            insert(import_run).values(
                id=import_id,
                kind="clients",
                file_name=preview.file_name,
                file_sha256=file.facts.sha256,
                encoding=file.facts.encoding,
                counts={
                    "rows": preview.rows,
                    "new": preview.new,
                    "changed": preview.changed,
                    "unchanged": preview.unchanged,
                    "rejected": preview.rejected,
                    "duplicates": preview.duplicates,
                    "warnings": preview.warnings,
                    "conflicts": clashes.conflicts,
                    "settled": clashes.settled,
                },
                rejects_path=str(rejects) if spool.count else None,
                by_staff_id=actor.staff_id,
                at=clock.now(),
            )
        )
        _store_findings(work, import_id, spool)
        _store(work, file)
        store_clashes(work, import_id, file.columns)
        settle_waiting(work, "clients", file.facts.sha256)
        record(
            work,
            Entry(
                "import",
                {
                    "import_id": import_id,
                    "object": "clients",
                    "file_digest": file.facts.sha256,
                    "rows": preview.rows,
                    "accepted": preview.new + preview.changed + preview.unchanged,
                    "rejected": preview.rejected,
                    "changed": preview.changed,
                    "conflicts": clashes.conflicts,
                },
            ),
        )
        publish(work, ClientsImported(import_id, preview.new))
        # Written before the commit: a full disk takes the import back instead of losing what was refused.
        if spool.count:
            write_rejects(rejects, spool, work.settings.locale)
    return ImportResult(import_id, preview, rejects if spool.count else None)


def _rejects_folder(open_work: Opener, actor: Actor) -> Path:
    with open_work(actor) as work:
        require(actor, Permission.IMPORT)
        folder = work.settings.home / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(
    work: Work, path: Path, keep: Callable[[Finding], None], progress: Progress
) -> tuple[ClientFile, Tally]:
    require(work.actor, Permission.IMPORT)
    file = inspect_clients(path)
    scope = work.actor.scope(Permission.IMPORT)
    numbers = staff_numbers(work.conn)
    places = Places(
        branches=branches(work.conn),
        staff=numbers,
        allowed=scope,
        default=next(iter(scope)) if scope is not None and len(scope) == 1 else None,
    )
    parsed = parse_clients(path, known_advisors=numbers.keys(), today=clock.today(work.settings.zone))
    tally = stage_clients(work, parsed, file.columns, places, keep, progress)
    if scope is not None:
        refuse_foreign(work, scope, file.columns, tally, keep)
    return file, tally


_COUNTS = text(
    """
    SELECT count(*) FILTER (WHERE c.id IS NULL) AS new,
           count(*) FILTER (WHERE c.id IS NOT NULL AND c.row_digest IS DISTINCT FROM s.row_digest) AS changed,
           count(*) FILTER (WHERE c.row_digest = s.row_digest) AS unchanged,
           count(*) FILTER (WHERE s.tier <> 'ordinary' AND s.advisor_id IS NULL AND cardinality(s.suppressed) = 0)
               AS orphans,
           count(*) FILTER (WHERE s.assessed_on + interval '2 years' < :today AND cardinality(s.suppressed) = 0)
               AS expired,
           count(*) FILTER (WHERE c.status <> 'closed' AND NOT c.deceased AND (s.status = 'closed' OR s.deceased))
               AS ending,
           count(*) FILTER (WHERE s.kind = 'person' AND cardinality(s.suppressed) = 0 AND (
               CASE WHEN s.lunar_month IS NULL
                    THEN to_char(s.birth_date, 'MM-DD') = ANY(:days)
                    ELSE format('%s-%s-%s', s.lunar_month, s.lunar_day, s.lunar_leap) = ANY(:lunar_days) END))
               AS birthdays
      FROM stage s LEFT JOIN client c USING (client_no)
    """
)


def _preview(work: Work, file: ClientFile, tally: Tally, clashes: Clashes, name: str) -> ImportPreview:
    today = clock.today(work.settings.zone)
    counts = work.conn.execute(
        _COUNTS,
        {
            "today": today,
            "days": [f"{month:02d}-{day:02d}" for month, day in birth_monthdays_on(today)],
            "lunar_days": [
                f"{day.month}-{day.day}-{'t' if day.leap else 'f'}" for day in lunar_days_of(today)
            ],
        },
    ).one()
    return ImportPreview(
        file_name=name,
        encoding=file.facts.encoding,
        sha256=file.facts.sha256,
        rows=tally.rows,
        new=counts.new,
        changed=counts.changed,
        unchanged=counts.unchanged,
        rejected=tally.rejected,
        duplicates=tally.duplicates,
        warnings=tally.warnings,
        birthdays_today=counts.birthdays,
        orphans=counts.orphans,
        expired_assessments=counts.expired,
        suppressed=tally.suppressed,
        changes=changes(work, file.columns),
        findings=tally.findings,
        ending=counts.ending,
        known=work.conn.execute(
            select(func.count())
            .select_from(client)
            .where(visible(work.actor, Permission.IMPORT, client.c.branch_id))
        ).scalar_one(),
        clashes=clashes,
    )


# Whether what waits for a client must be looked at again.
_TOUCHED = text(
    """
    SELECT c.id FROM stage s JOIN client c USING (client_no)
     WHERE c.row_digest IS DISTINCT FROM s.row_digest
       AND ((c.status, c.deceased, c.test, c.kind) IS DISTINCT FROM (s.status, s.deceased, s.test, s.kind)
            OR c.risk_class IS DISTINCT FROM s.risk_class OR c.assessed_on IS DISTINCT FROM s.assessed_on
            OR c.birth_date IS DISTINCT FROM s.birth_date
            OR EXISTS (SELECT FROM contact_point p WHERE p.client_id = c.id AND p.active
                          AND p.address NOT IN (coalesce(s.mobile, ''), coalesce(s.email, ''))))
     ORDER BY c.id
    """
)


def _store(work: Work, file: ClientFile) -> None:
    now = clock.now()
    touched = list(work.conn.execute(_TOUCHED).scalars())
    names = changing(file.columns)
    mine = sorted({*names, "branch_id"})
    listed = ", ".join(mine)
    assignments = ", ".join(
        f"{name} = {value_of(name)}" for name in names if name != "branch_id" or "branch" in file.columns
    )
    work.conn.execute(
        text(
            "CREATE TEMPORARY TABLE touched ON COMMIT DROP AS "
            "SELECT s.client_no FROM stage s LEFT JOIN client c USING (client_no)"
            " WHERE c.id IS NULL OR c.row_digest IS DISTINCT FROM s.row_digest"
        )
    )
    work.conn.execute(
        text(
            f"UPDATE client c SET {assignments}, row_digest = s.row_digest, updated_at = :now"
            " FROM stage s WHERE s.client_no = c.client_no AND c.row_digest IS DISTINCT FROM s.row_digest"
        ),
        {"now": now},
    )
    work.conn.execute(
        text(
            f"INSERT INTO client (id, client_no, row_digest, created_at, updated_at, {listed})"
            f" SELECT s.id, s.client_no, s.row_digest, :now, :now, {', '.join(f's.{name}' for name in mine)}"
            " FROM stage s WHERE NOT EXISTS (SELECT FROM client c WHERE c.client_no = s.client_no)"
        ),
        {"now": now},
    )
    for channel, column in (("sms", "mobile"), ("email", "email")):
        if column in file.columns:
            _store_addresses(work, channel, column)
    _store_wishes(work, file)
    for client_id in touched:
        publish(work, ContactChanged(client_id, "import"))


def _store_addresses(work: Work, channel: str, column: str) -> None:
    """The file's address becomes the active one; a cell that could not be read leaves the address as it is."""
    country = "s.mobile_country" if column == "mobile" else "''"
    work.conn.execute(
        text(
            "UPDATE contact_point p SET active = (p.address = s.value) FROM (SELECT c.id AS client_id,"
            f" coalesce(s.{column}, '') AS value FROM stage s JOIN touched USING (client_no)"
            " JOIN client c USING (client_no)"
            f" WHERE NOT (s.{column} IS NULL AND :column = ANY(s.kept))) s"
            " WHERE p.client_id = s.client_id AND p.channel = :channel AND p.active <> (p.address = s.value)"
        ),
        {"column": column, "channel": channel},
    )
    work.conn.execute(
        text(
            "INSERT INTO contact_point (id, client_id, channel, address, country)"
            f" SELECT gen_random_uuid(), c.id, :channel, s.{column}, {country}"
            " FROM stage s JOIN touched USING (client_no) JOIN client c USING (client_no)"
            f" WHERE s.{column} IS NOT NULL ON CONFLICT (client_id, channel, address) DO NOTHING"
        ),
        {"channel": channel},
    )


def _store_wishes(work: Work, file: ClientFile) -> None:
    """拒收标志: the file may opt a client out. It never opts in: what it takes back is a conflict (``clashes``)."""
    if "opt_out" not in file.columns:
        return
    out = work.conn.execute(
        text(
            "SELECT c.id FROM stage s JOIN touched USING (client_no) JOIN client c USING (client_no) WHERE s.opt_out"
        )
    ).scalars()
    opt_out(work, list(out), source="import", evidence=f"sha256:{file.facts.sha256.hex()}")


def _store_findings(work: Work, import_id: UUID, spool: Spool) -> None:
    locale = work.settings.locale
    with (
        driver(work.conn).cursor() as cursor,
        cursor.copy(
            "COPY import_finding (import_id, number, row_number, column_name, code, severity, message, mend)"
            " FROM STDIN"
        ) as copy,
    ):
        for number, finding in enumerate(spool, 1):
            # The value itself stays out: it may be personal data, and is in the file for whoever imports.
            words = (finding.severity, finding.message(locale), finding.mend(locale))
            copy.write_row((import_id, number, finding.row, finding.column, finding.code, *words))
