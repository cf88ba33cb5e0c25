"""The next channel, when one did not reach the client (art. 79(12)).

An urgent job composes each client's messages for all its channels together: a first one and its alternatives, each
with ``fallback_of`` = the one that it stands in for. All are approved by the same decision. An alternative rests
(approved, due at no time) until the one before it ended without reaching the client; then it is due, in the
transaction that records how that one ended. When one arrives, the alternatives that are not yet being sent are
cancelled. An alternative is never a repetition: it goes by another channel, to another place (P3).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from outreach.core import clock
from outreach.core.engine import defer
from outreach.core.events import MessageUnreachable, publish
from outreach.ledger.append import Entry, record_many
from outreach.ledger.work import Work
from outreach.messages.chains import CHAINS, WAITS, Link, Step, chains_of, next_step, read_chains
from outreach.messages.closing import close_finished
from outreach.messages.entries import message_entry
from outreach.messages.states import State, move
from outreach.messages.tables import message

# Whoever holds one of them locked is about to change it, and asks here after that; or the sweeper does.
_LOCK = text("SELECT id FROM message WHERE id = ANY(:ids) ORDER BY id FOR UPDATE SKIP LOCKED")
_GO = text(
    """
    UPDATE message m
       SET due_at = greatest(m.send_at, CAST(:now AS timestamptz),
                             (SELECT d.undo_until FROM decision d WHERE d.id = m.decision_id)),
           reason = NULL, reason_params = NULL
     WHERE m.id = ANY(:ids) AND m.state = 'approved' AND m.due_at IS NULL AND m.reason = :waits
    RETURNING m.id
    """
)
_REST = text(
    "UPDATE message SET due_at = NULL, reason = :waits, reason_params = '{}'"
    " WHERE id = ANY(:ids) AND state = 'approved' AND fallback_of IS NOT NULL AND due_at IS NOT NULL"
)


def take_next(
    work: Work, message_ids: Iterable[UUID], *, reached: Collection[UUID] = (), locked: bool = False
) -> int:
    """Go on in the chains of these messages, of which something has just ended; returns how many alternatives became
    due. Called again it changes nothing.

    ``reached``: messages that a late receipt reports as delivered. ``locked``: their submissions are locked by this
    transaction, so that alternatives which wait for a decision may be cancelled, too. An urgent message that no
    channel could deliver is told as MessageUnreachable.
    """
    ids = sorted(set(message_ids))
    if not ids:
        return 0
    rows: dict[UUID, Any] = {row.id: row for row in work.conn.execute(CHAINS, {"ids": ids})}
    steps = [next_step(chain, reached) for chain in chains_of(rows, ids)]
    touched = [link.id for step in steps for link in (step.go, *step.rest, *step.cancel) if link is not None]
    free = set(work.conn.execute(_LOCK, {"ids": touched}).scalars()) if touched else set()
    going = _go(work, rows, steps, free)
    if resting := [link.id for step in steps for link in step.rest if link.id in free]:
        work.conn.execute(_REST, {"ids": resting, "waits": WAITS})
    _cancel(work, rows, steps, free, locked=locked)
    for step in steps:
        if step.missed is not None and rows[step.missed.id].urgent:
            publish(work, MessageUnreachable(step.missed.id, rows[step.missed.id].client_id))
    return going


_BUSY = text("SELECT id FROM message WHERE id = ANY(:ids) ORDER BY id FOR SHARE SKIP LOCKED")


def before_sending(conn: Connection, message_ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """The last word about alternatives that are due: id -> what to do and the channel that reached the client.

    ``go``; ``rest``: the turn is another's; ``cancel``: the client was reached; ``wait``: somebody is writing down
    this very moment what became of one of the others, so it is asked again.
    """
    said: dict[UUID, tuple[str, str]] = {}
    read = {link.id for chain in read_chains(conn, message_ids) for link in chain}
    free = set(conn.execute(_BUSY, {"ids": sorted(read)}).scalars())
    for chain in read_chains(conn, message_ids):
        step = next_step(
            [link if link.id not in message_ids else replace(link, resting=True) for link in chain]
        )
        for link in chain:
            if link.id not in message_ids:
                continue
            if step.code:
                said[link.id] = ("cancel", step.channel)
            elif any(one.id not in free for one in chain):
                said[link.id] = ("wait", "")
            else:
                said[link.id] = ("go" if step.go is not None and step.go.id == link.id else "rest", "")
    return said


def rest(conn: Connection, message_id: UUID) -> None:
    """Let an approved alternative wait for its turn (again)."""
    conn.execute(_REST, {"ids": [message_id], "waits": WAITS})


def _go(work: Work, rows: Mapping[UUID, Any], steps: Sequence[Step], free: set[UUID]) -> int:
    wanted = {step.go.id: step for step in steps if step.go is not None and step.go.id in free}
    if not wanted:
        return 0
    done = set(work.conn.execute(_GO, {"ids": sorted(wanted), "now": clock.now(), "waits": WAITS}).scalars())
    record_many(
        work,
        [
            message_entry("fall_through", rows[one], _why(wanted[one].before), wanted[one].before)
            for one in sorted(done)
        ],
    )
    if done:
        defer(work.conn, "dispatch_urgent", lock="dispatch_urgent")
    return len(done)


def _why(before: Link | None) -> str | None:
    """Why the one before counts as not arrived, as a code of messages.reasons."""
    return before.reason if before is not None else None


def _cancel(
    work: Work, rows: Mapping[UUID, Any], steps: Sequence[Step], free: set[UUID], *, locked: bool
) -> None:
    groups: dict[tuple[State, str, str], list[UUID]] = defaultdict(list)
    for step in steps:
        for link in step.cancel:
            if link.id in free and (locked or link.state is State.APPROVED):
                groups[link.state, step.code, step.channel].append(link.id)
    entries: list[Entry] = []
    for (state, code, channel), ids in sorted(groups.items()):
        moved = move(
            work.conn,
            state,
            State.CANCELLED,
            message.c.id.in_(ids),
            reason=code,
            params={"channel": channel} if channel else {},
            due_at=None,
        )
        entries += [message_entry("message.cancelled", rows[one], code) for one in sorted(moved)]
    record_many(work, entries)
    if locked and groups:
        close_finished(work, {rows[one].submission_id for ids in groups.values() for one in ids})
