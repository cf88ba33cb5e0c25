"""What a person put right here and a file says otherwise: listed by branch, and decided by the branch's own people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_, update

from outreach.core import clock
from outreach.core.access import Permission, require, visible
from outreach.core.errors import BadInput, Conflict, NotFound
from outreach.core.events import ContactChanged, publish
from outreach.ledger.work import Work
from outreach.people.clashes import as_seen
from outreach.people.clients import in_scope
from outreach.people.consent import EVERY, opt_in
from outreach.people.correctable import TOUCHING, put_value
from outreach.people.corrections import (
    forget_correction,
    keep_correction,
    may_correct,
    record_correction,
    share_with_imports,
)
from outreach.people.masking import sees_addresses
from outreach.people.tables import (
    branch,
    client,
    client_correction,
    consent,
    import_conflict,
    import_run,
    staff,
)

WISH = "opt_out"
MOST_AT_ONCE = 500
_MEND = "Look at the list again; somebody else may have decided, or a newer file settled it."


@dataclass(frozen=True)
class ConflictLine:
    """An open conflict. ``by`` and ``corrected_at``: who put ours right and when (empty for a client's own wish).
    ``decides``: whether the actor may decide on it."""

    id: UUID
    client_id: UUID
    client_no: str
    client_name: str
    branch_id: UUID
    branch_name: str
    field: str
    ours: str
    theirs: str
    by: str
    corrected_at: datetime | None
    note: str
    file_name: str
    at: datetime
    decides: bool


def list_conflicts(
    work: Work,
    *,
    branch_id: UUID | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[ConflictLine]:
    """Open conflicts of the actor's clients, newest first; addresses are masked for who does not need them.

    ``after`` is the last line's instant and id of the page before.
    """
    require(work.actor, Permission.READ_CLIENTS)
    wanted = (
        _open(work)
        .with_only_columns(
            import_conflict,
            client.c.client_no,
            client.c.name.label("client_name"),
            client.c.branch_id.label("home_id"),
            branch.c.name.label("branch_name"),
            staff.c.name.label("by"),
            client_correction.c.at.label("corrected_at"),
            client_correction.c.note,
            import_run.c.file_name,
        )
        .join(branch, branch.c.id == client.c.branch_id)
        .join(import_run, import_run.c.id == import_conflict.c.import_id)
        .outerjoin(
            client_correction,
            (client_correction.c.client_id == import_conflict.c.client_id)
            & (client_correction.c.field == import_conflict.c.field),
        )
        .outerjoin(staff, staff.c.id == client_correction.c.by_staff_id)
        .order_by(import_conflict.c.at.desc(), import_conflict.c.id.desc())
        .limit(limit)
    )
    if branch_id is not None:
        wanted = wanted.where(client.c.branch_id == branch_id)
    if after is not None:
        wanted = wanted.where(tuple_(import_conflict.c.at, import_conflict.c.id) < after)
    return [
        ConflictLine(
            id=row.id,
            client_id=row.client_id,
            client_no=row.client_no,
            client_name=row.client_name,
            branch_id=row.home_id,
            branch_name=row.branch_name,
            field=row.field,
            ours=as_seen(work, row.home_id, row.field, row.ours),
            theirs=as_seen(work, row.home_id, row.field, row.theirs),
            by=row.by or "",
            corrected_at=row.corrected_at,
            note=row.note or "",
            file_name=row.file_name,
            at=row.at,
            decides=work.actor.may(Permission.COMPOSE, row.home_id)
            and sees_addresses(work.actor, row.home_id),
        )
        for row in work.conn.execute(wanted)
    ]


def conflicts_by_branch(work: Work) -> dict[UUID, int]:
    """How many are open in each branch of the actor's."""
    rows = work.conn.execute(
        _open(work)
        .with_only_columns(client.c.branch_id, func.count().label("number"))
        .group_by(client.c.branch_id)
    )
    return {row.branch_id: int(row.number) for row in rows}


def decide_conflicts(work: Work, conflict_ids: Sequence[UUID], *, take: bool, note: str = "") -> int:
    """Take the file's values, or keep ours; all of them or none. Returns how many were decided.

    Keeping makes the file's present value the one that ours is measured by, so that it is not asked again every night.
    Taking the file's word on an opt-out opts the client in, in the name of whoever decides. Raises NotFound for one
    beyond the actor's scope, Conflict for one that is decided already, Forbidden for who does not care for the client,
    BadInput for none or too many.
    """
    wanted = sorted(set(conflict_ids))
    if not 0 < len(wanted) <= MOST_AT_ONCE:
        raise BadInput("Nothing, or too much, is ticked.", mend=f"Tick 1 to {MOST_AT_ONCE} lines.")
    share_with_imports(work.conn)
    rows = work.conn.execute(
        select(import_conflict)
        .join(client, client.c.id == import_conflict.c.client_id)
        .where(import_conflict.c.id.in_(wanted), in_scope(work))
        .order_by(import_conflict.c.client_id, import_conflict.c.field)
        .with_for_update(of=import_conflict)
    ).all()
    if len(rows) != len(wanted):
        raise NotFound("There is no such conflict among your clients.", mend=_MEND)
    for row in rows:
        if row.state != "open":
            raise Conflict("One of these is decided already; nothing was changed.", mend=_MEND)
        _decide(work, row, take, note)
    return len(rows)


def decide_conflict(work: Work, conflict_id: UUID, *, take: bool, note: str = "") -> None:
    """``decide_conflicts`` for one."""
    decide_conflicts(work, [conflict_id], take=take, note=note)


def _decide(work: Work, conflict: Any, take: bool, note: str) -> None:
    row = work.conn.execute(select(client).where(client.c.id == conflict.client_id).with_for_update()).one()
    staff_id = may_correct(work, row)
    work.conn.execute(
        update(import_conflict)
        .where(import_conflict.c.id == conflict.id)
        .values(state="taken" if take else "kept", decided_by=staff_id, decided_at=clock.now())
    )
    if conflict.field == WISH:
        _decide_wish(work, conflict, take)
    elif take:
        put_value(work, row.id, conflict.field, conflict.theirs)
        forget_correction(work, row.id, conflict.field)
        if conflict.field in TOUCHING:
            publish(work, ContactChanged(row.id, "correction"))
    else:
        known = work.conn.execute(
            select(client_correction.c.note).where(
                client_correction.c.client_id == row.id, client_correction.c.field == conflict.field
            )
        ).scalar_one_or_none()
        keep_correction(work, row.id, conflict.field, conflict.ours, conflict.theirs, note or known or "")
    before, after = (conflict.ours, conflict.theirs) if take else (conflict.theirs, conflict.ours)
    record_correction(work, row, "taken" if take else "kept", conflict.field, before, after, note)


def _decide_wish(work: Work, conflict: Any, take: bool) -> None:
    evidence = f"import {conflict.import_id}"
    if take:
        opt_in(work, [conflict.client_id], source="page", evidence=evidence)
        return
    # The wish is a person's word from now on, no longer the file's: the next file does not ask again.
    work.conn.execute(
        update(consent)
        .where(
            consent.c.client_id == conflict.client_id,
            consent.c.channel == EVERY,
            consent.c.category == EVERY,
            consent.c.state == "opted_out",
        )
        .values(source="page", evidence=evidence)
    )


def _open(work: Work) -> Select[Any]:
    return (
        select(import_conflict.c.id)
        .join(client, client.c.id == import_conflict.c.client_id)
        .where(
            import_conflict.c.state == "open",
            in_scope(work),
            visible(work.actor, Permission.READ_CLIENTS, client.c.branch_id),
        )
    )
