"""The call list of an alert: who is to be called, what was tried before, and what came of it; for the branch only."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from outreach.app import wire
from outreach.care.calls import alerts_with_calls, call_list
from outreach.care.tasks import close_task
from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.delivery.receipts import ReceiptIn, take_receipt
from outreach.messages.tables import message
from tests.support.pages import serving, signed_in
from tests.support.sending import Post, mobile


@pytest.fixture
def unreached(post: Post) -> list[UUID]:
    """Two clients without a mailbox whose SMS the gateway refused, in one alert; their SMS."""
    wire()
    post.servers.sandbox.gateway.fault("error", code=104)
    firsts = post.approved(mobile(), mobile())
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE client SET name = '王伟' WHERE id = (SELECT min(id::text)::uuid FROM client)")
        )
    post.send()
    post.send()
    return firsts


def test_the_branch_sees_each_alert_with_its_calls_and_what_was_tried(
    post: Post, unreached: list[UUID]
) -> None:
    with post.open_work(post.people.b01.manager) as work:
        [alert] = alerts_with_calls(work)
        assert (alert.open, alert.done, alert.reached) == (2, 0, 0)
        assert alert.next_due is not None
        assert alert.next_due <= clock.now() + timedelta(minutes=30)
        first, second = call_list(work, occurrence_id=alert.occurrence_id, locale="zh-CN")
        [tried] = first.tried
        assert (tried.channel, tried.state) == ("sms", "failed")
        assert tried.why is not None
        assert "拒绝" in tried.why.reason
        [rest] = call_list(work, after=(first.task.due_by, first.task.id))
        assert rest == call_list(work, occurrence_id=alert.occurrence_id)[1]
        close_task(work, first.task.id, "已告知。")
        close_task(work, second.task.id, "无人接听。", reached=False)
        [alert] = alerts_with_calls(work)
        assert (alert.open, alert.next_due, alert.done, alert.reached) == (0, None, 2, 1)


def test_p7_another_branch_sees_none_of_it(post: Post, unreached: list[UUID]) -> None:
    with post.open_work(post.people.b01.manager) as work:
        occurrence_id = alerts_with_calls(work)[0].occurrence_id
    with post.open_work(post.people.b02.manager) as work:
        assert alerts_with_calls(work) == []
        assert call_list(work, occurrence_id=occurrence_id) == []
    with post.open_work(post.people.b01.advisors[1]) as work:
        assert call_list(work) == []


def test_a_call_says_when_the_message_arrived_after_all(post: Post, unreached: list[UUID]) -> None:
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET state = 'undelivered' WHERE id = :id"), {"id": unreached[0]}
        )
    with post.open_work(SYSTEM) as work:
        take_receipt(work, ReceiptIn("gateway", "late", "delivered", unreached[0]))
    with post.open_work(post.people.b01.advisor) as work:
        by_client = {one.task.client_id: one.reached_by for one in call_list(work, mine=True)}
        reached = work.conn.execute(
            select(message.c.client_id).where(message.c.id == unreached[0])
        ).scalar_one()
        assert by_client.pop(reached) == "sms"
        assert list(by_client.values()) == [""]


def test_the_page_shows_the_script_takes_the_outcome_and_comes_back(
    post: Post, unreached: list[UUID]
) -> None:
    with serving(post.open_work, post.settings) as address:
        with signed_in(post.open_work, address, post.people.b01.advisor) as reader:
            assert "Call list after alerts 2" in reader.read("/replies")
            said = reader.read("/calls")
            assert "2 to call, 0 called, 0 reached" in said
            assert "王伟" in said
            assert "tel:+86" in reader.get("/calls").text
            assert "refused it" in said
            with post.open_work(post.people.b01.advisor) as work:
                one, other = call_list(work)
            closed = reader.post(
                f"/tasks/{one.task.id}/close", note="已告知", back=f"/calls?alert={one.occurrence_id}"
            )
            assert closed.headers["location"] == f"/calls?alert={one.occurrence_id}"
            assert "1 to call, 1 called, 1 reached" in reader.read(f"/calls?alert={one.occurrence_id}&mine=1")
            away = reader.post(f"/tasks/{other.task.id}/close", note="好", back="https://elsewhere.example/")
            assert away.headers["location"] == "/"
            assert "Nobody is to be called." in reader.read("/calls")
            assert reader.get("/calls?after=nowhere").status_code == 400
        with signed_in(post.open_work, address, post.people.b01.manager, "zh-CN") as manager:
            assert "致电清单" in manager.read("/calls")
        with signed_in(post.open_work, address, post.people.operator) as operator:
            assert operator.get("/calls").status_code == 403
