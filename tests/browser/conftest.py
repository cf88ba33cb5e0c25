"""A running demonstration and a real Chromium, for the whole module."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from outreach.demo.institution import PASSWORD
from tests.support.campaign import Machine, machine

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("browser")
    folder.chmod(0o755)
    with machine(folder / "home", 1) as made:
        yield made


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    found = os.environ.get("OUTREACH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


SignIn = Callable[..., Page]


def _complains(said: ConsoleMessage) -> bool:
    """Whether the console says that something is wrong; that somebody else was faster is no fault of the page."""
    return said.type == "error" and "409 (Conflict)" not in said.text


@pytest.fixture
def sign_in(running: Machine, chromium: Browser) -> Iterator[SignIn]:
    """Sign in by the form, in a browser of one's own; whatever the console complains of fails the test."""
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    def act(username: str, locale: str, width: int = 1280) -> Page:
        context = chromium.new_context(
            base_url=running.settings.public_url, locale=locale, viewport={"width": width, "height": 900}
        )
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if _complains(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/sign-in")
        page.fill("#username", username)
        page.fill("#password", PASSWORD)
        page.click("form[action='/sign-in'] button")
        page.wait_for_url("**/")
        return page

    yield act
    for context in opened:
        context.close()
    assert complaints == []
