"""What other lexicons would have hit: in what was sent over the past 90 days, and in what waits.

Asked before they are published, so that nobody learns from a full inbox what a new phrase does. Long work: it goes
through the messages in chunks, each in a transaction of its own, tells how far it is, and can be stopped.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from outreach.content.in_force import anything_published, lexicons_in_force
from outreach.content.matcher import Hit, Matcher
from outreach.core import clock
from outreach.core.access import Actor, Permission, require, visible
from outreach.core.database import AnyRow
from outreach.ledger.append import Entry, record, unseal_many
from outreach.ledger.work import Opener, Work
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.states import WAITING, State
from outreach.messages.tables import message

BACK = timedelta(days=90)
EXAMPLES = 5  # of each phrase
_AROUND = 20  # characters shown on each side of a hit
_CHUNK = 1000
_LEFT = frozenset(
    {State.CLAIMED, State.SENT, State.HANDED_OVER, State.DELIVERED, State.UNDELIVERED, State.UNKNOWN}
)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Example:
    """A place that would be hit: the words around it, the hit between ``start`` and ``end`` of ``text``."""

    message_id: UUID
    state: str
    text: str
    start: int
    end: int


@dataclass
class PhraseImpact:
    """One phrase: messages it would have hit among the sent ones, and hits among those that wait, by state."""

    rule: str
    article: str
    severity: str
    phrase: str
    sent: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)


@dataclass
class Impact:
    """Everything that would be hit and is not hit by the lexicons in force. ``looked_at`` counts messages;
    ``sent`` and ``waiting`` those with a new hit; ``back`` approved ones that would go back to the inbox."""

    looked_at: int = 0
    sent: int = 0
    waiting: int = 0
    back: int = 0
    phrases: dict[tuple[str, str], PhraseImpact] = field(default_factory=dict)

    def by_weight(self) -> list[PhraseImpact]:
        """The phrases, those with most hits first."""
        return sorted(
            self.phrases.values(), key=lambda one: (-(one.sent + one.waiting.total()), one.rule, one.phrase)
        )


def impact_of(open_work: Opener, actor: Actor, coming: Matcher, progress: Progress | None = None) -> Impact:
    """What ``coming`` would hit that the lexicons in force do not, within the actor's scope; stores nothing.

    ``progress(done, total)`` is called after each chunk; what it raises stops the work. Memory does not grow with
    the number of messages. Raises Forbidden without the permission to publish and to read messages. That the
    content was looked through is recorded.
    """
    with open_work(actor) as work:
        require(actor, Permission.PUBLISH)
        require(actor, Permission.READ_MESSAGES)
        present = lexicons_in_force(work.conn)[0] if anything_published(work.conn) else None
        total = work.conn.execute(
            select(func.count()).select_from(message).where(_looked_at(work))
        ).scalar_one()
        record(work, Entry("view", {"purpose": "lexicon_impact", "object": "messages"}))
    found = Impact()
    after: UUID | None = UUID(int=0)
    while after is not None:
        with open_work(actor) as work:
            after = _chunk(work, found, present, coming, after)
        if progress is not None:
            progress(found.looked_at, total)
    return found


def _looked_at(work: Work) -> Any:
    since = clock.now() - BACK
    return (
        visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
        & (message.c.scheduled_month >= (since - timedelta(days=62)).date().replace(day=1))
        & or_(
            message.c.state.in_([one.value for one in WAITING]),
            message.c.state.in_([one.value for one in _LEFT]) & (message.c.state_at >= since),
        )
    )


def _chunk(work: Work, found: Impact, present: Matcher | None, coming: Matcher, after: UUID) -> UUID | None:
    rows = work.conn.execute(
        select(message.c.id, message.c.state, message.c.payload_id)
        .where(_looked_at(work), message.c.id > after)
        .order_by(message.c.id)
        .limit(_CHUNK)
    ).all()
    bodies = unseal_many(work, [row.payload_id for row in rows])
    for row in rows:
        found.looked_at += 1
        if row.payload_id in bodies:
            _look(found, row, from_bytes(bodies[row.payload_id]), present, coming)
    return rows[-1].id if len(rows) == _CHUNK else None


def _look(found: Impact, row: AnyRow, payload: Payload, present: Matcher | None, coming: Matcher) -> None:
    fresh: dict[tuple[str, str], tuple[str, Hit]] = {}
    for said in (payload.subject, payload.text, payload.html):
        if not said:
            continue
        known = {_key(hit) for hit in present.find(said)} if present is not None else set()
        for hit in coming.find(said):
            if _key(hit) not in known:
                fresh.setdefault((hit.rule, hit.phrase), (said, hit))
    if not fresh:
        return
    waits = State(row.state) in WAITING
    found.waiting += waits
    found.sent += not waits
    found.back += row.state == State.APPROVED.value
    for key, (said, hit) in fresh.items():
        line = found.phrases.setdefault(key, PhraseImpact(hit.rule, hit.article, hit.severity, hit.phrase))
        if waits:
            line.waiting[row.state] += 1
        else:
            line.sent += 1
        if len(line.examples) < EXAMPLES:
            line.examples.append(_example(row, said, hit))


def _key(hit: Hit) -> tuple[str, str, int, int]:
    return hit.rule, hit.severity, hit.start, hit.end


def _example(row: AnyRow, said: str, hit: Hit) -> Example:
    begin, end = max(0, hit.start - _AROUND), min(len(said), hit.end + _AROUND)
    return Example(row.id, row.state, said[begin:end], hit.start - begin, hit.end - begin)
