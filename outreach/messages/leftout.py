"""Who was left out, by which rule, and what mends it: a stored row for each (P8)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, column, func, select, table, text

from outreach.content.in_force import template_version
from outreach.core import clock
from outreach.core.access import Permission, visible
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from outreach.messages.reasons import REASONS, words
from outreach.messages.tables import left_out
from outreach.people.clients import in_scope
from outreach.people.tables import branch, client


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
    """A left-out client as a page shows it. ``title`` is what it was about, empty for an advisor's free text."""

    id: UUID
    occurrence_id: UUID
    title: str
    client_id: UUID
    client_no: str
    client_name: str
    branch_id: UUID
    branch_name: str
    channel: str
    rule: str
    reason: str
    mend: str
    article: str
    at: datetime


def list_left_out(
    work: Work,
    *,
    occurrence_id: UUID | None = None,
    rule: str | None = None,
    after: UUID | None = None,
    limit: int = 50,
    locale: str | None = None,
) -> list[LeftOutLine]:
    """Who was left out, newest first, within the actor's branches (an advisor: of their own clients).

    ``after`` is the last row's id of the page before. The words are as they were stored, or, with ``locale``, in
    that language.
    """
    wanted = (
        select(
            *(left_out.c[name] for name in _COLUMNS),
            left_out.c.params,
            client.c.client_no,
            client.c.name.label("client_name"),
            branch.c.name.label("branch_name"),
            _OCCURRENCE.c.template_version_id,
        )
        .join(client, client.c.id == left_out.c.client_id)
        .join(branch, branch.c.id == left_out.c.branch_id)
        .join(_OCCURRENCE, _OCCURRENCE.c.id == left_out.c.occurrence_id)
        .where(_seen_by(work))
        .order_by(left_out.c.id.desc())
        .limit(limit)
    )
    if occurrence_id is not None:
        wanted = wanted.where(left_out.c.occurrence_id == occurrence_id)
    if rule is not None:
        wanted = wanted.where(left_out.c.rule == rule)
    if after is not None:
        wanted = wanted.where(left_out.c.id < after)
    return [_line(work, row, locale) for row in work.conn.execute(wanted).mappings().all()]


@dataclass(frozen=True)
class LeftOutCount:
    """How many clients a rule left out."""

    rule: str
    count: int


def left_out_by_rule(work: Work, since: datetime) -> list[LeftOutCount]:
    """How many were left out by each rule since an instant, most first, within the actor's branches."""
    rows = work.conn.execute(
        select(left_out.c.rule, func.count().label("count"))
        .join(client, client.c.id == left_out.c.client_id)
        .where(_seen_by(work), left_out.c.at >= since)
        .group_by(left_out.c.rule)
        .order_by(func.count().desc(), left_out.c.rule)
    )
    return [LeftOutCount(row["rule"], row["count"]) for row in rows.mappings()]


# The occurrence's row lies with scheduling, above this room; what it was about is all that is read of it.
_OCCURRENCE = table("occurrence", column("id"), column("template_version_id"))
_COLUMNS = "id occurrence_id client_id branch_id channel rule reason mend article at".split()


def _seen_by(work: Work) -> ColumnElement[bool]:
    return in_scope(work) & visible(work.actor, Permission.READ_CLIENTS, left_out.c.branch_id)


def _line(work: Work, row: RowMapping, locale: str | None) -> LeftOutLine:
    fields = {name: row[name] for name in (*_COLUMNS, "client_no", "client_name", "branch_name")}
    if locale is not None and row["rule"] in REASONS:
        said = words(row["rule"], row["params"], locale)
        fields |= {"reason": said.reason, "mend": said.mend}
    title = ""
    if row["template_version_id"] is not None:
        meta = template_version(work.conn, row["template_version_id"]).meta.title
        title = meta.zh if (locale or work.settings.locale).startswith("zh") else meta.en
    return LeftOutLine(title=title, **fields)
