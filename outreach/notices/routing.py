"""Who is told of a notice, and by which ways: settled when it is due, for people go away and come back meanwhile."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from outreach.core import clock
from outreach.core.access import SYSTEM, Role
from outreach.core.ids import new_id
from outreach.ledger.work import Opener, Work
from outreach.notices.holding import WAITS
from outreach.notices.outbox import MAIL
from outreach.notices.tables import notice, notice_delivery
from outreach.notices.targets import Target
from outreach.notices.times import closures_known, next_time
from outreach.notices.wording import TELLS
from outreach.people.away import present
from outreach.people.staff import grants_of
from outreach.people.tables import branch, staff
from outreach.review.tables import submission

_BATCH = 500


def route(open_work: Opener, targets: Sequence[Target], *, mail: bool, urgent: bool | None = None) -> int:
    """Give every notice that is due its ways; returns how many notices. ``urgent``: only such ones, or only others.

    Nobody who is away is told. What waits for them is told to who stands in; their own notice is looked at again at
    the next set time, so that it reaches them when they are back and it still holds.
    """
    routed = 0
    while True:
        with open_work(SYSTEM) as work:
            rows = _due(work, urgent)
            if rows:
                _route(work, rows, targets, mail)
        routed += len(rows)
        if len(rows) < _BATCH and not any(row.kind in WAITS for row in rows):
            return routed


def _due(work: Work, urgent: bool | None) -> Sequence[Row[Any]]:
    at = func.coalesce(notice.c.not_before, notice.c.created_at)
    wanted = (
        select(notice, staff.c.staff_no, staff.c.name, staff.c.email, staff.c.status)
        .join(staff, staff.c.id == notice.c.staff_id)
        .where(notice.c.routed_at.is_(None), at <= clock.now())
        .order_by(at, notice.c.id)
        .limit(_BATCH)
        .with_for_update(of=notice, skip_locked=True)
    )
    if urgent is not None:
        wanted = wanted.where(notice.c.urgent.is_(urgent))
    return work.conn.execute(wanted).all()


def _route(work: Work, rows: Sequence[Row[Any]], targets: Sequence[Target], mail: bool) -> None:
    at = clock.now()
    away = _away(work.conn, {row.staff_id for row in rows}, at)
    _tell_deputies(work, [row for row in rows if row.staff_id in away], away, at)
    later = [row.id for row in rows if row.staff_id in away and row.status == "active"]
    groups = _Groups(work, [row.staff_id for row in rows], targets)
    ways: list[dict[str, Any]] = []
    for row in rows:
        personal = [] if row.staff_id in away or row.status != "active" else _personal(row, targets, mail)
        ways += [_way(row, way, str(row.staff_id), None, at) for way in personal]
        ways += [_way(row, name, name, row.told_id or row.id, at) for name in groups.of(row)]
    if ways:
        work.conn.execute(insert_or(notice_delivery).on_conflict_do_nothing(), ways)
    now_routed = [row.id for row in rows if row.id not in later]
    work.conn.execute(update(notice).where(notice.c.id.in_(now_routed)).values(routed_at=at))
    if later:
        again = next_time(at, work.settings, closures_known(work.conn))
        work.conn.execute(update(notice).where(notice.c.id.in_(later)).values(not_before=again))


def _way(row: Row[Any], way: str, recipient: str, told_id: UUID | None, at: datetime) -> dict[str, Any]:
    return {
        "notice_id": row.id,
        "way": way,
        "recipient": recipient,
        "told_id": told_id,
        "next_try_at": at,
    }


def _personal(row: Row[Any], targets: Sequence[Target], mail: bool) -> list[str]:
    own = [one.name for one in targets if one.staff_no == row.staff_no and tells(one, row.kind)]
    return ([MAIL] if mail and row.email else []) + own


def tells(target: Target, kind: str) -> bool:
    """Whether a target is told of notices of ``kind``."""
    return any(kind in TELLS[one] for one in target.tells)


class _Groups:
    """Which groups' targets hear of a notice."""

    def __init__(self, work: Work, staff_ids: Iterable[UUID], targets: Sequence[Target]) -> None:
        self.targets = [one for one in targets if not one.staff_no]
        codes = {one.branch for one in self.targets if one.branch}
        self.branches: dict[str, UUID] = {}
        if codes:
            rows = work.conn.execute(select(branch.c.code, branch.c.id).where(branch.c.code.in_(codes)))
            self.branches = {row.code: row.id for row in rows}
        self.roles: dict[UUID, set[Role]] = {}
        if any(one.role for one in self.targets):
            on = clock.today(work.settings.zone)
            for staff_id in set(staff_ids):
                self.roles[staff_id] = {grant.role for grant in grants_of(work.conn, staff_id, on)}

    def of(self, row: Row[Any]) -> list[str]:
        """The names of the targets."""
        return [one.name for one in self.targets if tells(one, row.kind) and self._concerns(one, row)]

    def _concerns(self, target: Target, row: Row[Any]) -> bool:
        if target.firm:
            return row.branch_id is None
        if target.role:
            return target.role in self.roles.get(row.staff_id, set())
        return row.branch_id is not None and self.branches.get(target.branch) == row.branch_id


def _away(conn: Connection, staff_ids: set[UUID], at: datetime) -> dict[UUID, set[UUID]]:
    """Those of ``staff_ids`` who are away, and who stands in for each of them."""
    here = present(conn, staff_ids, at)
    return {one: present(conn, [one], at) for one in staff_ids - here}


def _tell_deputies(work: Work, rows: Sequence[Row[Any]], away: dict[UUID, set[UUID]], at: datetime) -> None:
    """A notice of the same for whoever stands in, unless it came to them already or the words are their own."""
    passed = [row for row in rows if row.kind in WAITS and away[row.staff_id]]
    if not passed:
        return
    told = defaultdict(set)
    known = select(notice.c.told_id, notice.c.staff_id).where(
        notice.c.told_id.in_([row.told_id for row in passed if row.told_id])
    )
    for one in work.conn.execute(known):
        told[one.told_id].add(one.staff_id)
    authors = _authors(work.conn, passed)
    new: list[dict[str, Any]] = []
    for row in passed:
        event = row.told_id or row.id
        for deputy in sorted(away[row.staff_id] - told[event] - authors.get(row.submission_id, set())):
            told[event].add(deputy)
            new.append(
                {
                    "id": new_id(),
                    "staff_id": deputy,
                    "kind": row.kind,
                    "params": {**row.params, "for": row.name},
                    "created_at": at,
                    "told_id": row.told_id,
                    "submission_id": row.submission_id,
                    "branch_id": row.branch_id,
                    "urgent": row.urgent,
                    "stands_in_for": row.staff_id,
                }
            )
    if new:
        work.conn.execute(insert(notice), new)


def _authors(conn: Connection, rows: Sequence[Row[Any]]) -> dict[UUID, set[UUID]]:
    """submission -> every account of whoever wrote it: it is not for them to decide (P2)."""
    author, same = staff.alias("author"), staff.alias("same")
    found: dict[UUID, set[UUID]] = defaultdict(set)
    wanted = [row.submission_id for row in rows if row.submission_id]
    for one in conn.execute(
        select(submission.c.id, same.c.id.label("staff_id"))
        .join(author, author.c.id == submission.c.author_id)
        .join(same, same.c.person_key == author.c.person_key)
        .where(submission.c.id.in_(wanted))
    ):
        found[one.id].add(one.staff_id)
    return found
