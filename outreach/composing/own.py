"""An advisor's own messages: what they wrote and what waits for their clients, and where each stands, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, any_, func, or_, select, text

from outreach.core.access import Permission, visible
from outreach.core.errors import BadInput, NotFound
from outreach.core.i18n import in_language
from outreach.ledger.append import unseal_many
from outreach.ledger.work import Work
from outreach.messages.attached import Attached, attached_of
from outreach.messages.findings import Finding, read_findings
from outreach.messages.payload import from_bytes
from outreach.messages.reasons import Words, words
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.people.tables import client


@dataclass(frozen=True)
class OwnLine:
    """A message that the actor wrote, or that is for a client of theirs. ``why`` says where it stands, in words."""

    id: UUID
    submission_id: UUID
    client_id: UUID
    client_no: str
    client_name: str
    channel: str
    category: str
    state: str
    revision: int
    title: str
    excerpt: str
    subject: str
    text: str
    attachments: tuple[Attached, ...]
    findings: tuple[Finding, ...]
    why: Words | None
    returned_for: tuple[str, ...]  # codes of approvals/reasons.toml
    note: str
    decided_by: str
    written_by_me: bool
    send_at: datetime
    state_at: datetime

    @property
    def may_mend(self) -> bool:
        """Whether it waits for better words."""
        return self.state == State.RETURNED.value

    @property
    def may_personalise(self) -> bool:
        """Whether words of its own can still be given to it."""
        return self.state == State.HELD.value

    @property
    def may_take_back(self) -> bool:
        """Whether it can still be stopped: it is approved, and not on its way yet."""
        return self.state == State.APPROVED.value


# Who decided last, and why: the table belongs to review, a room above, so it is spoken to in SQL here.
_DECISIONS = text(
    """
    SELECT DISTINCT ON (i.message_id) i.message_id, d.verb, d.reasons, d.note, s.name AS by
      FROM decision_digest i
      JOIN decision d ON d.id = i.decision_id
      LEFT JOIN staff s ON s.id = d.actor_id
     WHERE i.message_id = ANY(:ids) AND d.verb IN ('return', 'reject')
     ORDER BY i.message_id, d.at DESC
    """
)
_TITLES = text("SELECT id, title FROM submission WHERE id = ANY(:ids)")


def list_own(
    work: Work,
    *,
    state: str | None = None,
    after: UUID | None = None,
    limit: int = 50,
    locale: str | None = None,
) -> list[OwnLine]:
    """The actor's own messages, newest first: what they wrote, and what waits for their clients.

    ``after`` is the last line's id of the page before. Raises BadInput for an unknown state.
    """
    query = select(message).where(_whose(work)).order_by(message.c.id.desc()).limit(limit)
    if state is not None:
        if state not in {one.value for one in State}:
            raise BadInput(f"There is no state {state!r}.", mend="Choose one of the list.")
        query = query.where(message.c.state == state)
    if after is not None:
        query = query.where(message.c.id < after)
    return _lines(work, work.conn.execute(query).all(), locale)


def own_message(work: Work, message_id: UUID, locale: str | None = None) -> OwnLine:
    """One of ``list_own``. Raises NotFound."""
    row = work.conn.execute(select(message).where(message.c.id == message_id, _whose(work))).one_or_none()
    if row is None:
        raise not_found()
    return _lines(work, [row], locale)[0]


def _whose(work: Work) -> ColumnElement[bool]:
    """Written by the actor, or for a client of whom they are the advisor; within their branches either way."""
    me = work.actor.staff_id
    mine = select(client.c.id).where(client.c.advisor_id == me)
    # As an array, so that both halves are found by their index.
    return visible(work.actor, Permission.COMPOSE, message.c.branch_id) & or_(
        message.c.author_id == me, message.c.client_id == any_(func.array(mine.scalar_subquery()))
    )


def _lines(work: Work, rows: Sequence[Row[Any]], locale: str | None) -> list[OwnLine]:
    tongue = locale or work.settings.locale
    ids = [row.id for row in rows]
    clients = {
        row.id: row
        for row in work.conn.execute(
            select(client.c.id, client.c.client_no, client.c.name).where(
                client.c.id.in_({row.client_id for row in rows})
            )
        )
    }
    bodies = unseal_many(work, {row.payload_id for row in rows})
    decisions = {row.message_id: row for row in work.conn.execute(_DECISIONS, {"ids": ids})}
    titles = {
        row.id: in_language(row.title, tongue)
        for row in work.conn.execute(_TITLES, {"ids": sorted({row.submission_id for row in rows})})
    }
    lines: list[OwnLine] = []
    for row in rows:
        body = bodies.get(row.payload_id)
        payload = from_bytes(body) if body is not None else None
        decided = decisions.get(row.id)
        told = decided is not None and row.state in (State.RETURNED.value, State.REJECTED.value)
        lines.append(
            OwnLine(
                id=row.id,
                submission_id=row.submission_id,
                client_id=row.client_id,
                client_no=clients[row.client_id].client_no,
                client_name=clients[row.client_id].name,
                channel=row.channel,
                category=row.category,
                state=row.state,
                revision=row.revision,
                title=titles.get(row.submission_id, ""),
                excerpt=" ".join(payload.text.split())[:80] if payload else "",
                subject=payload.subject if payload else "",
                text=payload.text if payload else "",
                attachments=attached_of(work, payload.attachments, Permission.COMPOSE) if payload else (),
                findings=tuple(read_findings(row.findings)),
                why=words(row.reason, row.reason_params, tongue) if row.reason else None,
                returned_for=tuple(decided.reasons) if decided is not None and told else (),
                note=decided.note if decided is not None and told else "",
                decided_by=(decided.by or "") if decided is not None and told else "",
                written_by_me=row.author_id == work.actor.staff_id,
                send_at=row.send_at,
                state_at=row.state_at,
            )
        )
    return lines


def not_found() -> NotFound:
    """What is told of a message that is not the actor's."""
    return NotFound("There is no such message among yours.", mend="Look at your list again.")
