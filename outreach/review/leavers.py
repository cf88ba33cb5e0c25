"""What left a batch while somebody was reading it: skipped or made personal by the advisor, opted out, expired.

Approving fewer than were seen is safe, so the decision goes on without them. That nothing else changed is proved, not
believed: the manifest that was signed is found again from what is there now and the first revisions, which nobody can
change, of what left last.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text

from outreach.ledger.work import Work
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.submissions import Submission

_MOST = 100  # that left since
_LINES = 1_000_000  # of manifests that are written again, at most: half a second


class Left(NamedTuple):
    """A message that left, as it was seen."""

    bound: Bound
    fallback_of: UUID | None

    @property
    def id(self) -> UUID:
        """The message's."""
        return self.bound.message_id


# An edited message may have moved to another policy's submission of the same occurrence. What somebody else decided
# is not among them: that is told as a conflict.
_LEFT = text(
    """
    SELECT m.id, r.digest, m.fallback_of, coalesce(e.at, m.state_at) AS at
      FROM message m
      JOIN message_revision r ON r.message_id = m.id AND r.scheduled_month = m.scheduled_month AND r.revision = 1
      LEFT JOIN message_revision e ON e.message_id = m.id AND e.scheduled_month = m.scheduled_month AND e.revision = 2
      JOIN submission s ON s.id = m.submission_id
     WHERE s.occurrence_id = :occurrence AND s.branch_id IS NOT DISTINCT FROM :branch
       AND (m.revision > 1
            OR s.id = :id AND m.state IN ('cancelled', 'suppressed', 'expired') AND NOT m.flagged AND NOT m.blocked)
     ORDER BY at DESC, m.id
     LIMIT :most
    """
)


def left_since(
    work: Work, about: Submission, present: Sequence[Row[Any]], seen_manifest: bytes
) -> list[Left] | None:
    """What left since the batch had ``seen_manifest``, the last one first; None when that is not all that changed.

    ``present``: the locked rows that can be approved now.
    """
    bounds = [Bound(row.id, row.revision, bytes(row.digest)) for row in present]
    rows = work.conn.execute(
        _LEFT,
        {"occurrence": about.occurrence_id, "branch": about.branch_id, "id": about.id, "most": _MOST},
    )
    there = {bound.message_id for bound in bounds}
    left: list[Left] = []
    for row in rows:
        if row.id in there:
            continue
        left.append(Left(Bound(row.id, 1, bytes(row.digest)), row.fallback_of))
        if (len(bounds) + len(left)) * len(left) > _LINES:
            return None
        if manifest_digest([*bounds, *(one.bound for one in left)]) == seen_manifest:
            return left
    return None
