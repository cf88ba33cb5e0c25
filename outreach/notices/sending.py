"""Telling staff: what is due leaves by each of its ways, and what came of it is kept for each way alone.

Nothing leaves before the transaction that made it true is committed, for only what is committed is read here. No
transaction is open during a call. A way's try is counted and committed before its call and its outcome right after it,
so that a crash repeats at most the letters in hand, and never one whose outcome is known.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, func, select, text, update

from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.core.errors import OutreachError
from outreach.ledger.work import Opener, Work
from outreach.notices.digest import Reader, letter_of
from outreach.notices.holding import WAITS, held, over, waiting_now
from outreach.notices.letters import Letter, Mailer, mail_of
from outreach.notices.outbox import MAIL, wake
from outreach.notices.routing import route
from outreach.notices.tables import notice, notice_delivery
from outreach.notices.targets import Target, tell_target
from outreach.notices.wording import FIRM, tongue
from outreach.people.tables import branch, staff

LEASE = timedelta(minutes=5)  # nobody else tries within it: longer than any call
GIVEN_UP_AFTER = timedelta(days=3)
_LETTERS = 40  # taken at a time
_AT_ONCE = 8
_LONGEST_PAUSE = timedelta(hours=1)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ways:
    """By what this process tells: mail where there is a mailer, and the firm's targets."""

    mailer: Mailer | None = None
    targets: tuple[Target, ...] = ()
    post: Callable[[Target, Letter], None] = tell_target

    def target(self, name: str) -> Target | None:
        """The target of a name."""
        return next((one for one in self.targets if one.name == name), None)

    def names(self) -> list[str]:
        """Every way."""
        return ([MAIL] if self.mailer else []) + [one.name for one in self.targets]


@dataclass(frozen=True)
class SentNotices:
    """How many letters went out, and how many must be tried again."""

    sent: int
    failed: int


@dataclass(frozen=True)
class _Due:
    """One letter in hand: its rows of ``notice_delivery`` share way and recipient."""

    way: str
    recipient: str
    notice_ids: tuple[UUID, ...]
    letter: Letter
    address: str  # of a mail
    tries: int


def send_notices(open_work: Opener, ways: Ways, *, urgent: bool | None = None) -> SentNotices:
    """Tell what is due. What fails is tried again later, ever more rarely, for GIVEN_UP_AFTER; one way's failure
    keeps no other waiting. ``urgent``: only what is, or only what is not.
    """
    route(open_work, ways.targets, mail=ways.mailer is not None, urgent=urgent)
    sent = failed = 0
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="notices") as pool:
        while taken := _take(open_work, ways, urgent):
            calls: dict[Future[str], _Due] = {pool.submit(_call, ways, due): due for due in taken.letters}
            for call in as_completed(calls):
                error = call.result()
                _note(open_work, calls[call], error)
                sent, failed = sent + (not error), failed + bool(error)
    return SentNotices(sent=sent, failed=failed)


def wake_notices(work: Work) -> None:
    """Have what is due sent: the time it was gathered until has come, or a pause after a failure is over."""
    for row in work.conn.execute(_SOMETHING_DUE, {"now": clock.now()}):
        wake(work, urgent=row.urgent)


_SOMETHING_DUE = text(
    """
    SELECT urgent FROM notice WHERE routed_at IS NULL AND coalesce(not_before, created_at) <= :now
     UNION
    SELECT n.urgent FROM notice_delivery d JOIN notice n ON n.id = d.notice_id
     WHERE d.ended_at IS NULL AND d.next_try_at <= :now
    """
)


@dataclass(frozen=True)
class _Taken:
    """What was taken: letters to send; there may be none when everything that was due is over."""

    letters: tuple[_Due, ...]
    rows: int

    def __bool__(self) -> bool:
        return self.rows > 0


def _take(open_work: Opener, ways: Ways, urgent: bool | None) -> _Taken:
    """Count a try of what is due, and put it into letters: what was decided or seen meanwhile is in none."""
    with open_work(SYSTEM) as work:
        rows = _lock_due(work, ways, urgent)
        if not rows:
            return _Taken((), 0)
        gone = over(work.conn, rows)
        waiting = held(work.conn, {row.submission_id for row in rows if row.kind in WAITS})
        counts = {
            row.id: waiting_now(row, waiting) for row in rows if row.kind in WAITS and row.submission_id
        }
        grouped: dict[tuple[str, str, bool], list[Row[Any]]] = defaultdict(list)
        for row in rows:
            if row.id in gone:
                _end(work, row.way, [row.id], "over")
            elif row.told_key is None and row.seen_at is not None:
                _end(work, row.way, [row.id], "seen")
            elif row.told_key is None and row.status != "active":
                _end(work, row.way, [row.id], "gone")
            else:
                grouped[row.way, row.recipient, row.urgent].append(row)
        letters: list[_Due] = []
        for (way, recipient, _), members in grouped.items():
            ids = tuple(row.id for row in members)
            letter = letter_of(work, members, counts, _reader(work, ways, members[0]))
            if letter is None:
                _end(work, way, ids, "over")
                continue
            tries = max(row.way_tries for row in members)
            letters.append(_Due(way, recipient, ids, letter, members[0].email, tries))
        return _Taken(tuple(letters), len(rows))


def _lock_due(work: Work, ways: Ways, urgent: bool | None) -> Sequence[Row[Any]]:
    now = clock.now()
    due = (
        notice_delivery.c.ended_at.is_(None)
        & (notice_delivery.c.next_try_at <= now)
        & notice_delivery.c.way.in_(ways.names())
    )
    if urgent is not None:
        due &= notice.c.urgent.is_(urgent)
    # All that is due to somebody goes in one letter, so whole letters are taken, alerts first.
    whose = (
        select(notice_delivery.c.way, notice_delivery.c.recipient)
        .join(notice, notice.c.id == notice_delivery.c.notice_id)
        .where(due)
        .group_by(notice_delivery.c.way, notice_delivery.c.recipient)
        .order_by(func.bool_or(notice.c.urgent).desc(), func.min(notice_delivery.c.next_try_at))
        .limit(_LETTERS)
        .subquery()
    )
    rows = work.conn.execute(
        select(
            notice,
            notice_delivery.c.way,
            notice_delivery.c.recipient,
            notice_delivery.c.told_id.label("told_key"),
            notice_delivery.c.tries.label("way_tries"),
            staff.c.email,
            staff.c.language,
            staff.c.status,
        )
        .join(notice, notice.c.id == notice_delivery.c.notice_id)
        .join(staff, staff.c.id == notice.c.staff_id)
        .join(
            whose, (whose.c.way == notice_delivery.c.way) & (whose.c.recipient == notice_delivery.c.recipient)
        )
        .where(due)
        .order_by(notice.c.created_at, notice.c.id)
        .with_for_update(of=notice_delivery, skip_locked=True)
    ).all()
    for way in {row.way for row in rows}:
        work.conn.execute(
            update(notice_delivery)
            .where(
                notice_delivery.c.way == way,
                notice_delivery.c.notice_id.in_([row.id for row in rows if row.way == way]),
            )
            .values(tries=notice_delivery.c.tries + 1, next_try_at=now + LEASE)
        )
    return rows


def _reader(work: Work, ways: Ways, row: Row[Any]) -> Reader:
    if row.told_key is None:
        return Reader(row.language, staff_id=row.staff_id)
    target = ways.target(row.way)
    locale = (target.language if target else "") or work.settings.locale
    if target is not None and target.branch:
        found = work.conn.execute(select(branch).where(branch.c.code == target.branch)).one()
        name = found.name if tongue(locale) == "zh" else found.name_en
        return Reader(locale, branch_id=found.id, whose=name)
    if target is not None and target.firm:
        return Reader(locale, firm=True, whose=FIRM[tongue(locale)])
    return Reader(locale)


def _call(ways: Ways, due: _Due) -> str:
    """Tell one letter; returns what went wrong, empty when nothing did."""
    try:
        if due.way == MAIL:
            if ways.mailer is not None:
                ways.mailer(mail_of(due.letter, due.address))
        elif target := ways.target(due.way):
            ways.post(target, due.letter)
    except (OutreachError, OSError) as error:
        return str(error) or type(error).__name__
    except Exception as error:  # a plugin's fault must not keep the other letters waiting
        # Only what kind it was: what it says may name the address.
        return f"{type(error).__name__} in the way {due.way}"
    return ""


def _note(open_work: Opener, due: _Due, error: str) -> None:
    """Keep what came of one letter."""
    now = clock.now()
    rows = (notice_delivery.c.way == due.way) & notice_delivery.c.notice_id.in_(due.notice_ids)
    with open_work(SYSTEM) as work:
        if not error:
            work.conn.execute(
                update(notice_delivery).where(rows).values(ended_at=now, outcome="told", error="")
            )
            work.conn.execute(
                update(notice)
                .where(notice.c.id.in_(due.notice_ids), notice.c.sent_at.is_(None))
                .values(sent_at=now)
            )
            return
        _log.warning(
            "notice.not_sent", way=due.way, recipient=due.recipient, tries=due.tries + 1, error=error
        )
        pause = min(timedelta(seconds=15 * 2 ** min(due.tries, 12)), _LONGEST_PAUSE)
        work.conn.execute(
            update(notice_delivery)
            .where(rows, notice_delivery.c.ended_at.is_(None))
            .values(next_try_at=now + pause, error=error[:500])
        )
        old = select(notice.c.id).where(
            notice.c.id.in_(due.notice_ids),
            func.coalesce(notice.c.not_before, notice.c.created_at) < now - GIVEN_UP_AFTER,
        )
        _end(work, due.way, list(work.conn.execute(old).scalars()), "given_up")


def _end(work: Work, way: str, notice_ids: Sequence[UUID], outcome: str) -> None:
    if notice_ids:
        work.conn.execute(
            update(notice_delivery)
            .where(notice_delivery.c.way == way, notice_delivery.c.notice_id.in_(notice_ids))
            .values(ended_at=clock.now(), outcome=outcome)
        )
