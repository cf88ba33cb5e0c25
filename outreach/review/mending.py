"""What came back to an advisor to be mended, with who returned it and why."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from outreach.core.access import Permission, Role
from outreach.ledger.work import Work

LONGEST = 100


@dataclass(frozen=True)
class ToMend:
    """A returned message: ``reasons`` are codes of approvals/reasons.toml, ``expires_at`` is when it is too late."""

    id: UUID
    client_id: UUID
    client_no: str
    client_name: str
    title: str
    channel: str
    returned_at: datetime
    expires_at: datetime
    reasons: tuple[str, ...]
    note: str
    returned_by: str


# By message_branch_state: little is returned at any time.
TO_MEND = """
SELECT m.id, m.client_id, c.client_no, c.name AS client_name, s.title, m.channel, m.state_at AS returned_at,
       m.expires_at, coalesce(d.reasons, '{}') AS reasons, coalesce(d.note, '') AS note,
       coalesce(d.by, '') AS returned_by
  FROM message m
  JOIN client c ON c.id = m.client_id
  JOIN submission s ON s.id = m.submission_id
  LEFT JOIN LATERAL (
        SELECT e.reasons, e.note, p.name AS by
          FROM decision_digest g
          JOIN decision e ON e.id = g.decision_id
          LEFT JOIN staff p ON p.id = e.actor_id
         WHERE g.message_id = m.id AND e.verb = 'return'
         ORDER BY e.at DESC LIMIT 1) d ON true
 WHERE m.branch_id = ANY(:branches) AND m.state = 'returned'
   AND (m.author_id = :advisor OR c.advisor_id = :advisor)
 ORDER BY m.expires_at, m.id
 LIMIT :limit
"""


def returned_to(work: Work, advisor_id: UUID) -> list[ToMend]:
    """What waits for that advisor to mend it, what is soonest too late on top, as far as the actor may see: an advisor
    only their own."""
    if work.actor.roles() == {Role.ADVISOR} and advisor_id != work.actor.staff_id:
        return []
    scope = work.actor.scope(Permission.READ_MESSAGES)
    branches = sorted(scope) if scope is not None else _every_branch(work)
    rows = work.conn.execute(
        text(TO_MEND), {"branches": branches, "advisor": advisor_id, "limit": LONGEST}
    ).mappings()
    return [ToMend(**{**row, "reasons": tuple(row["reasons"])}) for row in rows]


def _every_branch(work: Work) -> list[UUID]:
    return list(work.conn.execute(text("SELECT id FROM branch")).scalars())
