"""What each reader last saw of a message, and what changed since: nobody reads twice what stayed the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.together import Question, together
from outreach.ledger.append import unseal_many
from outreach.ledger.work import Work
from outreach.messages.findings import Finding
from outreach.messages.payload import from_bytes
from outreach.review.detail import Detail
from outreach.review.history import Event, revisions_of
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


def changed_since(work: Work, read: Detail) -> Since | None:
    """What changed since the actor last saw the message; None when they never saw it, or nothing did.

    What they did themselves is no change.
    """
    before = read.seen
    if before is None:
        return None
    later = tuple(
        event for event in read.history if event.at > before.at and event.staff_id != work.actor.staff_id
    )
    new, gone = _without(read.findings, before.findings), _without(before.findings, read.findings)
    if before.revision == read.revision and not later and not new and not gone:
        return None
    subject, text = _reworded(work, read, before.revision)
    return Since(
        then=before.revision,
        now=read.revision,
        at=before.at,
        editors=tuple(
            dict.fromkeys(
                event.who
                for event in read.history
                if event.what in ("written", "edited") and event.revision > before.revision
            )
        ),
        text=text,
        subject=subject,
        new=new,
        gone=gone,
        events=later,
    )


def mark_seen(work: Work, reads: Sequence[Detail]) -> None:
    """Note that the actor was shown these messages as they were read: in that revision, with those findings."""
    if work.actor.staff_id is None or not reads:
        return
    with together(work.conn) as ask:
        for read in reads:
            findings = [finding.to_json() for finding in read.findings]
            ask(*seen_question(work, read.id, read.revision, findings))


def seen_question(
    work: Work, message_id: UUID, revision: int, findings: Sequence[Mapping[str, Any]]
) -> Question:
    """What ``mark_seen`` asks for each; it answers nothing."""
    return _SEEN, {
        "staff_id": work.actor.staff_id,
        "message_id": message_id,
        "revision": revision,
        "findings": Jsonb(findings),
        "at": clock.now(),
    }


_NEW = insert(message_seen)
_SEEN = _NEW.on_conflict_do_update(
    index_elements=[message_seen.c.staff_id, message_seen.c.message_id],
    set_={"revision": _NEW.excluded.revision, "findings": _NEW.excluded.findings, "at": _NEW.excluded.at},
)


def _reworded(work: Work, read: Detail, then: int) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
    if then == read.revision or read.payload is None:
        return (), ()
    earlier = next((row.payload_id for row in revisions_of(work.conn, read) if row.revision == then), None)
    bodies = unseal_many(work, [earlier]) if earlier else {}
    if earlier not in bodies:
        return (), ()
    old, new = from_bytes(bodies[earlier]), read.payload
    subject = difference(old.subject, new.subject) if old.subject != new.subject else ()
    return subject, difference(old.text, new.text) if old.text != new.text else ()


def _without(findings: Iterable[Finding], others: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those whose rule the others do not have in that field; where exactly it stands is no difference."""
    known = {(item.rule, item.field, item.severity) for item in others}
    return tuple(item for item in findings if (item.rule, item.field, item.severity) not in known)
