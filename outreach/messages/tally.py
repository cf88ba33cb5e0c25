"""Messages counted and listed without a word of their content, within the actor's walls."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select

from outreach.content.in_force import template_version
from outreach.core.access import Permission, Role, visible
from outreach.ledger.work import Work
from outreach.messages.reasons import Words, words
from outreach.messages.states import WAITING, State
from outreach.messages.tables import message
from outreach.people.clients import client_for

# What still waits for somebody or something, however old it is.
_WAITS = [State.HELD, State.RETURNED, State.APPROVED, State.CLAIMED, State.UNKNOWN]
_OUT = [
    State.CLAIMED,
    State.SENT,
    State.HANDED_OVER,
    State.DELIVERED,
    State.UNDELIVERED,
    State.UNKNOWN,
    State.FAILED,
]


@dataclass(frozen=True)
class ChannelTally:
    """How many messages of a channel are in a state."""

    channel: str
    state: str
    count: int


def sent_since(work: Work, since: datetime) -> dict[str, int]:
    """State -> how many messages that went out, or tried to, since an instant. An advisor counts their own."""
    query = (
        select(message.c.state, func.count().label("n"))
        .where(_watched(work), message.c.state.in_([one.value for one in _OUT]), message.c.state_at >= since)
        .group_by(message.c.state)
    )
    found = {row.state: row.n for row in work.conn.execute(query)}
    return {state.value: found[state.value] for state in _OUT if state.value in found}


def approved_waiting(work: Work) -> int:
    """How many approved messages wait for their time or their turn."""
    query = select(func.count()).where(_watched(work), message.c.state == State.APPROVED.value)
    return work.conn.execute(query).scalar_one()


def keeping(work: Work, version_ids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    """template version -> state -> how many messages that were made from it still wait for a decision or their time:
    they keep it, whatever is published now."""
    rows = work.conn.execute(
        select(message.c.template_version_id, message.c.state, func.count().label("n"))
        .where(
            _watched(work),
            message.c.state.in_([one.value for one in WAITING]),
            message.c.template_version_id.in_(sorted(set(version_ids))),
        )
        .group_by(message.c.template_version_id, message.c.state)
    )
    found: dict[UUID, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.template_version_id, {})[row.state] = row.n
    return found


def by_channel(work: Work, since: datetime) -> list[ChannelTally]:
    """Counts by channel and state: what waits, and what ended since an instant."""
    rows = work.conn.execute(
        select(message.c.channel, message.c.state, func.count().label("n"))
        .where(
            visible(work.actor, Permission.WATCH_DELIVERY, message.c.branch_id),
            or_(message.c.state_at >= since, message.c.state.in_([one.value for one in _WAITS])),
        )
        .group_by(message.c.channel, message.c.state)
        .order_by(message.c.channel, message.c.state)
    )
    return [ChannelTally(row.channel, row.state, row.n) for row in rows]


def written_by_me(work: Work) -> dict[str, int]:
    """State -> how many of the actor's own messages are drafts, wait for a decision or were returned."""
    states = [State.DRAFT.value, State.HELD.value, State.RETURNED.value]
    rows = work.conn.execute(
        select(message.c.state, func.count().label("n"))
        .where(message.c.author_id == work.actor.staff_id, message.c.state.in_(states))
        .group_by(message.c.state)
    )
    found = {row.state: row.n for row in rows}
    return {state: found.get(state, 0) for state in states}


@dataclass(frozen=True)
class Contact:
    """A message to a client, without its content. ``title`` is empty for free text."""

    id: UUID
    at: datetime
    channel: str
    category: str
    state: str
    title: str
    why: Words | None


def messages_to(
    work: Work, client_id: UUID, *, before: datetime | None = None, limit: int = 50, locale: str | None = None
) -> list[Contact]:
    """What was written to a client, the latest change first, before an instant. Raises NotFound out of scope."""
    client_for(work, client_id)
    tongue = locale or work.settings.locale
    scope = visible(work.actor, Permission.READ_CLIENTS, message.c.branch_id)
    condition = and_(message.c.client_id == client_id, scope)
    if before is not None:
        condition = and_(condition, message.c.state_at < before)
    rows = work.conn.execute(
        select(
            message.c.id,
            message.c.state_at,
            message.c.channel,
            message.c.category,
            message.c.state,
            message.c.reason,
            message.c.reason_params,
            message.c.template_version_id,
        )
        .where(condition)
        .order_by(message.c.state_at.desc(), message.c.id)
        .limit(limit)
    )
    return [
        Contact(
            id=row.id,
            at=row.state_at,
            channel=row.channel,
            category=row.category,
            state=row.state,
            title=_title(work, row.template_version_id, tongue),
            why=words(row.reason, row.reason_params, tongue) if row.reason else None,
        )
        for row in rows.all()
    ]


def _title(work: Work, version_id: UUID | None, locale: str) -> str:
    if version_id is None:
        return ""
    title = template_version(work.conn, version_id).meta.title
    return title.zh if locale.startswith("zh") else title.en


def _watched(work: Work) -> ColumnElement[bool]:
    """An advisor watches what goes out in their name or by their hand; others what their role lets them."""
    if work.actor.roles() == {Role.ADVISOR}:
        own = or_(message.c.author_id == work.actor.staff_id, message.c.advisor_id == work.actor.staff_id)
        return and_(own, visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id))
    return visible(work.actor, Permission.WATCH_DELIVERY, message.c.branch_id)
