"""What was put up, what left and what came back, in figures: no message's content, by branch, category and channel.

Every query is set-based, takes the branches it speaks of from whoever has asked for the actor's walls
(``review.figures.reported_branches``), and reads by an index of its own (core/migrations 0003: message_made,
message_ended, reply_answered, consent_opted_out; 0001: reply_branch, message_branch_state).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta
from sqlalchemy import text

from outreach.core.errors import NotFound
from outreach.ledger.work import Work
from outreach.occasions.periods import Period
from outreach.review.figures import reported_branches

# Nothing approved waits longer than this for its time; a month's messages are looked for that far back.
_OLDEST = relativedelta(months=12)


@dataclass(frozen=True)
class Flow:
    """Messages of a branch, category and channel, by ``what`` became of them: ``put_up``; ``left`` in one of the
    states that they have now (sent, handed_over, delivered, undelivered, unknown); or ended as failed, expired,
    suppressed or cancelled."""

    branch_id: UUID
    category: str
    channel: str
    what: str
    count: int


@dataclass(frozen=True)
class Answers:
    """A branch's replies in a period: that came in and want an answer, those of them still open, those answered
    in the period (whenever they came), and opt-outs by message."""

    branch_id: UUID
    received: int
    still_open: int
    answered: int
    opt_outs: int


@dataclass(frozen=True)
class Reach:
    """How many of a branch's clients (active, alive, no test account) got something in a period."""

    branch_id: UUID
    clients: int
    reached: int

    @property
    def share(self) -> float | None:
        """The share that was reached; None where there is nobody."""
        return self.reached / self.clients if self.clients else None


@dataclass(frozen=True)
class OptOuts:
    """Clients of a branch who opted out in a period and have not come back, by how it became known: a source as
    in ``consent`` (sms, email, page, import, provider)."""

    branch_id: UUID
    source: str
    clients: int


PUT_UP = """
SELECT m.branch_id, m.category, m.channel, 'put_up' AS what, count(*) AS count
  FROM message m
 WHERE m.branch_id = ANY(:branches) AND m.id >= uuid7_floor(:since) AND m.id < uuid7_floor(:until)
   AND m.state <> 'draft'
 GROUP BY 1, 2, 3
"""

# A message has left on the day on which the call that took it was begun: that stays, whatever receipt comes later.
# Its token names that call, so no message counts twice. What has left is in the state it has now.
LEFT = """
SELECT m.branch_id, m.category, m.channel, m.state AS what, count(*) AS count
  FROM message m
  JOIN attempt a ON a.id = m.claim_token
 WHERE m.branch_id = ANY(:branches) AND m.state IN ('sent', 'handed_over', 'delivered', 'undelivered', 'unknown')
   AND m.state_at >= :since AND m.scheduled_month BETWEEN :oldest AND :newest
   AND a.started_at >= :since AND a.started_at < :until
   AND a.id >= uuid7_floor(CAST(:since AS timestamptz) - interval '1 day') AND a.id < uuid7_floor(:until)
 GROUP BY 1, 2, 3, 4
"""

ENDED = """
SELECT m.branch_id, m.category, m.channel, m.state AS what, count(*) AS count
  FROM message m
 WHERE m.branch_id = ANY(:branches) AND m.state IN ('failed', 'expired', 'suppressed', 'cancelled')
   AND m.state_at >= :since AND m.state_at < :until
 GROUP BY 1, 2, 3, 4
"""


def flows(work: Work, branches: Collection[UUID], period: Period) -> list[Flow]:
    """What was put up, what left and what ended in ``period``. Raises NotFound beyond the actor's scope."""
    values = _about(work, branches, period)
    return [
        Flow(**row)
        for query in (PUT_UP, LEFT, ENDED)
        for row in work.conn.execute(text(query), values).mappings()
    ]


WAITING = """
SELECT m.branch_id, count(*) AS n FROM message m
 WHERE m.branch_id = ANY(:branches) AND m.state = 'held'
 GROUP BY m.branch_id
"""


def waiting_now(work: Work, branches: Collection[UUID]) -> dict[UUID, int]:
    """branch -> how many messages to its clients wait for a decision now. Raises as ``flows``."""
    rows = work.conn.execute(text(WAITING), {"branches": _allowed(work, branches)})
    return {row.branch_id: row.n for row in rows}


ANSWERS = """
SELECT branch_id, sum(received)::bigint AS received, sum(still_open)::bigint AS still_open,
       sum(answered)::bigint AS answered, sum(opt_outs)::bigint AS opt_outs
  FROM (
    SELECT branch_id, count(*) FILTER (WHERE kind = 'reply') AS received,
           count(*) FILTER (WHERE kind = 'reply' AND answered_at IS NULL) AS still_open,
           0 AS answered, count(*) FILTER (WHERE kind = 'opt_out') AS opt_outs
      FROM reply
     WHERE branch_id = ANY(:branches) AND received_at >= :since AND received_at < :until
     GROUP BY branch_id
    UNION ALL
    SELECT branch_id, 0, 0, count(*), 0
      FROM reply
     WHERE branch_id = ANY(:branches) AND answered_at >= :since AND answered_at < :until AND kind = 'reply'
     GROUP BY branch_id
  ) AS one
 GROUP BY branch_id
"""


def answers(work: Work, branches: Collection[UUID], period: Period) -> list[Answers]:
    """Replies in, open and answered. Raises as ``flows``."""
    rows = work.conn.execute(text(ANSWERS), _about(work, branches, period))
    return [Answers(**row) for row in rows.mappings()]


REACH = """
SELECT c.branch_id, count(*) AS clients, count(r.client_id) AS reached
  FROM client c
  LEFT JOIN (
        SELECT DISTINCT m.client_id
          FROM message m
          JOIN attempt a ON a.id = m.claim_token
         WHERE m.branch_id = ANY(:branches) AND m.state IN ('sent', 'handed_over', 'delivered')
           AND m.state_at >= :since AND m.scheduled_month BETWEEN :oldest AND :newest
           AND a.started_at >= :since AND a.started_at < :until
           AND a.id >= uuid7_floor(CAST(:since AS timestamptz) - interval '1 day') AND a.id < uuid7_floor(:until)
       ) r ON r.client_id = c.id
 WHERE c.branch_id = ANY(:branches) AND c.status = 'normal' AND NOT c.deceased AND NOT c.test
 GROUP BY c.branch_id
"""


def reach(work: Work, branches: Collection[UUID], period: Period) -> list[Reach]:
    """How many clients got something in ``period``; what came back undelivered or is unknown is not something.
    Raises as ``flows``."""
    rows = work.conn.execute(text(REACH), _about(work, branches, period))
    return [Reach(**row) for row in rows.mappings()]


OPTED_OUT = """
SELECT c.branch_id, n.source, count(DISTINCT c.id) AS clients
  FROM consent n JOIN client c ON c.id = n.client_id
 WHERE n.state = 'opted_out' AND n.at >= :since AND n.at < :until AND c.branch_id = ANY(:branches)
 GROUP BY c.branch_id, n.source
"""


def opted_out(work: Work, branches: Collection[UUID], period: Period) -> list[OptOuts]:
    """Who opted out in ``period`` and still is, by source. Raises as ``flows``."""
    rows = work.conn.execute(text(OPTED_OUT), _about(work, branches, period))
    return [OptOuts(**row) for row in rows.mappings()]


def _allowed(work: Work, branches: Collection[UUID]) -> list[UUID]:
    wanted = sorted(set(branches))
    if not wanted or not {one.id for one in reported_branches(work)}.issuperset(wanted):
        raise NotFound("There is no such branch whose figures you may see.", mend="Choose one of the list.")
    return wanted


def _about(work: Work, branches: Collection[UUID], period: Period) -> dict[str, Any]:
    return {
        "branches": _allowed(work, branches),
        "since": period.since,
        "until": period.until,
        "oldest": period.first.replace(day=1) - _OLDEST,
        "newest": period.last.replace(day=1) + relativedelta(months=1),
    }
