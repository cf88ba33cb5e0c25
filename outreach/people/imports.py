"""What was imported, and the file of what was not taken: for whoever imported it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select

from outreach.core.access import Permission, require
from outreach.core.errors import NotFound
from outreach.ledger.work import Work
from outreach.people.tables import import_run

_NIGHTLY = ("clients", "holdings", "dates")


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
    """The actor's own imports, newest first; for who imports for the whole firm, also those from the watched folder."""
    require(work.actor, Permission.IMPORT)
    rows = work.conn.execute(
        select(import_run).where(_mine(work)).order_by(import_run.c.id.desc()).limit(limit)
    )
    return [
        ImportLine(row.id, row.kind, row.file_name, row.at, dict(row.counts), row.rejects_path is not None)
        for row in rows
    ]


def _mine(work: Work) -> ColumnElement[bool]:
    own = import_run.c.by_staff_id == work.actor.staff_id
    if work.actor.scope(Permission.IMPORT) is not None:
        return own
    return or_(own, and_(import_run.c.by_staff_id.is_(None), import_run.c.kind.in_(_NIGHTLY)))


def rejects_of(work: Work, import_id: UUID) -> Path:
    """What an import of the actor's own did not take; from the watched folder also for who imports for the
    whole firm (it holds personal data).

    Raises NotFound when there is none, or when somebody else imported it.
    """
    require(work.actor, Permission.IMPORT)
    path = work.conn.execute(
        select(import_run.c.rejects_path).where(import_run.c.id == import_id, _mine(work))
    ).scalar_one_or_none()
    if not path or not Path(path).is_file():
        raise NotFound("There is no such file of rejected rows among your imports.", mend="Import it again.")
    return Path(path)
