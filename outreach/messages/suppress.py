"""Stopping what waits: a client's consent or file changed, or a correction replaced the source (P5)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text

from outreach.core import clock
from outreach.core.events import ContactChanged, FeedItemSuperseded
from outreach.ledger.append import Entry, record_many
from outreach.ledger.work import Work
from outreach.messages.closing import close_finished
from outreach.messages.entries import message_entry
from outreach.messages.fallthrough import take_next
from outreach.messages.recheck import facts_for, verdict
from outreach.messages.rules import Verdict
from outreach.messages.states import WAITING, State, move
from outreach.messages.tables import message


def on_contact_changed(work: Work, event: ContactChanged) -> None:
    """Stop whatever waits for this client and may no longer go out, in the transaction that made it so."""
    suppress_waiting(work, [event.client_id])


def suppress_waiting(work: Work, client_ids: Iterable[UUID]) -> int:
    """Ask the rules again about everything that waits for these clients; returns how many messages stopped.

    Held and approved messages become ``suppressed``, returned ones ``cancelled``; what is already being sent
    is past stopping.
    """
    rows = work.conn.execute(
        select(message)
        .where(
            message.c.client_id.in_(list(client_ids)), message.c.state.in_([state.value for state in WAITING])
        )
        .order_by(message.c.id)
    ).all()
    if not rows:
        return 0
    now = clock.now()
    facts = facts_for(work.conn, rows, now)
    stopping = [(row, said) for row in rows if (said := verdict(facts[row.id], now)).kind == "suppress"]
    return stop(work, stopping)


def supersede_feed_item(work: Work, event: FeedItemSuperseded) -> None:
    """Cancel what was made from a corrected item and is not yet being sent; what is not composed yet never is."""
    # A digest's composer that is at it ends its chunk first, and finds its occurrence cancelled then.
    work.conn.execute(_LOCK_DIGESTS, {"item": event.item_id})
    work.conn.execute(_CANCEL_OCCURRENCES, {"item": event.item_id})
    rows = work.conn.execute(_OF_ITEM, {"item": event.item_id}).all()
    said = Verdict("cancel", "superseded", {"by": str(event.by_item_id)})
    stop(work, [(row, said) for row in rows])


_LOCK_DIGESTS = text(
    """
    SELECT id FROM occurrence WHERE id IN (SELECT occurrence_id FROM occurrence_item WHERE feed_item_id = :item)
     ORDER BY id FOR UPDATE
    """
)
_CANCEL_OCCURRENCES = text(
    """
    UPDATE occurrence SET state = CASE state WHEN 'due' THEN 'cancelled' ELSE state END, top_up = false,
           note = 'superseded'
     WHERE id IN (SELECT id FROM occurrence WHERE feed_item_id = :item
                  UNION SELECT occurrence_id FROM occurrence_item WHERE feed_item_id = :item)
       AND state IN ('due', 'composed')
    """
)
# A digest that holds the item stops as well: nothing that is known to be wrong goes out.
_OF_ITEM = text(
    """
    SELECT m.* FROM message m JOIN occurrence o ON o.id = m.occurrence_id AND o.scheduled_month = m.scheduled_month
     WHERE o.id IN (SELECT id FROM occurrence WHERE feed_item_id = :item
                    UNION SELECT occurrence_id FROM occurrence_item WHERE feed_item_id = :item)
       AND m.state IN ('held', 'returned', 'approved')
     ORDER BY m.id
    """
)


def stop(work: Work, stopping: Sequence[tuple[Row[Any], Verdict]]) -> int:
    """Move waiting messages to the state their verdict asks for, by conditional UPDATE, and record each.

    Their submissions are locked first, as deciders do, so that nobody waits in a ring.
    """
    if not stopping:
        return 0
    work.conn.execute(_LOCK, {"ids": sorted({row.submission_id for row, _ in stopping})})
    groups: dict[tuple[str, State, str], list[tuple[Row[Any], Verdict]]] = defaultdict(list)
    for row, said in stopping:
        groups[row.state, _target(State(row.state), said), said.code].append((row, said))
    moved_ids: set[UUID] = set()
    entries: list[Entry] = []
    for (source, target, code), members in sorted(groups.items()):
        for params, rows in _by_params(members):
            moved = set(
                move(
                    work.conn,
                    State(source),
                    target,
                    message.c.id.in_([row.id for row in rows]),
                    reason=code,
                    params=params,
                    due_at=None,
                )
            )
            moved_ids |= moved
            entries += [
                message_entry(f"message.{target.value}", row, code) for row in rows if row.id in moved
            ]
    record_many(work, entries)
    urgent = [row.id for row, _ in stopping if row.urgent and row.id in moved_ids]
    take_next(work, urgent, locked=True)
    close_finished(work, {row.submission_id for row, _ in stopping})
    return len(moved_ids)


def _target(source: State, said: Verdict) -> State:
    if said.kind == "expired":
        return State.EXPIRED
    if said.kind == "cancel" or source is State.RETURNED:
        return State.CANCELLED
    return State.SUPPRESSED


def _by_params(
    members: Sequence[tuple[Row[Any], Verdict]],
) -> Iterable[tuple[dict[str, Any], list[Row[Any]]]]:
    grouped: dict[str, tuple[dict[str, Any], list[Row[Any]]]] = {}
    for row, said in members:
        grouped.setdefault(repr(said.params), (said.params, []))[1].append(row)
    return grouped.values()


_LOCK = text("SELECT id FROM submission WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
