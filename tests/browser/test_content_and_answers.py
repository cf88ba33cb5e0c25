"""By hand in a browser: compliance edits a template as findings come and a second person publishes it; an advisor
answers from the phrase book."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SignIn
from tests.browser.test_main_path import clients_of, expect_soon
from tests.browser.test_pages_for_everybody import judge
from tests.support.campaign import Machine

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

FILE = "sms.zh-CN.j2"
SEEN = "#seen-sms-zh-CN"


def test_a_template_is_edited_as_findings_come_and_published_by_another(sign_in: SignIn) -> None:
    writing = sign_in("compliance", "zh-CN")
    writing.goto("/content/in-force/template/lantern")
    writing.click("form[action='/content/start'] button.primary")
    writing.wait_for_url("**/content/*-*")
    place = writing.url
    field = writing.locator(f"textarea[name='file.{FILE}']")
    before = field.input_value()

    field.fill(before + "本产品保证收益。")
    expect(writing.locator(f"{SEEN} mark.block")).to_have_text("保证收益")
    expect(writing.locator(SEEN)).to_contain_text("不得发送")
    expect(writing.locator("#tried")).to_contain_text("须改正后才能提交")
    judge(writing, "zh-CN")
    field.fill(before + "{{ client.nme }}")
    expect(writing.locator(SEEN)).to_contain_text("变量 `client.nme` 未声明")
    field.fill(before.replace("元宵", "元宵佳节", 1))
    expect(writing.locator(f"{SEEN} .bubble")).to_contain_text("元宵佳节")
    expect(writing.locator("#tried")).to_contain_text("未发现问题")
    writing.locator("details.as-mail summary").first.click()
    expect(writing.frame_locator("details.as-mail iframe >> nth=0").locator("body")).to_contain_text("元宵")
    writing.fill("#note", "更亲切")
    writing.click("button[value=submit]")
    writing.wait_for_url("**/review")
    expect(writing.locator("main")).to_contain_text("须由第二人发布")
    expect(writing.locator("form[action$='/publish']")).to_have_count(0)

    deciding = sign_in("head.office", "en", 390)
    deciding.goto("/content")
    deciding.locator("section.attention a", has_text="Lantern").click()
    deciding.wait_for_url(f"{place}/review")
    expect(deciding.locator(".diff ins b")).to_have_text("佳节")
    expect(deciding.locator("main")).to_contain_text("更亲切")
    judge(deciding, "en")
    deciding.click("form[action$='/publish'] button.primary")
    expect(deciding.locator("#notice")).to_contain_text("Published: it is in force")
    deciding.goto("/content/in-force/template/lantern")
    expect(deciding.locator(".tag.good")).to_contain_text("version 2")


@pytest.mark.parametrize(("locale", "width"), [("zh-CN", 1280), ("en", 390)])
def test_an_advisor_answers_from_the_phrase_book(
    running: Machine, sign_in: SignIn, locale: str, width: int
) -> None:
    asked = f"请问几点开门 {width}"
    _, number, mobile = clients_of(running, "advisor3.bj", "zh-CN")[0]
    phone = sign_in("manager.bj", locale)
    phone.goto(f"/sandbox?number={mobile.replace('+', '%2B')}")
    phone.fill("#body", asked)
    phone.click("form.type button")
    page = sign_in("advisor3.bj", locale, width)
    expect_soon(page, "/replies", asked)
    page.locator("section.card", has_text=asked).locator("a[href$='/answer']").click()
    expect(page.locator("main")).to_contain_text(asked)
    expect(page.locator("main")).to_contain_text(number)
    judge(page, locale)
    hours = page.locator("li.card", has=page.locator("button[value='phrase-hours']"))
    expect(hours.locator(".bubble")).to_contain_text("营业时间")
    hours.locator("button").click()
    expect(page.locator("#notice")).to_contain_text("任务" if locale == "zh-CN" else "waits for approval")
