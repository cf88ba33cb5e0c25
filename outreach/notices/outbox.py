"""What staff is told: rows written in the transaction that makes them true, mailed after it is committed.

A notice holds no client data: it says that something waits, how many, and where to look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy import func, insert, or_, select, update

from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.core.engine import defer
from outreach.core.errors import OutreachError
from outreach.core.ids import new_id
from outreach.ledger.work import Opener, Work
from outreach.notices.tables import notice
from outreach.notices.wording import Wording, word
from outreach.people.tables import staff

MOST_TRIES = 8
_BATCH = 50
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Notice:
    """One notice as its reader sees it: a line, the address of the page to open, and when."""

    id: UUID
    kind: str
    line: str
    path: str
    created_at: datetime
    params: dict[str, Any]


@dataclass(frozen=True)
class Mail:
    """One mail to a member of staff."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Sends one mail; raises an OutreachError or OSError when it was not taken."""

    def __call__(self, mail: Mail) -> None: ...


@dataclass(frozen=True)
class SentNotices:
    """How many mails went out, and how many must be tried again."""

    sent: int
    failed: int


def tell(work: Work, staff_ids: Iterable[UUID], kind: str, params: dict[str, Any]) -> int:
    """Write a notice for each of ``staff_ids`` and defer the sending; returns how many were written.

    Whoever has an unread, unsent notice saying the same is not told twice.
    """
    wanted = sorted(set(staff_ids))
    if not wanted:
        return 0
    same = select(notice.c.staff_id).where(
        notice.c.staff_id.in_(wanted),
        notice.c.kind == kind,
        notice.c.params == params,
        notice.c.seen_at.is_(None),
        notice.c.sent_at.is_(None),
    )
    told = set(work.conn.execute(same).scalars())
    at = clock.now()
    rows = [
        {"id": new_id(), "staff_id": staff_id, "kind": kind, "params": params, "created_at": at}
        for staff_id in wanted
        if staff_id not in told
    ]
    if rows:
        work.conn.execute(insert(notice), rows)
        defer(work.conn, "send_notices", lock="send_notices")
    return len(rows)


def unseen(work: Work, limit: int = 50, locale: str | None = None) -> list[Notice]:
    """What the actor has not yet seen, newest first."""
    rows = work.conn.execute(
        select(notice)
        .where(notice.c.staff_id == work.actor.staff_id, notice.c.seen_at.is_(None))
        .order_by(notice.c.created_at.desc(), notice.c.id.desc())
        .limit(limit)
    )
    return [_shown(row, locale or work.settings.locale) for row in rows]


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


def send_notices(open_work: Opener, mailer: Mailer) -> SentNotices:
    """Mail what waits; no transaction is open during a call. What fails is tried again later, up to MOST_TRIES.

    A try is counted and committed before the call, so two workers don't send the same notice; a crash between
    the call and its outcome can repeat a mail, which to staff does no harm.
    """
    sent = failed = 0
    passed: set[UUID] = set()
    while batch := _take(open_work, passed):
        passed.update(row.id for row in batch)
        done: list[UUID] = []
        for row in batch:
            try:
                mailer(_mail(row))
                done.append(row.id)
            except (OutreachError, OSError) as error:
                failed += 1
                _log.warning("notice.not_sent", notice=str(row.id), tries=row.tries, error=str(error))
        sent += len(done)
        with open_work(SYSTEM) as work:
            work.conn.execute(update(notice).where(notice.c.id.in_(done)).values(sent_at=clock.now()))
    return SentNotices(sent=sent, failed=failed)


@dataclass(frozen=True)
class _Due:
    id: UUID
    email: str
    wording: Wording
    url: str
    tries: int


def _take(open_work: Opener, passed: set[UUID]) -> list[_Due]:
    with open_work(SYSTEM) as work:
        at = clock.now()
        pause = func.make_interval(0, 0, 0, 0, 0, 0, func.power(2, notice.c.tries) * 15)
        due = (
            select(notice.c.id)
            .join(staff, staff.c.id == notice.c.staff_id)
            .where(
                notice.c.sent_at.is_(None),
                notice.c.seen_at.is_(None),
                notice.c.tries < MOST_TRIES,
                or_(notice.c.tries == 0, notice.c.created_at + pause <= at),
                staff.c.email != "",
                staff.c.status == "active",
                notice.c.id.not_in(passed),
            )
            .order_by(notice.c.created_at)
            .limit(_BATCH)
            .with_for_update(of=notice, skip_locked=True)
        )
        taken = (
            update(notice)
            .where(notice.c.id.in_(due.scalar_subquery()), staff.c.id == notice.c.staff_id)
            .values(tries=notice.c.tries + 1)
            .returning(
                notice.c.id,
                notice.c.kind,
                notice.c.params,
                notice.c.tries,
                staff.c.email,
                staff.c.language,
            )
        )
        found: list[_Due] = []
        for row in work.conn.execute(taken):
            wording = word(row.kind, row.params, row.language)
            found.append(
                _Due(row.id, row.email, wording, f"{work.settings.public_url}{wording.path}", row.tries)
            )
        return found


def _mail(due: _Due) -> Mail:
    return Mail(to=due.email, subject=due.wording.line, text=f"{due.wording.line}\n\n{due.url}\n")


def _shown(row: Any, locale: str) -> Notice:
    wording = word(row.kind, row.params, locale)
    return Notice(
        id=row.id,
        kind=row.kind,
        line=wording.line,
        path=wording.path,
        created_at=row.created_at,
        params=dict(row.params),
    )
