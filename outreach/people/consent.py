"""Consent per channel and category, with evidence; each change is a leaf of the ledger (P5, PIPL)."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, or_, select
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.access import Permission, visible
from outreach.core.errors import NotFound
from outreach.core.events import ContactChanged, publish
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work
from outreach.people.clients import in_scope
from outreach.people.tables import client, consent, contact_point

EVERY = "*"


def clients_at(conn: Connection, channel: str, address: str) -> list[UUID]:
    """Every client who can be reached at ``address`` (a family may share a mobile), oldest first."""
    return list(
        conn.execute(
            select(contact_point.c.client_id)
            .where(contact_point.c.channel == channel, contact_point.c.address == address)
            .order_by(contact_point.c.client_id)
        ).scalars()
    )


def opt_out(
    work: Work,
    client_ids: Iterable[UUID],
    *,
    channel: str = EVERY,
    category: str = EVERY,
    source: str,
    evidence: str = "",
) -> list[UUID]:
    """Record that these clients want no more of ``category`` on ``channel``; returns those for whom it is new.

    What waits for them is checked again in the same transaction (ContactChanged). Raises NotFound beyond the actor's
    scope.
    """
    return _set(work, client_ids, "opted_out", channel, category, source, evidence)


def opt_in(
    work: Work,
    client_ids: Iterable[UUID],
    *,
    channel: str = EVERY,
    category: str = EVERY,
    source: str,
    evidence: str = "",
) -> list[UUID]:
    """Undo an opt-out. Returns those for whom it is new."""
    return _set(work, client_ids, "opted_in", channel, category, source, evidence)


def _check_scope(work: Work, client_ids: list[UUID]) -> None:
    """Raise NotFound unless all of them are the actor's to read, or to import."""
    mine = or_(
        in_scope(work),
        visible(work.actor, Permission.IMPORT, client.c.branch_id),
    )
    found = work.conn.execute(select(client.c.id).where(client.c.id.in_(client_ids), mine)).all()
    if len(found) != len(client_ids):
        raise NotFound("There is no such client among yours.", mend="Check the client number.")


def _set(
    work: Work,
    client_ids: Iterable[UUID],
    state: str,
    channel: str,
    category: str,
    source: str,
    evidence: str,
) -> list[UUID]:
    changed: list[UUID] = []
    wanted = sorted(set(client_ids))
    _check_scope(work, wanted)
    for client_id in wanted:
        statement = insert(consent).values(
            id=new_id(),
            client_id=client_id,
            channel=channel,
            category=category,
            state=state,
            source=source,
            evidence=evidence,
            at=clock.now(),
        )
        fresh = work.conn.execute(
            statement.on_conflict_do_update(
                index_elements=["client_id", "channel", "category"],
                set_={
                    "state": statement.excluded.state,
                    "source": statement.excluded.source,
                    "evidence": statement.excluded.evidence,
                    "at": statement.excluded.at,
                },
                where=consent.c.state != statement.excluded.state,
            ).returning(consent.c.id)
        ).scalar_one_or_none()
        if fresh is None:
            continue
        changed.append(client_id)
        branch_id = work.conn.execute(select(client.c.branch_id).where(client.c.id == client_id)).scalar_one()
        record(
            work,
            Entry(
                "consent",
                {
                    "channel": "any" if channel == EVERY else channel,
                    "category": "any" if category == EVERY else category,
                    "action": state,
                    "basis": source,
                },
                client_id=client_id,
                branch_id=branch_id,
            ),
        )
        publish(work, ContactChanged(client_id, state))
    return changed
