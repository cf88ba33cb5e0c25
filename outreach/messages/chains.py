"""A chain: what one client gets of one occurrence by one channel after the other. Pure, but for the reading."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from outreach.messages.states import State

WAITS = "waits_for_first"  # an alternative whose turn has not come
NOT_NEEDED = "not_needed"  # cancelled: the client was reached
FIRST_STOPPED = "first_stopped"  # cancelled: somebody, or a rule, said that this client gets nothing
GIVEN_UP = "fell_through"  # of the one before: it took too long, and the next channel was taken
UNKNOWN_GIVEN_UP = "unknown_fell_through"  # the same, where nobody knows whether it was sent
NEVER_WENT = "never_went"  # it was given up, and then found never to have left

_BY_A_PERSON = frozenset({"call", "letter"})
_NO_WAY = frozenset({"no_route", "no_mail_server", "no_contact_point", GIVEN_UP})


class Standing(StrEnum):
    """How far one message of a chain has come."""

    OPEN = "open"  # it may still arrive
    REACHED = "reached"  # it arrived
    MISSED = "missed"  # its channel did not reach the client: another may
    STOPPED = "stopped"  # this client is not to get it, by whatever channel


@dataclass(frozen=True, slots=True)
class Link:
    """One message of a chain, as far as the next step depends on it."""

    id: UUID
    channel: str
    state: State
    reason: str | None
    params: Mapping[str, Any]
    fallback_of: UUID | None
    resting: bool  # approved, and due at no time


def standing(link: Link, reached: Collection[UUID] = ()) -> Standing:
    """Where ``link`` stands. ``reached``: messages that were reported as delivered whatever their rows say.

    An opt-out of one channel leaves the others; an opt-out of all does not. An outcome that nobody knows is waited
    for, until it is marked as given up.
    """
    if link.state is State.DELIVERED or link.id in reached:
        return Standing.REACHED
    if link.state in (State.FAILED, State.UNDELIVERED):
        return Standing.MISSED
    if link.state is State.UNKNOWN and link.reason == UNKNOWN_GIVEN_UP:
        return Standing.MISSED
    if link.state in (State.SUPPRESSED, State.CANCELLED):
        opted_out = link.reason == "opted_out" and link.params.get("channel") == link.channel
        return Standing.MISSED if opted_out or link.reason in _NO_WAY else Standing.STOPPED
    if link.state in (State.REJECTED, State.EXPIRED):
        return Standing.STOPPED
    return Standing.OPEN


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done with the rest of a chain.

    ``go``: the alternative whose turn it is; ``rest``: approved ones whose turn it is not (any more); ``cancel``: those
    that will not be needed, for ``code``; ``missed``: the last one, when no channel reached the client.
    """

    go: Link | None = None
    rest: tuple[Link, ...] = ()
    cancel: tuple[Link, ...] = ()
    code: str = ""
    channel: str = ""  # by which the client was reached
    before: Link | None = None  # whose place ``go`` takes
    missed: Link | None = None


_CAN_BE_CANCELLED = frozenset({State.HELD, State.RETURNED, State.APPROVED})


def next_step(chain: Sequence[Link], reached: Collection[UUID] = ()) -> Step:
    """The next step in ``chain``, the first message first. Pure."""
    found = [(link, standing(link, reached)) for link in chain]
    arrived = next((link for link, where in found if where is Standing.REACHED), None)
    if arrived is not None:
        return Step(
            cancel=tuple(one for one in chain if one is not arrived and one.state in _CAN_BE_CANCELLED),
            code=NOT_NEEDED,
            channel=arrived.channel,
        )
    if found[0][1] is Standing.STOPPED:
        rest = tuple(one for one in chain[1:] if one.state in _CAN_BE_CANCELLED)
        return Step(cancel=rest, code=FIRST_STOPPED)
    before: Link | None = None
    for place, (link, where) in enumerate(found):
        if where is not Standing.OPEN:
            # An alternative that somebody took out is passed over: the one after it is for the same client.
            before = link if where is Standing.MISSED or before is None else before
            continue
        later = tuple(one for one in chain[place + 1 :] if one.state is State.APPROVED and not one.resting)
        go = link if link.fallback_of is not None and link.state is State.APPROVED and link.resting else None
        return Step(go=go, rest=later, before=before)
    # Nobody is told where a person has tried already, nor where the client has said no.
    if any(one.channel in _BY_A_PERSON or one.reason == "opted_out" for one in chain):
        return Step()
    return Step(missed=next((one for one in reversed(chain) if one.state is not State.SUPPRESSED), None))


# The messages of one client in one occurrence: by the unique index of (month, occurrence, client, channel).
CHAINS = text(
    """
    SELECT m.id, m.channel, m.state, m.reason, m.reason_params, m.fallback_of, m.due_at, m.occurrence_id, m.client_id,
           m.branch_id, m.submission_id, m.revision, m.digest, m.category, m.decision_id, m.urgent
      FROM (SELECT DISTINCT scheduled_month, occurrence_id, client_id FROM message WHERE id = ANY(:ids)) AS w
      JOIN message m ON m.scheduled_month = w.scheduled_month AND m.occurrence_id = w.occurrence_id
                    AND m.client_id = w.client_id
    """
)


def chains_of(rows: Mapping[UUID, Any], ids: Collection[UUID]) -> list[list[Link]]:
    """The chains in ``rows`` (of messages) that hold one of ``ids``, each with the first message first."""
    following: dict[UUID, UUID] = {
        row.fallback_of: row.id for row in rows.values() if row.fallback_of is not None
    }
    chains: list[list[Link]] = []
    for row in sorted(rows.values(), key=lambda row: str(row.id)):
        if row.fallback_of is not None:
            continue
        at: UUID | None = row.id
        chain: list[Link] = []
        while at is not None:
            chain.append(link_of(rows[at]))
            at = following.get(at)
        if any(link.id in ids for link in chain):
            chains.append(chain)
    return chains


def read_chains(conn: Connection, message_ids: Collection[UUID]) -> list[list[Link]]:
    """The chains that these messages are in, each with the first message first."""
    rows = {row.id: row for row in conn.execute(CHAINS, {"ids": list(message_ids)})}
    return chains_of(rows, message_ids)


def whole_chain(conn: Connection, message_id: UUID) -> list[UUID]:
    """A message and the others of its chain."""
    return [link.id for chain in read_chains(conn, [message_id]) for link in chain]


def link_of(row: Any) -> Link:
    """The link of a row of ``message``."""
    state = State(row.state)
    return Link(
        id=row.id,
        channel=row.channel,
        state=state,
        reason=row.reason,
        params=row.reason_params or {},
        fallback_of=row.fallback_of,
        resting=state is State.APPROVED and row.due_at is None,
    )
