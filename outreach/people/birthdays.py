"""Whose birthday it is among an advisor's clients: the lunar one of those who gave one, else the solar one."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import and_, extract, false, func, or_, select

from outreach.ledger.work import Work
from outreach.occasions.birthdays import birth_monthdays_on, years_between
from outreach.occasions.lunar import lunar_days_of
from outreach.people.clients import in_scope
from outreach.people.tables import client


@dataclass(frozen=True)
class Birthday:
    """A client's birthday. ``age`` only by the solar calendar, and where the year of birth is known."""

    client_id: UUID
    client_no: str
    name: str
    tier: str
    lunar: bool
    age: int | None


def birthdays_of(work: Work, advisor_id: UUID, day: date) -> list[Birthday]:
    """The clients of that advisor, as far as the actor may see them, whose birthday is kept on ``day``, by tier and
    number. Nobody who died, closed the account or is a test; no company. 29 February is kept on the 28th, as jobs do.
    """
    solar = or_(
        false(),
        *(
            and_(
                extract("month", client.c.birth_date) == month, extract("day", client.c.birth_date) == number
            )
            for month, number in sorted(birth_monthdays_on(day))
        ),
    )
    lunar = or_(
        false(),
        *(
            and_(
                client.c.lunar_month == one.month,
                client.c.lunar_day == one.day,
                func.coalesce(client.c.lunar_leap, False).is_(one.leap),
            )
            for one in sorted(lunar_days_of(day))
        ),
    )
    rows = work.conn.execute(
        select(
            client.c.id,
            client.c.client_no,
            client.c.name,
            client.c.tier,
            client.c.birth_date,
            client.c.lunar_month,
        )
        .where(
            in_scope(work),
            client.c.advisor_id == advisor_id,
            client.c.kind == "person",
            client.c.status != "closed",
            client.c.deceased.is_(False),
            client.c.test.is_(False),
            or_(
                and_(client.c.lunar_month.is_not(None), lunar),
                and_(client.c.lunar_month.is_(None), client.c.birth_date.is_not(None), solar),
            ),
        )
        .order_by(client.c.tier, client.c.client_no)
    )
    return [
        Birthday(
            client_id=row.id,
            client_no=row.client_no,
            name=row.name,
            tier=row.tier,
            lunar=row.lunar_month is not None,
            age=years_between(row.birth_date, day) if row.birth_date and row.lunar_month is None else None,
        )
        for row in rows
    ]
