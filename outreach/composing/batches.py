"""Submissions as composing makes them: one a branch (or one for the firm), and their entry in the record.

The table belongs to review, a room above, so it is spoken to in SQL here.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from outreach.core import clock
from outreach.core.events import SubmissionHeld, publish
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record_many
from outreach.ledger.work import Work
from outreach.messages.closing import close_finished
from outreach.messages.payload import manifest_line


@dataclass(frozen=True)
class Batch:
    """What the submissions of one occurrence have in common."""

    occurrence_id: UUID
    mode: str
    policy_version_id: UUID
    template_version_id: UUID | None
    title: str
    category: str
    author_id: UUID | None
    urgent: bool
    due_by: datetime
    send_at: datetime
    expires_at: datetime
    text_hash: bytes | None = None  # keyed hash of the text before anybody's slots


_INSERT = text(
    """
    INSERT INTO submission (id, occurrence_id, scheduled_month, branch_id, mode, policy_version_id,
                            template_version_id, title, category, author_id, urgent, sample_seed, created_at, due_by,
                            escalate_at, send_at, expires_at, text_hash)
    SELECT :id, o.id, o.scheduled_month, :branch_id, :mode, :policy_version_id, :template_version_id, :title,
           :category, :author_id, :urgent, :sample_seed, :created_at, :due_by, :due_by, :send_at, :expires_at,
           CAST(:text_hash AS bytea)
      FROM occurrence o WHERE o.id = :occurrence_id
    ON CONFLICT (occurrence_id, branch_id, policy_version_id) DO NOTHING
    """
)
_FIND = text(
    "SELECT id FROM submission WHERE occurrence_id = :occurrence AND branch_id IS NOT DISTINCT FROM :branch"
    " AND policy_version_id = :policy"
)


def submission_of(conn: Connection, batch: Batch, branch_id: UUID | None) -> UUID:
    """The submission of this occurrence for ``branch_id`` (None: the firm), made when it is not there yet."""
    wanted = {"occurrence": batch.occurrence_id, "branch": branch_id, "policy": batch.policy_version_id}
    found = conn.execute(_FIND, wanted).scalar_one_or_none()
    if found is None:
        conn.execute(
            _INSERT,
            {
                **vars(batch),
                "id": new_id(),
                "branch_id": branch_id,
                # Random, so that who wrote the content can't know which messages will be read.
                "sample_seed": secrets.token_hex(16),
                "created_at": clock.now(),
            },
        )
        found = conn.execute(_FIND, wanted).scalar_one()
    identifier: UUID = found
    return identifier


def due_by(now: datetime, send_at: datetime, within: timedelta) -> datetime:
    """When the decision is needed: before the first message should leave, and within the policy's time."""
    return now + within if send_at <= now else min(send_at, now + within)


_MANIFEST = text(
    "SELECT id, revision, digest, fallback_of FROM message WHERE submission_id = :id AND state = 'held' ORDER BY id"
).execution_options(stream_results=True, max_row_buffer=2000)
_HEADS = text(
    """
    SELECT s.id, s.branch_id, s.mode, s.category, s.author_id, s.urgent, s.due_by, s.expires_at, s.occurrence_id,
           o.job_name, o.send_date, p.name AS policy, p.version AS policy_version,
           t.name AS template, t.version AS template_version
      FROM submission s
      JOIN occurrence o ON o.id = s.occurrence_id
      JOIN content_version p ON p.id = s.policy_version_id
      LEFT JOIN content_version t ON t.id = s.template_version_id
     WHERE s.id = ANY(:ids)
     ORDER BY s.id
    """
)


def put_up(
    work: Work, submission_ids: Iterable[UUID], lexicon_digest: bytes, *, without: Collection[UUID] = ()
) -> None:
    """Record what each submission now holds (count and manifest), and tell that it waits. ``without``: those that
    only lost something, which is nobody's news; one in which nothing waits any more is closed.

    The manifest is what a batch decision would sign: SHA-256 over the lines of ``messages.payload`` in the
    order of the message ids.
    """
    heads = work.conn.execute(_HEADS, {"ids": sorted(set(submission_ids))}).all()
    entries: list[Entry] = []
    for head in heads:
        count, alternatives, manifest = _manifest(work.conn, head.id)
        entries.append(
            Entry(
                "submission",
                {
                    "submission_id": head.id,
                    "occurrence_id": head.occurrence_id,
                    "mode": head.mode,
                    "category": head.category,
                    "author_id": head.author_id,
                    "urgent": head.urgent,
                    "due_at": head.due_by,
                    "expires_at": head.expires_at,
                    "job": head.job_name,
                    "send_date": head.send_date,
                    "policy": head.policy,
                    "policy_version": str(head.policy_version),
                    "template": head.template,
                    "template_version": str(head.template_version) if head.template else None,
                    "lexicon_digest": lexicon_digest,
                    "count": count,
                    "clients": count - alternatives if alternatives else None,
                    "manifest_digest": manifest,
                },
                branch_id=head.branch_id,
            )
        )
    record_many(work, entries)
    for head in heads:
        if head.id not in without:
            publish(work, SubmissionHeld(head.id))
    if without:
        close_finished(work, without)


def _manifest(conn: Connection, submission_id: UUID) -> tuple[int, int, bytes]:
    """How many messages wait, how many of them only as alternatives, and their manifest."""
    running = hashlib.sha256()
    count = alternatives = 0
    for row in conn.execute(_MANIFEST, {"id": submission_id}):
        running.update(manifest_line(row.id, row.revision, bytes(row.digest)).encode())
        count += 1
        alternatives += row.fallback_of is not None
    return count, alternatives, running.digest()
