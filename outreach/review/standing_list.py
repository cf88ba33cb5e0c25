"""The standing approvals that an actor may see, in force and ended, with what each has released."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.ledger.work import Work

ENDED_WITHIN = timedelta(days=90)


@dataclass(frozen=True)
class StandingLine:
    """One standing approval. ``state``: in_force | ended | revoked; ``branch`` is empty for every branch of the firm.

    ``released``: how many messages so far; ``waiting``: how many of them are not on their way yet.
    """

    id: UUID
    state: str
    branch_id: UUID | None
    branch: str
    branch_en: str
    template: str
    template_version: int
    policy: str
    policy_version: int
    granted_by: UUID
    granted_by_name: str
    granted_at: datetime
    valid_until: datetime
    revoked_at: datetime | None
    revoked_by_name: str
    released: int
    waiting: int
    may_revoke: bool


def standing_lines(work: Work, limit: int = 200) -> list[StandingLine]:
    """Those in force, what ends first on top, then those that ended or were revoked within 90 days, last ones first."""
    require(work.actor, Permission.READ_MESSAGES)
    scope = work.actor.scope(Permission.READ_MESSAGES)
    now = clock.now()
    rows = work.conn.execute(
        _LINES,
        {
            "scope": None if scope is None else sorted(scope),
            "now": now,
            "since": now - ENDED_WITHIN,
            "limit": limit,
        },
    ).mappings()
    deciding = work.actor.scope(Permission.DECIDE)
    return [
        StandingLine(
            **row,
            may_revoke=row["state"] == "in_force" and (deciding is None or row["branch_id"] in deciding),
        )
        for row in rows
    ]


# What a decision released is counted by its own figure; only approved messages are looked for.
_LINES = text(
    """
    SELECT a.id, CASE WHEN a.revoked_at IS NOT NULL THEN 'revoked' WHEN a.valid_until > :now THEN 'in_force'
                      ELSE 'ended' END AS state,
           a.branch_id, coalesce(b.name, '') AS branch, coalesce(b.name_en, '') AS branch_en,
           t.name AS template, t.version AS template_version, p.name AS policy, p.version AS policy_version,
           a.granted_by, g.name AS granted_by_name, a.granted_at, a.valid_until, a.revoked_at,
           coalesce(r.name, '') AS revoked_by_name, n.released, n.waiting
      FROM standing_approval a
      JOIN content_version t ON t.id = a.template_version_id
      JOIN content_version p ON p.id = a.policy_version_id
      JOIN staff g ON g.id = a.granted_by
      LEFT JOIN staff r ON r.id = a.revoked_by
      LEFT JOIN branch b ON b.id = a.branch_id
     CROSS JOIN LATERAL (
            SELECT coalesce(sum(d.count), 0)::int AS released,
                   coalesce(sum((SELECT count(*) FROM message m WHERE m.submission_id = d.submission_id
                                    AND m.state = 'approved' AND m.decision_id = d.id)), 0)::int AS waiting
              FROM decision d WHERE d.standing_approval_id = a.id) n
     WHERE (CAST(:scope AS uuid[]) IS NULL OR a.branch_id IS NULL OR a.branch_id = ANY(:scope))
       AND ((a.revoked_at IS NULL AND a.valid_until > :now)
            OR coalesce(a.revoked_at, a.valid_until) > :since)
     ORDER BY a.revoked_at IS NULL AND a.valid_until > :now DESC,
              CASE WHEN a.revoked_at IS NULL AND a.valid_until > :now THEN a.valid_until END,
              coalesce(a.revoked_at, a.valid_until) DESC, a.id
     LIMIT :limit
    """
)
