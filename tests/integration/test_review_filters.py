"""The inbox's list: what it is narrowed to, and what it shows of each submission without another question."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import event, func, select, text, update

from outreach.composing.pending import skip
from outreach.core import clock
from outreach.core.access import Role
from outreach.core.database import Database
from outreach.core.errors import BadInput
from outreach.ledger.work import Opener, Work
from outreach.messages.findings import Finding
from outreach.messages.tables import message
from outreach.review.decide import approve, return_, undo
from outreach.review.detail import message_detail
from outreach.review.inbox import Filters, counts, list_waiting
from outreach.review.remarks import ask_compliance
from outreach.review.tables import submission, submission_tally
from tests.support.builders import make_client
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, edit, hold

NOW = "2026-09-21 03:00:00"
FLAG = Finding("exaggeration", "art. 17", "flag", "text", 0, 2, "")
OTHER = Finding("insider", "art. 17", "flag", "text", 3, 5, "")
HINT = Finding("tone", "art. 18", "hint", "text", 0, 2, "")


def found(work: Work, **filters: Any) -> set[UUID]:
    return {item.submission.id for item in list_waiting(work, Filters(**filters)).items}


@pytest.fixture
def stock(open_work: Opener, desk: Desk) -> dict[str, Held]:
    """Submissions that differ in each thing that the list can be narrowed to."""
    team, now = desk.firm.b01, clock.now()
    with open_work() as work:
        vip = make_client(work, team, tier="vip")
        made = {
            "plain": hold(work, desk.firm, team, policy=desk.each, due_by=now + timedelta(days=2)),
            "late": hold(work, desk.firm, team, policy=desk.each, due_by=now - timedelta(hours=1)),
            "vip": hold(work, desk.firm, team, policy=desk.each, client_ids=(vip,), findings=(OTHER,)),
            "flagged": hold(work, desk.firm, team, policy=desk.each, findings=(FLAG,), count=2),
            "advisors": hold(work, desk.firm, team, policy=desk.each, author=team.advisor),
            "product": hold(work, desk.firm, team, policy=desk.each, category="product"),
            "batch": hold(work, desk.firm, team, policy=desk.batch, mode="batch", count=2),
            "firm": hold(work, desk.firm, None, policy=desk.firmwide, mode="batch", count=2),
            "other": hold(work, desk.firm, desk.firm.b02, policy=desk.each),
        }
        english = update(message).where(message.c.id == made["product"].first)
        work.conn.execute(english.values(language="en", channel="email"))
        return made


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"category": "product"}, {"product"}),
        ({"mode": "batch"}, {"batch", "firm"}),
        ({"channel": "email"}, {"product"}),
        ({"language": "en"}, {"product"}),
        ({"language": "en", "channel": "sms"}, set()),
        ({"tier": "vip"}, {"vip"}),
        ({"rule": "exaggeration"}, {"flagged"}),
        ({"rule": "insider", "tier": "vip"}, {"vip"}),
        ({"rule": "insider", "tier": "core"}, set()),
        ({"due": "late"}, {"late"}),
        ({"due": "later"}, {"plain"}),
        ({"flagged": True}, {"flagged", "vip"}),
        ({"flagged": False, "due": "late"}, {"late"}),
        ({"text": "中秋", "category": "product"}, {"product"}),
    ],
)
def test_the_list_is_narrowed(
    open_work: Opener, desk: Desk, stock: dict[str, Held], filters: dict[str, Any], names: set[str]
) -> None:
    with open_work(desk.firm.b01.manager) as work:
        assert found(work, **filters) == {stock[name].submission_id for name in names}


def test_by_author_branch_and_what_is_due_today(open_work: Opener, desk: Desk) -> None:
    firm = desk.firm
    with freeze_time(NOW), open_work() as work:  # 11:00 in Shanghai
        now = clock.now()
        mine = hold(work, firm, firm.b01, policy=desk.each, author=firm.b01.advisor)
        night = hold(work, firm, firm.b01, policy=desk.each, due_by=now + timedelta(hours=12, minutes=59))
        morrow = hold(work, firm, firm.b01, policy=desk.each, due_by=now + timedelta(hours=13))
        other = hold(work, firm, firm.b02, policy=desk.each)
        whole = hold(work, firm, None, policy=desk.firmwide, mode="batch", count=2)
    with freeze_time(NOW), open_work(firm.b01.manager) as work:
        assert found(work, author=firm.b01.advisor.staff_id) == {mine.submission_id}
        assert night.submission_id in found(work, due="today")
        assert found(work, due="later") == {morrow.submission_id}
        with pytest.raises(BadInput):
            found(work, due="soon")
    with freeze_time(NOW), open_work(firm.head_office) as work:
        assert found(work, branch=firm.b02.id) == {other.submission_id, whole.submission_id}


def test_the_list_shows_findings_questions_words_of_their_own_and_what_was_skipped(
    open_work: Opener, desk: Desk
) -> None:
    team = desk.firm.b01
    with open_work() as work:
        held = hold(work, desk.firm, team, policy=desk.batch, mode="batch", count=6, findings=(HINT,))
        for one, findings in ((0, [FLAG, OTHER, FLAG]), (1, [FLAG])):
            rows = update(message).where(message.c.id == held.ids[one])
            work.conn.execute(rows.values(findings=[item.to_json() for item in findings], flagged=True))
    with open_work(team.advisor) as work:
        edit(work, held.ids[2], "您好！", team.advisor)
        skip(work, held.ids[3])
    with open_work(team.manager) as work:
        ask_compliance(work, held.submission_id, "可以吗？")
        (item,) = list_waiting(work).items
        assert item.rules == (("exaggeration", 2), ("insider", 1))
        assert (item.waiting, item.flagged, item.personal, item.skipped) == (5, 3, 1, 1)
        assert (item.questions, item.stopped_by, item.claim, item.readers) == (1, "", None, ())
        assert (item.branch, item.branch_en) == ("海淀营业部", "Haidian Branch")
        assert item.steps == 1
        assert [(turn.step, turn.roles, turn.waiting) for turn in item.turns] == [
            (1, (Role.MANAGER, Role.DEPUTY), 5)
        ]


def test_a_page_of_the_list_is_three_queries_however_much_there_is(
    open_work: Opener, desk: Desk, database: Database, stock: dict[str, Held]
) -> None:
    with open_work(desk.firm.b01.manager) as work:
        list_waiting(work)  # policies are read once a process
        assert counted(database, lambda: list_waiting(work)) <= 3
        assert counted(database, lambda: counts(work)) == 1


def test_one_message_is_nine_queries_at_most(open_work: Opener, desk: Desk, database: Database) -> None:
    team = desk.firm.b01
    with open_work() as work:
        held = hold(
            work, desk.firm, team, policy=desk.each, author=team.advisor, template=desk.birthday, count=2
        )
        edit(work, held.first, "您好！", team.advisor)
    with open_work(team.manager) as work:
        ask_compliance(work, held.submission_id, "可以吗？")
        message_detail(work, held.first)
        assert counted(database, lambda: message_detail(work, held.first)) <= 9


def counted(database: Database, act: Callable[[], object]) -> int:
    """How many statements ``act`` runs."""
    seen: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return len(seen)


def test_the_tally_is_what_a_count_would_find(open_work: Opener, desk: Desk) -> None:
    """Whatever moves messages, and however often their rows are folded together."""
    team = desk.firm.b01
    with open_work() as work:
        held = hold(work, desk.firm, team, policy=desk.each, count=30, author=desk.firm.b01.advisors[1])
        edit(work, held.ids[29], "您好！", team.advisor)
    with open_work(team.advisor) as work:
        skip(work, held.ids[28])
    for one in held.ids[:24]:
        with open_work(team.manager) as work:
            read = as_read(work, held.ids)
            if one.int % 3:
                made = approve(work, [one], read)
                if one.int % 2:
                    undo(work, made.decisions[0])
            else:
                return_(work, [one], read, [desk.reason], "")
    with open_work() as work:
        sums = [func.sum(submission_tally.c[name]) for name in ("held", "personal", "returned", "decided")]
        tallied = work.conn.execute(select(*sums, func.sum(submission_tally.c.skipped))).one()
        real = work.conn.execute(
            text(
                "SELECT count(*) FILTER (WHERE state = 'held'),"
                " count(*) FILTER (WHERE state = 'held' AND revision > 1),"
                " count(*) FILTER (WHERE state = 'returned'),"
                " count(*) FILTER (WHERE state IN ('returned', 'approved')),"
                " count(*) FILTER (WHERE state = 'cancelled') FROM message"
            )
        ).one()
        assert tuple(tallied) == tuple(real)
        rows = work.conn.execute(select(func.count()).select_from(submission_tally)).scalar_one()
        assert rows <= 20
        assert work.conn.execute(select(submission.c.state)).scalar_one() == "open"


def test_what_is_taken_back_is_taken_back_from_the_tally(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=3)
    with open_work(desk.firm.b01.manager) as work:
        inner = work.conn.begin_nested()
        approve(work, held.ids, as_read(work, held.ids))
        assert list_waiting(work).items == ()
        inner.rollback()
        assert list_waiting(work).items[0].waiting == 3
        assert counts(work).waiting == 3
