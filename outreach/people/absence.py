"""Out of office, with dates: who is away, and who decides for them meanwhile (art. 63: a second person there must be).

A deputy gets the rights to decide and nothing else, and only where they may read in their own right.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, insert, or_, select, update

from outreach.core import clock
from outreach.core.access import Actor, Grant, Permission, Role
from outreach.core.database import AnyRow
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record, seal_bytes, unseal_many
from outreach.ledger.work import Work
from outreach.people.away import is_away, standing_in_for
from outreach.people.staff import actor_for, grants_of
from outreach.people.tables import absence, staff, staff_role

__all__ = [
    "Absence",
    "Colleague",
    "absences_of",
    "colleagues",
    "deputies_for",
    "end_absence",
    "is_away",
    "set_absence",
    "standing_in_for",
]

LONGEST = timedelta(days=366)
_LONGEST_NOTE = 200


@dataclass(frozen=True)
class Absence:
    """Somebody's time out of office. ``mine``: whether the reader may end it."""

    id: UUID
    staff_id: UUID
    name: str
    deputy_id: UUID | None
    deputy: str
    starts_at: datetime
    ends_at: datetime
    note: str
    mine: bool


@dataclass(frozen=True)
class Colleague:
    """Somebody in service."""

    id: UUID
    staff_no: str
    name: str


def set_absence(
    work: Work,
    staff_id: UUID,
    starts_at: datetime,
    ends_at: datetime,
    deputy_id: UUID | None = None,
    note: str = "",
) -> UUID:
    """Enter that somebody is out of office from ``starts_at`` until ``ends_at`` (aware); returns the absence's id.

    By themselves, their branch's manager or head office. Raises NotFound for who is not theirs, BadInput for times that
    don't fit or a deputy who can't be one, Conflict when they are away then already.
    """
    person = _theirs(work, staff_id)
    now = clock.now()
    if not starts_at < ends_at or ends_at <= now or ends_at - starts_at > LONGEST:
        raise BadInput(
            "An absence ends after it begins, after now, and lasts no longer than a year.",
            mend="Look at both times again.",
        )
    said = " ".join(note.split())
    if len(said) > _LONGEST_NOTE:
        raise BadInput("The note is too long.", mend=f"Write up to {_LONGEST_NOTE} characters.")
    if deputy_id is not None:
        _check_deputy(work, person, deputy_id)
    overlapping = work.conn.execute(
        select(absence.c.starts_at, absence.c.ends_at)
        .where(
            absence.c.staff_id == staff_id,
            absence.c.cancelled_at.is_(None),
            absence.c.starts_at < ends_at,
            absence.c.ends_at > starts_at,
        )
        .limit(1)
    ).one_or_none()
    if overlapping is not None:
        zone = work.settings.zone
        first, last = (at.astimezone(zone) for at in overlapping)
        raise Conflict(
            f"{person.name} is away from {first:%Y-%m-%d %H:%M} until {last:%Y-%m-%d %H:%M} already.",
            mend="End that absence first.",
        )
    identifier = new_id()
    sealed = seal_bytes(work, said.encode()) if said else None
    work.conn.execute(
        insert(absence).values(
            id=identifier,
            staff_id=staff_id,
            deputy_id=deputy_id,
            starts_at=starts_at,
            ends_at=ends_at,
            note_id=sealed.id if sealed else None,
            created_by=work.actor.staff_id,
            created_at=now,
        )
    )
    fields = {
        "action": "away",
        "owner_id": staff_id,
        "deputy_id": deputy_id,
        "started_at": starts_at,
        "expires_at": ends_at,
    }
    record(work, Entry("absence", fields, sealed=sealed, branch_id=_branch_of(work, staff_id)))
    return identifier


def end_absence(work: Work, absence_id: UUID) -> None:
    """They are back, or will not be away: at once nobody stands in for them.

    Raises NotFound beyond the actor's reach, Conflict when it is over.
    """
    found = work.conn.execute(
        select(absence).where(absence.c.id == absence_id).with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such absence that you may see.", mend="Read the list again.")
    _theirs(work, found.staff_id)
    now = clock.now()
    if found.cancelled_at is not None or found.ends_at <= now:
        raise Conflict("This absence is over.", mend="Read the list again.")
    work.conn.execute(
        update(absence)
        .where(absence.c.id == absence_id, absence.c.cancelled_at.is_(None))
        .values(cancelled_at=now, cancelled_by=work.actor.staff_id)
    )
    fields = {
        "action": "back",
        "owner_id": found.staff_id,
        "deputy_id": found.deputy_id,
        "started_at": found.starts_at,
        "expires_at": now,
    }
    record(work, Entry("absence", fields, branch_id=_branch_of(work, found.staff_id)))


def absences_of(work: Work, limit: int = 200) -> list[Absence]:
    """Who is or will be away, as far as it is the actor's matter, what begins first on top: their own absences, those
    in which they stand in, and those of the people of their branches."""
    deputy = staff.alias("deputy")
    rows = work.conn.execute(
        select(absence, staff.c.name, deputy.c.name.label("deputy_name"))
        .join(staff, staff.c.id == absence.c.staff_id)
        .outerjoin(deputy, deputy.c.id == absence.c.deputy_id)
        .where(
            absence.c.cancelled_at.is_(None),
            absence.c.ends_at > clock.now(),
            or_(
                absence.c.staff_id == work.actor.staff_id,
                absence.c.deputy_id == work.actor.staff_id,
                _near(work.actor, absence.c.staff_id),
            ),
        )
        .order_by(absence.c.starts_at, absence.c.id)
        .limit(limit)
    ).all()
    notes = unseal_many(work, [row.note_id for row in rows if row.note_id])
    leads = _led(work, {row.staff_id for row in rows})
    return [
        Absence(
            row.id,
            row.staff_id,
            row.name,
            row.deputy_id,
            row.deputy_name or "",
            row.starts_at,
            row.ends_at,
            notes.get(row.note_id, b"").decode(),
            row.staff_id == work.actor.staff_id or row.staff_id in leads,
        )
        for row in rows
    ]


def colleagues(work: Work) -> list[Colleague]:
    """For whom the actor may enter an absence: themselves first, then the people they lead, by name."""
    rows = work.conn.execute(
        select(staff.c.id, staff.c.staff_no, staff.c.name)
        .where(
            staff.c.status == "active",
            or_(staff.c.id == work.actor.staff_id, _near(work.actor, staff.c.id)),
        )
        .order_by(staff.c.id != work.actor.staff_id, staff.c.staff_no)
    ).all()
    leads = _led(work, {row.id for row in rows})
    return [Colleague(*row) for row in rows if row.id == work.actor.staff_id or row.id in leads]


def deputies_for(work: Work, staff_ids: Iterable[UUID], limit: int = 200) -> list[Colleague]:
    """Who may stand in for one of ``staff_ids`` at least (those not the actor's to decide on are left out): people who
    read there in their own right, by staff number."""
    on = clock.today(work.settings.zone)
    wanted = set(staff_ids) & {one.id for one in colleagues(work)}
    if not wanted:
        return []
    needs = {branch_id for one in wanted for branch_id in _branch_need(grants_of(work.conn, one, on))}
    reading = [role.value for role in Role if Grant(role).gives(Permission.READ_MESSAGES)]
    rows = work.conn.execute(
        select(staff.c.id, staff.c.staff_no, staff.c.name)
        .where(
            staff.c.status == "active",
            exists().where(
                staff_role.c.staff_id == staff.c.id,
                staff_role.c.role.in_(reading),
                or_(
                    staff_role.c.branch_id.is_(None),
                    staff_role.c.branch_id.in_(sorted(needs - {None}, key=str)),
                ),
            ),
        )
        .order_by(staff.c.staff_no)
        .limit(limit)
    ).all()
    return [Colleague(*row) for row in rows if wanted != {row.id}]


# ── whose matter it is ────────────────────────────────────────────────────────────────────────────────────


def _theirs(work: Work, staff_id: UUID) -> AnyRow:
    """The person, if the actor is they, leads their branch, or is head office. Raises NotFound, Forbidden."""
    if work.actor.staff_id is None:
        raise Forbidden("Only a person enters an absence.", mend="Sign in as yourself.")
    person = work.conn.execute(
        select(staff.c.id, staff.c.name, staff.c.person_key).where(
            staff.c.id == staff_id, staff.c.status == "active"
        )
    ).one_or_none()
    if person is None or (staff_id != work.actor.staff_id and staff_id not in _led(work, {staff_id})):
        raise NotFound(
            "There is no such member of staff whose absence you may enter.",
            mend="Everybody enters their own; a manager that of their branch, head office that of all.",
        )
    return person


def _led(work: Work, staff_ids: Iterable[UUID]) -> set[UUID]:
    """Those of ``staff_ids`` whom the actor leads in their own right: as head office everybody, as manager whoever has
    roles in the manager's branches only."""
    grants = work.actor.grants
    if any(one.role is Role.HEAD_OFFICE and one.branch_id is None for one in grants):
        return set(staff_ids)
    mine = {one.branch_id for one in grants if one.role is Role.MANAGER}
    if not mine:
        return set()
    on = clock.today(work.settings.zone)
    return {
        one
        for one in staff_ids
        if (roles := grants_of(work.conn, one, on)) and all(role.branch_id in mine for role in roles)
    }


def _near(actor: Actor, column: ColumnElement[UUID]) -> ColumnElement[bool]:
    """The condition that ``column`` names somebody with a role in one of the actor's branches."""
    branches = {one.branch_id for one in actor.grants}
    condition = exists().where(staff_role.c.staff_id == column)
    if None in branches:
        return condition
    return exists().where(
        staff_role.c.staff_id == column, staff_role.c.branch_id.in_(sorted(branches - {None}, key=str))
    )


def _check_deputy(work: Work, person: AnyRow, deputy_id: UUID) -> None:
    """Raise BadInput unless ``deputy_id`` may stand in for ``person``."""
    on = clock.today(work.settings.zone)
    try:
        deputy = actor_for(work.conn, deputy_id, on).in_own_right()
    except NotFound:
        raise BadInput("The deputy is not in service.", mend="Choose somebody else.") from None
    if deputy.person_key == person.person_key:
        raise BadInput("Nobody stands in for themselves.", mend="Choose another person.")
    if not _reads(deputy, _branch_need(grants_of(work.conn, person.id, on))):
        raise BadInput(
            f"{deputy.name} may not read what {person.name} decides on.",
            mend="Choose somebody who may read in the same branch, or in the whole firm.",
        )


def _branch_need(grants: tuple[Grant, ...]) -> frozenset[UUID | None]:
    """Where a deputy must be able to read: wherever the absent person reads or decides."""
    return frozenset(
        one.branch_id for one in grants if one.gives(Permission.DECIDE) or one.gives(Permission.READ_MESSAGES)
    )


def _reads(actor: Actor, need: frozenset[UUID | None]) -> bool:
    scope = actor.scope(Permission.READ_MESSAGES)
    return scope is None or need <= scope


def _branch_of(work: Work, staff_id: UUID) -> UUID | None:
    """The only branch somebody works in, for the record's scope."""
    branches = {one.branch_id for one in grants_of(work.conn, staff_id, clock.today(work.settings.zone))}
    return branches.pop() if len(branches) == 1 else None
