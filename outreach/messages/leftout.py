"""Who was left out, by which rule, and what mends it: a stored row for each (P8)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from outreach.core import clock
from outreach.core.access import Permission, visible
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from outreach.messages.reasons import words
from outreach.messages.tables import left_out
from outreach.people.tables import client


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A client of an occurrence who gets no message. ``channel`` is empty when no channel would do."""

    client_id: UUID
    branch_id: UUID
    code: str
    params: dict[str, Any] = field(default_factory=dict)
    channel: str = ""


_INSERT = text(
    """
    INSERT INTO left_out (id, occurrence_id, client_id, branch_id, channel, rule, params, reason, mend, article, at)
    SELECT id, :occurrence, client_id, branch_id, channel, rule, params, reason, mend, article, :at
      FROM unnest(CAST(:ids AS uuid[]), CAST(:clients AS uuid[]), CAST(:branches AS uuid[]),
                  CAST(:channels AS text[]), CAST(:rules AS text[]), CAST(:params AS jsonb[]),
                  CAST(:reasons AS text[]), CAST(:mends AS text[]), CAST(:articles AS text[]))
           AS r(id, client_id, branch_id, channel, rule, params, reason, mend, article)
    ON CONFLICT (occurrence_id, client_id, channel) DO NOTHING
    """
)


def write_left_out(work: Work, occurrence_id: UUID, rows: Sequence[LeftOut]) -> int:
    """Store who was left out, in words of the firm's language; a row that is there already stays. Returns how
    many are new."""
    if not rows:
        return 0
    said = [words(row.code, row.params, work.settings.locale) for row in rows]
    done = work.conn.execute(
        _INSERT,
        {
            "occurrence": occurrence_id,
            "at": clock.now(),
            "ids": [new_id() for _ in rows],
            "clients": [row.client_id for row in rows],
            "branches": [row.branch_id for row in rows],
            "channels": [row.channel for row in rows],
            "rules": [row.code for row in rows],
            "params": [json.dumps(row.params, ensure_ascii=False) for row in rows],
            "reasons": [item.reason for item in said],
            "mends": [item.mend for item in said],
            "articles": [item.article for item in said],
        },
    )
    return done.rowcount


@dataclass(frozen=True)
class LeftOutLine:
    """A left-out client as a page shows it."""

    id: UUID
    occurrence_id: UUID
    client_id: UUID
    client_no: str
    client_name: str
    branch_id: UUID
    channel: str
    rule: str
    reason: str
    mend: str
    article: str
    at: datetime


def list_left_out(
    work: Work, *, occurrence_id: UUID | None = None, after: UUID | None = None, limit: int = 50
) -> list[LeftOutLine]:
    """Who was left out, newest first, within the actor's branches; ``after`` is the last row's id of the page
    before. ``words(rule, params)`` of the row would give the other language."""
    wanted = (
        select(
            *(left_out.c[name] for name in _COLUMNS),
            client.c.client_no,
            client.c.name.label("client_name"),
        )
        .join(client, client.c.id == left_out.c.client_id)
        .where(visible(work.actor, Permission.READ_CLIENTS, left_out.c.branch_id))
        .order_by(left_out.c.id.desc())
        .limit(limit)
    )
    if occurrence_id is not None:
        wanted = wanted.where(left_out.c.occurrence_id == occurrence_id)
    if after is not None:
        wanted = wanted.where(left_out.c.id < after)
    return [LeftOutLine(**row._mapping) for row in work.conn.execute(wanted)]


_COLUMNS = "id occurrence_id client_id branch_id channel rule reason mend article at".split()
