"""Settling a file that was left for a person, by whichever way its content was imported."""

from sqlalchemy import update

from outreach.core import clock
from outreach.ledger.work import Work
from outreach.people.tables import import_waiting


def settle_waiting(work: Work, kind: str, sha256: bytes) -> None:
    """Note that what waited under this digest was imported by the actor."""
    work.conn.execute(
        update(import_waiting)
        .where(
            import_waiting.c.kind == kind,
            import_waiting.c.file_sha256 == sha256,
            import_waiting.c.state == "waiting",
        )
        .values(state="applied", decided_by=work.actor.staff_id, decided_at=clock.now())
    )
