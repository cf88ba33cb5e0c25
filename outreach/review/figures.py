"""What decisions come to in figures: how long they took, what is late, what is returned and for what.

Every query is set-based, takes the branches it may speak of, and reads by an index of its own (core/migrations
0003: submission_branch_expiry, decision_at, decision_undone, decision_released, submission_open).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from outreach.content.in_force import policy_version
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import NotFound
from outreach.ledger.work import Work
from outreach.occasions.periods import Period

# Upper ends of the distribution's classes; the last class is open.
CLASSES = (
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(days=1),
    timedelta(days=3),
)


@dataclass(frozen=True)
class Branch:
    """A branch that is reported on."""

    id: UUID
    code: str
    name: str
    name_en: str

    def called(self, locale: str) -> str:
        """Its name in the reader's language."""
        return self.name if locale.startswith("zh") else self.name_en or self.name


@dataclass(frozen=True)
class Times:
    """How long decisions took, from being put up (the revision decided on) to the decision."""

    decisions: int
    median: timedelta | None
    p90: timedelta | None
    in_time: int

    @property
    def share(self) -> float | None:
        """Which share was decided in time; None without a decision."""
        return self.in_time / self.decisions if self.decisions else None


NO_TIMES = Times(0, None, None, 0)


@dataclass(frozen=True)
class Pace:
    """Time to decision: in all, by civil day, by policy (its title in two languages), by category and by branch;
    ``spread`` counts the decisions of each class of ``CLASSES``, and of those beyond."""

    overall: Times
    days: Mapping[date, Times]
    policies: Mapping[tuple[str, str], Times]
    categories: Mapping[str, Times]
    branches: Mapping[UUID, Times]
    spread: tuple[int, ...]


@dataclass(frozen=True)
class Late:
    """A submission whose time is over, with how many of its messages wait."""

    id: UUID
    branch_id: UUID
    title: str
    category: str
    urgent: bool
    due_by: datetime
    waiting: int


@dataclass(frozen=True)
class Returned:
    """What was sent back for one reason (a code of approvals/reasons.toml, "" for none), to one advisor;
    ``advisor`` is "" for what a job made. A decision for two reasons counts for each."""

    branch_id: UUID
    advisor_id: UUID | None
    advisor: str
    reason: str
    returned: int
    rejected: int


@dataclass(frozen=True)
class Undone:
    """An approval that was taken back."""

    title: str
    count: int
    at: datetime
    undone_at: datetime
    undone_by: str


@dataclass(frozen=True)
class Decisions:
    """Messages decided on by one verb (approve | release | return | reject) in a branch and category; ``late`` of
    them after their time, ``undone`` of them taken back."""

    branch_id: UUID
    category: str
    verb: str
    messages: int
    late: int
    undone: int


def reported_branches(work: Work, branch_id: UUID | None = None) -> list[Branch]:
    """The branches whose figures the actor may see, by code; with ``branch_id`` that one alone.

    Figures name advisors and what they are returned for: they are for whoever watches delivery and reads messages
    there. Raises Forbidden, and NotFound beyond the actor's scope.
    """
    require(work.actor, Permission.WATCH_DELIVERY)
    require(work.actor, Permission.READ_MESSAGES)
    rows = work.conn.execute(text("SELECT id, code, name, name_en FROM branch ORDER BY code"))
    found = [
        Branch(row.id, row.code, row.name, row.name_en)
        for row in rows
        if branch_id in (None, row.id)
        and work.actor.may(Permission.WATCH_DELIVERY, row.id)
        and work.actor.may(Permission.READ_MESSAGES, row.id)
    ]
    if not found:
        raise NotFound("There is no such branch whose figures you may see.", mend="Choose one of the list.")
    return found


# A decision's clock starts when the revision that it binds was put up: what an advisor took to mend is not the
# manager's. A submission's first message stands for it. Whoever only endorses has not decided yet. A decision
# comes before the submission's expiry, give or take the sweeper: so the branch's are found by that.
PACE = """
WITH decided AS (
    SELECT s.branch_id, s.category, d.policy_version_id,
           (d.at AT TIME ZONE :zone)::date AS day, d.at <= s.due_by AS timely,
           took.seconds, width_bucket(took.seconds, CAST(:classes AS float8[])) AS class_
      FROM submission s
      JOIN decision d ON d.submission_id = s.id
      JOIN occurrence o ON o.id = s.occurrence_id
      LEFT JOIN LATERAL (
            SELECT r.at
              FROM decision_digest g
              JOIN message_revision r ON r.scheduled_month = o.scheduled_month AND r.message_id = g.message_id
                                     AND r.revision = g.revision
             WHERE g.decision_id = d.id
             ORDER BY g.message_id LIMIT 1) up ON true
     CROSS JOIN LATERAL (
            SELECT greatest(extract(epoch FROM d.at - coalesce(up.at, s.created_at)), 0)::float8 AS seconds) took
     WHERE s.branch_id = ANY(:branches) AND s.expires_at >= CAST(:since AS timestamptz) - interval '2 days'
       AND d.at >= :since AND d.at < :until AND d.verb IN ('approve', 'return', 'reject') AND d.undone_at IS NULL
)
SELECT grouping(day) AS no_day, grouping(policy_version_id) AS no_policy, grouping(category) AS no_category,
       grouping(branch_id) AS no_branch, grouping(class_) AS no_class,
       day, policy_version_id, category, branch_id, class_,
       count(*) AS decisions, count(*) FILTER (WHERE timely) AS in_time,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) AS median,
       percentile_disc(0.9) WITHIN GROUP (ORDER BY seconds) AS p90
  FROM decided
 GROUP BY GROUPING SETS ((day), (policy_version_id), (category), (branch_id), (class_), ())
"""


def pace(work: Work, branches: Collection[UUID], period: Period) -> Pace:
    """How long the branches' own deciders took in ``period``; approvals that were undone don't count.

    Raises Forbidden, and NotFound for a branch beyond the actor's scope.
    """
    rows = work.conn.execute(
        text(PACE),
        _about(work, branches, period)
        | {"zone": str(period.zone), "classes": [one.total_seconds() for one in CLASSES]},
    ).all()
    policies: dict[tuple[str, str], Times] = {}
    overall, spread = NO_TIMES, [0] * (len(CLASSES) + 1)
    for row in rows:
        if not row.no_policy:
            version = policy_version(work.conn, row.policy_version_id)
            # Two versions of a policy are two rules: the second is told apart by its number.
            title = version.meta.title
            names = (
                (title.zh, title.en),
                (f"{title.zh} ({version.version})", f"{title.en} ({version.version})"),
            )
            policies[names[names[0] in policies]] = _times(row)
        elif not row.no_class:
            spread[row.class_] = row.decisions
        elif row.no_day and row.no_category and row.no_branch:
            overall = _times(row)
    return Pace(
        overall=overall,
        days={row.day: _times(row) for row in rows if not row.no_day},
        policies=policies,
        categories={row.category: _times(row) for row in rows if not row.no_category},
        branches={row.branch_id: _times(row) for row in rows if not row.no_branch},
        spread=tuple(spread),
    )


LATE = """
SELECT s.id, s.branch_id, s.title, s.category, s.urgent, s.due_by, w.waiting
  FROM submission s
  JOIN LATERAL (SELECT count(*) AS waiting FROM message m
                 WHERE m.submission_id = s.id AND m.state = 'held') w ON w.waiting > 0
 WHERE s.branch_id = ANY(:branches) AND s.state = 'open' AND s.due_by < :now
 ORDER BY s.due_by, s.id
"""


def late_now(work: Work, branches: Collection[UUID]) -> list[Late]:
    """What should have been decided by now, the longest late first. Raises as ``pace``."""
    rows = work.conn.execute(text(LATE), {"branches": _allowed(work, branches), "now": clock.now()})
    return [Late(**row) for row in rows.mappings()]


RETURNED = """
SELECT s.branch_id, o.requested_by AS advisor_id, coalesce(p.name, '') AS advisor, r.reason,
       count(*) FILTER (WHERE d.verb = 'return') AS returned, count(*) FILTER (WHERE d.verb = 'reject') AS rejected
  FROM submission s
  JOIN decision d ON d.submission_id = s.id
  JOIN occurrence o ON o.id = s.occurrence_id
  LEFT JOIN staff p ON p.id = o.requested_by
 CROSS JOIN LATERAL unnest(CASE WHEN d.reasons = '{}' THEN ARRAY[''] ELSE d.reasons END) AS r(reason)
 WHERE s.branch_id = ANY(:branches) AND s.expires_at >= CAST(:since AS timestamptz) - interval '2 days'
   AND d.at >= :since AND d.at < :until AND d.verb IN ('return', 'reject')
 GROUP BY s.branch_id, o.requested_by, p.name, r.reason
 ORDER BY returned DESC, rejected DESC, advisor, reason
"""


def returned_for(work: Work, branches: Collection[UUID], period: Period) -> list[Returned]:
    """What was returned or rejected in ``period``, by advisor and reason, the most frequent first. Raises as
    ``pace``."""
    rows = work.conn.execute(text(RETURNED), _about(work, branches, period))
    return [Returned(**row) for row in rows.mappings()]


UNDONE = """
SELECT s.title, d.count, d.at, d.undone_at, coalesce(p.name, '') AS undone_by
  FROM decision d
  JOIN submission s ON s.id = d.submission_id
  LEFT JOIN staff p ON p.id = d.undone_by
 WHERE d.undone_at >= :since AND d.undone_at < :until AND s.branch_id = ANY(:branches)
 ORDER BY d.undone_at DESC, d.id
 LIMIT 50
"""


def undone(work: Work, branches: Collection[UUID], period: Period) -> list[Undone]:
    """The newest fifty approvals that were taken back in ``period``. Raises as ``pace``."""
    rows = work.conn.execute(text(UNDONE), _about(work, branches, period))
    return [Undone(**row) for row in rows.mappings()]


RELEASED = """
SELECT d.standing_approval_id AS id, sum(d.count) AS n
  FROM decision d JOIN submission s ON s.id = d.submission_id
 WHERE d.standing_approval_id = ANY(:ids) AND s.branch_id = ANY(:branches)
 GROUP BY d.standing_approval_id
"""


def released_under(work: Work, branches: Collection[UUID], standing: Collection[UUID]) -> dict[UUID, int]:
    """standing approval -> how many messages of these branches went out under it so far. Raises as ``pace``."""
    values = {"ids": sorted(standing), "branches": _allowed(work, branches)}
    return {row.id: int(row.n) for row in work.conn.execute(text(RELEASED), values)}


# A decision's own count is of one branch, unless head office decided for the whole firm: then each branch has
# what went to its own clients.
DECISIONS = """
SELECT branch_id, category, verb, sum(n)::bigint AS messages, coalesce(sum(n) FILTER (WHERE late), 0)::bigint AS late,
       coalesce(sum(n) FILTER (WHERE undone), 0)::bigint AS undone
  FROM (
    SELECT s.branch_id, s.category, d.verb, d.at > s.due_by AS late, d.undone_at IS NOT NULL AS undone, d.count AS n
      FROM submission s JOIN decision d ON d.submission_id = s.id
     WHERE s.branch_id = ANY(:branches) AND s.expires_at >= CAST(:since AS timestamptz) - interval '2 days'
       AND d.at >= :since AND d.at < :until
    UNION ALL
    SELECT m.branch_id, s.category, d.verb, d.at > s.due_by, d.undone_at IS NOT NULL, count(*)
      FROM decision d
      JOIN submission s ON s.id = d.submission_id AND s.branch_id IS NULL
      JOIN occurrence o ON o.id = s.occurrence_id
      JOIN decision_digest g ON g.decision_id = d.id
      JOIN message m ON m.scheduled_month = o.scheduled_month AND m.id = g.message_id
     WHERE d.at >= :since AND d.at < :until AND m.branch_id = ANY(:branches)
     GROUP BY 1, 2, 3, 4, 5
  ) AS one
 WHERE verb <> 'endorse'
 GROUP BY branch_id, category, verb
"""


def decisions_made(work: Work, branches: Collection[UUID], period: Period) -> list[Decisions]:
    """How many messages were decided on in ``period``, head office's decisions for the firm included. Raises as
    ``pace``."""
    rows = work.conn.execute(text(DECISIONS), _about(work, branches, period))
    return [Decisions(**row) for row in rows.mappings()]


def _allowed(work: Work, branches: Collection[UUID]) -> list[UUID]:
    wanted = sorted(set(branches))
    there = {one.id for one in reported_branches(work)}
    if not wanted or not there.issuperset(wanted):
        raise NotFound("There is no such branch whose figures you may see.", mend="Choose one of the list.")
    return wanted


def _about(work: Work, branches: Collection[UUID], period: Period) -> dict[str, Any]:
    return {"branches": _allowed(work, branches), "since": period.since, "until": period.until}


def _times(row: Any) -> Times:
    if not row.decisions:
        return NO_TIMES
    return Times(
        decisions=row.decisions,
        median=timedelta(seconds=row.median),
        p90=timedelta(seconds=row.p90),
        in_time=row.in_time,
    )
