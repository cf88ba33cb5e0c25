"""Notices: written in the transaction, mailed after it, tried again, and never with client data."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import func, select

from outreach.core import clock
from outreach.core.errors import Unavailable
from outreach.core.events import DecisionMade, SubmissionHeld
from outreach.ledger.work import Opener
from outreach.notices.audience import on_decision_made, on_submission_held
from outreach.notices.outbox import (
    MOST_TRIES,
    Mail,
    SentNotices,
    count_unseen,
    mark_seen,
    send_notices,
    tell,
    unseen,
)
from outreach.notices.tables import notice
from outreach.people.tables import client
from outreach.review.decide import approve, return_
from tests.support.builders import firm
from tests.support.desk import Desk
from tests.support.review_rows import as_read, hold


@dataclass
class Postbox:
    """A Mailer that keeps what it is given, after refusing the first few."""

    refuse: int = 0
    kept: list[Mail] = field(default_factory=list)

    def __call__(self, mail: Mail) -> None:
        if self.refuse:
            self.refuse -= 1
            raise Unavailable("The mail server is busy.")
        self.kept.append(mail)


def test_deciders_are_told_what_waits_without_client_data(open_work: Opener, desk: Desk) -> None:
    postbox = Postbox()
    with open_work() as work:
        held = hold(
            work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor, title="致测试甲客"
        )
        on_submission_held(work, SubmissionHeld(held.submission_id))
        on_submission_held(work, SubmissionHeld(held.submission_id))
    assert send_notices(open_work, postbox) == SentNotices(2, 0)
    assert sorted(mail.to for mail in postbox.kept) == ["b01-d@example.com", "b01-m@example.com"]
    with open_work() as work:
        people = work.conn.execute(select(client.c.name, client.c.client_no)).all()
    for mail in postbox.kept:
        assert str(held.submission_id) in mail.text
        assert mail.subject.startswith("有 1 条消息等待您审批")
        for person in people:
            assert person.name not in mail.subject + mail.text
            assert person.client_no not in mail.subject + mail.text
    assert send_notices(open_work, postbox) == SentNotices(0, 0)


def test_who_wrote_it_is_not_asked_to_decide(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.manager)
        on_submission_held(work, SubmissionHeld(held.submission_id))
        told = work.conn.execute(select(notice.c.staff_id)).scalars().all()
        assert told == [desk.firm.b01.deputy.staff_id]


def test_the_author_is_told_of_the_decision(open_work: Opener, desk: Desk) -> None:
    advisor = desk.firm.b01.advisor
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=2, author=advisor)
    with open_work(desk.firm.b01.manager) as work:
        read = as_read(work, held.ids)
        on_decision_made(work, DecisionMade(approve(work, held.ids[:1], read).decisions[0]))
        returned = return_(work, held.ids[1:], read, [desk.reason], "请修改")
        on_decision_made(work, DecisionMade(returned.decisions[0]))
    with open_work(advisor) as work:
        lines = [item.line for item in unseen(work)]
        assert [line[:12] for line in lines] == ["您提交的 1 条消息被退", "您提交的 1 条消息已批"]
        assert "were returned" in unseen(work, locale="en")[0].line
        assert count_unseen(work) == 2
        assert mark_seen(work) == 2
        assert unseen(work) == []
    with open_work(desk.firm.b01.advisors[1]) as work:
        assert count_unseen(work) == 0


def test_what_fails_is_tried_again_later_and_not_for_ever(open_work: Opener) -> None:
    built = firm(open_work)
    manager = built.b01.manager.staff_id
    assert manager is not None
    postbox = Postbox(refuse=1)
    start = clock.now()
    with freeze_time(start):
        with open_work() as work:
            tell(work, [manager], "reply", {"reply_id": "x"})
        assert send_notices(open_work, postbox) == SentNotices(0, 1)
        assert send_notices(open_work, postbox) == SentNotices(0, 0)
    with freeze_time(start + timedelta(minutes=1)):
        assert send_notices(open_work, postbox) == SentNotices(1, 0)
        with open_work() as work:
            tell(work, [manager], "reply", {"reply_id": "y"})
    tries = 0
    for hour in range(1, 20):
        with freeze_time(start + timedelta(hours=hour)):
            tries += send_notices(open_work, Postbox(refuse=9)).failed
    assert tries == MOST_TRIES


def test_a_notice_taken_back_with_its_transaction_is_not_sent(open_work: Opener) -> None:
    built = firm(open_work)
    manager = built.b01.manager.staff_id
    assert manager is not None

    def break_off() -> None:
        with open_work() as work:
            tell(work, [manager], "reply", {"reply_id": "x"})
            raise Unavailable

    with pytest.raises(Unavailable):
        break_off()
    assert send_notices(open_work, Postbox()) == SentNotices(0, 0)
    with open_work() as work:
        assert work.conn.execute(select(func.count()).select_from(notice)).scalar_one() == 0
