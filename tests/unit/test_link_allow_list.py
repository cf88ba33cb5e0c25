"""Links: found however they are written, and led only to hosts that the firm vouches for."""

import pytest

from outreach.composing.checks import Requirements, check
from outreach.content.links import host_of, hosts_of, is_allowed, links_in, targets_in
from outreach.content.matcher import compile_lexicons
from outreach.content.render import Rendered
from outreach.messages.reasons import REASONS

HOSTS = ("example.com", "news.example.org")


def _found(text: str, html: str = "") -> list[tuple[str, str]]:
    wanted = Requirements(matcher=compile_lexicons([]), known={}, locale="en", links=HOSTS)
    found = check("email", "en", Rendered(text=text, subject="Hello", html=html), wanted)
    return [(one.field, text[one.start : one.end]) for one in found if one.rule == "link_not_allowed"]


@pytest.mark.parametrize(
    "text",
    [
        "详见 https://example.com/a?b=1。",
        "see https://www.example.com/x.",
        "HTTP://EXAMPLE.COM/ABC",
        "https://news.example.org:8443/1）",
        "写信到 care@example.net 或 a.b@bit.ly",
        "没有链接，版本1.2/3，1/2，and/or，2026/11/23",
        "www.example.com",
    ],
)
def test_what_the_firm_vouches_for_passes(text: str) -> None:
    assert _found(text) == []


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("点 https://evil.example.net/a 领奖", "https://evil.example.net/a"),
        ("点bit.ly/3xYz领奖", "bit.ly/3xYz"),
        ("http://example.com.evil.cn/x", "http://example.com.evil.cn/x"),
        ("http://notexample.com", "http://notexample.com"),
        ("https://example.com@evil.cn/x", "https://example.com@evil.cn/x"),
        ("https://evil.cn\\@example.com", "https://evil.cn\\@example.com"),
        ("javascript://example.com/%0aalert(1)", "javascript://example.com/%0aalert(1"),
        ("ftp://example.com/file", "ftp://example.com/file"),
        ("www.evil.cn，请点", "www.evil.cn"),
        ("https://１.evil.cn/", "https://１.evil.cn/"),
        ("http://[::1", "http://[::1"),
        ("https://examp1e.com/", "https://examp1e.com/"),
    ],
)
def test_every_other_link_is_found_where_it_stands(text: str, link: str) -> None:
    assert _found(text) == [("text", link)]


@pytest.mark.parametrize(
    ("html", "bad"),
    [
        ('<a href="https://example.com/x">x</a><a href="mailto:a@b.c">m</a><a href="#top">t</a>', False),
        ('<img src="data:image/png;base64,AA">', False),
        ('<a href="https://evil.cn">example.com</a>', True),
        ("<a href='//evil.cn/x'>x</a>", True),
        ("<img src=https://evil.cn/p.gif>", True),
        ('<a HREF = "javascript:alert(1)">x</a>', True),
        ('<img src="data:text/html,x">', True),
    ],
)
def test_what_only_the_html_leads_to_is_found_too(html: str, bad: bool) -> None:
    assert bool(_found("Hello", html)) is bad
    assert all(host == "" or "." in host for host in targets_in(html))


def test_hosts_are_compared_as_a_browser_would() -> None:
    assert is_allowed("a.example.com", HOSTS)
    assert not is_allowed("", HOSTS)
    assert not is_allowed("org", HOSTS)
    assert host_of("Example.COM./x") == "example.com"
    assert hosts_of([None, "", "https://a.example.com/1", "https://u:p@b.example.com"]) == {"a.example.com"}
    assert links_in("") == []


def test_the_finding_says_what_to_do() -> None:
    row = REASONS["link_not_allowed"]
    assert row.article
    assert "compliance" in row.mend_en
