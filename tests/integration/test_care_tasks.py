"""Tasks: whoever received first answers (art. 11), what reached nobody becomes a call, closing says what was done."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from outreach.care.tasks import (
    close_task,
    on_message_unreachable,
    on_reply_received,
    open_task,
    open_tasks,
)
from outreach.core import clock
from outreach.core.errors import BadInput, Conflict
from outreach.core.events import MessageUnreachable, ReplyReceived
from outreach.core.ids import new_id
from outreach.delivery.tables import reply
from outreach.ledger.append import seal_bytes
from outreach.ledger.work import Opener, Work
from outreach.messages.tables import message
from tests.support.builders import Firm, firm, make_client
from tests.support.desk import Desk
from tests.support.review_rows import hold


def _reply(work: Work, built: Firm, kind: str = "reply") -> UUID:
    identifier = new_id()
    work.conn.execute(
        insert(reply).values(
            id=identifier,
            channel="sms",
            provider="gateway",
            provider_ref=str(identifier),
            from_hash=b"\0" * 32,
            client_id=make_client(work, built.b01),
            branch_id=built.b01.id,
            owner_id=built.b01.advisor.staff_id,
            kind=kind,
            body_id=seal_bytes(work, "谢谢".encode()).id,
            received_at=clock.now(),
        )
    )
    return identifier


def test_a_reply_is_its_owners_until_answered(open_work: Opener) -> None:
    built = firm(open_work)
    with open_work() as work:
        reply_id = _reply(work, built)
        on_reply_received(work, ReplyReceived(reply_id))
        on_reply_received(work, ReplyReceived(reply_id))
        on_reply_received(work, ReplyReceived(_reply(work, built, "opt_out")))
    with open_work(built.b01.advisors[1]) as work:
        assert open_tasks(work) == []
    with open_work(built.b01.advisor) as work:
        [task] = open_tasks(work, mine=True)
        assert (task.kind, task.reply_id, task.client_name) == ("answer", reply_id, "测试甲客")
        with pytest.raises(BadInput):
            close_task(work, task.id, "  ")
        close_task(work, task.id, "已电话答复。")
        assert open_tasks(work) == []
        assert work.conn.execute(select(reply.c.answered_at).where(reply.c.id == reply_id)).scalar_one()
        with pytest.raises(Conflict):
            close_task(work, task.id, "再次答复。")


def test_what_reached_nobody_becomes_a_call(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True)
        client_id = work.conn.execute(select(message.c.client_id)).scalar_one()
        on_message_unreachable(work, MessageUnreachable(held.first, client_id))
    with open_work(desk.firm.b01.advisor) as work:
        [task] = open_tasks(work, kind="call")
        assert (task.message_id, task.owner_id) == (held.first, desk.firm.b01.advisor.staff_id)
        assert not task.late


def test_tasks_come_due_first_page_by_page(open_work: Opener) -> None:
    built = firm(open_work)
    now = clock.now()
    with open_work() as work:
        ids = [
            open_task(
                work, "call", due_by=now + timedelta(hours=hours), branch_id=built.b01.id, message_id=new_id()
            )
            for hours in (3, -1, 2)
        ]
        with pytest.raises(BadInput):
            open_task(work, "visit", due_by=now, branch_id=built.b01.id, message_id=new_id())
        with pytest.raises(BadInput):
            open_task(work, "call", due_by=now, branch_id=built.b01.id)
    with open_work(built.b01.manager) as work:
        first = open_tasks(work, limit=2)
        assert [task.id for task in first] == [ids[1], ids[2]]
        assert first[0].late
        rest = open_tasks(work, after=(first[1].due_by, first[1].id))
        assert [task.id for task in rest] == [ids[0]]
