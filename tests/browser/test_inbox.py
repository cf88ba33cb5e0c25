"""The inbox in a browser: keys, a slow server, an input method, a narrow screen, no scripts, a lost race."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import select, text

from outreach.composing.requests import RequestDraft, queue_request
from outreach.core.access import SYSTEM
from outreach.demo.institution import PASSWORD
from outreach.messages.tables import message
from outreach.review.decide import approve
from tests.browser.conftest import SignIn
from tests.browser.test_pages_for_everybody import judge
from tests.support.campaign import Machine

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

MANAGER, ADVISOR = "manager.sh", "A001"
_CLIENTS = text(
    "SELECT c.id FROM client c JOIN contact_point p ON p.client_id = c.id AND p.active AND p.channel = 'sms'"
    " JOIN staff s ON s.id = c.advisor_id WHERE s.staff_no = :advisor AND c.status = 'normal' AND NOT c.deceased"
    " AND NOT c.test AND NOT c.do_not_contact AND c.kind = 'person'"
    " AND c.tier NOT IN ('diamond', 'platinum') AND c.language = 'zh-CN'"
    " AND NOT EXISTS (SELECT FROM consent k WHERE k.client_id = c.id AND k.state = 'opted_out')"
    " AND coalesce(c.birth_date, '1980-01-01') < '2005-01-01' GROUP BY c.id ORDER BY c.id LIMIT :n"
)


@dataclass
class Waiting:
    """What an advisor has put up, in the order in which its page lists it."""

    running: Machine
    submission: UUID
    messages: list[UUID]

    @property
    def path(self) -> str:
        return f"/inbox/submission/{self.submission}"

    def states(self) -> list[str]:
        with self.running.outreach.open_work(SYSTEM) as work:
            rows = work.conn.execute(select(message.c.id, message.c.state)).all()
        found = {row.id: row.state for row in rows}
        return [found[one] for one in self.messages]

    def become(self, *states: str) -> None:
        self.running.patient(lambda: self.states() == list(states), f"{states}", 30)


def put_up(running: Machine, said: str, count: int = 3) -> Waiting:
    actor = running.actor(ADVISOR)
    with running.outreach.open_work(SYSTEM) as work:
        clients = tuple(work.conn.execute(_CLIENTS, {"advisor": ADVISOR, "n": count}).scalars())
    with running.outreach.open_work(actor) as work:
        queued = queue_request(work, RequestDraft(clients, text=said))
    assert len(queued.message_ids) == count
    [submission] = queued.submission_ids
    return Waiting(running, submission, sorted(queued.message_ids))


def shown(page: Page) -> str:
    return page.locator("#reader").get_attribute("data-message") or ""


def selected(page: Page) -> str:
    return page.locator(".list a[aria-current=true]").get_attribute("data-message") or ""


def settled(page: Page, one: UUID) -> None:
    """Wait until ``one`` is shown, and has been for as long as a key asks."""
    expect(page.locator(f"#reader[data-message='{one}']:not([aria-busy])")).to_be_visible()
    page.wait_for_timeout(350)


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_a_morning_by_keys(running: Machine, sign_in: SignIn, locale: str) -> None:
    waiting = put_up(running, "{称呼}，您好！明日上午营业部设有开户咨询，欢迎您来。" + locale)
    page = sign_in(MANAGER, locale)
    page.goto(waiting.path)
    settled(page, waiting.messages[0])
    page.keyboard.press("j")
    settled(page, waiting.messages[1])
    assert page.url.endswith(str(waiting.messages[1]))
    page.keyboard.press("k")
    settled(page, waiting.messages[0])
    page.keyboard.press("a")
    expect(page.locator("#notice")).to_contain_text("已批准 1 条" if locale == "zh-CN" else "1 approved.")
    settled(page, waiting.messages[1])
    assert (
        page.evaluate("document.activeElement.id") == "who"
    )  # a screen reader goes on with the next message
    page.keyboard.press("r")
    expect(page.locator("#refuse input[type=checkbox]").first).to_be_focused()
    page.locator("#note").focus()
    page.keyboard.type("ajkxru")  # letters, not keys
    assert page.locator("#note").input_value() == "ajkxru"
    assert waiting.states()[1:] == ["held", "held"]
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("a")  # help is open: nothing is decided
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("u")
    expect(page.locator("#notice")).to_contain_text("已撤销" if locale == "zh-CN" else "Undone")
    waiting.become("held", "held", "held")
    page.goto("/inbox")
    page.keyboard.press("/")
    expect(page.locator("#text")).to_be_focused()


def test_a_key_never_hits_another_message_than_the_one_that_is_read(
    running: Machine, sign_in: SignIn
) -> None:
    waiting = put_up(running, "{称呼}，您好！您预约的风险测评已为您留好时间。")
    page = sign_in(MANAGER, "en")
    page.goto(waiting.path)
    settled(page, waiting.messages[0])
    slow: list[Route] = []
    second = re.compile(f"message={waiting.messages[1]}")
    page.route(second, lambda route: slow.append(route))
    page.keyboard.press("j")
    page.wait_for_function("document.querySelector('#reader').hasAttribute('aria-busy')")
    assert (selected(page), shown(page)) == (str(waiting.messages[1]), str(waiting.messages[0]))
    page.keyboard.press("a")
    page.keyboard.press("a")
    expect(page.locator("#heard")).to_contain_text("still loading")
    assert waiting.states() == ["held", "held", "held"]
    for one in slow:
        one.continue_()
    page.unroute(second)
    expect(page.locator(f"#reader[data-message='{waiting.messages[1]}']")).to_be_visible()
    settled(page, waiting.messages[1])
    page.keyboard.press("a")
    waiting.become("held", "approved", "held")


def test_a_message_that_has_only_just_appeared_is_not_approved_by_a_second_press(
    running: Machine, sign_in: SignIn
) -> None:
    waiting = put_up(running, "{称呼}，您好！资料已经寄出，请您留意查收。")
    page = sign_in(MANAGER, "en")
    page.goto(waiting.path)
    settled(page, waiting.messages[0])
    page.evaluate(
        """() => {
            const first = document.getElementById("reader").dataset.message;
            const press = () => document.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
            // Nobody has read the next message a moment after it has come.
            new MutationObserver((_, watch) => {
                const shown = document.getElementById("reader")?.dataset.message;
                if (shown && shown !== first) { watch.disconnect(); setTimeout(press, 20); }
            }).observe(document.body, { childList: true, subtree: true });
        }"""
    )
    page.keyboard.press("a")
    expect(page.locator("#heard")).to_contain_text("read it first")
    waiting.become("approved", "held", "held")


def test_keys_are_inert_while_an_input_method_composes(running: Machine, sign_in: SignIn) -> None:
    waiting = put_up(running, "{称呼}，您好！您的来电已记录，稍后回复您。")
    page = sign_in(MANAGER, "zh-CN")
    page.goto(waiting.path)
    settled(page, waiting.messages[0])
    for said in ("isComposing: true", "keyCode: 229", "ctrlKey: true", "metaKey: true", "repeat: true"):
        page.evaluate(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'a', bubbles: true, "
            + said
            + "}))"
        )
    page.wait_for_timeout(400)
    assert waiting.states() == ["held", "held", "held"]


def test_a_lost_race_says_who_and_changes_nothing(running: Machine, sign_in: SignIn) -> None:
    waiting = put_up(running, "{称呼}，您好！您咨询的业务可在线上办理。")
    page = sign_in(MANAGER, "en")
    page.goto(waiting.path)
    settled(page, waiting.messages[0])
    first = waiting.messages[0]
    other = running.actor("D001")
    with running.outreach.open_work(other) as work:
        row = work.conn.execute(select(message).where(message.c.id == first)).one()
        approve(work, [first], {first: (row.revision, bytes(row.digest))})
    with page.expect_response("**/inbox/decide") as answered:
        page.click(".decide button[value=approve]")
    assert answered.value.status == 409
    expect(page.locator("#said")).to_contain_text("approved it")
    expect(page.locator("#said")).to_contain_text(other.name)
    assert waiting.states() == ["approved", "held", "held"]


def test_without_scripts_everything_is_there(running: Machine, chromium: Browser) -> None:
    waiting = put_up(running, "{称呼}，您好！本周六营业部照常营业。")
    with plain(running, chromium) as page:
        page.goto(waiting.path)
        page.click(".decide button[value=approve]")
        expect(page.locator("#notice")).to_contain_text("1 approved.")
        page.click("#refuse > summary")
        page.check("#refuse input[name=reasons] >> nth=0")
        page.click("#refuse button[value=return]")
        expect(page.locator("#notice")).to_contain_text("1 returned")
        page.click("#thread > summary")
        page.fill("#remark", "请核对营业时间")
        page.click("button[value=comment]")
        expect(page.locator("#thread")).to_contain_text("请核对营业时间")
    waiting.become("approved", "returned", "held")


@contextmanager
def plain(running: Machine, chromium: Browser) -> Iterator[Page]:
    """A browser that runs no scripts, with the manager signed in."""
    context = chromium.new_context(
        base_url=running.settings.public_url, locale="en", java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("#username", MANAGER)
    page.fill("#password", PASSWORD)
    page.click("form[action='/sign-in'] button")
    yield page
    context.close()


def test_on_a_narrow_screen_list_and_message_are_screens_of_their_own(
    running: Machine, sign_in: SignIn
) -> None:
    waiting = put_up(running, "{称呼}，您好！新版手机软件已经上线，欢迎体验。")
    page = sign_in(MANAGER, "zh-CN", 390)
    page.goto(waiting.path)
    expect(page.locator("nav.list")).to_be_visible()
    expect(page.locator("#reader article")).to_be_hidden()
    judge(page, "zh-CN")
    page.click(f".list a[data-message='{waiting.messages[1]}']")
    expect(page.locator("#reader article")).to_be_visible()
    expect(page.locator("nav.list")).to_be_hidden()
    bar = page.locator(".decide .sticky").bounding_box()
    assert bar is not None
    assert bar["y"] + bar["height"] >= 890  # at the bottom of the screen, whatever is scrolled
    judge(page, "zh-CN")
    page.go_back()
    page.wait_for_load_state()


def test_exactly_the_same_texts_are_decided_at_once(running: Machine, sign_in: SignIn) -> None:
    waiting = put_up(running, "尊敬的客户，您好！本营业部电话号码不变，欢迎随时来电。", count=4)
    page = sign_in(MANAGER, "en")
    page.goto(waiting.path)
    for one in waiting.messages:
        page.click(f".list a[data-message='{one}']")
        settled(page, one)
        if page.locator("form.same").count():
            break
    same = page.locator("form.same")
    expect(same).to_contain_text("are exactly this")
    alike = int(same.locator("input[type=checkbox]").get_attribute("value") or 0)
    assert alike > 1
    same.locator("input[type=checkbox]").check()
    same.locator("button").click()
    expect(page.locator("#notice")).to_contain_text(f"{alike} approved.")
    waiting.running.patient(lambda: waiting.states().count("approved") == alike, "approved together", 30)
