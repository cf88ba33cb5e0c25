"""What one person, or one group, is told in one letter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select

from outreach.core import clock
from outreach.core.errors import NotFound
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.notices.letters import Letter
from outreach.notices.wording import category_name, tongue, word
from outreach.occasions.windows import end_of_day
from outreach.people.staff import actor_for
from outreach.review.tables import submission
from outreach.review.turns import waits_for

_MOST_LINES = 12
_WORDS: dict[str, dict[str, str]] = {
    "zh": {
        "mine": "有 {n} 条消息等待您审批",
        "group": "{whose}有 {n} 条消息等待审批",
        "anybody": "有 {n} 条消息等待审批",
        "of which": "（{parts}）",
        "late": "逾期 {n} 条",
        "today": "今日到期 {n} 条",
        "and": "，",
        "kind": "· {kind} {n} 条",
        "for": "其中含您代{names}处理的消息。",
        "names": "、",
        "several": "您有 {n} 条新通知",
        "several urgent": "紧急：您有 {n} 条新通知",
        "group several": "{n} 条新通知",
        "group several urgent": "紧急：{n} 条新通知",
        "more": "……另有 {n} 条，见“通知”页",
    },
    "en": {
        "mine": "{messages} {wait} for your approval",
        "group": "{whose}: {messages} {wait} for approval",
        "anybody": "{messages} {wait} for approval",
        "of which": " ({parts})",
        "late": "{n} late",
        "today": "{n} due today",
        "and": ", ",
        "kind": "- {kind}: {n}",
        "for": "Among them those for {names}, who is away.",
        "names": ", ",
        "several": "{n} notices for you",
        "several urgent": "Urgent: {n} notices for you",
        "group several": "{n} notices",
        "group several urgent": "Urgent: {n} notices",
        "more": "… and {n} more, on the page of notices",
    },
}


@dataclass(frozen=True)
class Reader:
    """Whom a letter is for: a member of staff, or (``group``) several people, in ``locale``."""

    locale: str
    staff_id: UUID | None = None
    branch_id: UUID | None = None
    firm: bool = False
    whose: str = ""  # of a group: the branch's name, or head office

    @property
    def group(self) -> bool:
        """Whether it is for several people."""
        return self.staff_id is None


def letter_of(work: Work, rows: Sequence[Row[Any]], counts: dict[UUID, int], reader: Reader) -> Letter | None:
    """One letter of ``rows`` (of ``notice``, each of which holds); None when nothing of it concerns the reader now.

    ``counts``: notice -> how many messages wait of what it speaks of, where it speaks of such.
    """
    urgent = any(row.urgent for row in rows)
    waits = [row for row in rows if row.kind == "submission_held" and not row.urgent]
    others = [row for row in rows if row not in waits]
    head: list[str] = []
    subject = ""
    if waits and (summed := _sums(work, waits, reader)):
        subject, head = _summary(summed, waits, reader, work.settings.public_url)
    lines = [_line(row, counts, reader, work.settings.public_url) for row in others]
    if not subject and not lines:
        return None
    said = _WORDS[tongue(reader.locale)]
    if not subject:
        key = ("group " if reader.group else "") + "several" + (" urgent" if urgent else "")
        subject = lines[0][0] if len(lines) == 1 else said[key].format(n=len(lines))
    parts = ["\n".join(head)] if head else []
    # A line that is the subject is not said again.
    parts += ["\n".join(pair[pair[0] == subject :]) for pair in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        link = f"{work.settings.public_url}/notices"
        parts.append(f"{said['more'].format(n=len(lines) - _MOST_LINES)}\n{link}")
    firm = work.settings.firm_name if tongue(reader.locale) == "zh" else work.settings.firm_name_en
    parts.append(f"— {firm} · Outreach")
    return Letter(subject=subject, text="\n\n".join(parts) + "\n", urgent=urgent)


def _line(row: Row[Any], counts: dict[UUID, int], reader: Reader, site: str) -> tuple[str, str]:
    params = row.params | ({"count": counts[row.id]} if row.id in counts else {})
    wording = word(row.kind, params, reader.locale, group=reader.group)
    return wording.line, f"{site}{wording.path}"


@dataclass(frozen=True)
class _Sum:
    category: str
    n: int
    late: int
    today: int


def _sums(work: Work, waits: Sequence[Row[Any]], reader: Reader) -> list[_Sum]:
    """Everything that waits for the reader, by category: not only what is new."""
    now = clock.now()
    tonight = end_of_day(clock.today(work.settings.zone), work.settings.zone)
    rows = work.conn.execute(
        select(
            submission.c.category,
            func.count().label("n"),
            _count(submission.c.due_by < now),
            _count((submission.c.due_by >= now) & (submission.c.due_by < tonight)),
        )
        .join(message, message.c.submission_id == submission.c.id)
        .where(message.c.state == State.HELD.value, _waiting_for(work, waits, reader, now))
        .group_by(submission.c.category)
        .order_by(func.count().desc(), submission.c.category)
    )
    return [_Sum(*row) for row in rows]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)


def _waiting_for(work: Work, waits: Sequence[Row[Any]], reader: Reader, now: datetime) -> ColumnElement[bool]:
    if reader.staff_id is not None:
        try:
            actor = actor_for(work.conn, reader.staff_id, clock.today(work.settings.zone), now)
        except NotFound:  # has left
            return submission.c.id.is_(None)
        own = submission.c.author_id.is_distinct_from(reader.staff_id)
        return own & waits_for(Work(work.conn, actor, work.keys, work.settings))
    if reader.branch_id is not None:
        return submission.c.branch_id == reader.branch_id
    if reader.firm:
        return submission.c.branch_id.is_(None)
    return submission.c.id.in_([row.submission_id for row in waits])


def _summary(
    sums: Sequence[_Sum], waits: Sequence[Row[Any]], reader: Reader, site: str
) -> tuple[str, list[str]]:
    said = _WORDS[tongue(reader.locale)]
    total, late, today = (sum(getattr(one, key) for one in sums) for key in ("n", "late", "today"))
    key = "mine" if not reader.group else "group" if reader.whose else "anybody"
    line = said[key].format(
        n=total,
        whose=reader.whose,
        messages="1 message" if total == 1 else f"{total} messages",
        wait="waits" if total == 1 else "wait",
    )
    parts = [said[key].format(n=n) for key, n in (("late", late), ("today", today)) if n]
    if parts:
        line += said["of which"].format(parts=said["and"].join(parts))
    head = [said["kind"].format(kind=category_name(one.category, reader.locale), n=one.n) for one in sums]
    names = sorted({str(row.params["for"]) for row in waits if row.params.get("for")})
    if names and not reader.group:
        head.append(said["for"].format(names=said["names"].join(names)))
    head.append(f"{site}/inbox")
    return line, head
