"""A period's figures for a branch or the firm: the day sheet, and the month's report for head office.

One structure is read by the page, the workbook and the terminal, so that none of them says anything else.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outreach.core import clock
from outreach.delivery.figures import Answers, OptOuts, Reach, answers, flows, opted_out, reach, waiting_now
from outreach.ledger.work import Work
from outreach.occasions.periods import Period
from outreach.review.figures import (
    NO_TIMES,
    Branch,
    Pace,
    Returned,
    Times,
    decisions_made,
    pace,
    reported_branches,
    returned_for,
)

# Of what left, by where it stands now; then what ended without leaving.
LEFT = ("sent", "handed_over", "delivered", "undelivered", "unknown")
ENDED = ("failed", "suppressed", "expired", "cancelled")
VERBS = {"approve": "approved", "release": "released", "return": "returned", "reject": "rejected"}
DECIDED = (*VERBS.values(), "late", "undone")
FLOWED = ("put_up", "left", *LEFT, *ENDED)


@dataclass(frozen=True)
class Line:
    """Counts by their names, of one branch; ``category`` and ``channel`` are "" where they are all taken together."""

    branch: Branch
    category: str
    channel: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Report:
    """All that happened in ``period``, as known at ``made_at``.

    ``branches`` has one line each, with the counts FLOWED, DECIDED and replies_in, replies_open, answered, opt_outs,
    waiting; ``total`` their sums. ``messages`` splits FLOWED by category and channel, ``decisions`` DECIDED by
    category. ``returned`` is by branch, advisor and reason. A month also has ``reach`` and ``opted_out``.
    """

    period: Period
    made_at: datetime
    monthly: bool
    branches: tuple[Line, ...]
    total: Mapping[str, int]
    messages: tuple[Line, ...]
    decisions: tuple[Line, ...]
    pace: Pace
    returned: tuple[Returned, ...]
    reach: Mapping[UUID, Reach]
    opted_out: tuple[OptOuts, ...]

    def times(self, branch: Branch) -> Times:
        """How long that branch took to decide."""
        return self.pace.branches.get(branch.id, NO_TIMES)

    @property
    def reached(self) -> Reach:
        """Coverage of all its branches together."""
        return Reach(
            UUID(int=0),
            sum(one.clients for one in self.reach.values()),
            sum(one.reached for one in self.reach.values()),
        )

    def by_reason(self) -> list[tuple[Branch, str, int, int]]:
        """(branch, reason, returned, rejected), by branch, the most frequent first."""
        sums: dict[tuple[UUID, str], list[int]] = defaultdict(lambda: [0, 0])
        for one in self.returned:
            both = sums[one.branch_id, one.reason]
            both[0] += one.returned
            both[1] += one.rejected
        return [
            (line.branch, reason, returned, rejected)
            for line in self.branches
            for (branch_id, reason), (returned, rejected) in sorted(
                sums.items(), key=lambda pair: (-sum(pair[1]), pair[0][1])
            )
            if branch_id == line.branch.id
        ]


def report(work: Work, period: Period, branch_id: UUID | None = None, *, monthly: bool = False) -> Report:
    """The figures of ``period``: of one branch, or (None) of all that the actor may see.

    Raises Forbidden, and NotFound beyond the actor's scope.
    """
    branches = reported_branches(work, branch_id)
    ids = [one.id for one in branches]
    sums: dict[UUID, Counter[str]] = {one: Counter() for one in ids}
    messages: dict[tuple[UUID, str, str], Counter[str]] = defaultdict(Counter)
    for flow in flows(work, ids, period):
        names = (flow.what, "left") if flow.what in LEFT else (flow.what,)
        for name in names:
            sums[flow.branch_id][name] += flow.count
            messages[flow.branch_id, flow.category, flow.channel][name] += flow.count
    decided: dict[tuple[UUID, str, str], Counter[str]] = defaultdict(Counter)
    for one in decisions_made(work, ids, period):
        for name, count in ((VERBS[one.verb], one.messages), ("undone", one.undone), ("late", one.late)):
            sums[one.branch_id][name] += count
            decided[one.branch_id, one.category, ""][name] += count
    for told in answers(work, ids, period):
        sums[told.branch_id].update(_replies(told))
    for where, count in waiting_now(work, ids).items():
        sums[where]["waiting"] += count
    by_id = {one.id: one for one in branches}
    return Report(
        period=period,
        made_at=clock.now(),
        monthly=monthly,
        branches=tuple(Line(one, "", "", sums[one.id]) for one in branches),
        total=_together(sums.values()),
        messages=_lines(by_id, messages),
        decisions=_lines(by_id, decided),
        pace=pace(work, ids, period),
        returned=tuple(returned_for(work, ids, period)),
        reach={one.branch_id: one for one in reach(work, ids, period)} if monthly else {},
        opted_out=tuple(opted_out(work, ids, period)) if monthly else (),
    )


def _replies(told: Answers) -> dict[str, int]:
    return {
        "replies_in": told.received,
        "replies_open": told.still_open,
        "answered": told.answered,
        "opt_outs": told.opt_outs,
    }


def _together(parts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in parts:
        total.update(one)
    return total


def _lines(
    branches: Mapping[UUID, Branch], found: Mapping[tuple[UUID, str, str], Counter[str]]
) -> tuple[Line, ...]:
    """In the order of the branches' codes."""
    ordered = sorted(found.items(), key=lambda pair: (branches[pair[0][0]].code, *pair[0][1:]))
    return tuple(
        Line(branches[where], category, channel, counts) for (where, category, channel), counts in ordered
    )
