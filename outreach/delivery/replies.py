"""Replies: an opt-out takes effect at once; anything else belongs to the client's advisor until answered."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.access import Permission, Role, visible
from outreach.core.database import AnyRow
from outreach.core.errors import NotFound
from outreach.core.events import ReplyReceived, publish
from outreach.core.ids import new_id
from outreach.delivery.tables import reply
from outreach.ledger.append import Entry, record, seal_bytes, unseal_many
from outreach.ledger.work import Work
from outreach.people.consent import clients_at, opt_in, opt_out
from outreach.people.tables import client, contact_point, staff

# DOMAIN.md §2: the words in; gateways of the mainland use T, TD and R.
OPT_OUT = frozenset(
    {
        "T",
        "TD",
        "R",
        "N",
        "退订",
        "退訂",
        "取消订阅",
        "STOP",
        "STOPALL",
        "UNSUBSCRIBE",
        "CANCEL",
        "END",
        "QUIT",
    }
)
OPT_IN = frozenset({"START", "UNSTOP", "YES", "开通", "開通", "订阅", "恢复"})
ANSWER_WITHIN = timedelta(hours=24)


@dataclass(frozen=True)
class ReplyIn:
    """A message from outside, its signature already checked. ``hint`` is the provider's own OptOutType."""

    provider: str
    provider_ref: str
    channel: str
    sender: str
    body: str
    hint: str = ""


def intent(body: str, hint: str = "") -> str:
    """opt_out, opt_in or reply, by the whole text (never by a word inside a sentence)."""
    if hint.upper() == "STOP":
        return "opt_out"
    if hint.upper() == "START":
        return "opt_in"
    word = unicodedata.normalize("NFKC", body).strip(" .。!！\t\r\n").upper()
    if word in OPT_OUT:
        return "opt_out"
    return "opt_in" if word in OPT_IN else "reply"


def take_reply(work: Work, incoming: ReplyIn) -> UUID | None:
    """Keep a reply and act on it; returns its id, or None when it was known already.

    An opt-out holds for every client who shares the number. A number nobody has is kept too, without client.
    """
    known = select(reply.c.id).where(
        reply.c.provider == incoming.provider, reply.c.provider_ref == incoming.provider_ref
    )
    if work.conn.execute(known).first():
        return None
    kind = intent(incoming.body, incoming.hint)
    owners = clients_at(work.conn, incoming.channel, incoming.sender)
    about = _first(work, owners)
    now = clock.now()
    body = seal_bytes(work, incoming.body.encode())
    reply_id: UUID | None = work.conn.execute(
        insert(reply)
        .values(
            id=new_id(),
            channel=incoming.channel,
            provider=incoming.provider,
            provider_ref=incoming.provider_ref,
            from_hash=work.keys.keyed_hash(incoming.sender),
            client_id=about.id if about else None,
            branch_id=about.branch_id if about else None,
            owner_id=about.advisor_id if about else None,
            kind=kind,
            body_id=body.id,
            received_at=now,
            due_by=now + ANSWER_WITHIN if kind == "reply" else None,
        )
        .on_conflict_do_nothing()
        .returning(reply.c.id)
    ).scalar_one_or_none()
    if reply_id is None:
        return None
    record(
        work,
        Entry(
            "reply",
            {
                "reply_id": reply_id,
                "channel": incoming.channel,
                "provider": incoming.provider,
                "provider_ref": incoming.provider_ref,
                "address_hash": work.keys.keyed_hash(incoming.sender),
                "intent": kind,
                "owner_id": about.advisor_id if about else None,
                "received_at": now,
            },
            sealed=body,
            client_id=about.id if about else None,
            branch_id=about.branch_id if about else None,
        ),
    )
    if kind == "opt_out":
        opt_out(work, owners, channel=incoming.channel, source=incoming.channel, evidence=f"reply {reply_id}")
    elif kind == "opt_in":
        opt_in(work, owners, channel=incoming.channel, source=incoming.channel, evidence=f"reply {reply_id}")
    else:
        publish(work, ReplyReceived(reply_id))
    return reply_id


def _first(work: Work, owners: list[UUID]) -> AnyRow | None:
    """Of those who share a number, the one we wrote to would be best; the oldest client stands for them."""
    if not owners:
        return None
    return work.conn.execute(
        select(client.c.id, client.c.branch_id, client.c.advisor_id)
        .where(client.c.id.in_(owners))
        .order_by(client.c.advisor_id.is_(None), client.c.id)
        .limit(1)
    ).one_or_none()


@dataclass(frozen=True)
class ReplyLine:
    """A reply in a list, with its text."""

    id: UUID
    received_at: Any
    channel: str
    kind: str
    text: str
    client_id: UUID | None
    client_no: str | None
    client_name: str | None
    owner_name: str | None
    due_by: Any
    answered_at: Any


def list_replies(
    work: Work, *, open_only: bool = False, before: UUID | None = None, limit: int = 50
) -> list[ReplyLine]:
    """Replies in scope, newest first; an advisor sees their own clients'."""
    statement = _readable(work).order_by(reply.c.id.desc()).limit(limit)
    if open_only:
        statement = statement.where(reply.c.answered_at.is_(None), reply.c.kind == "reply")
    if before is not None:
        statement = statement.where(reply.c.id < before)
    return _lines(work, statement)


def replies_by_id(work: Work, reply_ids: Iterable[UUID]) -> dict[UUID, ReplyLine]:
    """These replies, as far as they are in scope."""
    wanted = sorted(set(reply_ids))
    if not wanted:
        return {}
    return {line.id: line for line in _lines(work, _readable(work).where(reply.c.id.in_(wanted)))}


def replies_of(work: Work, client_id: UUID, limit: int = 50) -> list[ReplyLine]:
    """What a client wrote back, newest first, as far as it is in scope."""
    statement = _readable(work).where(reply.c.client_id == client_id)
    return _lines(work, statement.order_by(reply.c.received_at.desc(), reply.c.id.desc()).limit(limit))


def _readable(work: Work) -> Select[Any]:
    condition = visible(work.actor, Permission.ANSWER_REPLIES, reply.c.branch_id)
    if work.actor.roles() == {Role.ADVISOR}:
        condition = condition & (reply.c.owner_id == work.actor.staff_id)
    return (
        select(
            reply, client.c.client_no, client.c.name.label("client_name"), staff.c.name.label("owner_name")
        )
        .outerjoin(client, client.c.id == reply.c.client_id)
        .outerjoin(staff, staff.c.id == reply.c.owner_id)
        .where(condition)
    )


def _lines(work: Work, statement: Select[Any]) -> list[ReplyLine]:
    rows = work.conn.execute(statement).all()
    texts = unseal_many(work, [row.body_id for row in rows])
    return [
        ReplyLine(
            id=row.id,
            received_at=row.received_at,
            channel=row.channel,
            kind=row.kind,
            text=texts.get(row.body_id, b"").decode("utf-8", "replace"),
            client_id=row.client_id,
            client_no=row.client_no,
            client_name=row.client_name,
            owner_name=row.owner_name,
            due_by=row.due_by,
            answered_at=row.answered_at,
        )
        for row in rows
    ]


def mark_answered(work: Work, reply_id: UUID) -> None:
    """Note that a reply was answered. Raises NotFound outside the actor's scope."""
    condition = visible(work.actor, Permission.ANSWER_REPLIES, reply.c.branch_id)
    done = work.conn.execute(
        update(reply)
        .where(reply.c.id == reply_id, condition, reply.c.answered_at.is_(None))
        .values(answered_at=clock.now())
    )
    if done.rowcount != 1:
        raise NotFound("There is no such open reply among yours.", mend="Read the list again.")


def reply_address(work: Work, client_id: UUID, channel: str) -> str | None:
    """The client's active address on ``channel``, for an answer."""
    return work.conn.execute(
        select(contact_point.c.address).where(
            contact_point.c.client_id == client_id, contact_point.c.channel == channel, contact_point.c.active
        )
    ).scalar_one_or_none()
