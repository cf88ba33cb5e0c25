"""Delivery as the operator sees it, an unknown outcome settled by a person, and a reply closed with a note."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, text, update

from outreach.app import wire
from outreach.core import clock
from outreach.core.ids import new_id
from outreach.delivery.replies import ReplyIn, take_reply
from outreach.delivery.tables import attempt
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from tests.support.builders import make_client
from tests.support.desk import Desk
from tests.support.pages import SignIn
from tests.support.review_rows import hold


@pytest.fixture
def unknown(open_work: Opener, desk: Desk) -> UUID:
    """A message whose call broke off."""
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, text="机密正文，{name}")
        token = new_id()
        month = work.conn.execute(text("SELECT scheduled_month FROM message")).scalar_one()
        work.conn.execute(
            insert(attempt).values(
                id=token,
                message_id=held.ids[0],
                scheduled_month=month,
                provider="gateway",
                decision_id=new_id(),
                digest=b"d",
                state="unknown",
                claimed_at=clock.now(),
                started_at=clock.now(),
                error_code="timeout",
            )
        )
        work.conn.execute(
            update(message).values(
                state="unknown", state_at=clock.now() - timedelta(minutes=5), claim_token=token
            )
        )
        return held.ids[0]


def _state(open_work: Opener) -> str:
    with open_work() as work:
        return str(work.conn.execute(text("SELECT state FROM message")).scalar_one())


def test_what_is_known_is_shown_and_no_content(desk: Desk, unknown: UUID, sign_in: SignIn) -> None:
    reader = sign_in(desk.firm.operator)
    page = reader.get("/delivery").text
    assert str(unknown) in page
    assert "timeout" in page
    assert "机密正文" not in page
    assert "测试甲客" not in page


def test_a_person_settles_it_once(open_work: Opener, desk: Desk, unknown: UUID, sign_in: SignIn) -> None:
    reader = sign_in(desk.firm.operator)
    assert reader.post(f"/delivery/{unknown}/settle", outcome="perhaps").status_code == 400
    said = reader.after(f"/delivery/{unknown}/settle", outcome="delivered", reference="G-1")
    assert "Settled, and recorded as yours." in said
    assert "Every outcome is known." in said
    assert _state(open_work) == "delivered"
    assert reader.post(f"/delivery/{unknown}/settle", outcome="never-sent").status_code == 409


def test_a_manager_watches_and_does_not_settle(
    open_work: Opener, desk: Desk, unknown: UUID, sign_in: SignIn
) -> None:
    reader = sign_in(desk.firm.b01.manager)
    assert str(unknown) in reader.get("/delivery").text
    assert reader.post(f"/delivery/{unknown}/settle", outcome="delivered").status_code == 403
    assert str(unknown) not in sign_in(desk.firm.b02.manager).get("/delivery").text
    assert _state(open_work) == "unknown"


def test_a_reply_waits_for_its_advisor_and_is_closed_with_a_note(
    open_work: Opener, desk: Desk, sign_in: SignIn
) -> None:
    wire()
    team = desk.firm.b01
    with open_work() as work:
        client_id = make_client(work, team, mobile="+8614700000099", name="钱女士")
        take_reply(work, ReplyIn("gateway", "R1", "sms", "+8614700000099", "请<b>回电</b>"))
        task = work.conn.execute(text("SELECT id FROM task")).scalar_one()
    reader = sign_in(team.advisor)
    page = reader.get("/replies").text
    assert "请&lt;b&gt;回电&lt;/b&gt;" in page
    assert "钱女士" in reader.read("/")
    assert "Nobody waits" in sign_in(team.advisors[1]).read("/replies")
    assert sign_in(desk.firm.b02.manager).post(f"/tasks/{task}/close", note="x").status_code == 404
    assert reader.post(f"/tasks/{task}/close", note=" ").status_code == 400
    assert "Closed, with your note." in reader.after(f"/tasks/{task}/close", note="已回电")
    assert "Answered" in reader.read("/replies/all")
    assert "回电" in reader.read(f"/clients/{client_id}")
    assert reader.post(f"/tasks/{task}/close", note="again").status_code == 409
