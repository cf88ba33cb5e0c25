"""Composing an occurrence: chunk by chunk, each in one transaction, so that a kill loses at most a chunk's work.

Idempotent: a client who has a message of the occurrence, or a row that says why not, is never composed again;
so it may be run again after a kill, twice at once, or for clients who came later (top-up).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from outreach.composing.audience import LEAST, read_chunk
from outreach.composing.batches import put_up
from outreach.composing.chunk import Composer, other_messages
from outreach.composing.corrections import titles_told
from outreach.composing.digest import choose_items
from outreach.composing.greeting_slots import take_slots
from outreach.composing.load import load_plan
from outreach.composing.placing import place
from outreach.composing.plan import Plan
from outreach.composing.same_text import Recipients, recipients_of_audience
from outreach.content.in_force import job_version
from outreach.core import clock
from outreach.core.errors import NotFound
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener, Work
from outreach.messages.copying import write_messages
from outreach.messages.leftout import write_left_out

CHUNK = 2000
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Composed:
    """For how many clients this run made a message, and how many it left out. ``state`` is the occurrence's."""

    count: int
    left_out: int
    state: str = "composed"


def compose_occurrence(
    open_work: Opener, occurrence_id: UUID, progress: Progress | None = None, *, chunk: int = CHUNK
) -> Composed:
    """Compose everybody in the occurrence's audience who is not composed yet, and put the result up for review.

    ``progress(messages, left_out)`` is called after each chunk. Memory does not grow with the audience. Raises
    NotFound for an unknown occurrence; one that has expired or was cancelled composes nothing and says so in
    ``state``.
    """
    with open_work() as work:
        state = _begin(work, occurrence_id)
        if state is not None:
            return Composed(0, 0, state)
    count = left = 0
    after: UUID | None = LEAST
    recipients: Recipients | None = None
    while after is not None:
        with open_work() as work:
            # The plan is read again for each chunk: its parts are cached, and the occurrence may be cancelled.
            plan = _locked_plan(work, occurrence_id)
            if plan is None:
                return Composed(count, left, "cancelled")
            if recipients is None:
                recipients = recipients_of_audience(work.conn, plan)
            after, made, without = _chunk(work, plan, after, chunk, recipients)
        count += made
        left += without
        if progress is not None:
            progress(count, left)
    with open_work() as work:
        _finish(work, occurrence_id, count, left)
    return Composed(count, left)


_STATE = text(
    """
    SELECT o.state, o.top_up, o.expires_at, o.scheduled_month, o.job_version_id, f.superseded_by
      FROM occurrence o LEFT JOIN feed_item f ON f.id = o.feed_item_id
     WHERE o.id = :id
       FOR UPDATE OF o
    """
)
_END = text(
    "UPDATE occurrence SET state = :state, top_up = false, note = :note WHERE id = :id AND state = 'due'"
)


def _begin(work: Work, occurrence_id: UUID) -> str | None:
    """None when there is something to compose; otherwise the occurrence's state."""
    row = work.conn.execute(_STATE, {"id": occurrence_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such occurrence.", mend="Look at the list of occurrences.")
    if row.state not in ("due", "composed") or (row.state == "composed" and not row.top_up):
        return str(row.state)
    if row.superseded_by is not None:
        work.conn.execute(_END, {"id": occurrence_id, "state": "cancelled", "note": "superseded"})
        return "cancelled"
    if row.expires_at <= clock.now():
        note = "expired before it was composed"
        work.conn.execute(_END, {"id": occurrence_id, "state": "expired", "note": note})
        return "expired"
    digest = job_version(work.conn, row.job_version_id).meta.digest if row.job_version_id else None
    if digest is not None and not choose_items(work.conn, occurrence_id, digest):
        note = f"nothing to say: no item of {digest.feed} in {digest.days} days"
        work.conn.execute(_END, {"id": occurrence_id, "state": "cancelled", "note": note})
        return "cancelled"
    work.conn.execute(text("SELECT ensure_month(:month)"), {"month": row.scheduled_month})
    return None


# A chunk's queries are planned for the chunk: from the eleventh on PostgreSQL would take one plan for all values, which
# slows down with every chunk (to a sixth of the speed after 40,000 clients).
_OWN_PLANS = text("SET LOCAL plan_cache_mode = force_custom_plan")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('compose:' || :id, 0))")
# Shared, so that a correction of the feed's item either waits for this chunk and cancels its messages too, or is
# seen by the next statement.
_HOLD = text("SELECT 1 FROM occurrence WHERE id = :id FOR SHARE")
_OPEN = text(
    """
    SELECT 1 FROM occurrence o LEFT JOIN feed_item f ON f.id = o.feed_item_id
     WHERE o.id = :id AND o.state IN ('due', 'composed') AND o.expires_at > :now AND f.superseded_by IS NULL
    """
)


def _locked_plan(work: Work, occurrence_id: UUID) -> Plan | None:
    """The plan, with other composers of this occurrence kept out until this transaction ends.

    None when there is nothing to compose any more: expired, cancelled, or made from an item that was corrected.
    """
    work.conn.execute(_OWN_PLANS)
    work.conn.execute(_LOCK, {"id": str(occurrence_id)})
    work.conn.execute(_HOLD, {"id": occurrence_id})
    if work.conn.execute(_OPEN, {"id": occurrence_id, "now": clock.now()}).first() is None:
        return None
    return load_plan(work, occurrence_id)


def _chunk(
    work: Work, plan: Plan, after: UUID, size: int, recipients: Recipients
) -> tuple[UUID | None, int, int]:
    """Compose the next clients; returns the last one's id (None: there are no more) and what came of them."""
    conn = work.conn
    rows = read_chunk(
        conn,
        plan.audience,
        occurrence_id=plan.occurrence_id,
        month=plan.scheduled_month,
        after=after,
        size=size,
    )
    if not rows:
        return None, 0, 0
    composer = Composer.of(plan, work.keys, clock.now(), work.settings.zone)
    clients = [row.id for row in rows]
    messages, left = composer.compose(
        rows,
        other_messages(conn, plan, clients),
        titles_told(conn, plan.feed_item_id, plan.audience.corrected, clients),
    )
    if plan.greeting and plan.send_date and messages:
        messages, lost = take_slots(conn, plan.greeting, plan.send_date, messages)
        left += lost
    write_messages(work, place(work, plan, messages, rows, recipients))
    write_left_out(work, plan.occurrence_id, left)
    count = sum(one.fallback_of is None for one in messages) if plan.falls_through else len(messages)
    return (rows[-1].id if len(rows) == size else None), count, len(left)


_COMPOSED = text(
    "UPDATE occurrence SET state = 'composed', composed_at = :now, note = :note"
    " WHERE id = :id AND state IN ('due', 'composed') RETURNING job_name, send_date"
)
_BEFORE = text("SELECT state FROM occurrence WHERE id = :id FOR UPDATE")
_SUBMISSIONS = text("SELECT id FROM submission WHERE occurrence_id = :id ORDER BY id")
_LEFT_OUT = text(
    "SELECT client_id, rule FROM left_out WHERE occurrence_id = :id ORDER BY client_id, rule"
).execution_options(stream_results=True, max_row_buffer=2000)


def _finish(work: Work, occurrence_id: UUID, count: int, left: int) -> None:
    """Mark the occurrence composed, record what was put up and who was left out, and tell that it waits.

    A run that found nothing new to add to a composed occurrence leaves the record alone.
    """
    conn = work.conn
    work.conn.execute(_LOCK, {"id": str(occurrence_id)})
    before = conn.execute(_BEFORE, {"id": occurrence_id}).scalar_one()
    if before == "composed" and not count and not left:
        return
    occurrence = conn.execute(_COMPOSED, {"id": occurrence_id, "now": clock.now(), "note": ""}).one_or_none()
    if occurrence is None:
        return
    submissions = list(conn.execute(_SUBMISSIONS, {"id": occurrence_id}).scalars())
    running = hashlib.sha256()
    total = 0
    for row in conn.execute(_LEFT_OUT, {"id": occurrence_id}):
        running.update(f"{row.client_id}, {row.rule}\n".encode())
        total += 1
    if total:
        record(
            work,
            Entry(
                "left_out",
                {
                    "occurrence_id": occurrence_id,
                    "job": occurrence.job_name,
                    "send_date": occurrence.send_date,
                    "count": total,
                    "digest": running.digest(),
                },
            ),
        )
    if submissions:
        put_up(work, submissions, load_plan(work, occurrence_id).lexicon_digest)
