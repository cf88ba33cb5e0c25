"""The dossier in a real Chromium: green as issued, red when one character of it is altered."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.archive_rows import CHINESE, ENGLISH, Exported, exported

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHECKED = "html[data-state=good], html[data-state=bad]"


@pytest.fixture(scope="module")
def made(postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    with exported(postgres, tmp_path_factory.mktemp("dossier")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = os.environ.get("OUTREACH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


def source_of(made: Exported) -> str:
    return (made.result.path / "data/index.html").read_text(encoding="utf-8")


def state_of(page: Page, source: str, folder: Path) -> str:
    """Open ``source`` as a file, let it check itself, and say what it became."""
    file = folder / "page.html"
    file.write_text(source, encoding="utf-8")
    page.goto(file.as_uri())
    page.wait_for_selector(CHECKED)
    return page.get_attribute("html", "data-state") or ""


def test_as_issued_it_is_green_and_readable(made: Exported, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((made.result.path / "data/index.html").as_uri())
    page.wait_for_selector(CHECKED)
    assert page.get_attribute("html", "data-state") == "good"
    assert "核验通过" in page.inner_text("body > header")
    assert len(asked) == 1  # the page itself, and nothing from anywhere else
    everything = page.inner_text("main")
    for words in (
        "马经理B01(B01-M)",
        "按模板自动生成",
        "回执:已送达",
        "谢谢!也祝你们<新年>好",
        "请删去产品推荐",
    ):
        assert words in everything
    text = page.locator(".text[data-of='0.body.text']", has_text="生日快乐").text_content()
    assert text == CHINESE.replace("\r\n", "\n")
    page.get_by_role("button", name="English").click()
    assert "Verified" in page.inner_text("body > header")
    assert "Record of client communication" in page.inner_text("main")
    assert ENGLISH in (page.locator(".paper.email .text").text_content() or "")
    assert page.get_attribute("html", "data-state") == "good"


# A piece of the page, and what stands there with one character altered.
ONE_CHARACTER = {
    "the text as shown": ("祝您生日快乐,万事顺意。&lt;b", "祝您生日快樂,万事顺意。&lt;b"),
    "the text in the data": ("祝您生日快乐,万事顺意。\\u003cb", "祝您生日快樂,万事顺意。\\u003cb"),
    "a punctuation mark": ("谢谢!也祝你们&lt;", "谢谢?也祝你们&lt;"),
    "a time": ('<td class="leaf">0</td>', '<td class="leaf">1</td>'),
    "who approved": ("马经理B01(B01-M)", "马经理B01(B01-D)"),
    "the title": ("客户服务留痕档案", "客户服务留痕档安"),
    "an address": ("client@example.net", "clienT@example.net"),
    "the ledger's text": ('"kind\\":\\"message.sent', '"kind\\":\\"message.senT'),
    "the checkpoint": ('"checkpoint":"outreach', '"checkpoint":"outreacH'),
    "the look": ("--bad:#b3121d", "--bad:#b3121c"),
    "a comment in the check": ("one character was altered", "one character was alterad"),
    "a space": ("</header><main>", "</header> <main>"),
    "the seal": ('data-seal="', 'data-seal="0'),
}


@pytest.mark.parametrize("what", ONE_CHARACTER)
def test_one_altered_character_turns_it_red(made: Exported, page: Page, tmp_path: Path, what: str) -> None:
    before, after = ONE_CHARACTER[what]
    source = source_of(made)
    assert before in source
    file = tmp_path / "page.html"
    file.write_text(source.replace(before, after, 1), encoding="utf-8")
    page.goto(file.as_uri())
    if what == "a comment in the check":  # the browser itself refuses to run a check that was altered
        assert page.get_attribute("html", "data-state") == "unchecked"
        assert "Not checked" in page.inner_text("body > header")
        return
    page.wait_for_selector(CHECKED)
    assert page.get_attribute("html", "data-state") == "bad"
    assert "核验不通过" in page.inner_text("body > header")
    red = page.evaluate("getComputedStyle(document.querySelector('body > header')).backgroundColor")
    assert red.startswith("rgb(179, 18, ")


def test_an_altered_card_is_marked_and_linked(made: Exported, page: Page, tmp_path: Path) -> None:
    before, after = ONE_CHARACTER["the text as shown"]
    assert state_of(page, source_of(made).replace(before, after), tmp_path) == "bad"
    [card] = page.locator(".card.altered").all()
    assert "生日快樂" in card.inner_text()
    assert page.locator("body > header a").get_attribute("href") == f"#{card.get_attribute('id')}"


def test_it_turns_red_while_it_is_open(made: Exported, page: Page, tmp_path: Path) -> None:
    assert state_of(page, source_of(made), tmp_path) == "good"
    page.locator("details summary").first.click()
    assert page.get_attribute("html", "data-state") == "good"
    page.evaluate("document.querySelector('.paper .text').firstChild.data += '!'")
    page.wait_for_selector("html[data-state=bad]")


def test_a_forger_who_seals_the_page_anew_is_found_by_its_signature(
    made: Exported, page: Page, tmp_path: Path
) -> None:
    source = source_of(made).replace("马经理B01(B01-M)", "马经理B01(B01-D)")
    assert state_of(page, source, tmp_path) == "bad"
    seal = page.evaluate(
        """async () => {
            const text = document.head.outerHTML + document.querySelector('main').outerHTML
                + document.querySelector('body > script').outerHTML;
            const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
            return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, '0')).join('');
        }"""
    )
    start = source.index('data-seal="') + 11
    assert state_of(page, source[:start] + seal + source[start + 64 :], tmp_path) == "bad"
    assert "签名不成立" in page.inner_text("body > header")


def test_another_fingerprint_turns_it_red(made: Exported, page: Page, tmp_path: Path) -> None:
    assert state_of(page, source_of(made), tmp_path) == "good"
    box = page.locator("body > header input")
    box.fill(made.result.fingerprint)
    box.press("Tab")
    assert page.get_attribute("html", "data-state") == "good"
    box = page.locator("body > header input")
    box.fill("SHA256:" + "A" * 43)
    box.press("Tab")
    page.wait_for_selector("html[data-state=bad]")


def test_a_browser_without_web_crypto_checks_too(made: Exported, page: Page, tmp_path: Path) -> None:
    page.add_init_script("Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined })")
    assert state_of(page, source_of(made), tmp_path) == "good"
    assert "VERIFY.txt" in page.inner_text("body > header")
    before, after = ONE_CHARACTER["the text in the data"]
    assert state_of(page, source_of(made).replace(before, after, 1), tmp_path) == "bad"


def test_without_scripts_it_reads_and_says_that_it_is_not_checked(made: Exported, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((made.result.path / "data/index.html").as_uri())
    assert "尚未核验 · Not checked" in page.inner_text("body > header")
    assert "祝您生日快乐" in page.inner_text("main")
    context.close()
