"""A submission is closed when nothing in it waits for a decision any more."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import text

from outreach.ledger.work import Work

_CLOSE = text(
    """
    UPDATE submission s SET state = 'closed'
     WHERE s.id = ANY(:ids) AND s.state = 'open'
       AND NOT EXISTS (SELECT FROM message m WHERE m.submission_id = s.id AND m.state IN ('held', 'returned'))
    """
)


def close_finished(work: Work, submission_ids: Iterable[UUID]) -> None:
    """Close the submissions in which nothing waits for a decision any more, so that no inbox shows them.

    The table belongs to review, a room above; the messages that make it so belong here.
    """
    work.conn.execute(_CLOSE, {"ids": sorted(set(submission_ids))})
