"""Tasks: a call to make, a letter to post, a reply to answer, an unknown outcome to settle.

A reply belongs to whoever received it first until it is answered (首问负责制, art. 11); what no channel could
deliver in time becomes a call (art. 79(12)).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from outreach.care.owners import owner_of
from outreach.care.tables import task
from outreach.core import clock
from outreach.core.access import Permission, Role, require, visible
from outreach.core.errors import BadInput, Conflict, NotFound
from outreach.core.events import MessageHandedOver, MessageUnreachable, ReplyReceived
from outreach.core.ids import new_id
from outreach.delivery.handover import is_with_a_person, settle_handed_over
from outreach.delivery.routes import HANDED_OVER
from outreach.delivery.tables import reply
from outreach.ledger.append import unseal_many
from outreach.ledger.work import Work
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.tables import message
from outreach.people.tables import client, staff

KINDS = ("call", "letter", "answer", "settle")
ANSWER_WITHIN = timedelta(hours=24)  # where the reply itself names no time
CALL_WITHIN = timedelta(minutes=30)  # something urgent, and no other channel is left


@dataclass(frozen=True)
class Task:
    """One open or closed task, with the names a list needs."""

    id: UUID
    kind: str
    branch_id: UUID | None
    client_id: UUID | None
    client_name: str
    client_no: str
    owner_id: UUID | None
    owner_name: str
    message_id: UUID | None
    reply_id: UUID | None
    due_by: datetime
    created_at: datetime
    done_at: datetime | None
    note: str

    @property
    def late(self) -> bool:
        """Whether its time has passed with nobody having closed it."""
        return self.done_at is None and self.due_by < clock.now()


def open_task(
    work: Work,
    kind: str,
    *,
    due_by: datetime,
    branch_id: UUID | None,
    client_id: UUID | None = None,
    owner_id: UUID | None = None,
    message_id: UUID | None = None,
    reply_id: UUID | None = None,
    note: str = "",
) -> UUID:
    """Open a task; the same (kind, message, reply) twice is one task. Returns its id.

    Raises BadInput for a kind that there is not, or when it speaks of neither a message nor a reply.
    """
    if kind not in KINDS:
        raise BadInput(f"{kind!r} is no kind of task.", mend=f"Use {', '.join(KINDS)}.")
    if message_id is None and reply_id is None:
        raise BadInput("A task speaks of a message or of a reply.", mend="Name one of them.")
    made: UUID | None = work.conn.execute(
        insert(task)
        .values(
            id=new_id(),
            kind=kind,
            branch_id=branch_id,
            client_id=client_id,
            owner_id=owner_id,
            message_id=message_id,
            reply_id=reply_id,
            due_by=due_by,
            created_at=clock.now(),
            note=note,
        )
        .on_conflict_do_nothing()
        .returning(task.c.id)
    ).scalar_one_or_none()
    if made is not None:
        return made
    there: UUID = work.conn.execute(
        select(task.c.id).where(
            task.c.kind == kind,
            task.c.message_id.is_not_distinct_from(message_id),
            task.c.reply_id.is_not_distinct_from(reply_id),
        )
    ).scalar_one()
    return there


def open_tasks(
    work: Work,
    *,
    mine: bool = False,
    owner: UUID | None = None,
    kind: str | None = None,
    urgent: bool = False,
    occurrence_id: UUID | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Task]:
    """Open tasks in the actor's scope, the one due first on top; ``mine``: only those the actor owns; ``owner``: only
    those that person owns.

    ``urgent``: only what an urgent message left to do, of one occurrence if it is given. ``after``: (due_by, id) of
    the last one seen. An advisor sees their own and those that have no owner.
    """
    query = select(*_columns()).select_from(_joined()).where(task.c.done_at.is_(None), in_scope(work))
    if mine:
        query = query.where(task.c.owner_id == work.actor.staff_id)
    if owner is not None:
        query = query.where(task.c.owner_id == owner)
    if kind is not None:
        query = query.where(task.c.kind == kind)
    if urgent:
        about = exists().where(message.c.id == task.c.message_id, message.c.urgent)
        if occurrence_id is not None:
            about = about.where(message.c.occurrence_id == occurrence_id)
        query = query.where(about)
    if after is not None:
        query = query.where(tuple_(task.c.due_by, task.c.id) > after)
    rows = work.conn.execute(query.order_by(task.c.due_by, task.c.id).limit(limit))
    return [Task(**row) for row in rows.mappings()]


def task_by_id(work: Work, task_id: UUID) -> Task:
    """One task. Raises NotFound beyond the actor's scope."""
    query = select(*_columns()).select_from(_joined()).where(task.c.id == task_id, in_scope(work))
    row = work.conn.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such task that you may see.")
    return Task(**row)


def close_task(work: Work, task_id: UUID, note: str, *, reached: bool = True) -> None:
    """Close a task, saying what was done. An answer's reply counts as answered from then on; a letter or a call
    that was handed over counts as delivered, or as undelivered when the client was not ``reached``.

    Raises BadInput without a note, NotFound beyond the actor's scope, Conflict when it was closed already.
    """
    found = task_by_id(work, task_id)
    require(work.actor, Permission.ANSWER_REPLIES, found.branch_id)
    if not note.strip():
        raise BadInput("A task is closed with a note.", mend="Write what was said or done.")
    at = clock.now()
    closed = work.conn.execute(
        update(task)
        .where(task.c.id == task_id, task.c.done_at.is_(None))
        .values(done_at=at, done_by=work.actor.staff_id, note=note.strip())
    )
    if closed.rowcount != 1:
        raise Conflict("This task was closed already.", mend="Read it again.")
    if (
        found.message_id is not None
        and found.kind in HANDED_OVER
        and is_with_a_person(work, found.message_id)
    ):
        settle_handed_over(work, found.message_id, reached=reached)
    if found.kind == "answer" and found.reply_id is not None:
        work.conn.execute(
            update(reply)
            .where(reply.c.id == found.reply_id, reply.c.answered_at.is_(None))
            .values(answered_at=at)
        )


def on_reply_received(work: Work, event: ReplyReceived) -> None:
    """A client wrote back: whoever owns the reply answers it. Opt-outs and opt-ins need no answer."""
    row = work.conn.execute(select(reply).where(reply.c.id == event.reply_id)).one()
    if row.kind != "reply":
        return
    open_task(
        work,
        "answer",
        due_by=row.due_by or row.received_at + ANSWER_WITHIN,
        branch_id=row.branch_id,
        client_id=row.client_id,
        owner_id=row.owner_id,
        reply_id=row.id,
    )


def scripts(work: Work, tasks: Iterable[Task]) -> dict[UUID, Payload]:
    """task -> the approved words of its letter or call, for those who may read messages there."""
    wanted = {
        one.message_id: one.id
        for one in tasks
        if one.message_id is not None
        and one.kind in HANDED_OVER
        and work.actor.may(Permission.READ_MESSAGES, one.branch_id)
    }
    if not wanted:
        return {}
    rows = work.conn.execute(
        select(message.c.id, message.c.payload_id).where(
            message.c.id.in_(sorted(wanted)), message.c.channel.in_(sorted(HANDED_OVER))
        )
    ).all()
    bodies = unseal_many(work, [row.payload_id for row in rows])
    return {wanted[row.id]: from_bytes(bodies[row.payload_id]) for row in rows if row.payload_id in bodies}


def on_message_handed_over(work: Work, event: MessageHandedOver) -> None:
    """A letter is to be posted or a call to be made; an alert's call within minutes."""
    soon = clock.now() + CALL_WITHIN
    open_task(
        work,
        event.channel,
        due_by=min(event.due_by, soon) if event.urgent else event.due_by,
        branch_id=event.branch_id,
        client_id=event.client_id,
        owner_id=owner_of(work, event.message_id),
        message_id=event.message_id,
    )


def on_message_unreachable(work: Work, event: MessageUnreachable) -> None:
    """No channel reached the client with something urgent: the advisor calls."""
    branch_id = work.conn.execute(
        select(message.c.branch_id).where(message.c.id == event.message_id)
    ).scalar_one()
    open_task(
        work,
        "call",
        due_by=clock.now() + CALL_WITHIN,
        branch_id=branch_id,
        client_id=event.client_id,
        owner_id=owner_of(work, event.message_id),
        message_id=event.message_id,
    )


def _columns() -> list[Any]:
    return [
        task.c.id,
        task.c.kind,
        task.c.branch_id,
        task.c.client_id,
        func.coalesce(client.c.name, "").label("client_name"),
        func.coalesce(client.c.client_no, "").label("client_no"),
        task.c.owner_id,
        func.coalesce(staff.c.name, "").label("owner_name"),
        task.c.message_id,
        task.c.reply_id,
        task.c.due_by,
        task.c.created_at,
        task.c.done_at,
        task.c.note,
    ]


def _joined() -> Any:
    return task.outerjoin(client, client.c.id == task.c.client_id).outerjoin(
        staff, staff.c.id == task.c.owner_id
    )


def in_scope(work: Work) -> Any:
    """The tasks within the branch walls (P7); an advisor only their own and what nobody owns. A task without a branch
    (a reply from an unknown number) is for those who answer for the whole firm."""
    scope = visible(work.actor, Permission.ANSWER_REPLIES, task.c.branch_id)
    if work.actor.roles() == {Role.ADVISOR}:
        return scope & or_(task.c.owner_id == work.actor.staff_id, task.c.owner_id.is_(None))
    return scope
