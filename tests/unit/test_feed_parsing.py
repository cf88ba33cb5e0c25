"""Research and market-event feeds: strict, line by line, a bad line never stops the rest."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.feeds.parsing import (
    FeedRejected,
    MarketEvent,
    ResearchReport,
    parse_market_events,
    parse_research,
)

SAMPLES = Path(__file__).parent.parent / "samples"
REPORT: dict[str, Any] = json.loads((SAMPLES / "research.jsonl").read_text("utf-8").splitlines()[0])
EVENT: dict[str, Any] = json.loads((SAMPLES / "market_events.jsonl").read_text("utf-8").splitlines()[3])


def research(*lines: dict[str, Any] | bytes) -> list[ResearchReport | FeedRejected]:
    raw = [
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines
    ]
    return list(parse_research(io.BytesIO(b"\n".join(raw))))


def events(*lines: dict[str, Any]) -> list[MarketEvent | FeedRejected]:
    return list(parse_market_events(io.BytesIO("\n".join(map(json.dumps, lines)).encode())))


def faults(item: object) -> list[tuple[str, str]]:
    assert isinstance(item, FeedRejected), item
    for fault in item.faults:
        assert fault.reason("zh-CN") != fault.reason("en")
        assert fault.mend("zh-CN") != fault.mend("en")
    return [(fault.field, fault.code) for fault in item.faults]


def test_the_sample_reports() -> None:
    with (SAMPLES / "research.jsonl").open("rb") as stream:
        found = list(parse_research(stream))
    accepted = [item for item in found if isinstance(item, ResearchReport)]
    assert [(item.line, item.item_id, item.version) for item in accepted] == [
        (1, "R2026112301", "first"),
        (2, "R2026112302", "first"),
        (3, "R2026112303", "first"),
        (4, "R2026112301", "correction"),
    ]
    assert [item.risk_level for item in accepted] == [3, 4, 2, 3]
    assert [faults(item) for item in found[4:]] == [
        [("risk_text", "risk_text"), ("url", "bad_url")],
        [("", "cut_off")],
    ]
    assert [item.line for item in found[4:]] == [5, 6]


def test_the_sample_events() -> None:
    with (SAMPLES / "market_events.jsonl").open("rb") as stream:
        found = list(parse_market_events(stream))
    assert all(isinstance(item, MarketEvent) for item in found)
    last = found[-1]
    assert isinstance(last, MarketEvent)
    assert last.supersedes == "E2026112301"
    assert [item.is_urgent for item in found if isinstance(item, MarketEvent)] == [
        False,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"publishr": "x"}, ("publishr", "unknown_key_near")),
        ({"zzz": 1}, ("zzz", "unknown_key")),
        ({"risk_text": "  "}, ("risk_text", "risk_text")),
        ({"risk_text": None}, ("risk_text", "wrong_type")),
        ({"title": ""}, ("title", "empty")),
        ({"title": 5}, ("title", "wrong_type")),
        ({"title": "x" * 501}, ("title", "too_many_characters")),
        ({"title": "a\u202eb"}, ("title", "control_characters")),
        ({"title": "a\nb"}, ("title", "control_characters")),
        ({"title": "a\x00b"}, ("title", "control_characters")),
        ({"publisher": ""}, ("publisher", "advice_source")),
        ({"authors": ""}, ("authors", "advice_source")),
        ({"author_licence": ""}, ("author_licence", "advice_source")),
        ({"authors": "李晓明;王珂"}, ("author_licence", "licence_count")),
        ({"published_at": "2026-11-23T08:10:00"}, ("published_at", "naive_time")),
        ({"published_at": "2026-11-23"}, ("published_at", "bad_form")),
        ({"published_at": "2026-13-23T08:10:00Z"}, ("published_at", "bad_form")),
        ({"published_at": "0001-01-01T00:00:00+23:00"}, ("published_at", "bad_form")),
        ({"published_at": 1795392600}, ("published_at", "wrong_type")),
        ({"published_at": None}, ("published_at", "wrong_type")),
        ({"expires_at": "2026-11-23T08:10:00+08:00"}, ("expires_at", "expires_first")),
        ({"product_risk": "R6"}, ("product_risk", "not_one_of")),
        ({"product_risk": "C3"}, ("product_risk", "not_one_of")),
        ({"ts_code": "600000"}, ("ts_code", "bad_form")),
        ({"report_id": ""}, ("report_id", "empty")),
        ({"report_id": "R 1"}, ("report_id", "bad_form")),
        ({"url": ""}, ("url", "bad_url")),
    ],
)
def test_a_report_with_a_fault(change: dict[str, Any], expected: tuple[str, str]) -> None:
    bad, good = research(REPORT | change, REPORT)
    assert expected in faults(bad)
    assert isinstance(good, ResearchReport)


@pytest.mark.parametrize("field", ["report_id", "title", "report_type", "publisher", "published_at", "url"])
def test_a_report_without_a_field(field: str) -> None:
    assert faults(research({key: value for key, value in REPORT.items() if key != field})[0]) == [
        (field, "missing")
    ]


def test_news_that_advises_nothing_needs_no_licence() -> None:
    news = REPORT | {"rating": "", "product_risk": "", "ts_code": "", "authors": "", "author_licence": ""}
    assert isinstance(research(news)[0], ResearchReport)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "ftp://example.com/", "//example.com/x", "https://user@example.com/",
     "https://user:pass@example.com/", "https://example.com\\@evil.example/", "https://exam ple.com/", "https:///x",
     "https://example.com/\r\nx", "https://example.com/\u202egpj", "https://example.com:99999/", "https://localhost/",
     "http://[::1", " https://example.com/", "https://@example.com/", "https://example.com/" + "x" * 2000,
     "JaVaScRiPt:1"],
)  # fmt: skip
def test_a_link_that_is_refused(url: str) -> None:
    assert faults(research(REPORT | {"url": url})[0]) == [("url", "bad_url")]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a?b=c#d",
        "http://example.com:8080/",
        "HTTPS://EXAMPLE.com/研报",
        "https://a.b.example.com",
    ],
)
def test_a_link_that_is_taken(url: str) -> None:
    assert isinstance(research(REPORT | {"url": url})[0], ResearchReport)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"report_id":"R1","title":"trunc', "cut_off"),
        (b'{"report_id":"R1",', "cut_off"),
        (b'{"report_id"', "cut_off"),
        (b"{report_id: 1}", "not_json"),
        (b"[]", "not_object"),
        (b"7", "not_object"),
        (b"null", "not_object"),
        (b'{"a":NaN}', "not_json"),
        (b'{"a":1} x', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"a":' + b"9" * 5000 + b"}", "not_json"),
        (b'{"title":"a","title":"b"}', "doubled_key"),
        ("{'title':'中文'}".encode("gb18030"), "not_utf8"),
        (b'{"title":"' + b"x" * 1_100_000 + b'"}', "too_long"),
        (b'{"title":"' + b"x" * 5_100_000 + b'"}', "too_long"),
    ],
)
def test_a_line_that_is_no_object(raw: bytes, code: str) -> None:
    bad, good = research(raw, REPORT)
    assert faults(bad)[0][1] == code
    assert isinstance(good, ResearchReport)
    assert good.line == 2


def test_blank_lines_and_a_byte_order_mark_are_no_fault() -> None:
    raw = b"\xef\xbb\xbf" + json.dumps(REPORT).encode() + b"\r\n\r\n  \n"
    assert [item.line for item in research(raw)] == [1]


def test_the_same_id_again() -> None:
    later = REPORT | {"published_at": "2026-11-23T09:00:00+08:00"}
    found = research(
        later, REPORT, later, later | {"title": "other"}, REPORT | {"published_at": "2026-11-23T01:30:00Z"}
    )
    assert [item.version if isinstance(item, ResearchReport) else item.code for item in found] == [
        "first", "outdated", "repeated", "conflicting", "correction",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"type": "Dividend!"}, ("type", "bad_form")),
        ({"severity": "panic"}, ("severity", "not_one_of")),
        ({"record_date": "2026-02-30"}, ("record_date", "bad_form")),
        ({"record_date": "2026-11-26T00:00:00Z"}, ("record_date", "bad_form")),
        ({"deadline": "2026-11-26T15:00:00"}, ("deadline", "naive_time")),
        ({"supersedes": EVENT["event_id"]}, ("supersedes", "supersedes_itself")),
        ({"source_url": "javascript:alert(1)"}, ("source_url", "bad_url")),
        ({"headline": ""}, ("headline", "empty")),
        ({"firmview": "x"}, ("firmview", "unknown_key_near")),
    ],
)
def test_an_event_with_a_fault(change: dict[str, Any], expected: tuple[str, str]) -> None:
    assert faults(events(EVENT | change)[0]) == [expected]


def test_the_digest_does_not_hang_on_the_order_of_keys() -> None:
    first, second = research(REPORT)[0], research(dict(reversed(REPORT.items())))[0]
    assert isinstance(first, ResearchReport)
    assert isinstance(second, ResearchReport)
    assert first.sha256 == second.sha256


@given(st.binary(max_size=300))
def test_whatever_the_bytes_nothing_is_raised(raw: bytes) -> None:
    for item in [*parse_research(io.BytesIO(raw)), *parse_market_events(io.BytesIO(raw))]:
        assert faults(item)


_VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))


@given(st.dictionaries(st.sampled_from([*REPORT, "extra", "\ud800"]), _VALUES, max_size=4))
def test_whatever_the_values_nothing_is_raised(change: dict[str, Any]) -> None:
    for item in research(json.dumps(REPORT | change).encode()):
        assert isinstance(item, ResearchReport) or faults(item)
