"""What the inbox's filters offer: the authors and the rules of what waits, within the actor's scope."""

from uuid import UUID

from sqlalchemy import func, select, text

from outreach.core.access import Permission
from outreach.ledger.work import Work
from outreach.people.tables import staff
from outreach.review.submissions import in_scope
from outreach.review.tables import submission

MOST = 200


def authors_waiting(work: Work) -> list[tuple[UUID, str]]:
    """(id, name) of the authors of open submissions that the actor may decide on, by name; 200 of them."""
    rows = work.conn.execute(
        select(staff.c.id, staff.c.name)
        .where(
            staff.c.id.in_(
                select(submission.c.author_id)
                .where(submission.c.state == "open", in_scope(work, Permission.DECIDE))
                .distinct()
            )
        )
        .order_by(func.lower(staff.c.name), staff.c.id)
        .limit(MOST)
    )
    return [(row.id, row.name) for row in rows]


_RULES = text(
    """
    SELECT DISTINCT found ->> 'rule' AS rule
      FROM message m, jsonb_array_elements(m.findings) AS found
     WHERE m.state = 'held' AND m.flagged AND (CAST(:scope AS uuid[]) IS NULL OR m.branch_id = ANY(:scope))
     ORDER BY 1
     LIMIT :most
    """
)


def rules_waiting(work: Work) -> list[str]:
    """The rules that were found in flagged messages that wait, by name; 200 of them."""
    scope = work.actor.scope(Permission.DECIDE)
    return list(
        work.conn.execute(_RULES, {"scope": None if scope is None else list(scope), "most": MOST}).scalars()
    )
