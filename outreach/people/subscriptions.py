"""Subscriptions: which feeds, and which of their types, a client asked to be told of; each change is in the record.

What a client has not asked for may still reach them as a holder of a code; an opt-out or the suitability rule stops
either.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.access import Actor, Permission, require, visible
from outreach.core.errors import BadInput, NotFound
from outreach.ledger.append import Entry, record, seal_bytes
from outreach.ledger.work import Opener, Work
from outreach.people.clients import in_scope
from outreach.people.importing.encoding import inspect, open_text
from outreach.people.tables import client, subscription

FEEDS = ("research", "market-event")
EVERY = "*"
_LONGEST = 100
_COLUMNS = ("client_no", "feed", "type", "action", "source")
_ACTIONS = {"": "subscribe", "subscribe": "subscribe", "unsubscribe": "unsubscribe"}


@dataclass(frozen=True)
class Subscription:
    """What a client asked for. ``item_type`` ``*``: the whole feed."""

    feed: str
    item_type: str
    source: str
    since: datetime


@dataclass(frozen=True)
class SubscriptionsImported:
    """What an import of subscriptions did; ``refused``: row (from 2, the header is 1), reason and mend."""

    rows: int
    changed: int
    unchanged: int
    refused: tuple[tuple[int, str, str], ...] = ()


def subscribe(
    work: Work, client_id: UUID, feed: str, item_type: str = EVERY, *, source: str, evidence: str = ""
) -> bool:
    """Record that the client asked for ``item_type`` of ``feed``; whether that is new.

    ``source`` says where the wish came from (page, import …), ``evidence`` in which words. Raises NotFound beyond the
    actor's scope, Forbidden for who may not write to clients, BadInput for an unknown feed or an unusable type.
    """
    wanted = _checked(feed, item_type)
    branch_id = _branch_of(work, client_id)
    statement = insert(subscription).values(
        client_id=client_id, feed=feed, item_type=wanted, source=source, since=clock.now()
    )
    fresh = work.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["client_id", "feed", "item_type"],
            set_={"source": statement.excluded.source, "since": statement.excluded.since, "ended_at": None},
            where=subscription.c.ended_at.is_not(None),
        ).returning(subscription.c.client_id)
    ).first()
    if fresh is None:
        return False
    _record(work, client_id, branch_id, "subscribed", feed, wanted, source, evidence)
    return True


def unsubscribe(
    work: Work, client_id: UUID, feed: str, item_type: str = EVERY, *, source: str, evidence: str = ""
) -> bool:
    """End one subscription; whether there was one. Raises as ``subscribe``."""
    wanted = _checked(feed, item_type)
    branch_id = _branch_of(work, client_id)
    ended = work.conn.execute(
        update(subscription)
        .where(
            subscription.c.client_id == client_id,
            subscription.c.feed == feed,
            subscription.c.item_type == wanted,
            subscription.c.ended_at.is_(None),
        )
        .values(ended_at=clock.now())
    )
    if not ended.rowcount:
        return False
    _record(work, client_id, branch_id, "unsubscribed", feed, wanted, source, evidence)
    return True


def subscriptions_of(work: Work, client_id: UUID) -> list[Subscription]:
    """What the client is subscribed to. Raises NotFound beyond the actor's scope."""
    if work.conn.execute(select(client.c.id).where(client.c.id == client_id, in_scope(work))).first() is None:
        raise NotFound("There is no such client among yours.", mend="Check the client number.")
    rows = work.conn.execute(
        select(subscription)
        .where(subscription.c.client_id == client_id, subscription.c.ended_at.is_(None))
        .order_by(subscription.c.feed, subscription.c.item_type)
    )
    return [Subscription(row.feed, row.item_type, row.source, row.since) for row in rows]


def import_subscriptions(open_work: Opener, actor: Actor, path: Path) -> SubscriptionsImported:
    """Import a CSV file: client_no, feed, and optionally type, action (subscribe, unsubscribe) and source.

    In one transaction; a faulty row is refused by itself. The same file again changes nothing. Raises BadInput for a
    file that can't be read or lacks a column, Forbidden for an actor who may not import.
    """
    require(actor, Permission.IMPORT)
    rows = changed = 0
    refused: list[tuple[int, str, str]] = []
    with open_work(actor) as work:
        for number, cells in _rows(path):
            rows += 1
            try:
                changed += _import_row(work, cells)
            except (BadInput, NotFound) as error:
                refused.append((number, error.message, error.mend))
    return SubscriptionsImported(rows, changed, rows - changed - len(refused), tuple(refused))


def _import_row(work: Work, cells: dict[str, str]) -> bool:
    action = _ACTIONS.get(cells.get("action", ""))
    if action is None:
        raise BadInput("The action is unknown.", mend="Write subscribe or unsubscribe.")
    client_id = work.conn.execute(
        select(client.c.id).where(
            client.c.client_no == cells["client_no"],
            visible(work.actor, Permission.IMPORT, client.c.branch_id),
        )
    ).scalar_one_or_none()
    if client_id is None:
        raise NotFound("There is no such client among yours.", mend="Check the client number.")
    act = subscribe if action == "subscribe" else unsubscribe
    return act(
        work,
        client_id,
        cells["feed"],
        cells.get("type") or EVERY,
        source="import",
        evidence=cells.get("source", ""),
    )


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows by column name, in whatever encoding they come. Raises BadInput."""
    facts = inspect(path)
    if facts.encoding == "xlsx":
        raise BadInput("Subscriptions are read from CSV.", mend="Save the sheet as CSV.")
    with open_text(facts) as stream:
        reader = csv.reader(stream)
        try:
            header = [cell.strip().lower() for cell in next(reader, [])]
            missing = {"client_no", "feed"} - set(header)
            unknown = set(header) - set(_COLUMNS)
            if missing or unknown or len(set(header)) < len(header):
                raise BadInput(
                    f"The columns are {', '.join(header) or 'missing'}.", mend=f"Use: {', '.join(_COLUMNS)}."
                )
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    padded = [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
                    yield reader.line_num, dict(zip(header, padded, strict=False))
        except csv.Error as error:
            raise BadInput(
                f"Line {reader.line_num} is no CSV: {error}.", mend="Save it as CSV again."
            ) from error


def _checked(feed: str, item_type: str) -> str:
    wanted = item_type.strip()
    if feed not in FEEDS:
        raise BadInput("There is no such feed.", mend=f"Use one of: {', '.join(FEEDS)}.")
    if not wanted or len(wanted) > _LONGEST or not wanted.isprintable():
        raise BadInput(
            "The type is empty or unusable.", mend=f"Give 1 to {_LONGEST} characters, or * for all."
        )
    return wanted


def _branch_of(work: Work, client_id: UUID) -> UUID:
    """The client's branch, for who writes to the branch's clients or imports for it."""
    imports = visible(work.actor, Permission.IMPORT, client.c.branch_id)
    row = work.conn.execute(
        select(client.c.branch_id, imports.label("imports")).where(
            client.c.id == client_id, or_(in_scope(work), imports)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such client among yours.", mend="Check the client number.")
    if not row.imports:
        require(work.actor, Permission.COMPOSE, row.branch_id)
    branch_id: UUID = row.branch_id
    return branch_id


def _record(
    work: Work,
    client_id: UUID,
    branch_id: UUID,
    action: str,
    feed: str,
    item_type: str,
    source: str,
    evidence: str,
) -> None:
    # The type is the publisher's own word, and the evidence the client's: sealed, since an envelope is for ever.
    said = {"feed": feed, "item_type": item_type, "source": source, "evidence": evidence[:1000]}
    sealed = seal_bytes(work, json.dumps(said, ensure_ascii=False, sort_keys=True).encode())
    record(
        work,
        Entry(
            "consent",
            {
                "channel": "any",
                "category": "information",
                "action": action,
                "basis": source,
                "basis_ref": feed,
            },
            sealed=sealed,
            client_id=client_id,
            branch_id=branch_id,
        ),
    )
