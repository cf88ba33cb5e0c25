"""What belongs to an export: the leaves asked for, and what is needed to understand them.

Asked for are a period's or a client's entries. With each message come all its entries, with these the decisions
that bind it, so that a dossier never shows a text without who approved it. The choice is made once, into
temporary tables of the transaction; they are read in steps, so memory stays flat.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from outreach.core.access import Permission
from outreach.core.database import AnyRow
from outreach.ledger.work import Work

CHUNK = 500


@dataclass(frozen=True)
class Asked:
    """The question that an export answers: a period (``start`` ≤ time < ``end``), or one client."""

    start: datetime | None = None
    end: datetime | None = None
    client_id: UUID | None = None
    client_no: str = ""

    @property
    def object(self) -> str:
        """``client`` or ``period``."""
        return "client" if self.client_id else "period"


@dataclass(frozen=True)
class Chosen:
    """How much was chosen: entries, messages, entries that belong to no message, and entries beyond the scope."""

    records: int
    messages: int
    others: int
    beyond: int


# Which kinds of entry speak of a decision is also the condition of the index ledger_entry_deciding.
_TABLE = """
    CREATE TEMP TABLE export_selection (
        leaf_index bigint PRIMARY KEY, entry_id uuid NOT NULL, message_id uuid, decision_id uuid
    ) ON COMMIT DROP
"""
_ADD = """
    INSERT INTO export_selection
    SELECT l.leaf_index, e.id, e.message_id,
           CASE WHEN e.kind IN ('decision', 'release', 'undo')
                THEN (convert_from(e.envelope, 'UTF8')::jsonb ->> 'decision_id')::uuid END
      FROM ledger_entry e JOIN ledger_leaf l ON l.entry_id = e.id
     WHERE l.leaf_index < :size AND {condition}
    ON CONFLICT DO NOTHING
"""
_MINE = "(CAST(:scope AS uuid[]) IS NULL OR e.branch_id = ANY(CAST(:scope AS uuid[])))"
_PERIOD = "e.at >= :start AND e.at < :end"
_CLIENT = "e.client_id = :client"
_CLIENTS_MESSAGES = (
    "e.message_id IN (SELECT m.id FROM message m WHERE m.client_id = :client AND"
    " (CAST(:scope AS uuid[]) IS NULL OR m.branch_id = ANY(CAST(:scope AS uuid[]))))"
)
_SAME_MESSAGES = (
    "e.message_id IN (SELECT s.message_id FROM export_selection s WHERE s.message_id IS NOT NULL)"
)
_ABOUT_DECISIONS = """
    e.kind IN ('decision', 'release', 'undo', 'standing_approval')
    AND e.at >= (SELECT min(d.at) - interval '1 minute' FROM export_decision d)
    AND (convert_from(e.envelope, 'UTF8')::jsonb ->> 'decision_id')::uuid IN (SELECT d.id FROM export_decision d)
"""
_ABOUT_STANDING = """
    e.kind IN ('decision', 'release', 'undo', 'standing_approval') AND e.kind = 'standing_approval'
    AND (convert_from(e.envelope, 'UTF8')::jsonb ->> 'standing_approval_id')::uuid IN
        (SELECT d.standing_approval_id FROM export_decision d WHERE d.standing_approval_id IS NOT NULL)
"""
_DECISIONS = """
    CREATE TEMP TABLE export_decision ON COMMIT DROP AS
    SELECT d.id, d.at, d.standing_approval_id FROM decision d
     WHERE d.id IN (SELECT dd.decision_id FROM decision_digest dd
                     WHERE dd.message_id IN (SELECT s.message_id FROM export_selection s))
        OR d.id IN (SELECT s.decision_id FROM export_selection s)
"""
_AFTERWARDS = (
    """CREATE TEMP TABLE export_message ON COMMIT DROP AS
       SELECT row_number() OVER (ORDER BY min(s.leaf_index)) AS number, s.message_id
         FROM export_selection s WHERE s.message_id IS NOT NULL GROUP BY s.message_id""",
    """CREATE TEMP TABLE export_other ON COMMIT DROP AS
       SELECT row_number() OVER (ORDER BY s.leaf_index) AS number, s.leaf_index
         FROM export_selection s WHERE s.message_id IS NULL""",
    "CREATE UNIQUE INDEX ON export_message (number)",
    "CREATE UNIQUE INDEX ON export_other (number)",
    "CREATE INDEX ON export_selection (message_id)",
    "CREATE INDEX ON export_selection (decision_id) WHERE decision_id IS NOT NULL",
    "ANALYZE export_selection",
)


def choose(work: Work, asked: Asked, size: int, own_entry: UUID) -> Chosen:
    """Choose among the first ``size`` leaves, within the actor's scope; ``own_entry`` is the export's own leaf."""
    conn = work.conn
    scope = work.actor.scope(Permission.EXPORT)
    parameters: dict[str, Any] = {
        "size": size,
        "scope": None if scope is None else sorted(scope),
        "start": asked.start,
        "end": asked.end,
        "client": asked.client_id,
        "entry": own_entry,
    }

    def add(condition: str) -> None:
        conn.execute(text(_ADD.format(condition=condition)), parameters)

    conn.execute(text(_TABLE))
    if asked.client_id:
        add(f"{_CLIENT} AND {_MINE}")
        add(_CLIENTS_MESSAGES)
    else:
        add(f"{_PERIOD} AND {_MINE}")
    add(_SAME_MESSAGES)
    conn.execute(text(_DECISIONS))
    add(_ABOUT_DECISIONS)
    add(_ABOUT_STANDING)
    add("e.id = :entry")
    for statement in _AFTERWARDS:
        conn.execute(text(statement))
    counts = conn.execute(
        text(
            "SELECT (SELECT count(*) FROM export_selection) AS records,"
            " (SELECT count(*) FROM export_message) AS messages, (SELECT count(*) FROM export_other) AS others"
        )
    ).one()
    beyond = 0 if scope is None else _beyond(work, _CLIENT if asked.client_id else _PERIOD, parameters)
    return Chosen(counts.records, counts.messages, counts.others, beyond)


def _beyond(work: Work, condition: str, parameters: dict[str, Any]) -> int:
    """How many entries the question would also name, were the scope the firm."""
    statement = (
        "SELECT count(*) FROM ledger_entry e JOIN ledger_leaf l ON l.entry_id = e.id"
        f" WHERE l.leaf_index < :size AND {condition}"
        " AND NOT EXISTS (SELECT FROM export_selection s WHERE s.leaf_index = l.leaf_index)"
    )
    return int(work.conn.execute(text(statement), parameters).scalar_one())


_RECORDS = """
    SELECT s.leaf_index, s.decision_id, l.leaf_hash, e.id, e.kind, e.at, e.envelope, e.sealed_id, e.message_id,
           e.client_id, e.branch_id
      FROM export_selection s JOIN ledger_leaf l ON l.leaf_index = s.leaf_index
      JOIN ledger_entry e ON e.id = l.entry_id
"""


def records(work: Work) -> Iterator[Sequence[AnyRow]]:
    """The chosen entries in the order of their leaves, some at a time."""
    after = -1
    statement = text(f"{_RECORDS} WHERE s.leaf_index > :after ORDER BY s.leaf_index LIMIT {CHUNK}")
    while rows := work.conn.execute(statement, {"after": after}).all():
        yield rows
        after = rows[-1].leaf_index


def records_of_messages(work: Work, message_ids: Sequence[UUID]) -> Sequence[AnyRow]:
    """The chosen entries of these messages."""
    statement = text(f"{_RECORDS} WHERE s.message_id = ANY(:ids) ORDER BY s.leaf_index")
    return work.conn.execute(statement, {"ids": list(message_ids)}).all()


def records_at(work: Work, indexes: Sequence[int]) -> Sequence[AnyRow]:
    """The chosen entries at these leaves."""
    statement = text(f"{_RECORDS} WHERE s.leaf_index = ANY(:indexes) ORDER BY s.leaf_index")
    return work.conn.execute(statement, {"indexes": list(indexes)}).all()


def other_records(work: Work, first: int, last: int) -> Sequence[AnyRow]:
    """The chosen entries of no message, numbers ``first`` to ``last``."""
    statement = text(
        f"{_RECORDS} JOIN export_other o ON o.leaf_index = s.leaf_index"
        " WHERE o.number BETWEEN :first AND :last ORDER BY s.leaf_index"
    )
    return work.conn.execute(statement, {"first": first, "last": last}).all()


def messages(work: Work, first: int, last: int) -> list[UUID]:
    """The chosen messages, numbers ``first`` to ``last``."""
    statement = text(
        "SELECT message_id FROM export_message WHERE number BETWEEN :first AND :last ORDER BY number"
    )
    return list(work.conn.execute(statement, {"first": first, "last": last}).scalars())


def decisions(work: Work) -> list[UUID]:
    """The decisions of which an entry is among the chosen: their manifests go with the export."""
    statement = text(
        "SELECT d.id FROM export_decision d"
        " WHERE d.id IN (SELECT s.decision_id FROM export_selection s) ORDER BY d.id"
    )
    return list(work.conn.execute(statement).scalars())
