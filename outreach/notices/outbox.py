"""What staff is told: rows written in the transaction that makes them true; what leaves, leaves after it is committed.

A notice holds no client data: it says that something waits, how many, and where to look. Here a notice is told, read
on the page and marked as seen; ``routing`` settles who is told by which ways, ``sending`` tells.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, func, insert, literal, or_, select, tuple_, update

from outreach.core import clock
from outreach.core.engine import defer
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from outreach.notices.holding import over
from outreach.notices.tables import notice, notice_delivery
from outreach.notices.wording import word

MAIL = "mail"  # the way's name; a target's way has the target's


@dataclass(frozen=True)
class Notice:
    """One notice as its reader sees it: a line, the address of the page to open, and when.

    ``over``: it was decided meanwhile. ``ways``: by which it left; ``waiting``: it is still to leave by one.
    """

    id: UUID
    kind: str
    line: str
    path: str
    created_at: datetime
    params: dict[str, Any]
    seen_at: datetime | None = None
    sent_at: datetime | None = None
    urgent: bool = False
    over: bool = False
    ways: tuple[str, ...] = ()
    waiting: bool = False


@dataclass(frozen=True)
class NoticePage:
    """A page of notices; ``next_after`` is the key of the following one, None at the end."""

    items: tuple[Notice, ...]
    next_after: UUID | None


def tell(
    work: Work,
    staff_ids: Iterable[UUID],
    kind: str,
    params: dict[str, Any],
    *,
    urgent: bool = False,
    not_before: datetime | None = None,
    submission_id: UUID | None = None,
    branch_id: UUID | None = None,
) -> int:
    """Write a notice for each of ``staff_ids``; returns how many were written. They leave once this transaction is
    committed, at once or, gathered with others, from ``not_before`` on.

    ``submission_id``: what it speaks of; ``branch_id``: whose matter it is (None: the firm's, or a person's own).
    Whoever has an unread notice saying the same that has not left is not told twice.
    """
    wanted = sorted(set(staff_ids))
    if not wanted:
        return 0
    known = _known(work, wanted, kind, params, submission_id)
    at = clock.now()
    if known:
        # The newer words (a count), and the earlier of both times.
        sooner = at if not_before is None else not_before
        work.conn.execute(
            update(notice)
            .where(notice.c.id.in_(list(known.values())))
            .values(
                params=params,
                urgent=notice.c.urgent | literal(urgent),
                not_before=func.least(func.coalesce(notice.c.not_before, notice.c.created_at), sooner),
            )
        )
    told_id = new_id()
    rows = [
        {
            "id": new_id(),
            "staff_id": staff_id,
            "kind": kind,
            "params": params,
            "created_at": at,
            "told_id": told_id,
            "submission_id": submission_id,
            "branch_id": branch_id,
            "urgent": urgent,
            "not_before": not_before,
        }
        for staff_id in wanted
        if staff_id not in known
    ]
    if rows:
        work.conn.execute(insert(notice), rows)
    if not_before is None:
        wake(work, urgent=urgent)
    return len(rows)


def wake(work: Work, *, urgent: bool = False) -> None:
    """Have a worker send what is due, once this transaction is committed. Alerts have hands of their own."""
    name = "send_urgent_notices" if urgent else "send_notices"
    defer(work.conn, name, lock=name)


def _known(
    work: Work, wanted: Sequence[UUID], kind: str, params: dict[str, Any], submission_id: UUID | None
) -> dict[UUID, UUID]:
    """staff id -> a notice that says the same, unread, and has not left. It is locked: it will not leave meanwhile."""
    same = (
        notice.c.submission_id == submission_id
        if submission_id is not None and kind == "submission_held"
        else notice.c.params == params
    )
    rows = work.conn.execute(
        select(notice.c.staff_id, notice.c.id)
        .where(
            notice.c.staff_id.in_(wanted),
            notice.c.kind == kind,
            same,
            notice.c.seen_at.is_(None),
            notice.c.routed_at.is_(None),
        )
        .order_by(notice.c.id)
        .with_for_update()
    )
    return {row.staff_id: row.id for row in rows}


def unseen(work: Work, limit: int = 50, locale: str | None = None) -> list[Notice]:
    """What the actor has not yet seen and what still holds, newest first."""
    wanted = _mine(work).where(notice.c.seen_at.is_(None)).limit(limit)
    return [one for one in _shown(work, wanted, locale or work.settings.locale) if not one.over]


def list_notices(
    work: Work, *, after: UUID | None = None, limit: int = 50, locale: str | None = None
) -> NoticePage:
    """Everything the actor was told, newest first, seen or not."""
    wanted = _mine(work)
    if after is not None:
        place = select(notice.c.created_at, notice.c.id).where(
            notice.c.id == after, notice.c.staff_id == work.actor.staff_id
        )
        wanted = wanted.where(tuple_(notice.c.created_at, notice.c.id) < place.scalar_subquery())
    items = _shown(work, wanted.limit(limit + 1), locale or work.settings.locale)
    return NoticePage(tuple(items[:limit]), items[limit - 1].id if len(items) > limit else None)


def count_unseen(work: Work) -> int:
    """How many notices the actor has not yet seen."""
    return work.conn.execute(
        select(func.count())
        .select_from(notice)
        .where(notice.c.staff_id == work.actor.staff_id, notice.c.seen_at.is_(None))
    ).scalar_one()


def mark_seen(work: Work, notice_ids: Sequence[UUID] | None = None) -> int:
    """Mark the actor's own notices (all of them by default) as seen; returns how many changed."""
    statement = update(notice).where(notice.c.staff_id == work.actor.staff_id, notice.c.seen_at.is_(None))
    if notice_ids is not None:
        statement = statement.where(notice.c.id.in_(list(notice_ids)))
    return work.conn.execute(statement.values(seen_at=clock.now())).rowcount


def _mine(work: Work) -> Select[Any]:
    told = notice_delivery.c.outcome == "told"
    ways = (
        select(
            func.coalesce(func.array_agg(case((told, notice_delivery.c.way))), []).label("ways"),
            func.coalesce(func.bool_or(notice_delivery.c.ended_at.is_(None)), False).label("waiting"),
        )
        # Its own ways, and those of the groups that were told of it once for all.
        .where(or_(notice_delivery.c.notice_id == notice.c.id, notice_delivery.c.told_id == notice.c.told_id))
        .lateral("went")
    )
    return (
        select(notice, ways.c.ways, ways.c.waiting)
        .join(ways, literal(True))
        .where(notice.c.staff_id == work.actor.staff_id)
        .order_by(notice.c.created_at.desc(), notice.c.id.desc())
    )


def _shown(work: Work, wanted: Select[Any], locale: str) -> list[Notice]:
    rows = work.conn.execute(wanted).all()
    gone = over(work.conn, rows)
    return [_notice(row, locale, row.id in gone) for row in rows]


def _notice(row: Row[Any], locale: str, is_over: bool) -> Notice:
    wording = word(row.kind, row.params, locale)
    return Notice(
        id=row.id,
        kind=row.kind,
        line=wording.line,
        path=wording.path,
        created_at=row.created_at,
        params=dict(row.params),
        seen_at=row.seen_at,
        sent_at=row.sent_at,
        urgent=row.urgent,
        over=is_over,
        ways=tuple(sorted({way for way in row.ways if way})),
        waiting=row.routed_at is None or row.waiting,
    )
