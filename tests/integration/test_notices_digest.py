"""What is not urgent is gathered: one letter at set times of a working day, saying how many wait, and what is late."""

from datetime import timedelta

from freezegun import freeze_time
from sqlalchemy import select

from outreach.composing.pending import skip
from outreach.core import clock, events
from outreach.core.access import Role
from outreach.core.events import SubmissionHeld
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.notices.audience import on_pending_changed, on_submission_held, tell_late
from outreach.notices.outbox import tell
from outreach.notices.sending import SentNotices
from outreach.notices.tables import notice
from outreach.notices.wording import word
from outreach.review.decide import approve
from tests.support.builders import change_staff
from tests.support.desk import Desk
from tests.support.notices import Postbox, on_a_working_day
from tests.support.review_rows import Held, as_read, hold


def put_up(open_work: Opener, desk: Desk, count: int, category: str, hours: float, title: str = "") -> Held:
    with open_work() as work:
        held = hold(
            work,
            desk.firm,
            desk.firm.b01,
            policy=desk.each,
            count=count,
            category=category,
            title=title or category,
            due_by=clock.now() + timedelta(hours=hours),
        )
        on_submission_held(work, SubmissionHeld(held.submission_id))
    return held


def test_one_mail_says_how_many_wait_by_kind_and_what_is_late(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    postbox = Postbox()
    with freeze_time(on_a_working_day(settings, "09:00")):
        put_up(open_work, desk, 3, "relationship", 26)
        put_up(open_work, desk, 2, "information", 2.4)  # due at 11:24 at the latest: not before the digest
        put_up(open_work, desk, 1, "information", 8)
    for wall in ("09:03", "11:29"):
        with freeze_time(on_a_working_day(settings, wall)):
            postbox.send(open_work)
    assert [mail.subject for mail in postbox.to("b01-m@example.com")] == [
        "有 6 条消息等待您审批（今日到期 3 条）"
    ]
    with freeze_time(on_a_working_day(settings, "10:00")):
        put_up(open_work, desk, 1, "product", 30)
    postbox.kept.clear()
    with freeze_time(on_a_working_day(settings, "11:30")):
        assert postbox.send(open_work) == SentNotices(2, 0)
    mail = postbox.to("b01-m@example.com")[0]
    assert mail.subject == "有 7 条消息等待您审批（逾期 2 条，今日到期 1 条）"
    assert mail.text.splitlines()[:6] == [
        mail.subject,
        "",
        "· 信息服务 3 条",
        "· 客户关系 3 条",
        "· 产品服务 1 条",
        "http://127.0.0.1:8000/inbox",
    ]


def test_what_came_in_the_evening_is_told_on_the_next_working_morning(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    postbox = Postbox()
    with freeze_time(on_a_working_day(settings, "18:00")):
        put_up(open_work, desk, 2, "relationship", 4)
    for wall, days, sent in (("18:30", 0, 0), ("08:29", 1, 0), ("08:30", 1, 2)):
        with freeze_time(on_a_working_day(settings, wall, days=days)):
            assert postbox.send(open_work).sent == sent


def test_what_was_decided_meanwhile_is_not_in_it(open_work: Opener, desk: Desk, settings: Settings) -> None:
    postbox = Postbox()
    with freeze_time(on_a_working_day(settings, "09:00")):
        first = put_up(open_work, desk, 2, "relationship", 30)
        put_up(open_work, desk, 3, "information", 30)
        with open_work(desk.firm.b01.manager) as work:
            approve(work, first.ids, as_read(work, first.ids))
    with freeze_time(on_a_working_day(settings, "11:30")):
        postbox.send(open_work)
    mail = postbox.to("b01-m@example.com")[0]
    assert mail.subject == "有 3 条消息等待您审批"
    assert "客户关系" not in mail.text


def test_when_everything_is_decided_nothing_is_mailed(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    with freeze_time(on_a_working_day(settings, "09:00")):
        held = put_up(open_work, desk, 2, "relationship", 30)
        with open_work(desk.firm.b01.manager) as work:
            approve(work, held.ids, as_read(work, held.ids))
    with freeze_time(on_a_working_day(settings, "11:30")):
        assert Postbox().send(open_work) == SentNotices(0, 0)


def test_after_an_outage_one_letter_stands_for_all(open_work: Opener, desk: Desk, settings: Settings) -> None:
    postbox = Postbox(refuse=1000)
    for wall in ("09:00", "12:00"):
        with freeze_time(on_a_working_day(settings, wall)):
            put_up(open_work, desk, 1, "relationship", 30)
    for wall in ("11:30", "14:30"):
        with freeze_time(on_a_working_day(settings, wall)):
            assert postbox.send(open_work).sent == 0
    postbox.refuse = 0
    with freeze_time(on_a_working_day(settings, "16:00")):
        assert postbox.send(open_work) == SentNotices(2, 0)
    assert postbox.to("b01-m@example.com")[0].subject == "有 2 条消息等待您审批"


def test_a_letter_is_in_its_readers_language(open_work: Opener, desk: Desk, settings: Settings) -> None:
    postbox = Postbox()
    with freeze_time(on_a_working_day(settings, "09:00")):
        with open_work() as work:
            change_staff(work, desk.firm.b01.manager, language="en")
        put_up(open_work, desk, 2, "relationship", 8)
    with freeze_time(on_a_working_day(settings, "11:30")):
        postbox.send(open_work)
    mail = postbox.to("b01-m@example.com")[0]
    assert mail.subject == "2 messages wait for your approval (2 due today)"
    assert "- relationship: 2" in mail.text


def test_other_news_of_the_same_moment_goes_in_the_same_letter(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    postbox = Postbox()
    manager = desk.firm.b01.manager.staff_id
    assert manager is not None
    until = on_a_working_day(settings, "11:30")
    with freeze_time(on_a_working_day(settings, "09:00")):
        put_up(open_work, desk, 2, "relationship", 30)
        with open_work() as work:
            tell(work, [manager], "reply", {"reply_id": "x"}, not_before=until)
    with freeze_time(until):
        postbox.send(open_work)
    [mail] = postbox.to("b01-m@example.com")
    assert mail.subject == "有 2 条消息等待您审批"
    assert "有客户回复等待您答复" in mail.text


def test_what_is_late_is_told_at_once_to_whoever_is_now_to_decide(open_work: Opener, desk: Desk) -> None:
    postbox = Postbox()
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=2)
        assert tell_late(work, held.submission_id, [Role.MANAGER], again=True) == 1
        assert tell_late(work, held.submission_id, [Role.HEAD_OFFICE], again=False) == 1
    assert postbox.send(open_work) == SentNotices(2, 0)
    assert {mail.to: mail.subject for mail in postbox.kept} == {
        "b01-m@example.com": "已逾期：2 条消息仍在等待您审批：中秋祝福",
        "h01@example.com": "已逾期：海淀营业部的 2 条消息无人审批，现也请您处理：中秋祝福",
    }


def test_what_is_put_up_again_and_again_is_told_once(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    postbox = Postbox()
    with freeze_time(on_a_working_day(settings, "09:00")), open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, due_by=clock.now() + timedelta(days=1))
        for _ in range(3):  # put up again and again, as a batch is topped up
            on_submission_held(work, SubmissionHeld(held.submission_id))
        assert len(work.conn.execute(select(notice.c.id)).all()) == 2
    with freeze_time(on_a_working_day(settings, "11:30")):
        assert postbox.send(open_work) == SentNotices(2, 0)


def test_what_an_advisor_took_out_of_a_batch_is_told_with_the_next_letter(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    events.subscribe(events.PendingChanged, on_pending_changed)
    postbox = Postbox()
    at = {wall: on_a_working_day(settings, wall) for wall in ("09:00", "11:30")}
    with freeze_time(at["09:00"]):
        with open_work() as work:
            held = hold(
                work,
                desk.firm,
                desk.firm.b01,
                policy=desk.batch,
                mode="batch",
                count=6,
                due_by=clock.now() + timedelta(days=1),
            )
        with open_work(desk.firm.b01.advisor) as work:
            for message_id in held.ids[:2]:
                skip(work, message_id, "已当面祝贺")
    with freeze_time(at["11:30"]):
        postbox.send(open_work)
    [mail] = postbox.to("b01-m@example.com")
    assert mail.subject == "顾问从待批的一批中跳过了消息，其余照常待批：中秋祝福"
    assert "当面" not in mail.text


def test_whoever_approved_it_is_told_when_it_is_taken_back(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    events.subscribe(events.PendingChanged, on_pending_changed)
    with freeze_time(on_a_working_day(settings, "09:00")):
        with open_work() as work:
            held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=3)
        with open_work(desk.firm.b01.deputy) as work:
            approve(work, held.ids, as_read(work, held.ids))
        with open_work(desk.firm.b01.advisor) as work:
            skip(work, held.first)
        with open_work() as work:
            [told] = work.conn.execute(select(notice).where(notice.c.kind == "taken_back")).all()
    assert told.staff_id == desk.firm.b01.deputy.staff_id
    assert word(told.kind, told.params, "zh-CN").line.startswith("顾问取回了您已批准")
