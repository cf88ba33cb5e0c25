"""What the inbox's filters offer: the authors and the rules of what waits, within the actor's scope."""

from uuid import UUID

from sqlalchemy import func, literal_column, select, text

from outreach.core.access import Permission, reach
from outreach.ledger.work import Work
from outreach.people.tables import staff
from outreach.review.submissions import REACHED
from outreach.review.tables import submission

MOST = 200


def authors_waiting(work: Work) -> list[tuple[UUID, str]]:
    """(id, name) of the authors of open submissions that the actor may decide on, by name; 200 of them."""
    rows = work.conn.execute(_AUTHORS, {"scope": reach(work.actor, Permission.DECIDE)})
    return [(row.id, row.name) for row in rows]


_AUTHORS = (
    select(staff.c.id, staff.c.name)
    .where(
        staff.c.id.in_(
            select(submission.c.author_id)
            .where(submission.c.state == literal_column("'open'"), REACHED)
            .distinct()
        )
    )
    .order_by(func.lower(staff.c.name), staff.c.id)
    .limit(MOST)
)
_MONTHS = (
    select(submission.c.scheduled_month)
    .distinct()
    .where(submission.c.state == literal_column("'open'"), REACHED)
)
_RULES = text(
    """
    SELECT DISTINCT found ->> 'rule' AS rule
      FROM message m, jsonb_array_elements(m.findings) AS found
     WHERE m.scheduled_month = ANY(:months) AND m.state = 'held' AND m.flagged
       AND (CAST(:scope AS uuid[]) IS NULL OR m.branch_id = ANY(:scope))
     ORDER BY 1
     LIMIT :most
    """
)


def rules_waiting(work: Work) -> list[str]:
    """The rules that were found in flagged messages that wait, by name; 200 of them."""
    scope = reach(work.actor, Permission.DECIDE)
    months = list(work.conn.execute(_MONTHS, {"scope": scope}).scalars())
    return list(work.conn.execute(_RULES, {"scope": scope, "months": months, "most": MOST}).scalars())
