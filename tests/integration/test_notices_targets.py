"""Messengers and webhooks, called over real HTTP through Apprise: who hears of what, and one's failure is not
another's."""

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from apprise import Apprise
from apprise.plugins.wecombot import NotifyWeComBot
from freezegun import freeze_time
from sqlalchemy import select

from outreach.core import clock
from outreach.core.access import Role
from outreach.core.errors import Unavailable
from outreach.core.events import SubmissionHeld
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.notices.audience import on_submission_held
from outreach.notices.letters import Letter
from outreach.notices.outbox import list_notices, tell
from outreach.notices.robots import DingTalk, WeCom, checked
from outreach.notices.sending import SentNotices, Ways, send_notices
from outreach.notices.tables import notice_delivery
from outreach.notices.targets import Target, plugin_for, tell_target
from tests.support.builders import Firm, firm
from tests.support.desk import Desk
from tests.support.notices import Postbox, on_a_working_day
from tests.support.receiver import Receiver, receiver
from tests.support.review_rows import hold

ALL = frozenset({"waits", "late", "questions", "decisions", "replies", "files"})


def target(server: Receiver, name: str, **whose: object) -> Target:
    url = f"json://127.0.0.1:{server.port}/{name}"
    made = Target(name=name, url=url, service="JSON", tells=ALL)
    return replace(made, **whose)  # type: ignore[arg-type]


def received(server: Receiver, name: str) -> list[dict[str, str]]:
    return [json.loads(one.body) for one in server.posted if one.path.strip("/") == name]


def urgent(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True, title="重大公告")
        on_submission_held(work, SubmissionHeld(held.submission_id))


def reply_to(open_work: Opener, people: Firm, name: str = "x") -> None:
    manager = people.b01.manager.staff_id
    assert manager is not None
    with open_work() as work:
        tell(work, [manager], "reply", {"reply_id": name})


def test_each_target_hears_of_what_is_its_own(open_work: Opener, desk: Desk) -> None:
    with receiver() as server:
        targets = (
            target(server, "b01", branch="B01"),
            target(server, "b02", branch="B02"),
            target(server, "firm", firm=True),
            target(server, "managers", role=Role.MANAGER),
            target(server, "compliance", role=Role.COMPLIANCE),
            target(server, "ma", staff_no="B01-M"),
            target(server, "a1", staff_no="B01-A1"),
            target(server, "b01-replies", branch="B01", tells=frozenset({"replies"})),
        )
        urgent(open_work, desk)
        postbox = Postbox()
        assert postbox.send(open_work, *targets) == SentNotices(5, 0)
        assert sorted(one.path.strip("/") for one in server.posted) == ["b01", "ma", "managers"]
        assert len(postbox.kept) == 2  # by mail, too: manager and deputy
        [group] = received(server, "b01")
        assert group["title"].startswith("紧急：海淀营业部有 1 条消息等待审批：重大公告")
        assert "/inbox/submission/" in group["message"]
        assert group["type"] == "warning"
        [person] = received(server, "ma")
        assert person["title"].startswith("紧急：有 1 条消息等待您审批")
        assert postbox.send(open_work, *targets) == SentNotices(0, 0)


def test_a_group_has_its_digest_too(open_work: Opener, desk: Desk, settings: Settings) -> None:
    with receiver() as server:
        targets = (target(server, "b01", branch="B01", language="en"), target(server, "firm", firm=True))
        with freeze_time(on_a_working_day(settings, "09:00")), open_work() as work:
            for team, policy in ((desk.firm.b01, desk.each), (None, desk.firmwide)):
                held = hold(
                    work,
                    desk.firm,
                    team,
                    policy=policy,
                    count=2,
                    due_by=clock.now() + timedelta(hours=20),
                )
                on_submission_held(work, SubmissionHeld(held.submission_id))
        with freeze_time(on_a_working_day(settings, "11:30")):
            send_notices(open_work, Ways(None, targets))
        assert [one["title"] for one in received(server, "b01")] == [
            "Haidian Branch: 2 messages wait for approval"
        ]
        assert [one["title"] for one in received(server, "firm")] == ["总部有 2 条消息等待审批"]


def test_one_target_that_fails_keeps_no_other_waiting_and_is_told_later(
    open_work: Opener, desk: Desk
) -> None:
    start = clock.now()
    with receiver() as good, receiver() as bad:
        targets = (target(bad, "bad", branch="B01"), target(good, "good", branch="B01"))
        bad.statuses = [500, 503]
        postbox = Postbox()
        with freeze_time(start):
            urgent(open_work, desk)
            assert postbox.send(open_work, *targets) == SentNotices(3, 1)
            assert postbox.send(open_work, *targets) == SentNotices(0, 0)
        with freeze_time(start + timedelta(seconds=15)):
            assert postbox.send(open_work, *targets) == SentNotices(0, 1)
        with freeze_time(start + timedelta(seconds=15 + 29)):
            assert postbox.send(open_work, *targets) == SentNotices(0, 0)
        with freeze_time(start + timedelta(seconds=15 + 30)):
            assert postbox.send(open_work, *targets) == SentNotices(1, 0)
        assert (len(good.posted), len(bad.posted), len(postbox.kept)) == (1, 3, 2)
    with open_work() as work:
        rows = work.conn.execute(
            select(notice_delivery).where(notice_delivery.c.way == "bad").order_by(notice_delivery.c.way)
        ).all()
    assert [(row.outcome, row.tries) for row in rows] == [("told", 3)]


def test_a_target_that_never_answers_is_not_waited_for_by_the_others(open_work: Opener, desk: Desk) -> None:
    with receiver() as good, receiver() as hanging:
        hanging.slow = threading.Event()
        hung = target(hanging, "hanging", branch="B01")
        targets = (replace(hung, url=f"{hung.url}?rto=1"), target(good, "good", branch="B01"))
        urgent(open_work, desk)
        try:
            assert Postbox().send(open_work, *targets) == SentNotices(3, 1)
        finally:
            hanging.slow.set()
        assert len(good.posted) == 1
    with open_work(desk.firm.b01.manager) as work:
        [shown] = list_notices(work).items
        assert (shown.ways, shown.waiting) == (("good", "mail"), True)


def test_what_came_back_is_kept_without_the_address(open_work: Opener) -> None:
    people = firm(open_work)
    with receiver() as server:
        server.statuses = [403]
        secret = "s3cr3t-t0ken-of-ours"
        hook = Target("hook", f"json://127.0.0.1:{server.port}/{secret}", "JSON", staff_no="B01-M", tells=ALL)
        reply_to(open_work, people)
        assert Postbox().send(open_work, hook) == SentNotices(1, 1)
    with open_work() as work:
        kept = work.conn.execute(
            select(notice_delivery.c.error).where(notice_delivery.c.way == "hook")
        ).scalar_one()
    assert "403" in kept
    assert secret not in kept


def test_a_target_that_another_worker_knows_is_left_to_it(open_work: Opener) -> None:
    people = firm(open_work)
    with receiver() as server:
        hook = target(server, "hook", staff_no="B01-M")
        server.statuses = [500]
        start = clock.now()
        with freeze_time(start):
            reply_to(open_work, people)
            assert Postbox().send(open_work, hook) == SentNotices(1, 1)
        with freeze_time(start + timedelta(minutes=1)):
            assert Postbox().send(open_work) == SentNotices(0, 0)
            assert Postbox().send(open_work, hook) == SentNotices(1, 0)


# ── robots that answer 200 also when they refuse ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"errcode":45009,"errmsg":"api freq out of limit"}', "errcode 45009, api freq out of limit"),
        (b'{"errcode":93000,"errmsg":"invalid webhook url"}', "errcode 93000"),
        (b"<html>proxy</html>", "errcode none"),
        (b"[]", "errcode none"),
    ],
)
def test_a_robot_that_refuses_with_200_has_not_been_told(answer: bytes, said: str) -> None:
    with receiver() as server:
        server.answer = answer

        class Here(WeCom):
            notify_url = f"{server.url}/send?key={{key}}"

        robot = Here(key="abc-def")
        assert isinstance(robot, NotifyWeComBot)
        result = Apprise([robot]).notify(title="有 3 条", body="看收件箱")
        lines = [entry.message for one in result.results for entry in one.logs()]
        assert not result
        assert said in " ".join(lines)
        assert json.loads(server.posted[0].body)["text"]["content"].startswith("有 3 条")


def test_a_robot_that_takes_it_has_been_told() -> None:
    with receiver() as server:
        server.answer = b'{"errcode":0,"errmsg":"ok"}'

        class Wecom(WeCom):
            notify_url = f"{server.url}/wecom?key={{key}}"

        class Ding(DingTalk):
            notify_url = f"{server.url}/ding?access_token={{token}}"

        assert Apprise([Wecom(key="abc")]).notify(title="a", body="b")
        assert Apprise([Ding(token="abc", secret="SEC123")]).notify(title="标题", body="正文")
        wecom, ding = server.posted
        assert wecom.path == "/wecom?key=abc"
        assert json.loads(ding.body)["text"]["content"].startswith("标题")
        assert "&timestamp=" in ding.path
        assert "%25" not in ding.path  # the signature is quoted once


def test_addresses_of_such_robots_make_robots_whose_answers_are_read() -> None:
    assert type(plugin_for("wecombot://abc", "x")) is WeCom
    ding = plugin_for("dingtalk://SECabc@0123456789abcdef", "x")
    assert isinstance(ding, DingTalk)
    assert (ding.token, ding.secret) == ("0123456789abcdef", "SECabc")
    plain = plugin_for("json://127.0.0.1/", "x")
    assert checked(plain) is plain


def test_no_redirect_carries_a_notice_elsewhere() -> None:
    with receiver() as server:
        server.statuses = [302]
        with pytest.raises(Unavailable, match="302"):
            tell_target(target(server, "hook", firm=True), Letter("a", "b"))
        assert len(server.posted) == 1
