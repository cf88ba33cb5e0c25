"""What the tables know of the messages of one page: who wrote, who decided, what came of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text

from outreach.core.database import AnyRow
from outreach.ledger.work import Work


@dataclass
class Facts:
    """The rows of a page, by message; decisions come with the leaf of their entry where it is exported."""

    message: dict[UUID, AnyRow] = field(default_factory=dict)
    revisions: dict[UUID, list[AnyRow]] = field(default_factory=lambda: defaultdict(list))
    decisions: dict[UUID, list[AnyRow]] = field(default_factory=lambda: defaultdict(list))
    attempts: dict[UUID, list[AnyRow]] = field(default_factory=lambda: defaultdict(list))
    receipts: dict[UUID, list[AnyRow]] = field(default_factory=lambda: defaultdict(list))
    replies: dict[UUID, list[int]] = field(default_factory=lambda: defaultdict(list))  # leaves


_MESSAGES = """
    SELECT m.id, m.branch_id, m.client_id, m.advisor_id, m.author_id, m.last_editor_id, m.channel, m.category,
           m.language, m.state, m.reason, m.reason_params, m.revision, m.created_at, s.title, s.mode,
           t.name AS template, t.version AS template_version
      FROM message m LEFT JOIN submission s ON s.id = m.submission_id
      LEFT JOIN content_version t ON t.id = m.template_version_id
     WHERE m.id = ANY(:ids)
"""
_REVISIONS = """
    SELECT r.message_id, r.revision, r.editor_id, r.at
      FROM message m JOIN message_revision r ON r.scheduled_month = m.scheduled_month AND r.message_id = m.id
     WHERE m.id = ANY(:ids) ORDER BY r.revision
"""
_DECISIONS = """
    SELECT dd.message_id, dd.revision, d.id, d.verb, d.actor_id, d.at, d.undone_at, d.undone_by, d.reasons, d.note,
           d.count AS together, d.standing_approval_id, sa.granted_by,
           (SELECT min(s.leaf_index) FROM export_selection s WHERE s.decision_id = d.id) AS leaf_index
      FROM decision_digest dd JOIN decision d ON d.id = dd.decision_id
      LEFT JOIN standing_approval sa ON sa.id = d.standing_approval_id
     WHERE dd.message_id = ANY(:ids) ORDER BY d.at
"""
_ATTEMPTS = """
    SELECT a.message_id, a.id, a.provider, a.state, a.claimed_at, a.started_at, a.finished_at, a.provider_ref,
           a.error_code, a.error_text
      FROM attempt a WHERE a.message_id = ANY(:ids) ORDER BY a.id
"""
_RECEIPTS = """
    SELECT r.message_id, r.id, r.status, r.provider, r.provider_status, r.error_code, r.received_at
      FROM receipt r WHERE r.message_id = ANY(:ids) ORDER BY r.received_at, r.id
"""
# A reply names no message: it answers the last one that was sent to its client on its channel before it came.
_REPLIES = """
    SELECT answered.message_id, l.leaf_index
      FROM reply r JOIN ledger_entry e ON e.client_id = r.client_id AND e.kind = 'reply' AND e.sealed_id = r.body_id
      JOIN ledger_leaf l ON l.entry_id = e.id
      JOIN export_selection s ON s.leaf_index = l.leaf_index
     CROSS JOIN LATERAL (
           SELECT m.id AS message_id FROM ledger_entry sent JOIN message m ON m.id = sent.message_id
            WHERE sent.client_id = r.client_id AND sent.kind = 'message.sent' AND sent.at <= r.received_at
              AND m.channel = r.channel
            ORDER BY sent.at DESC LIMIT 1) AS answered
     WHERE r.client_id = ANY(:clients) AND answered.message_id = ANY(:ids)
     ORDER BY r.received_at, r.id
"""


def facts_of(work: Work, message_ids: Sequence[UUID]) -> Facts:
    """The facts of these messages, in a fixed number of queries."""
    found = Facts()
    ids = {"ids": list(message_ids)}
    for row in work.conn.execute(text(_MESSAGES), ids):
        found.message[row.id] = row
    for statement, where in (
        (_REVISIONS, found.revisions),
        (_DECISIONS, found.decisions),
        (_ATTEMPTS, found.attempts),
        (_RECEIPTS, found.receipts),
    ):
        for row in work.conn.execute(text(statement), ids):
            where[row.message_id].append(row)
    clients = sorted({row.client_id for row in found.message.values()})
    for row in work.conn.execute(text(_REPLIES), {**ids, "clients": clients}):
        found.replies[row.message_id].append(row.leaf_index)
    return found
