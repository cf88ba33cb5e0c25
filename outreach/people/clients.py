"""Reading clients, always within the actor's scope."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select

from outreach.core.access import Permission, Role, visible
from outreach.core.database import AnyRow
from outreach.core.errors import NotFound
from outreach.ledger.work import Work
from outreach.people.tables import branch, client, consent, contact_point, holding, staff


@dataclass(frozen=True)
class ClientLine:
    """A client in a list."""

    id: UUID
    client_no: str
    name: str
    tier: str
    risk_class: int | None
    assessed_on: date | None
    status: str
    language: str
    branch_id: UUID
    branch_name: str
    advisor_id: UUID | None
    advisor_name: str | None


def in_scope(work: Work) -> ColumnElement[bool]:
    """The clients this actor may see: those of their branches; an advisor without another role, their own."""
    condition = visible(work.actor, Permission.READ_CLIENTS, client.c.branch_id)
    if work.actor.roles() == {Role.ADVISOR}:
        return condition & (client.c.advisor_id == work.actor.staff_id)
    return condition


def lines_of() -> Select[Any]:
    """The columns of a ClientLine; whoever uses it adds ``in_scope``."""
    return (
        select(
            client.c.id,
            client.c.client_no,
            client.c.name,
            client.c.tier,
            client.c.risk_class,
            client.c.assessed_on,
            client.c.status,
            client.c.language,
            client.c.branch_id,
            branch.c.name.label("branch_name"),
            client.c.advisor_id,
            staff.c.name.label("advisor_name"),
        )
        .join(branch, branch.c.id == client.c.branch_id)
        .outerjoin(staff, staff.c.id == client.c.advisor_id)
    )


def search_clients(
    work: Work,
    text: str = "",
    *,
    tiers: tuple[str, ...] = (),
    after: str = "",
    limit: int = 50,
) -> list[ClientLine]:
    """Clients in scope by number, name or address, ordered by client number, after the number ``after``."""
    statement = (
        lines_of().where(in_scope(work), client.c.client_no > after).order_by(client.c.client_no).limit(limit)
    )
    if tiers:
        statement = statement.where(client.c.tier.in_(tiers))
    if text.strip():
        wanted = text.strip()
        statement = statement.where(
            or_(
                client.c.client_no == wanted,
                client.c.name.contains(wanted, autoescape=True),
                client.c.id.in_(select(contact_point.c.client_id).where(contact_point.c.address == wanted)),
            )
        )
    return [ClientLine(**row._mapping) for row in work.conn.execute(statement)]


def client_for(work: Work, client_id: UUID) -> AnyRow:
    """The client's whole row. Raises NotFound outside the actor's scope."""
    row = work.conn.execute(select(client).where(client.c.id == client_id, in_scope(work))).one_or_none()
    if row is None:
        raise NotFound("There is no such client among yours.", mend="Check the client number.")
    return row


def client_by_no(work: Work, client_no: str) -> AnyRow:
    """``client_for`` by client number."""
    row = work.conn.execute(
        select(client).where(client.c.client_no == client_no, in_scope(work))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no client {client_no} among yours.", mend="Check the client number.")
    return row


def contact_points(work: Work, client_id: UUID) -> list[AnyRow]:
    """The client's addresses. Raises NotFound outside the actor's scope."""
    client_for(work, client_id)
    return list(
        work.conn.execute(
            select(contact_point)
            .where(contact_point.c.client_id == client_id)
            .order_by(contact_point.c.channel)
        )
    )


def consents(work: Work, client_id: UUID) -> list[AnyRow]:
    """The client's present consents. Raises NotFound outside the actor's scope."""
    client_for(work, client_id)
    return list(work.conn.execute(select(consent).where(consent.c.client_id == client_id)))


def holdings(work: Work, client_id: UUID) -> list[AnyRow]:
    """What the client holds, by code. Raises NotFound outside the actor's scope."""
    client_for(work, client_id)
    return list(
        work.conn.execute(select(holding).where(holding.c.client_id == client_id).order_by(holding.c.code))
    )


def names_at(work: Work, channel: str, addresses: Iterable[str]) -> dict[str, str]:
    """address -> the name of a client in scope who has it (of several, the one with the first number)."""
    wanted = sorted(set(addresses))
    if not wanted:
        return {}
    rows = work.conn.execute(
        select(contact_point.c.address, client.c.name)
        .join(client, client.c.id == contact_point.c.client_id)
        .where(contact_point.c.channel == channel, contact_point.c.address.in_(wanted), in_scope(work))
        .order_by(client.c.client_no.desc())
    )
    return {row.address: row.name for row in rows}
