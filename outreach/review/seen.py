"""What each reader last saw of a message, and what changed since: nobody reads twice what stayed the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.access import Permission, visible
from outreach.core.errors import Conflict, NotFound
from outreach.ledger.append import unseal_many
from outreach.ledger.work import Work
from outreach.messages.findings import Finding, read_findings
from outreach.messages.payload import from_bytes
from outreach.messages.tables import message
from outreach.review.history import Event, decisions_of, history, revisions_of
from outreach.review.parts import Stretch, difference
from outreach.review.tables import message_seen


@dataclass(frozen=True)
class Since:
    """What changed since this actor last saw a message.

    ``then`` and ``now`` are revisions; ``editors`` who made those in between. ``text`` and ``subject`` are empty where
    they stayed as they were, or when the earlier words were disposed of.
    """

    then: int
    now: int
    at: datetime  # when the actor last saw it
    editors: tuple[str, ...]
    text: tuple[Stretch, ...]
    subject: tuple[Stretch, ...]
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    events: tuple[Event, ...]


def changed_since(work: Work, message_id: UUID) -> Since | None:
    """What changed since the actor last saw the message; None when they never saw it, or nothing did.

    What they did themselves is no change. Raises NotFound beyond the actor's scope.
    """
    row = _row(work, message_id)
    before = work.conn.execute(
        select(message_seen).where(
            message_seen.c.staff_id == work.actor.staff_id, message_seen.c.message_id == message_id
        )
    ).one_or_none()
    if before is None:
        return None
    revisions = revisions_of(work.conn, row)
    later = tuple(
        event
        for event in history(revisions, decisions_of(work.conn, row.id))
        if event.at > before.at and event.staff_id != work.actor.staff_id
    )
    known, present = read_findings(before.findings), read_findings(row.findings)
    new, gone = _without(present, known), _without(known, present)
    if before.revision == row.revision and not later and not new and not gone:
        return None
    subject, text = _reworded(work, row, before.revision, revisions)
    return Since(
        then=before.revision,
        now=row.revision,
        at=before.at,
        editors=tuple(
            dict.fromkeys(item.name or "" for item in revisions if item.revision > before.revision)
        ),
        text=text,
        subject=subject,
        new=new,
        gone=gone,
        events=later,
    )


def mark_seen(work: Work, message_id: UUID, revision: int) -> None:
    """Note that the actor was shown this revision, with the findings that it has.

    Raises NotFound beyond the actor's scope, Conflict when the message has another revision by now.
    """
    if work.actor.staff_id is None:
        return
    row = _row(work, message_id)
    if row.revision != revision:
        raise Conflict(
            "This message has changed since you opened it.", mend="Read it again.", revision=row.revision
        )
    seen = insert(message_seen).values(
        staff_id=work.actor.staff_id,
        message_id=message_id,
        revision=revision,
        findings=row.findings,
        at=clock.now(),
    )
    work.conn.execute(
        seen.on_conflict_do_update(
            index_elements=[message_seen.c.staff_id, message_seen.c.message_id],
            set_={
                "revision": seen.excluded.revision,
                "findings": seen.excluded.findings,
                "at": seen.excluded.at,
            },
        )
    )


def _row(work: Work, message_id: UUID) -> Row[Any]:
    scope = visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    wanted: Select[Any] = select(
        message.c.id,
        message.c.scheduled_month,
        message.c.revision,
        message.c.payload_id,
        message.c.author_id,
        message.c.created_at,
        message.c.findings,
    )
    row = work.conn.execute(wanted.where(message.c.id == message_id, scope)).one_or_none()
    if row is None:
        raise NotFound("There is no such message that you may see.", mend="Look in the inbox again.")
    return row


def _reworded(
    work: Work, row: Row[Any], then: int, revisions: Iterable[Row[Any]]
) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
    earlier = next((item.payload_id for item in revisions if item.revision == then), None)
    if earlier is None or then == row.revision:
        return (), ()
    bodies = unseal_many(work, {earlier, row.payload_id})
    if len(bodies) < 2:
        return (), ()
    old, new = from_bytes(bodies[earlier]), from_bytes(bodies[row.payload_id])
    subject = difference(old.subject, new.subject) if old.subject != new.subject else ()
    return subject, difference(old.text, new.text) if old.text != new.text else ()


def _without(findings: Iterable[Finding], others: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those whose rule the others do not have in that field; where exactly it stands is no difference."""
    known = {(item.rule, item.field, item.severity) for item in others}
    return tuple(item for item in findings if (item.rule, item.field, item.severity) not in known)
