"""Importing holdings: who holds what, for the audience of reports and events."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from uuid import UUID

from sqlalchemy import insert, text

from outreach.core import clock
from outreach.core.access import Actor, Permission, require
from outreach.core.database import driver
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener, Work
from outreach.people.importing.client_row import Duplicate, Rejected
from outreach.people.importing.findings import Finding
from outreach.people.importing.holdings import inspect_holdings, parse_holdings
from outreach.people.importing.rejects import write_rejects
from outreach.people.importing.spool import Spool
from outreach.people.left import settle_waiting
from outreach.people.tables import import_run

_CHUNK = 10_000
_SHOWN = 200


@dataclass(frozen=True)
class HoldingsResult:
    """What an import of holdings did; ``rejects`` is the file of what was not taken, or None.

    ``findings`` are the first of what was found; the file has all.
    """

    import_id: UUID | None
    rows: int
    new: int
    changed: int
    unchanged: int
    rejected: int
    duplicates: int
    rejects: Path | None
    findings: tuple[Finding, ...] = field(default=(), repr=False)


def preview_holdings(open_work: Opener, actor: Actor, path: Path) -> HoldingsResult:
    """What importing the file would do; stores nothing. Raises BadInput for a file that can't be read."""
    with Spool() as spool, open_work(actor) as work:
        return _counted(work, path, spool)


def import_holdings(
    open_work: Opener,
    actor: Actor,
    path: Path,
    *,
    look: Callable[[HoldingsResult, bytes], None] = lambda _result, _sha256: None,
) -> HoldingsResult:
    """Import holdings in one transaction; the same file again changes nothing.

    ``look`` is shown what it would do, and the file's SHA-256, before anything is stored: what it raises takes the
    import back.

    A row for a client nobody knows, or beyond the actor's branches, is refused and told. An older date never
    replaces a newer one.
    """
    import_id = new_id()
    with Spool() as spool, open_work(actor) as work:
        counted = _counted(work, path, spool)
        facts = inspect_holdings(path)
        look(counted, facts.sha256)
        folder = work.settings.home / "imports"
        folder.mkdir(parents=True, exist_ok=True)
        rejects = folder / f"{import_id}.csv" if spool.count else None
        work.conn.execute(
            insert(import_run).values(
                id=import_id,
                kind="holdings",
                file_name=path.name,
                file_sha256=facts.sha256,
                encoding=facts.encoding,
                counts={"rows": counted.rows, "new": counted.new, "changed": counted.changed},
                rejects_path=str(rejects) if rejects else None,
                by_staff_id=actor.staff_id,
                at=clock.now(),
            )
        )
        work.conn.execute(
            text(
                "INSERT INTO holding (client_id, code, quantity, as_of)"
                " SELECT client_id, code, quantity, as_of FROM stage_holding WHERE verdict IN ('new', 'changed')"
                " ON CONFLICT (client_id, code) DO UPDATE SET quantity = excluded.quantity, as_of = excluded.as_of"
            )
        )
        record(
            work,
            Entry(
                "import",
                {
                    "import_id": import_id,
                    "object": "holdings",
                    "file_digest": facts.sha256,
                    "rows": counted.rows,
                    "rejected": counted.rejected,
                    "changed": counted.new + counted.changed,
                },
            ),
        )
        settle_waiting(work, "holdings", facts.sha256)
        if rejects:
            write_rejects(rejects, spool, work.settings.locale)
    return HoldingsResult(**{**vars(counted), "import_id": import_id, "rejects": rejects})


def _counted(work: Work, path: Path, spool: Spool) -> HoldingsResult:
    require(work.actor, Permission.IMPORT)
    conn = work.conn
    conn.execute(
        text(
            "CREATE TEMPORARY TABLE stage_holding (row_number int8, client_no text, code text, quantity numeric,"
            " as_of date, client_id uuid, verdict text) ON COMMIT DROP"
        )
    )
    rows = rejected = duplicates = 0
    parsed = parse_holdings(path, today=clock.today(work.settings.zone))
    while chunk := list(islice(parsed, _CHUNK)):
        rows += len(chunk)
        with (
            driver(conn).cursor() as cursor,
            cursor.copy(
                "COPY stage_holding (row_number, client_no, code, quantity, as_of) FROM STDIN"
            ) as copy,
        ):
            for item in chunk:
                for finding in item.findings:
                    if finding.severity != "info":
                        spool.keep(finding)
                if isinstance(item, Rejected):
                    rejected += 1
                elif isinstance(item, Duplicate):
                    duplicates += 1
                else:
                    copy.write_row((item.row, item.client_no, item.code, item.quantity, item.as_of))
    scope = work.actor.scope(Permission.IMPORT)
    conn.execute(
        text(
            "UPDATE stage_holding s SET client_id = c.id FROM client c WHERE c.client_no = s.client_no"
            " AND (CAST(:scope AS uuid[]) IS NULL OR c.branch_id = ANY(:scope))"
        ),
        {"scope": None if scope is None else list(scope)},
    )
    # Of several rows for one client and code the latest date counts.
    conn.execute(
        text(
            "UPDATE stage_holding s SET verdict = CASE WHEN h.client_id IS NULL THEN 'new'"
            " WHEN h.as_of > s.as_of OR (h.quantity, h.as_of) = (s.quantity, s.as_of) THEN 'unchanged'"
            " ELSE 'changed' END"
            " FROM (SELECT DISTINCT ON (client_id, code) row_number, client_id, code FROM stage_holding"
            "        WHERE client_id IS NOT NULL ORDER BY client_id, code, as_of DESC, row_number DESC) latest"
            " LEFT JOIN holding h USING (client_id, code)"
            " WHERE s.row_number = latest.row_number"
        )
    )
    unknown = conn.execute(
        text("SELECT row_number, client_no FROM stage_holding WHERE client_id IS NULL ORDER BY row_number")
    ).all()
    for row in unknown:
        spool.keep(Finding(row.row_number, "client_no", "client_unknown", row.client_no))
    counts = conn.execute(
        text(
            "SELECT count(*) FILTER (WHERE verdict = 'new') AS new,"
            " count(*) FILTER (WHERE verdict = 'changed') AS changed,"
            " count(*) FILTER (WHERE verdict = 'unchanged') AS unchanged FROM stage_holding"
        )
    ).one()
    return HoldingsResult(
        import_id=None,
        rows=rows,
        new=counts.new,
        changed=counts.changed,
        unchanged=counts.unchanged,
        rejected=rejected + len(unknown),
        duplicates=duplicates,
        rejects=None,
        findings=tuple(islice(spool, _SHOWN)),
    )
