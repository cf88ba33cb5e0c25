"""What was imported, and the file of what was not taken: for whoever imported it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from outreach.core.access import Permission, require
from outreach.core.errors import NotFound
from outreach.ledger.work import Work
from outreach.people.tables import import_run


@dataclass(frozen=True)
class ImportLine:
    """One import in a list."""

    id: UUID
    kind: str
    file_name: str
    at: datetime
    counts: dict[str, Any]
    rejects: bool


def my_imports(work: Work, limit: int = 10) -> list[ImportLine]:
    """The actor's own imports, newest first."""
    require(work.actor, Permission.IMPORT)
    rows = work.conn.execute(
        select(import_run)
        .where(import_run.c.by_staff_id == work.actor.staff_id)
        .order_by(import_run.c.id.desc())
        .limit(limit)
    )
    return [
        ImportLine(row.id, row.kind, row.file_name, row.at, dict(row.counts), row.rejects_path is not None)
        for row in rows
    ]


def rejects_of(work: Work, import_id: UUID) -> Path:
    """The file of what an import of the actor's own did not take (it holds personal data).

    Raises NotFound when there is none, or when somebody else imported it.
    """
    require(work.actor, Permission.IMPORT)
    path = work.conn.execute(
        select(import_run.c.rejects_path).where(
            import_run.c.id == import_id, import_run.c.by_staff_id == work.actor.staff_id
        )
    ).scalar_one_or_none()
    if not path or not Path(path).is_file():
        raise NotFound("There is no such file of rejected rows among your imports.", mend="Import it again.")
    return Path(path)
