"""What waits for a decision: the list of submissions, and the numbers in the header.

Alerts on top, then what is due first; paged by key. One query a page, whatever the submissions hold: how much waits is
kept (``tally``), not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Integer,
    Subquery,
    Uuid,
    and_,
    case,
    func,
    literal,
    literal_column,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.sql.selectable import LateralFromClause

from outreach.core import clock
from outreach.core.access import Permission, Role, visible
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.messages.tables import message
from outreach.people.tables import branch, staff
from outreach.review.claims import Claim
from outreach.review.filters import HELD, Filters, narrowed
from outreach.review.lines import EXCERPT, Line, LinePage, list_messages
from outreach.review.policies import policy_for
from outreach.review.reading import STILL
from outreach.review.submissions import Submission, in_scope
from outreach.review.tables import reading, remark, submission, submission_tally
from outreach.review.tally import summed
from outreach.review.turns import listed_for

__all__ = [
    "EXCERPT",
    "Counts",
    "Filters",
    "Line",
    "LinePage",
    "Turn",
    "Waiting",
    "WaitingPage",
    "counts",
    "list_messages",
    "list_waiting",
    "waiting_ids",
]

LOOKED_AT = 100  # flagged messages of a submission of which the list says by which rules


@dataclass(frozen=True)
class Turn:
    """Whose turn it is for some messages of a submission: ``step`` (from 1) of the policy's approvers."""

    step: int
    roles: tuple[Role, ...]
    waiting: int


@dataclass(frozen=True)
class Waiting:
    """One submission in the inbox, with counts of the messages the actor may see in it.

    ``waiting``: one for each client; ``alternatives``: what waits beside, to go only if another channel did not reach
    its client; ``personal``: those that wait with words of their own; ``skipped``: those that their advisor took back;
    ``rules``: what was found, with counts, in the first 100 flagged messages; ``stopped_by`` is empty unless it
    stopped; ``readers``: names of the others who read it now.
    """

    submission: Submission
    author_name: str
    branch: str  # empty for what was put up for the firm, as is the next
    branch_en: str
    waiting: int
    alternatives: int
    flagged: int
    blocked: int
    decided: int
    personal: int
    skipped: int
    rules: tuple[tuple[str, int], ...]
    claim: Claim | None
    questions: int
    stopped_by: str
    readers: tuple[str, ...]
    turns: tuple[Turn, ...]
    steps: int  # how many approvers its policy has

    @property
    def time_left(self) -> timedelta:
        """Until the decision is needed; negative when it is late."""
        return self.submission.due_by - clock.now()


@dataclass(frozen=True)
class WaitingPage:
    """A page of the inbox; ``next_after`` is the key for the following one, None at the end."""

    items: tuple[Waiting, ...]
    next_after: str | None


@dataclass(frozen=True)
class Counts:
    """The header's numbers: messages that wait within the actor's scope."""

    waiting: int
    flagged: int
    urgent: int
    late: int


def list_waiting(
    work: Work, filters: Filters | None = None, after_key: str | None = None, limit: int = 50
) -> WaitingPage:
    """Submissions in which something waits: alerts first, then what is due first.

    ``after_key`` is ``next_after`` of the page before. Raises BadInput when it is not, and for a filter that has no
    such value.
    """
    page = _page(work, filters or Filters(), after_key, limit + 1)
    rows = work.conn.execute(_dressed(work, page, clock.now())).mappings().all()
    shown = rows[:limit]
    turns = _turns(work, shown)
    items = tuple(_waiting(work, row, turns[row["id"]]) for row in shown)
    return WaitingPage(items, _key_of(items[-1].submission) if len(rows) > limit else None)


def waiting_ids(work: Work, filters: Filters | None = None, limit: int = 200) -> list[UUID]:
    """The submissions of the list's beginning, in its order, without what the list shows of each. Raises BadInput as
    ``list_waiting``."""
    page = _page(work, filters or Filters(), None, limit)
    order = (page.c.rank, page.c.due_by, page.c.id)
    return list(work.conn.execute(select(page.c.id).order_by(*order)).scalars())


def _page(work: Work, filters: Filters, after_key: str | None, limit: int) -> Subquery:
    """``limit`` submissions of the list, from the key on."""
    tally = summed(work, Permission.READ_MESSAGES, submission.c.id, "tally")
    condition = (
        (submission.c.state == literal_column("'open'"))
        & in_scope(work, Permission.READ_MESSAGES)
        & listed_for(work)
        & (tally.c.held > 0)
        & narrowed(work, filters, tally)
    )
    # The zero and one stand in the statement as they do in the index.
    rank = case((submission.c.urgent, literal_column("0")), else_=literal_column("1"))
    order = (rank, submission.c.due_by, submission.c.id)
    if after_key is not None:
        last_rank, due_by, last = _key(after_key)
        key = tuple_(
            literal(last_rank, Integer), literal(due_by, DateTime(timezone=True)), literal(last, Uuid)
        )
        condition &= tuple_(*order) > key
    return (
        select(submission, tally, rank.label("rank"))
        .select_from(submission.join(tally, true()))
        .where(condition)
        .order_by(*order)
        .limit(limit)
        .subquery("page")
    )


def counts(work: Work) -> Counts:
    """The header's numbers, for what the actor has the permission to decide."""
    late = submission.c.due_by < clock.now()
    own = visible(work.actor, Permission.DECIDE, submission.c.branch_id)
    held = func.sum(submission_tally.c.held - submission_tally.c.alternatives)
    row = work.conn.execute(
        select(
            func.coalesce(held, 0).label("waiting"),
            func.coalesce(func.sum(submission_tally.c.flagged), 0).label("flagged"),
            func.coalesce(held.filter(submission.c.urgent), 0).label("urgent"),
            func.coalesce(held.filter(late), 0).label("late"),
        )
        .select_from(submission_tally.join(submission, submission.c.id == submission_tally.c.submission_id))
        .where(
            submission.c.state == literal_column("'open'"),
            own | submission.c.branch_id.is_(None),
            listed_for(work),
            visible(work.actor, Permission.DECIDE, submission_tally.c.branch_id),
        )
    ).one()
    return Counts(row.waiting, row.flagged, row.urgent, row.late)


def _dressed(work: Work, page: Subquery, now: datetime) -> Any:
    """The page's query with all that the list shows of each submission."""
    author, claimer, stopper = staff.alias("author"), staff.alias("claimer"), staff.alias("stopper")
    rules, asked, readers = _rules(work, page), _questions(page), _readers(work, page, now)
    joined = (
        page.outerjoin(author, author.c.id == page.c.author_id)
        .outerjoin(claimer, and_(claimer.c.id == page.c.claimed_by, page.c.claimed_until > now))
        .outerjoin(stopper, stopper.c.id == page.c.stopped_by)
        .outerjoin(branch, branch.c.id == page.c.branch_id)
        .join(rules, true())
        .join(asked, true())
        .join(readers, true())
    )
    return (
        select(
            page,
            func.coalesce(author.c.name, "").label("author_name"),
            func.coalesce(branch.c.name, "").label("branch"),
            func.coalesce(branch.c.name_en, "").label("branch_en"),
            claimer.c.name.label("claimer_name"),
            func.coalesce(stopper.c.name, "").label("stopper_name"),
            rules.c.rules,
            asked.c.questions,
            readers.c.readers,
        )
        .select_from(joined)
        .order_by(page.c.rank, page.c.due_by, page.c.id)
    )


def _rules(work: Work, page: Subquery) -> LateralFromClause:
    """Of each submission with findings: {rule: how many messages}, in the first of its flagged messages."""
    flagged = (
        select(message.c.id, message.c.findings)
        .where(
            page.c.flagged > 0,
            message.c.submission_id == page.c.id,
            HELD,
            message.c.flagged,
            visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id),
        )
        .limit(LOOKED_AT)
        .correlate(page)
        .subquery("flagged_messages")
    )
    named = (
        func.jsonb_path_query(flagged.c.findings, text("'$[*] ? (@.severity != \"hint\").rule'"))
        .table_valued("value", name="named")
        .render_derived()
    )
    counted = (
        select(named.c.value.label("rule"), func.count(flagged.c.id.distinct()).label("n"))
        .select_from(flagged.join(named, true()))
        .group_by(named.c.value)
        .subquery("counted")
    )
    pairs = func.jsonb_agg(func.jsonb_build_array(counted.c.rule, counted.c.n))
    return select(func.coalesce(pairs, literal_column("'[]'::jsonb")).label("rules")).lateral("rules")


def _questions(page: Subquery) -> LateralFromClause:
    return (
        select(func.count().label("questions"))
        .select_from(remark)
        .where(remark.c.submission_id == page.c.id, remark.c.kind == "question", remark.c.closed_at.is_(None))
        .lateral("asked")
    )


def _readers(work: Work, page: Subquery, now: datetime) -> LateralFromClause:
    reader = staff.alias("reader")
    return (
        select(func.coalesce(func.array_agg(reader.c.name), literal_column("'{}'")).label("readers"))
        .select_from(reading.join(reader, reader.c.id == reading.c.staff_id))
        .where(
            reading.c.submission_id == page.c.id,
            reading.c.at > now - STILL,
            reading.c.staff_id.is_distinct_from(work.actor.staff_id),
        )
        .lateral("readers")
    )


def _turns(work: Work, rows: Sequence[Any]) -> dict[UUID, tuple[int, tuple[Turn, ...]]]:
    """How many steps each submission's policy has, and whose turn it is for how much of it.

    Only where there are several is anything asked of the messages.
    """
    policies = {row["policy_version_id"]: None for row in rows}
    steps = {version_id: policy_for(work.conn, version_id).steps for version_id in policies}
    several = [row["id"] for row in rows if len(steps[row["policy_version_id"]]) > 1]
    endorsed: dict[UUID, dict[int, int]] = {}
    if several:
        counted = select(message.c.submission_id, message.c.endorsed, func.count().label("n")).where(
            message.c.submission_id.in_(several),
            HELD,
            visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id),
        )
        for row in work.conn.execute(counted.group_by(message.c.submission_id, message.c.endorsed)):
            endorsed.setdefault(row.submission_id, {})[row.endorsed] = row.n
    found: dict[UUID, tuple[int, tuple[Turn, ...]]] = {}
    for row in rows:
        roles = steps[row["policy_version_id"]]
        waiting = endorsed.get(row["id"]) or {0: row["held"] - row["alternatives"]}
        turns = tuple(Turn(at + 1, roles[min(at, len(roles) - 1)], n) for at, n in sorted(waiting.items()))
        found[row["id"]] = (len(roles), turns)
    return found


_SUBMISSION_FIELDS = tuple(field.name for field in fields(Submission))


def _waiting(work: Work, row: Any, turns: tuple[int, tuple[Turn, ...]]) -> Waiting:
    claim = None
    if row["claimer_name"] is not None:
        mine = row["claimed_by"] == work.actor.staff_id
        claim = Claim(row["claimed_by"], row["claimer_name"], row["claimed_until"], mine)
    return Waiting(
        submission=Submission(**{name: row[name] for name in _SUBMISSION_FIELDS}),
        author_name=row["author_name"],
        branch=row["branch"],
        branch_en=row["branch_en"],
        waiting=row["held"] - row["alternatives"],
        alternatives=row["alternatives"],
        flagged=row["flagged"],
        blocked=row["blocked"],
        decided=row["decided"],
        personal=row["personal"],
        skipped=row["skipped"],
        rules=tuple(sorted(((rule, n) for rule, n in row["rules"]), key=lambda pair: (-pair[1], pair[0]))),
        claim=claim,
        questions=row["questions"],
        stopped_by=row["stopper_name"],
        readers=tuple(sorted(row["readers"])),
        turns=turns[1],
        steps=turns[0],
    )


def _key_of(last: Submission) -> str:
    return f"{0 if last.urgent else 1}~{last.due_by.isoformat()}~{last.id}"


def _key(key: str) -> tuple[int, datetime, UUID]:
    try:
        rank, due_by, last = key.split("~")
        return int(rank), datetime.fromisoformat(due_by), UUID(last)
    except ValueError:
        raise BadInput("That is no place in this list.", mend="Start from its first page.") from None
