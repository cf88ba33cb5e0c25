"""Notices: written in the transaction, told after it, tried again for each way alone, and nothing is lost."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import func, select

from outreach.core import clock, events
from outreach.core.errors import Unavailable
from outreach.core.events import SubmissionHeld
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.notices.audience import on_submission_held
from outreach.notices.authors import on_decision_made
from outreach.notices.letters import Mail
from outreach.notices.outbox import count_unseen, list_notices, mark_seen, tell, unseen
from outreach.notices.sending import GIVEN_UP_AFTER, LEASE, SentNotices, Ways, send_notices
from outreach.notices.tables import notice, notice_delivery
from outreach.people.staff import actor_for
from outreach.review.decide import approve
from tests.support.builders import change_staff, firm
from tests.support.desk import Desk
from tests.support.notices import Postbox, on_a_working_day
from tests.support.review_rows import as_read, content, hold


def test_what_is_urgent_is_told_at_once_to_who_may_decide(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    postbox = Postbox()
    with freeze_time(on_a_working_day(settings, "09:00")):
        with open_work() as work:
            held = hold(
                work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True, title="重大公告\nNotice"
            )
            on_submission_held(work, SubmissionHeld(held.submission_id))
            on_submission_held(work, SubmissionHeld(held.submission_id))
        assert postbox.send(open_work) == SentNotices(2, 0)
        assert postbox.send(open_work) == SentNotices(0, 0)
    assert sorted(mail.to for mail in postbox.kept) == ["b01-d@example.com", "b01-m@example.com"]
    for mail in postbox.kept:
        assert mail.subject == "紧急：有 1 条消息等待您审批：重大公告（请于 13:00 前处理）"
        assert f"/inbox/submission/{held.submission_id}" in mail.text


def test_who_wrote_it_is_not_asked_to_decide(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.manager)
        on_submission_held(work, SubmissionHeld(held.submission_id))
        told = work.conn.execute(select(notice.c.staff_id)).scalars().all()
        assert told == [desk.firm.b01.deputy.staff_id]


def test_what_was_decided_before_it_was_told_is_told_no_more(open_work: Opener, desk: Desk) -> None:
    postbox = Postbox()
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True)
        on_submission_held(work, SubmissionHeld(held.submission_id))
    with open_work(desk.firm.b01.manager) as work:
        assert len(unseen(work)) == 1
        approve(work, held.ids, as_read(work, held.ids))
    assert postbox.send(open_work) == SentNotices(0, 0)
    with open_work(desk.firm.b01.manager) as work:
        assert unseen(work) == []
        assert [one.over for one in list_notices(work).items] == [True]
        ends = work.conn.execute(select(notice_delivery.c.outcome)).scalars().all()
        assert ends == ["over", "over"]


def test_what_its_reader_has_seen_is_not_mailed(open_work: Opener) -> None:
    manager = firm(open_work).b01.manager
    assert manager.staff_id is not None
    with open_work() as work:
        tell(work, [manager.staff_id], "reply", {"reply_id": "x"})
    with open_work(manager) as work:
        assert mark_seen(work) == 1
        assert count_unseen(work) == 0
    assert Postbox().send(open_work) == SentNotices(0, 0)


def test_who_has_left_is_not_told(open_work: Opener) -> None:
    manager = firm(open_work).b01.manager
    assert manager.staff_id is not None
    with open_work() as work:
        tell(work, [manager.staff_id], "reply", {"reply_id": "x"})
        change_staff(work, manager, status="left")
    assert Postbox().send(open_work) == SentNotices(0, 0)


def test_a_mail_server_that_is_away_for_a_day_loses_nothing(open_work: Opener) -> None:
    manager = firm(open_work).b01.manager
    assert manager.staff_id is not None
    postbox = Postbox(refuse=1000)
    start = clock.now()
    with freeze_time(start), open_work() as work:
        tell(work, [manager.staff_id], "reply", {"reply_id": "x"})
    for minutes in range(0, 24 * 60, 10):
        with freeze_time(start + timedelta(minutes=minutes)):
            assert postbox.send(open_work).sent == 0
    assert 900 < postbox.refuse < 985  # ever more rarely: about once an hour
    with open_work(manager) as work:
        waiting = list_notices(work).items[0]
        assert waiting.waiting
        assert waiting.sent_at is None
    postbox.refuse = 0
    with freeze_time(start + timedelta(hours=25)):
        assert postbox.send(open_work) == SentNotices(1, 0)
    with open_work(manager) as work:
        told = list_notices(work).items[0]
        assert told.ways == ("mail",)
        assert not told.waiting


def test_a_failure_is_given_up_in_the_end_and_stays_on_the_page(open_work: Opener) -> None:
    manager = firm(open_work).b01.manager
    assert manager.staff_id is not None
    start = clock.now()
    with freeze_time(start), open_work() as work:
        tell(work, [manager.staff_id], "reply", {"reply_id": "x"})
    with freeze_time(start + GIVEN_UP_AFTER + timedelta(minutes=1)):
        assert Postbox(refuse=9).send(open_work) == SentNotices(0, 1)
    with freeze_time(start + GIVEN_UP_AFTER + timedelta(days=1)):
        assert Postbox().send(open_work) == SentNotices(0, 0)
    with open_work(manager) as work:
        assert [item.line for item in unseen(work)] == ["有客户回复等待您答复（首问负责）"]


def test_a_notice_taken_back_with_its_transaction_is_not_sent(open_work: Opener) -> None:
    manager = firm(open_work).b01.manager.staff_id
    assert manager is not None

    def break_off() -> None:
        with open_work() as work:
            tell(work, [manager], "reply", {"reply_id": "x"})
            raise Unavailable

    with pytest.raises(Unavailable):
        break_off()
    assert Postbox().send(open_work) == SentNotices(0, 0)
    with open_work() as work:
        assert work.conn.execute(select(func.count()).select_from(notice)).scalar_one() == 0
        jobs = "SELECT count(*) FROM procrastinate_jobs WHERE starts_with(task_name, 'send_')"
        assert work.conn.exec_driver_sql(jobs).scalar_one() == 0


def test_nothing_leaves_while_the_transaction_is_open(open_work: Opener) -> None:
    manager = firm(open_work).b01.manager.staff_id
    assert manager is not None
    postbox = Postbox()
    with open_work() as work:
        tell(work, [manager], "reply", {"reply_id": "x"})
        assert postbox.send(open_work) == SentNotices(0, 0)
    assert postbox.send(open_work) == SentNotices(1, 0)


def test_a_worker_that_dies_in_a_call_repeats_only_the_letter_in_hand(open_work: Opener) -> None:
    built = firm(open_work)
    people = [built.b01.manager.staff_id, built.b02.manager.staff_id]
    start = clock.now()

    class Died(BaseException):
        """As a killed process: nothing after it is done."""

    told: list[str] = []

    def dying(mail: Mail) -> None:
        if mail.to.startswith("b02"):
            raise Died
        told.append(mail.to)

    with freeze_time(start):
        for number, staff_id in enumerate(people):
            assert staff_id is not None
            with open_work() as work:
                tell(work, [staff_id], "reply", {"reply_id": str(number)})
            with pytest.raises(Died) if number else nullcontext():
                send_notices(open_work, Ways(dying))
        assert Postbox().send(open_work) == SentNotices(0, 0)  # the one in hand is leased
    postbox = Postbox()
    with freeze_time(start + LEASE):
        assert postbox.send(open_work) == SentNotices(1, 0)
    assert told == ["b01-m@example.com"]
    assert [mail.to for mail in postbox.kept] == ["b02-m@example.com"]


def test_the_next_approver_in_order_is_told_when_it_is_their_turn(open_work: Opener, desk: Desk) -> None:
    source = """
title = { zh = "先后", en = "In order" }
mode = "each"
approvers = [["manager"], ["compliance"]]
time_to_decide = "4h"
undo_window = "60s"

[governs]
categories = ["relationship"]
"""
    people = desk.firm
    with open_work() as work:
        policy = content(
            work,
            "policy",
            "in-order",
            {"policies/in-order.toml": source},
            people.head_office,
            people.compliance,
        )
        held = hold(work, people, people.b01, policy=policy, urgent=True)
        on_submission_held(work, SubmissionHeld(held.submission_id))
        told = work.conn.execute(select(notice.c.staff_id)).scalars().all()
        assert told == [people.b01.manager.staff_id]
    events.subscribe(events.DecisionMade, on_decision_made)
    with open_work(people.b01.manager) as work:
        approve(work, held.ids, as_read(work, held.ids))
    postbox = Postbox()
    assert postbox.send(open_work) == SentNotices(1, 0)  # the manager's turn is over
    assert postbox.kept[0].to == "c01@example.com"
    with open_work() as work:
        assert people.compliance.staff_id is not None
        compliance = actor_for(work.conn, people.compliance.staff_id, clock.today(work.settings.zone))
    with open_work(compliance) as work:
        approve(work, held.ids, as_read(work, held.ids))
        assert unseen(work) == []
