"""How much waits in each submission, kept by the statements that move messages (triggers in core/migrations).

Each of them adds a row with what it changed; the sum is what there is. Nothing is updated in place, so that nobody who
moves messages waits for another.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, exists, func, select, text
from sqlalchemy.sql.selectable import LateralFromClause

from outreach.core.access import in_reach
from outreach.review.tables import submission_tally

MEASURES = ("held", "flagged", "blocked", "personal", "returned", "decided", "skipped", "alternatives")

UNFOLDED = "count(*) > 16 + 2 * count(DISTINCT branch_id)"  # many more rows of a submission than branches

# What somebody else is folding is left to them.
_FOLD = text(
    f"""
    WITH many AS (
        SELECT submission_id FROM submission_tally WHERE submission_id = ANY(:ids)
         GROUP BY submission_id HAVING {UNFOLDED}),
    mine AS (
        SELECT id FROM submission_tally WHERE submission_id IN (SELECT submission_id FROM many)
           FOR UPDATE SKIP LOCKED),
    gone AS (
        DELETE FROM submission_tally t USING mine WHERE t.id = mine.id AND t.submission_id = ANY(:ids) RETURNING t.*)
    INSERT INTO submission_tally
           (submission_id, branch_id, held, flagged, blocked, personal, returned, decided, skipped, alternatives)
    SELECT submission_id, branch_id, sum(held), sum(flagged), sum(blocked), sum(personal), sum(returned),
           sum(decided), sum(skipped), sum(alternatives)
      FROM gone GROUP BY submission_id, branch_id
    """
)


def fold(conn: Connection, submission_ids: Iterable[UUID]) -> None:
    """Replace the rows of these submissions by their sums, where there are many."""
    conn.execute(_FOLD, {"ids": sorted(set(submission_ids))})


def summed(submission_id: ColumnElement[UUID], name: str) -> LateralFromClause:
    """The sums of one submission over the branches that the actor may see (``access.in_reach``), to be joined
    laterally."""
    sums: list[Any] = [
        func.coalesce(func.sum(submission_tally.c[measure]), 0).label(measure) for measure in MEASURES
    ]
    return (
        select(*sums)
        .where(submission_tally.c.submission_id == submission_id, in_reach(submission_tally.c.branch_id))
        .lateral(name)
    )


def touches(submission_id: ColumnElement[UUID], branch_id: UUID | None = None) -> ColumnElement[bool]:
    """Whether something in a submission goes (or went) to clients that the actor may see (``access.in_reach``), of
    ``branch_id`` if given."""
    conditions = [submission_tally.c.submission_id == submission_id, in_reach(submission_tally.c.branch_id)]
    if branch_id is not None:
        conditions.append(submission_tally.c.branch_id == branch_id)
    return exists().where(*conditions)
