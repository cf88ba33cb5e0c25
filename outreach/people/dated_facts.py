"""Importing dated facts: a product's maturity, a warrant's expiry, whatever date the institution's jobs go by.

What a file names is added to what is there; a fact ends only by a row that says so (``withdrawn``), never by its
absence: files come from several systems, and none knows all of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, insert, text

from outreach.content.formats import ClientDateTrigger
from outreach.content.in_force import anything_published, jobs_in_force
from outreach.core import clock
from outreach.core.access import Actor, Permission, require
from outreach.core.database import driver
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener, Work
from outreach.people.importing.client_row import Duplicate, Rejected
from outreach.people.importing.dated_facts import inspect_dates, parse_dates
from outreach.people.importing.findings import Finding
from outreach.people.importing.rejects import write_rejects
from outreach.people.importing.spool import Spool
from outreach.people.left import settle_waiting
from outreach.people.tables import import_run

_CHUNK = 10_000
_SHOWN = 200


@dataclass(frozen=True)
class DatesResult:
    """What an import of dated facts did; ``rejects`` is the file of what was not taken, or None.

    ``withdrawn`` counts facts that were there and ended; ``kinds`` the rows of each kind that was taken; ``findings``
    are the first of what was found, the file has all.
    """

    import_id: UUID | None
    rows: int
    new: int
    withdrawn: int
    unchanged: int
    rejected: int
    duplicates: int
    rejects: Path | None
    kinds: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    @property
    def changed(self) -> int:
        """As other imports count: what was there and is different now."""
        return self.withdrawn


def preview_dates(open_work: Opener, actor: Actor, path: Path) -> DatesResult:
    """What importing the file would do; stores nothing. Raises BadInput for a file that can't be read."""
    with Spool() as spool, open_work(actor) as work:
        return _counted(work, path, spool)


def import_dates(
    open_work: Opener,
    actor: Actor,
    path: Path,
    *,
    look: Callable[[DatesResult, bytes], None] = lambda _result, _sha256: None,
) -> DatesResult:
    """Import dated facts in one transaction; the same file again changes nothing.

    ``look`` is shown what it would do, and the file's SHA-256, before anything is stored: what it raises takes the
    import back. A row for a client nobody knows, or beyond the actor's branches, is refused and told. Raises
    BadInput for a file that can't be read.
    """
    import_id = new_id()
    with Spool() as spool, open_work(actor) as work:
        counted = _counted(work, path, spool)
        facts = inspect_dates(path)
        look(counted, facts.sha256)
        folder = work.settings.home / "imports"
        folder.mkdir(parents=True, exist_ok=True)
        rejects = folder / f"{import_id}.csv" if spool.count else None
        work.conn.execute(
            insert(import_run).values(
                id=import_id,
                kind="dates",
                file_name=path.name,
                file_sha256=facts.sha256,
                encoding=facts.encoding,
                counts={
                    "rows": counted.rows,
                    "new": counted.new,
                    "changed": counted.withdrawn,
                    "kinds": dict(counted.kinds),
                },
                rejects_path=str(rejects) if rejects else None,
                by_staff_id=actor.staff_id,
                at=clock.now(),
            )
        )
        _store(work.conn, str(import_id))
        record(
            work,
            Entry(
                "import",
                {
                    "import_id": import_id,
                    "object": "dates",
                    "file_digest": facts.sha256,
                    "rows": counted.rows,
                    "rejected": counted.rejected,
                    "changed": counted.new + counted.withdrawn,
                },
            ),
        )
        settle_waiting(work, "dates", facts.sha256)
        if rejects:
            write_rejects(rejects, spool, work.settings.locale)
    return DatesResult(**{**vars(counted), "import_id": import_id, "rejects": rejects})


def _store(conn: Connection, source: str) -> None:
    conn.execute(
        text(
            "INSERT INTO client_date (client_id, kind, on_date, subject, source, at)"
            " SELECT client_id, kind, on_date, subject, :source, :now FROM stage_date WHERE verdict = 'new'"
            " ON CONFLICT DO NOTHING"
        ),
        {"source": source, "now": clock.now()},
    )
    conn.execute(
        text(
            "DELETE FROM client_date d USING stage_date s WHERE s.verdict = 'withdrawn'"
            " AND (d.client_id, d.kind, d.on_date, d.subject) = (s.client_id, s.kind, s.on_date, s.subject)"
        )
    )


def _counted(work: Work, path: Path, spool: Spool) -> DatesResult:
    require(work.actor, Permission.IMPORT)
    conn = work.conn
    conn.execute(
        text(
            "CREATE TEMPORARY TABLE stage_date (row_number int8, client_no text, kind text, on_date date,"
            " subject text, withdrawn boolean, client_id uuid, verdict text) ON COMMIT DROP"
        )
    )
    used = _kinds_of_jobs(conn)
    rows = rejected = duplicates = 0
    parsed = parse_dates(path)
    while chunk := list(islice(parsed, _CHUNK)):
        rows += len(chunk)
        with (
            driver(conn).cursor() as cursor,
            cursor.copy(
                "COPY stage_date (row_number, client_no, kind, on_date, subject, withdrawn) FROM STDIN"
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
                    if used is not None and item.kind not in used and not item.withdrawn:
                        spool.keep(Finding(item.row, "kind", "fact_kind_unused", item.kind))
                    copy.write_row(
                        (item.row, item.client_no, item.kind, item.on_date, item.subject, item.withdrawn)
                    )
    unknown = _judge(work, spool)
    counts = conn.execute(
        text(
            "SELECT count(*) FILTER (WHERE verdict = 'new') AS new,"
            " count(*) FILTER (WHERE verdict = 'withdrawn') AS withdrawn,"
            " count(*) FILTER (WHERE verdict = 'unchanged') AS unchanged FROM stage_date"
        )
    ).one()
    kinds = conn.execute(
        text(
            "SELECT kind, count(*) AS n FROM stage_date WHERE client_id IS NOT NULL GROUP BY kind ORDER BY kind"
        )
    )
    return DatesResult(
        import_id=None,
        rows=rows,
        new=counts.new,
        withdrawn=counts.withdrawn,
        unchanged=counts.unchanged,
        rejected=rejected + unknown,
        duplicates=duplicates,
        rejects=None,
        kinds={row.kind: row.n for row in kinds},
        findings=tuple(islice(spool, _SHOWN)),
    )


def _kinds_of_jobs(conn: Connection) -> frozenset[str] | None:
    """The kinds that jobs in force go by; None before the first publication."""
    if not anything_published(conn):
        return None
    triggers = [job.meta.trigger for job in jobs_in_force(conn)]
    return frozenset(one.fact for one in triggers if isinstance(one, ClientDateTrigger) and one.fact)


def _judge(work: Work, spool: Spool) -> int:
    """Find each row's client and what it comes to; how many rows have none within the actor's branches."""
    conn, scope = work.conn, work.actor.scope(Permission.IMPORT)
    conn.execute(
        text(
            "UPDATE stage_date s SET client_id = c.id FROM client c WHERE c.client_no = s.client_no"
            " AND (CAST(:scope AS uuid[]) IS NULL OR c.branch_id = ANY(:scope))"
        ),
        {"scope": None if scope is None else list(scope)},
    )
    conn.execute(
        text(
            "UPDATE stage_date s SET verdict = CASE WHEN s.withdrawn = (known.client_id IS NULL) THEN 'unchanged'"
            " WHEN s.withdrawn THEN 'withdrawn' ELSE 'new' END"
            " FROM stage_date same LEFT JOIN client_date known USING (client_id, kind, on_date, subject)"
            " WHERE same.row_number = s.row_number AND s.client_id IS NOT NULL"
        )
    )
    unknown = conn.execute(
        text("SELECT row_number, client_no FROM stage_date WHERE client_id IS NULL ORDER BY row_number")
    ).all()
    for row in unknown:
        spool.keep(Finding(row.row_number, "client_no", "client_unknown", row.client_no))
    return len(unknown)
