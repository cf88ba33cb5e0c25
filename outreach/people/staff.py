"""Branches and staff, and the Actor that a member of staff is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, or_, select, text

from outreach.core import clock
from outreach.core.access import Actor, Grant, Permission, Role, require
from outreach.core.errors import BadInput, NotFound
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from outreach.people.away import standing_in_for
from outreach.people.tables import branch, staff, staff_role


@dataclass(frozen=True)
class NewBranch:
    """A branch as it is entered; ``code`` and ``name`` are unique."""

    code: str
    name: str
    name_en: str
    phone: str = ""
    complaint_phone: str = ""
    email: str = ""
    address: str = ""
    time_zone: str = "Asia/Shanghai"


@dataclass(frozen=True)
class NewStaff:
    """A member of staff as entered. ``roles`` pairs a role with a branch (None: the firm).

    ``person_key`` names the natural person: two accounts of one person share it (P2). By default the staff
    number.
    """

    staff_no: str
    name: str
    roles: Sequence[tuple[Role, UUID | None]]
    name_en: str = ""
    email: str = ""
    phone: str = ""
    securities_licence: str = ""
    securities_expires: date | None = None
    advisory_licence: str = ""
    advisory_expires: date | None = None
    language: str = "zh-CN"
    person_key: str = ""


def add_branch(work: Work, new: NewBranch) -> UUID:
    """Add a branch; returns its id. Raises Forbidden unless the actor runs the firm."""
    require(work.actor, Permission.RUN_JOBS)
    identifier = new_id()
    work.conn.execute(insert(branch).values(id=identifier, **vars(new)))
    return identifier


def add_staff(work: Work, new: NewStaff) -> UUID:
    """Add a member of staff with roles; returns the id. Raises Forbidden unless the actor runs the firm."""
    require(work.actor, Permission.RUN_JOBS)
    if not new.roles:
        raise BadInput(f"{new.staff_no} has no role.", mend="Give at least one role.")
    identifier = new_id()
    fields = {key: value for key, value in vars(new).items() if key != "roles"}
    fields["person_key"] = new.person_key or new.staff_no
    work.conn.execute(insert(staff).values(id=identifier, **fields))
    work.conn.execute(
        insert(staff_role),
        [
            {"id": new_id(), "staff_id": identifier, "role": role.value, "branch_id": branch_id}
            for role, branch_id in new.roles
        ],
    )
    return identifier


def actor_for(conn: Connection, staff_id: UUID, on: date, at: datetime | None = None) -> Actor:
    """The Actor that a member of staff is on the civil date ``on`` (roles have dates), with what they may decide for
    whoever is out of office at the instant ``at`` (by default now).

    Raises NotFound when there is no such person or they have left.
    """
    now = at or clock.now()
    return actor_of(conn, conn.execute(PERSON, {"id": staff_id, "on": on, "at": now}).one_or_none(), on, now)


def actor_of(conn: Connection, person: Any, on: date, at: datetime) -> Actor:
    """``actor_for`` whoever a row of ``PERSON`` is, as it was asked for. Raises NotFound for no row."""
    if person is None:
        raise NotFound("There is no such member of staff.", mend="Check the staff number.")
    absent = standing_in_for(conn, person.id, at) if person.stands_in else ()
    return Actor(
        staff_id=person.id,
        name=person.name,
        grants=tuple(
            Grant(Role(role), UUID(branch_id) if branch_id else None) for role, branch_id in person.roles
        ),
        person_key=person.person_key,
        stands_in=tuple(
            replace(grant, acting_for=one.staff_id, through=one.through)
            for one in absent
            for grant in grants_of(conn, one.staff_id, on)
            if grant.gives(Permission.DECIDE)
        ),
    )


# Every request asks who acts: the person, their roles and whether anybody named them as a deputy, in one look.
PERSON = text(
    """
    SELECT s.id, s.name, s.person_key,
           coalesce((SELECT jsonb_agg(jsonb_build_array(r.role, r.branch_id) ORDER BY r.id)
                       FROM staff_role r
                      WHERE r.staff_id = s.id AND r.valid_from <= :on
                        AND (r.valid_until IS NULL OR r.valid_until >= :on)), '[]') AS roles,
           EXISTS (SELECT FROM absence a
                    WHERE a.deputy_id = s.id AND a.cancelled_at IS NULL AND a.starts_at <= :at AND a.ends_at > :at)
               AS stands_in
      FROM staff s
     WHERE s.id = :id AND s.status = 'active'
    """
)


def actor_by_number(conn: Connection, staff_no: str, on: date) -> Actor:
    """``actor_for`` by staff number."""
    staff_id = conn.execute(select(staff.c.id).where(staff.c.staff_no == staff_no)).scalar_one_or_none()
    if staff_id is None:
        raise NotFound(f"There is no member of staff {staff_no}.", mend="Check the staff number.")
    return actor_for(conn, staff_id, on)


def grants_of(conn: Connection, staff_id: UUID, on: date) -> tuple[Grant, ...]:
    """The roles that a member of staff has in their own right on the civil date ``on``."""
    rows = conn.execute(
        select(staff_role.c.role, staff_role.c.branch_id).where(
            staff_role.c.staff_id == staff_id,
            staff_role.c.valid_from <= on,
            or_(staff_role.c.valid_until.is_(None), staff_role.c.valid_until >= on),
        )
    ).all()
    return tuple(Grant(Role(row.role), row.branch_id) for row in rows)


def staff_numbers(conn: Connection) -> dict[str, UUID]:
    """staff number -> id, of everybody who is active."""
    return {
        row.staff_no: row.id
        for row in conn.execute(select(staff.c.staff_no, staff.c.id).where(staff.c.status == "active"))
    }


def branches(conn: Connection) -> dict[str, UUID]:
    """Every name and code of a branch -> its id, as an import may write it."""
    found: dict[str, UUID] = {}
    for row in conn.execute(select(branch.c.id, branch.c.code, branch.c.name, branch.c.name_en)):
        for key in (row.code, row.name, row.name_en):
            if key:
                found[key] = row.id
    return found


def staff_names(conn: Connection, ids: Iterable[UUID]) -> dict[UUID, str]:
    """id -> name, of these members of staff, whether still in service or not."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = conn.execute(select(staff.c.id, staff.c.name).where(staff.c.id.in_(wanted)))
    return {row.id: row.name for row in rows}


def branch_names(conn: Connection, locale: str) -> dict[UUID, str]:
    """id -> name of every branch, in the reader's language."""
    chinese = locale.startswith("zh")
    return {
        row.id: row.name if chinese else row.name_en or row.name
        for row in conn.execute(select(branch.c.id, branch.c.name, branch.c.name_en))
    }
