"""The page of notices: what somebody was told, by what, whether it still holds, and what they have seen."""

from collections.abc import Callable
from datetime import timedelta

from freezegun import freeze_time

from outreach.core import clock
from outreach.core.events import SubmissionHeld
from outreach.ledger.work import Opener
from outreach.notices.audience import on_submission_held
from outreach.notices.outbox import list_notices, tell
from outreach.review.decide import approve
from tests.support.desk import Desk
from tests.support.notices import Postbox
from tests.support.pages import Reader
from tests.support.review_rows import as_read, hold

SignIn = Callable[..., Reader]


def test_it_says_what_was_told_by_what_and_what_is_over(
    open_work: Opener, desk: Desk, sign_in: SignIn
) -> None:
    manager = desk.firm.b01.manager
    assert manager.staff_id is not None
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True, title="重大公告")
        on_submission_held(work, SubmissionHeld(held.submission_id))
    Postbox().send(open_work)
    with open_work() as work:
        tell(work, [manager.staff_id], "reply", {"reply_id": "x"})
    reader = sign_in(manager, "zh-CN")
    said = reader.read("/notices")
    assert "紧急：有 1 条消息等待您审批：重大公告" in said
    assert "有客户回复等待您答复（首问负责） 待发出" in said
    assert "2 条未读" in said
    assert " 邮件 " in said
    with open_work(manager) as work:
        approve(work, held.ids, as_read(work, held.ids))
    assert "已办结" in reader.read("/notices")
    assert "重大公告" not in reader.read("/")  # news that is over is none


def test_seen_is_marked_one_by_one_and_all_at_once(open_work: Opener, desk: Desk, sign_in: SignIn) -> None:
    manager, other = desk.firm.b01.manager, desk.firm.b02.manager
    assert manager.staff_id is not None
    assert other.staff_id is not None
    with open_work() as work:
        for number in range(3):
            tell(work, [manager.staff_id, other.staff_id], "reply", {"reply_id": str(number)})
    reader = sign_in(manager)
    with open_work(manager) as work:
        first = list_notices(work).items[0].id
    assert "2 not seen" in reader.after(f"/notices/seen?notice={first}", back="/notices")
    assert "not seen" not in reader.after("/notices/seen", back="/notices")
    with open_work(other) as work:
        assert [one.seen_at for one in list_notices(work).items] == [None] * 3
    assert reader.post("/notices/seen", back="https://elsewhere.example/").headers["location"] == "/"


def test_nobody_marks_or_reads_what_was_told_to_somebody_else(
    open_work: Opener, desk: Desk, sign_in: SignIn
) -> None:
    manager, other = desk.firm.b01.manager, desk.firm.b02.manager
    assert manager.staff_id is not None
    with open_work() as work:
        tell(work, [manager.staff_id], "reply", {"reply_id": "x"})
    with open_work(manager) as work:
        first = list_notices(work).items[0].id
    reader = sign_in(other)
    assert "You were told nothing yet." in reader.read("/notices")
    reader.after(f"/notices/seen?notice={first}", back="/notices")
    assert "You were told nothing yet." in reader.read(f"/notices?after={first}")
    with open_work(manager) as work:
        assert list_notices(work).items[0].seen_at is None


def test_older_ones_are_on_further_pages(open_work: Opener, desk: Desk, sign_in: SignIn) -> None:
    manager = desk.firm.b01.manager
    assert manager.staff_id is not None
    start = clock.now() - timedelta(hours=3)
    for number in range(53):
        with freeze_time(start + timedelta(minutes=number)), open_work() as work:
            tell(work, [manager.staff_id], "reply", {"reply_id": str(number)})
    with open_work(manager) as work:
        page = list_notices(work, limit=50)
        assert page.next_after is not None
        rest = list_notices(work, after=page.next_after, limit=50)
    assert len({one.id for one in (*page.items, *rest.items)}) == 53
    assert rest.next_after is None
    assert f"/notices?after={page.next_after}" in sign_in(manager).get("/notices").text


def test_the_page_stands_where_somebody_starts(open_work: Opener, desk: Desk, sign_in: SignIn) -> None:
    answer = sign_in(desk.firm.operator).get("/")
    assert 'href="/notices"' in answer.text
