"""The page for who is out of office: entered, shown, ended; by whom it may be; and what comes of it in the inbox."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from outreach.core import clock
from outreach.ledger.work import Opener
from outreach.people.tables import absence
from tests.support.builders import Firm, firm, publish_starter
from tests.support.pages import SignIn


@pytest.fixture
def people(open_work: Opener) -> Firm:
    made = firm(open_work)
    publish_starter(open_work, made)
    return made


def days(first: int, last: int) -> dict[str, str]:
    """Times as the form sends them."""
    now = clock.now().astimezone()
    return {
        "since": f"{now + timedelta(days=first):%Y-%m-%dT%H:%M}",
        "until": f"{now + timedelta(days=last):%Y-%m-%dT%H:%M}",
    }


def test_a_manager_goes_away_and_an_advisor_stands_in(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    team = people.b01
    manager, advisor = sign_in(team.manager), sign_in(team.advisor)
    assert advisor.get("/inbox").status_code == 403
    said = manager.after("/absence", who="B01-M", deputy="B01-A1", note="回乡", **days(-1, 3))
    assert "Entered." in said
    assert team.advisor.name in said
    assert "回乡" in said
    assert f"You stand in for: {team.manager.name}" in advisor.read("/absence")
    assert advisor.get("/inbox").status_code == 200
    with open_work() as work:
        absence_id = work.conn.execute(select(absence.c.id)).scalar_one()
    assert 'action="/absence/' not in advisor.get("/absence").text
    assert advisor.post(f"/absence/{absence_id}/end").status_code == 404
    assert "nobody stands in any more" in manager.after(f"/absence/{absence_id}/end")
    assert advisor.get("/inbox").status_code == 403


def test_what_does_not_fit_comes_back_with_what_was_written(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.b01.manager, "zh-CN")
    answer = reader.post("/absence", who="B01-A1", deputy="B02-M", note="培训", **days(0, 2))
    assert answer.status_code == 400
    assert "无权查阅" in answer.text
    assert 'value="培训"' in answer.text
    assert re.search(r'value="B01-A1" selected', answer.text)
    assert "不能为该人员登记外出" in reader.post("/absence", who="B02-A1", **days(0, 2)).text
    assert "请填写起止时间" in reader.post("/absence", who="B01-M", since="", until="").text


def test_head_office_enters_it_for_everybody_and_strangers_see_nothing(people: Firm, sign_in: SignIn) -> None:
    head = sign_in(people.head_office)
    assert "Entered." in head.after("/absence", who="B01-M", deputy="B01-D", **days(-1, 2))
    assert people.b01.manager.name in head.read("/absence")
    assert people.b01.manager.name not in sign_in(people.b02.manager).read("/absence")
    assert people.b01.manager.name in sign_in(people.b01.advisor).read("/absence")


def test_compliance_finds_the_inbox_and_still_no_branch_holds(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.compliance)
    assert reader.get("/inbox").status_code == 200
    assert reader.get("/firm").status_code == 403
    assert 'href="/rehearse"' in reader.get("/").text
