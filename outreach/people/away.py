"""Who is out of office at an instant, and who stands in for whom: the questions; ``people.absence`` has the acts.

A deputy who is away passes on what was passed to them, once and to their own deputy, and never back to who is away.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, exists, select

from outreach.people.tables import absence, staff


class StandsInFor(NamedTuple):
    """Somebody absent, and the absent deputy who passed it on, if one did."""

    staff_id: UUID
    through: UUID | None


def in_force(at: datetime) -> ColumnElement[bool]:
    """The condition on ``absence`` that holds for those that last at ``at``."""
    return and_(absence.c.cancelled_at.is_(None), absence.c.starts_at <= at, absence.c.ends_at > at)


def is_away(conn: Connection, staff_id: UUID, at: datetime) -> bool:
    """Whether this member of staff is out of office at ``at``."""
    return conn.execute(select(exists().where(absence.c.staff_id == staff_id, in_force(at)))).scalar_one()


def standing_in_for(conn: Connection, staff_id: UUID, at: datetime) -> tuple[StandsInFor, ...]:
    """For whom ``staff_id`` stands in at ``at``: those who named them, and those who named such a one.

    Only for people in service, and never for another account of the same person.
    """
    me, other = staff.alias("me"), staff.alias("other")
    outer = absence.alias("outer")
    usable = (other.c.status == "active") & (other.c.person_key != me.c.person_key)
    direct = (
        select(absence.c.staff_id)
        .select_from(
            absence.join(me, me.c.id == absence.c.deputy_id).join(other, other.c.id == absence.c.staff_id)
        )
        .where(absence.c.deputy_id == staff_id, in_force(at), usable)
    )
    found = {row.staff_id: StandsInFor(row.staff_id, None) for row in conn.execute(direct)}
    if not found:
        return ()
    passed_on = (
        select(outer.c.staff_id, outer.c.deputy_id)
        .select_from(
            outer.join(absence, absence.c.staff_id == outer.c.deputy_id)
            .join(me, me.c.id == absence.c.deputy_id)
            .join(other, other.c.id == outer.c.staff_id)
        )
        .where(
            absence.c.deputy_id == staff_id,
            in_force(at),
            outer.c.cancelled_at.is_(None),
            outer.c.starts_at <= at,
            outer.c.ends_at > at,
            outer.c.deputy_id.in_(list(found)),
            usable,
        )
    )
    for row in conn.execute(passed_on):
        found.setdefault(row.staff_id, StandsInFor(row.staff_id, row.deputy_id))
    return tuple(found[key] for key in sorted(found))


def still_stands_in(
    actor_id: UUID, absent_id: UUID, through: UUID | None, at: datetime
) -> ColumnElement[bool]:
    """The condition that ``actor_id`` stands in for ``absent_id`` at ``at``, for the statement that decides."""
    first = exists().where(
        absence.c.staff_id == absent_id, absence.c.deputy_id == (through or actor_id), in_force(at)
    )
    if through is None:
        return first
    return first & exists().where(
        absence.c.staff_id == through, absence.c.deputy_id == actor_id, in_force(at)
    )


def present(conn: Connection, staff_ids: Iterable[UUID], at: datetime) -> set[UUID]:
    """``staff_ids`` without those who are away, and with those who stand in for them and are not away themselves."""
    wanted = set(staff_ids)
    if not wanted:
        return set()
    deputies: dict[UUID, set[UUID | None]] = defaultdict(set)
    for row in conn.execute(select(absence.c.staff_id, absence.c.deputy_id).where(in_force(at))):
        deputies[row.staff_id].add(row.deputy_id)
    here = {one for one in wanted if one not in deputies}
    named = {deputy for one in wanted - here for deputy in deputies[one] if deputy}
    here |= {one for one in named if one not in deputies}
    here |= {
        last for one in named if one in deputies for last in deputies[one] if last and last not in deputies
    }
    return here
