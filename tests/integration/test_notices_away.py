"""Nobody who is away is told: their deputy is, and they themselves when they are back, of what still holds."""

from datetime import datetime, timedelta

from freezegun import freeze_time

from outreach.core import clock
from outreach.core.access import Actor
from outreach.core.events import SubmissionHeld
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.notices.audience import on_submission_held
from outreach.notices.outbox import list_notices, tell
from outreach.people.absence import end_absence, set_absence
from outreach.review.decide import approve
from tests.support.desk import Desk
from tests.support.notices import Postbox, on_a_working_day
from tests.support.review_rows import Held, as_read, hold


def away(
    open_work: Opener, who: Actor, until: datetime, deputy: Actor | None = None, since: datetime | None = None
) -> None:
    assert who.staff_id is not None
    with open_work(who) as work:
        set_absence(
            work, who.staff_id, since or clock.now(), until, deputy.staff_id if deputy else None, "休假"
        )


def put_up(open_work: Opener, desk: Desk, *, urgent: bool = False, author: Actor | None = None) -> Held:
    with open_work() as work:
        held = hold(
            work,
            desk.firm,
            desk.firm.b01,
            policy=desk.alert,
            urgent=urgent,
            author=author,
            due_by=clock.now() + timedelta(hours=30),
        )
        on_submission_held(work, SubmissionHeld(held.submission_id))
    return held


def test_the_deputy_is_told_instead_and_knows_for_whom(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    people, postbox = desk.firm.b01, Postbox()
    advisor = people.advisor
    with freeze_time(on_a_working_day(settings, "09:00")):
        away(open_work, people.manager, clock.now() + timedelta(days=5), advisor)
        put_up(open_work, desk, urgent=True)
        postbox.send(open_work)
        assert sorted(mail.to for mail in postbox.kept) == ["b01-a1@example.com", "b01-d@example.com"]
        [mail] = postbox.to("b01-a1@example.com")
        assert mail.subject.endswith("（代 马经理B01）")
        with open_work(advisor) as work:
            assert len(list_notices(work).items) == 1


def test_the_digest_of_a_deputy_counts_what_they_decide_for_others(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    people, postbox = desk.firm.b01, Postbox()
    with freeze_time(on_a_working_day(settings, "09:00")):
        put_up(open_work, desk)
        away(
            open_work,
            people.manager,
            clock.now() + timedelta(days=5),
            people.advisor,
            since=clock.now() + timedelta(hours=1),  # goes after it was put up, before it is told
        )
    with freeze_time(on_a_working_day(settings, "11:30")):
        postbox.send(open_work)
    [mail] = postbox.to("b01-a1@example.com")
    assert mail.subject == "有 1 条消息等待您审批"
    assert "其中含您代马经理B01处理的消息。" in mail.text
    assert postbox.to("b01-m@example.com") == []


def test_whoever_wrote_it_is_not_told_that_it_waits_for_them_as_a_deputy(
    open_work: Opener, desk: Desk
) -> None:
    people, postbox = desk.firm.b01, Postbox()
    away(open_work, people.manager, clock.now() + timedelta(days=5), people.advisor)
    put_up(open_work, desk, urgent=True, author=people.advisor)
    postbox.send(open_work)
    assert [mail.to for mail in postbox.kept] == ["b01-d@example.com"]


def test_who_is_back_is_told_of_what_still_waits_and_of_nothing_else(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    people, postbox = desk.firm.b01, Postbox()
    back = on_a_working_day(settings, "10:00", days=1)
    with freeze_time(on_a_working_day(settings, "09:00")):
        away(open_work, people.manager, back)
        first = put_up(open_work, desk)
        second = put_up(open_work, desk)
        with open_work() as work:
            assert people.manager.staff_id is not None
            tell(work, [people.manager.staff_id], "reply", {"reply_id": "x"})
    for days, wall in ((0, "11:30"), (0, "14:30"), (0, "17:00"), (1, "08:30")):
        with freeze_time(on_a_working_day(settings, wall, days=days)):
            postbox.send(open_work)
    assert {mail.to for mail in postbox.kept} == {"b01-d@example.com"}
    with freeze_time(back), open_work(people.deputy) as work:
        approve(work, first.ids, as_read(work, first.ids))
    postbox.kept.clear()
    with freeze_time(on_a_working_day(settings, "11:30", days=1)):
        postbox.send(open_work)
    [mail] = postbox.kept
    assert mail.to == "b01-m@example.com"
    assert mail.subject == "有 1 条消息等待您审批（今日到期 1 条）"
    assert "有客户回复等待您答复" in mail.text
    assert str(second.submission_id) not in mail.text


def test_an_absence_that_is_taken_back_counts_no_more(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    people, postbox = desk.firm.b01, Postbox()
    with freeze_time(on_a_working_day(settings, "09:00")):
        put_up(open_work, desk)
        assert people.manager.staff_id is not None
        with open_work(people.manager) as work:
            planned = set_absence(work, people.manager.staff_id, clock.now(), clock.now() + timedelta(days=9))
            end_absence(work, planned)
    with freeze_time(on_a_working_day(settings, "11:30")):
        postbox.send(open_work)
    assert len(postbox.to("b01-m@example.com")) == 1
