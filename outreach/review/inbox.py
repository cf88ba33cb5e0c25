"""What waits for a decision: the list of submissions, and the numbers in the header.

Alerts on top, then what is due first; paged by key. Three queries a page, whatever the submissions hold: how much waits
is kept (``tally``), not counted.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Integer,
    Select,
    Uuid,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
)

from outreach.core import clock
from outreach.core.access import Permission, Role, in_reach, reach, visible
from outreach.core.errors import BadInput
from outreach.core.together import Answer, Question, asked, together
from outreach.ledger.work import Work
from outreach.messages.tables import message
from outreach.review.claims import Claim
from outreach.review.filters import HELD, Filters, days, narrowed
from outreach.review.holding import firm_question
from outreach.review.lines import EXCERPT, Line, LinePage, list_messages
from outreach.review.material import material_question
from outreach.review.policies import policy_for
from outreach.review.reading import STILL
from outreach.review.remarks import open_questions_question
from outreach.review.submissions import REACHED, Submission
from outreach.review.tables import submission, submission_tally
from outreach.review.tally import MEASURES, summed
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


@dataclass(frozen=True)
class Inbox:
    """The page of the list, the header's numbers, and how much else there is to look at: what head office put up for
    the actor's clients, material to read, compliance's questions (0 unless ``beside`` was asked for)."""

    page: WaitingPage
    counts: Counts
    from_head_office: int
    material: int
    questions: int


def inbox_of(
    work: Work, filters: Filters | None, after_key: str | None, limit: int, *, beside: bool
) -> Inbox:
    """The inbox, in two round trips. Raises as ``list_waiting``."""
    actor = work.actor
    leads = beside and actor.may(Permission.LEAD)
    branches_only = leads and actor.scope(Permission.DECIDE) is not None
    answers = beside and Role.COMPLIANCE in actor.roles()
    page, numbered = list_question(work, filters, limit + 1, after_key), counts_question(work)
    with together(work.conn) as ask:
        ids = ask(*page)
        numbers = ask(*numbered)
        firm = ask(*firm_question(work)) if branches_only else None
        material = (
            ask(*material_question(work)) if leads and actor.in_own_right().may(Permission.LEAD) else None
        )
        questions = ask(*open_questions_question(work)) if answers else None
    others = (len(one.rows) if one else 0 for one in (firm, material, questions))
    return Inbox(page_from(ids, work, limit), counts_from(numbers), *others)


def list_waiting(
    work: Work, filters: Filters | None = None, after_key: str | None = None, limit: int = 50
) -> WaitingPage:
    """Submissions in which something waits: alerts first, then what is due first.

    ``after_key`` is ``next_after`` of the page before. Raises BadInput when it is not, and for a filter that has no
    such value.
    """
    ids = asked(work.conn, list_question(work, filters, limit + 1, after_key))
    return page_from(ids, work, limit)


def page_from(answer: Answer, work: Work, limit: int) -> WaitingPage:
    """The page whose ids ``list_question`` was answered, one more than ``limit`` where there are more."""
    ids = [row.id for row in answer.rows]
    shown = ids[:limit]
    if not shown:
        return WaitingPage((), None)
    scope, now = reach(work.actor, Permission.READ_MESSAGES), clock.now()
    with together(work.conn) as ask:
        dressed = ask(_DRESSED, ids=shown, now=now, still=now - STILL, actor=work.actor.staff_id, scope=scope)
        named = ask(_RULES, ids=shown, most=LOOKED_AT, scope=scope)
    rows = {row.id: row for row in dressed.rows}
    rules: dict[UUID, list[tuple[str, int]]] = defaultdict(list)
    for row in named.rows:
        rules[row.submission_id].append((row.rule, row.n))
    turns = _turns(work, list(rows.values()))
    # What was decided between the two looks is not there any more.
    items = tuple(_waiting(work, rows[one], turns[one], rules[one]) for one in shown if one in rows)
    return WaitingPage(items, _key_of(items[-1].submission) if len(ids) > limit and items else None)


def waiting_ids(
    work: Work, filters: Filters | None = None, limit: int = 200, after_key: str | None = None
) -> list[UUID]:
    """The submissions of the list from a key on, in its order, without what the list shows of each. Raises BadInput
    as ``list_waiting``."""
    ids = asked(work.conn, list_question(work, filters, limit, after_key))
    return [row.id for row in ids.rows]


def list_question(
    work: Work, filters: Filters | None = None, limit: int = 200, after_key: str | None = None
) -> Question:
    """What ``waiting_ids`` asks. Raises BadInput."""
    wanted: dict[str, Any] = {
        "scope": reach(work.actor, Permission.READ_MESSAGES),
        "most": limit,
        **days(work),
    }
    if after_key is not None:
        wanted["rank"], wanted["due_by"], wanted["last"] = _key(after_key)
    mine = listed_for(work)
    statement = _page(filters or Filters(), after_key is not None)
    return statement if mine is None else statement.where(mine), wanted


@lru_cache(maxsize=256)
def _page(filters: Filters, further: bool) -> Select[Any]:
    """The ids of the list's submissions, built once for each choice of filters. Raises BadInput."""
    tally = summed(submission.c.id, "tally")
    # The zero and one stand in the statement as they do in the index.
    rank = case((submission.c.urgent, literal_column("0")), else_=literal_column("1"))
    order = (rank, submission.c.due_by, submission.c.id)
    statement = (
        select(submission.c.id)
        .select_from(submission.join(tally, true()))
        .where(
            submission.c.state == literal_column("'open'"),
            REACHED,
            tally.c.held > 0,
            narrowed(filters, tally),
        )
        .order_by(*order)
        .limit(bindparam("most", type_=Integer))
    )
    if not further:
        return statement
    key = tuple_(
        bindparam("rank", type_=Integer),
        bindparam("due_by", type_=DateTime(timezone=True)),
        bindparam("last", type_=Uuid),
    )
    return statement.where(tuple_(*order) > key)


def counts(work: Work) -> Counts:
    """The header's numbers, for what the actor has the permission to decide."""
    return counts_from(asked(work.conn, counts_question(work)))


def counts_question(work: Work) -> Question:
    """What ``counts`` asks."""
    mine = listed_for(work)
    wanted = {"scope": reach(work.actor, Permission.DECIDE), "now": clock.now()}
    return _COUNTS if mine is None else _COUNTS.where(mine), wanted


def counts_from(answer: Answer) -> Counts:
    """``counts``, by what ``counts_question`` was answered."""
    row = answer.rows[0]
    return Counts(row.waiting, row.flagged, row.urgent, row.late)


_ALL_HELD = func.sum(submission_tally.c.held - submission_tally.c.alternatives)
_LATE = submission.c.due_by < bindparam("now", type_=DateTime(timezone=True))
_COUNTS = (
    select(
        func.coalesce(_ALL_HELD, 0).label("waiting"),
        func.coalesce(func.sum(submission_tally.c.flagged), 0).label("flagged"),
        func.coalesce(_ALL_HELD.filter(submission.c.urgent), 0).label("urgent"),
        func.coalesce(_ALL_HELD.filter(_LATE), 0).label("late"),
    )
    .select_from(submission_tally.join(submission, submission.c.id == submission_tally.c.submission_id))
    .where(
        submission.c.state == literal_column("'open'"),
        or_(in_reach(submission.c.branch_id), submission.c.branch_id.is_(None)),
        in_reach(submission_tally.c.branch_id),
    )
)

_SUBMISSION_FIELDS = tuple(field.name for field in fields(Submission))
# What the list shows of each of its submissions.
_DRESSED = text(
    f"""
    SELECT {", ".join(f"s.{name}" for name in _SUBMISSION_FIELDS)}, n.*,
           coalesce(author.name, '') AS author_name, coalesce(b.name, '') AS branch,
           coalesce(b.name_en, '') AS branch_en, claimer.name AS claimer_name,
           coalesce(stopper.name, '') AS stopper_name,
           (SELECT count(*) FROM remark r
             WHERE r.submission_id = s.id AND r.kind = 'question' AND r.closed_at IS NULL) AS questions,
           ARRAY(SELECT reader.name FROM reading r JOIN staff reader ON reader.id = r.staff_id
                  WHERE r.submission_id = s.id AND r.at > :still
                    AND r.staff_id IS DISTINCT FROM CAST(:actor AS uuid) ORDER BY reader.name) AS readers
      FROM submission s
      JOIN LATERAL (
            SELECT {", ".join(f"coalesce(sum({measure}), 0) AS {measure}" for measure in MEASURES)}
              FROM submission_tally t
             WHERE t.submission_id = s.id AND (CAST(:scope AS uuid[]) IS NULL OR t.branch_id = ANY(:scope))) n
        ON n.held > 0
      LEFT JOIN staff author ON author.id = s.author_id
      LEFT JOIN staff claimer ON claimer.id = s.claimed_by AND s.claimed_until > :now
      LEFT JOIN staff stopper ON stopper.id = s.stopped_by
      LEFT JOIN branch b ON b.id = s.branch_id
     WHERE s.id = ANY(:ids) AND s.state = 'open'
    """
)


# Of each submission with findings: the rules, and how many messages each, in the first of its flagged messages.
_RULES = text(
    """
    SELECT s.id AS submission_id, named.rule #>> '{}' AS rule, count(DISTINCT f.id) AS n
      FROM submission s
      JOIN LATERAL (
            SELECT m.id, m.findings FROM message m
             WHERE m.submission_id = s.id AND m.scheduled_month = s.scheduled_month AND m.state = 'held' AND m.flagged
               AND (CAST(:scope AS uuid[]) IS NULL OR m.branch_id = ANY(:scope))
             LIMIT :most) f ON true
      JOIN LATERAL jsonb_path_query(f.findings, '$[*] ? (@.severity != "hint").rule') AS named(rule) ON true
     WHERE s.id = ANY(:ids)
     GROUP BY s.id, named.rule
    """
)


def _turns(work: Work, rows: Sequence[Any]) -> dict[UUID, tuple[int, tuple[Turn, ...]]]:
    """How many steps each submission's policy has, and whose turn it is for how much of it.

    Only where there are several is anything asked of the messages.
    """
    policies = {row.policy_version_id: None for row in rows}
    steps = {version_id: policy_for(work.conn, version_id).steps for version_id in policies}
    several = [row.id for row in rows if len(steps[row.policy_version_id]) > 1]
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
        roles = steps[row.policy_version_id]
        waiting = endorsed.get(row.id) or {0: row.held - row.alternatives}
        turns = tuple(Turn(at + 1, roles[min(at, len(roles) - 1)], n) for at, n in sorted(waiting.items()))
        found[row.id] = (len(roles), turns)
    return found


def _waiting(
    work: Work, row: Any, turns: tuple[int, tuple[Turn, ...]], rules: Sequence[tuple[str, int]]
) -> Waiting:
    claim = None
    if row.claimer_name is not None:
        mine = row.claimed_by == work.actor.staff_id
        claim = Claim(row.claimed_by, row.claimer_name, row.claimed_until, mine)
    return Waiting(
        submission=Submission(**{name: getattr(row, name) for name in _SUBMISSION_FIELDS}),
        author_name=row.author_name,
        branch=row.branch,
        branch_en=row.branch_en,
        waiting=row.held - row.alternatives,
        alternatives=row.alternatives,
        flagged=row.flagged,
        blocked=row.blocked,
        decided=row.decided,
        personal=row.personal,
        skipped=row.skipped,
        rules=tuple(sorted(rules, key=lambda pair: (-pair[1], pair[0]))),
        claim=claim,
        questions=row.questions,
        stopped_by=row.stopper_name,
        readers=tuple(row.readers),
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
