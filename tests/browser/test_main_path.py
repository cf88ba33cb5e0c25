"""The main path by hand: an advisor queues, the manager approves one and returns one, the phone rings."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from outreach.core.access import SYSTEM
from tests.browser.conftest import SignIn
from tests.support.campaign import Machine

pytestmark = pytest.mark.timeout(240)

WORDS = {
    "zh-CN": {
        "text": "{称呼}，您好！您关心的开户资料已经齐备，请您方便时到营业部办理。",
        "mark": "开户资料已经齐备",
        "queued": "条消息已提交审批",
        "approved": "已批准 1 条",
        "returned": "已退回 1 条待修改",
        "note": "请写明营业部地址",
        "reply": "好的，明天下午去",
    },
    "en": {
        "text": "Dear {salutation}, your documents are complete; please call in at the branch.",
        "mark": "your documents are complete",
        "queued": "messages wait for approval",
        "approved": "1 approved.",
        "returned": "1 returned to be mended.",
        "note": "Please give the branch's address",
        "reply": "Thanks, tomorrow afternoon",
    },
}


def clients_of(running: Machine, username: str, language: str) -> list[tuple[str, str, str]]:
    """Two clients of an advisor with mobiles: id, number, mobile."""
    query = text(
        "SELECT c.id, c.client_no, p.address FROM client c JOIN contact_point p ON p.client_id = c.id AND p.active"
        " JOIN account a ON a.staff_id = c.advisor_id WHERE a.username = :user AND c.language = :language"
        " AND p.channel = 'sms' AND c.status = 'normal' AND NOT c.deceased AND NOT c.test"
        " AND c.channel_preference = 'sms' ORDER BY c.client_no DESC LIMIT 2"
    )
    with running.outreach.open_work(SYSTEM) as work:
        rows = work.conn.execute(query, {"user": username, "language": language}).all()
    return [(str(row.id), row.client_no, row.address) for row in rows]


@pytest.mark.browser
@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_queue_approve_return_and_arrive(running: Machine, sign_in: SignIn, locale: str) -> None:
    words = WORDS[locale]
    advisor = "advisor1.bj" if locale == "zh-CN" else "advisor2.bj"
    chosen = clients_of(running, advisor, "zh-CN")
    assert len(chosen) == 2

    writing = sign_in(advisor, locale)
    writing.goto("/compose")
    for identifier, number, _ in chosen:
        writing.fill("#search", number)
        writing.click("button[value=find]")
        writing.check(f"input[name=client][value='{identifier}']")
    writing.fill("#text", words["text"])
    writing.click("button[value=preview]")
    expect(writing.locator(".bubble").first).to_contain_text(words["mark"])
    writing.click("button[value=queue]")
    expect(writing.locator("#notice")).to_contain_text(words["queued"])

    deciding = sign_in("manager.bj", locale)
    open_submission(deciding, running, chosen[0][1])
    expect(deciding.locator("article .bubble")).to_contain_text(words["mark"])
    first = deciding.locator("#who .small").inner_text()
    deciding.click("button[value=approve]")
    expect(deciding.locator("#notice")).to_contain_text(words["approved"])
    second = deciding.locator("#who .small").inner_text()
    assert {first, second} == {chosen[0][1], chosen[1][1]}
    deciding.click("[data-opens=refuse]")
    deciding.check(".refuse input[name=reasons] >> nth=0")
    deciding.fill("#note", words["note"])
    deciding.click("button[value=return]")
    expect(deciding.locator("#notice")).to_contain_text(words["returned"])

    mobiles = {number: mobile for _, number, mobile in chosen}
    phone = deciding
    phone.goto(f"/sandbox?number={mobiles[first].replace('+', '%2B')}")
    bubble = phone.locator("#phone .bubble", has_text=re.compile(re.escape(words["mark"])))
    expect(bubble.first).to_be_visible(timeout=90_000)
    assert words["mark"] not in phone_of(running, mobiles[second])

    phone.fill("#body", words["reply"])
    phone.click("form.type button")
    writing.goto("/mine")
    expect(writing.locator("main")).to_contain_text(words["note"])
    expect_soon(writing, "/replies", words["reply"])


@pytest.mark.browser
def test_an_opt_out_on_the_phone_suppresses_what_waits(running: Machine, sign_in: SignIn) -> None:
    query = text(
        "SELECT p.address, m.id FROM message m JOIN contact_point p ON p.id = m.contact_point_id"
        " JOIN submission s ON s.id = m.submission_id JOIN occurrence o ON o.id = s.occurrence_id"
        " WHERE m.state = 'held' AND m.channel = 'sms' AND p.address LIKE '+86%'"
        " AND o.job_name IN ('new-year', 'spring-festival', 'mid-autumn')"
        # Not somebody the other tests write to.
        " AND NOT EXISTS (SELECT FROM message a JOIN occurrence b ON b.id = a.occurrence_id"
        " WHERE a.client_id = m.client_id AND b.job_name = 'advisor')"
        " AND NOT EXISTS (SELECT FROM client c JOIN account x ON x.staff_id = c.advisor_id"
        " WHERE c.id = m.client_id AND x.username IN ('advisor1.bj', 'advisor2.bj'))"
        " ORDER BY m.id LIMIT 1"
    )
    with running.outreach.open_work(SYSTEM) as work:
        row = work.conn.execute(query).one()
    page = sign_in("manager.sh", "zh-CN")
    page.goto(f"/sandbox?number={row.address.replace('+', '%2B')}")
    page.fill("#body", "退订")
    page.click("form.type button")
    running.patient(
        lambda: (
            running.count("SELECT count(*) FROM message WHERE id = :id AND state = 'suppressed'", id=row.id)
            == 1
        ),
        "Suppressing what waited",
        30,
    )


@pytest.mark.browser
def test_one_cannot_approve_ones_own(sign_in: SignIn, running: Machine) -> None:
    page = sign_in("deputy.sh", "zh-CN")
    open_submission(page, running, "", author="D001")
    expect(page.locator("#refusal")).to_contain_text("不能由您审批")
    expect(page.locator("button[value=approve]")).to_have_count(0)


def open_submission(page: Page, running: Machine, client_no: str, author: str = "") -> None:
    """Open the newest submission with a message to a client, or by an author."""
    query = text(
        "SELECT s.id FROM submission s JOIN message m ON m.submission_id = s.id JOIN client c ON c.id = m.client_id"
        " LEFT JOIN staff a ON a.id = s.author_id WHERE m.state = 'held' AND s.mode = 'each'"
        " AND (:client = '' OR c.client_no = :client) AND (:author = '' OR a.staff_no = :author)"
        " ORDER BY s.created_at DESC LIMIT 1"
    )
    with running.outreach.open_work(SYSTEM) as work:
        found = work.conn.execute(query, {"client": client_no, "author": author}).scalar_one()
    page.goto("/inbox?mode=each")
    page.click(f"a.button.primary[href^='/inbox/submission/{found}']")


def phone_of(running: Machine, number: str) -> str:
    return " ".join(bubble.body for bubble in running.sandbox.conversation(number))


def expect_soon(page: Page, path: str, said: str) -> None:
    """Open a page again until it says so."""
    for _ in range(40):
        page.goto(path)
        if said in page.locator("main").inner_text():
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"{path} never said {said}")
