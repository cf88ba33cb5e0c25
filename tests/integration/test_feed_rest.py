"""Feeds by REST: the token decides, each item is taken or refused by itself, and the same again changes nothing."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text, update

from outreach.api.feeds import LARGEST, feed_router
from outreach.auth.tables import api_token
from outreach.auth.tokens import FAILURES, create_token, list_tokens, revoke_token
from outreach.core import clock
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.settings import Settings
from outreach.feeds.tables import feed_item
from outreach.ledger.work import Opener
from tests.support.builders import firm
from tests.support.pages import Site, served

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests/samples"
JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}


@dataclass
class Program:
    """A program with a token."""

    client: httpx.Client
    open_work: Opener
    token: str

    def post(self, path: str, body: object, headers: dict[str, str] = JSON, token: str | None = None) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        bearer = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return self.client.post(path, content=content, headers=headers | bearer)

    def research(self, body: object, headers: dict[str, str] = JSON) -> Any:
        return self.post("/api/v1/research", body, headers)

    def stored(self) -> list[str]:
        with self.open_work() as work:
            return list(work.conn.execute(select(feed_item.c.item_key).order_by(feed_item.c.id)).scalars())


@pytest.fixture
def program(open_work: Opener, settings: Settings) -> Iterator[Program]:
    app = FastAPI()
    app.include_router(feed_router(Site(settings, open_work)))
    with open_work() as work:
        token = create_token(work, "desk", ["research", "market-events"]).token
    with served(app) as address, httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        yield Program(client, open_work, token)


def report(number: str = "R1", **changed: Any) -> dict[str, Any]:
    return {
        "report_id": number,
        "title": "周报",
        "report_type": "行业周报",
        "publisher": "示例证券研究院",
        "published_at": "2026-11-23T08:10:00+08:00",
        "risk_text": "经济下行超预期。",
        "url": "https://research.example.com/R1",
        **changed,
    }


# ── items ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_item_a_known_one_and_a_correction(program: Program) -> None:
    first, again = program.research(report()), program.research(report())
    assert (first.status_code, first.json()["items"]) == (
        201,
        [{"line": 1, "id": "R1", "result": "new"}],
    )
    assert (again.status_code, again.json()["items"][0]["result"]) == (200, "known")
    later = program.research(report(published_at="2026-11-23T09:00:00+08:00"))
    assert (later.status_code, later.json()["items"][0]["result"]) == (201, "correction")
    assert program.stored() == ["R1", "R1"]


def test_each_faulty_item_is_refused_by_itself_and_the_rest_goes_on(program: Program) -> None:
    answer = program.research(
        [report("R1"), report("R2", risk_text=""), report("R3", url="javascript:alert(1)"), report("R4")],
        JSON | {"Accept-Language": "en"},
    )
    assert answer.status_code == 207
    told = answer.json()
    assert (told["accepted"], told["refused"]) == (2, 2)
    assert [item.get("code", item["result"]) for item in told["items"]] == [
        "new",
        "risk_text",
        "bad_url",
        "new",
    ]
    assert told["items"][1]["reason"] == "The risk text is missing."
    assert told["items"][1]["mend"]
    assert program.stored() == ["R1", "R4"]


def test_refusals_are_told_in_the_callers_language(program: Program) -> None:
    answer = program.research(report(risk_text=""), JSON | {"Accept-Language": "zh-CN,en;q=0.5"})
    assert (answer.status_code, answer.json()["items"][0]["reason"]) == (422, "缺少风险提示。")


@pytest.mark.parametrize(
    ("path", "name", "accepted", "refused"),
    [("research", "research", 4, 2), ("market-events", "market_events", 5, 0)],
)
def test_the_samples_as_json_lines(
    program: Program, path: str, name: str, accepted: int, refused: int
) -> None:
    answer = program.post(f"/api/v1/{path}", (SAMPLES / f"{name}.jsonl").read_bytes(), LINES)
    told = answer.json()
    assert (told["accepted"], told["refused"]) == (accepted, refused)
    assert answer.status_code == (207 if refused else 201)


def test_an_array_is_read_as_strictly_as_a_file(program: Program) -> None:
    twice = json.dumps(report("R1"), ensure_ascii=False)[:-1] + ', "title": "another"}'
    pretty = json.dumps(report("R2", abstract="一\u2028二"), ensure_ascii=False, indent=2)
    answer = program.research(f"[ {twice} ,\n{pretty}, 7 ]".encode())
    assert [item.get("code", item["result"]) for item in answer.json()["items"]] == [
        "doubled_key",
        "new",
        "not_object",
    ]


@pytest.mark.parametrize(
    ("body", "headers", "status", "error"),
    [
        (b"", JSON, 400, "bad_input"),
        (b"[]", JSON, 400, "bad_input"),
        (b'[{"report_id": "R1"}, {', JSON, 400, "bad_input"),
        (b"\xff\xfe", JSON, 400, "bad_input"),
        (b"[" * 100_000, JSON, 400, "bad_input"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "media_type"),
        (b"{}", {}, 415, "media_type"),
        (b"{}", JSON | {"Content-Encoding": "gzip"}, 415, "media_type"),
        (b" " * (LARGEST + 1), JSON, 413, "too_large"),
        (b"{}\n" * 5001, LINES, 413, "too_large"),
    ],
)
def test_a_body_that_can_not_be_used_is_refused_as_a_whole(
    program: Program, body: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    answer = program.research(body, headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["mend"]
    assert program.stored() == []


def test_a_truncated_line_is_refused_and_the_others_are_taken(program: Program) -> None:
    whole = json.dumps(report("R1"), ensure_ascii=False).encode()
    answer = program.research(whole + b"\n" + whole[:60] + b"\n", LINES)
    assert [item.get("code", item["result"]) for item in answer.json()["items"]] == ["new", "cut_off"]


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"}])
def test_without_a_token_nothing_is_taken(program: Program, header: dict[str, str]) -> None:
    answer = program.client.post("/api/v1/research", json=report(), headers=header)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert program.stored() == []


def test_a_token_is_for_its_feeds_only(program: Program) -> None:
    with program.open_work() as work:
        token = create_token(work, "events", ["market-events"]).token
    assert program.post("/api/v1/research", report(), token=token).status_code == 403
    assert program.stored() == []


def test_a_revoked_token_is_refused_at_once(program: Program) -> None:
    with program.open_work() as work:
        revoke_token(work, "desk")
    assert program.research(report()).status_code == 401
    with program.open_work() as work:
        assert [line.state for line in list_tokens(work)] == ["revoked"]
        with pytest.raises(NotFound):
            revoke_token(work, "desk")


def test_a_token_expires(program: Program) -> None:
    with program.open_work() as work:
        token = create_token(work, "short", ["research"], timedelta(days=1)).token
    assert program.post("/api/v1/research", report(), token=token).status_code == 201
    with program.open_work() as work:
        work.conn.execute(update(api_token).where(api_token.c.name == "short").values(expires_at=clock.now()))
        assert {line.name: line.state for line in list_tokens(work)}["short"] == "expired"
    assert program.post("/api/v1/research", report(), token=token).status_code == 401


def test_after_too_many_wrong_tokens_the_next_are_only_told_so(program: Program) -> None:
    statuses = [
        program.post("/api/v1/research", report(), token=f"x{n}").status_code for n in range(FAILURES + 2)
    ]
    assert statuses == [401] * FAILURES + [429, 429]
    assert program.post("/api/v1/research", report(), token="y").headers["retry-after"] == "900"
    assert program.research(report()).status_code == 201
    with program.open_work() as work:
        refused = (
            "SELECT count(*) FROM ledger_entry WHERE kind = 'signin' AND envelope LIKE '%\"refused\"%'::bytea"
        )
        assert work.conn.execute(text(refused)).scalar_one() == FAILURES


def test_the_token_is_not_kept_and_its_use_is(program: Program) -> None:
    program.research(report())
    with program.open_work() as work:
        row = work.conn.execute(select(api_token)).one()
        assert program.token.encode() not in bytes(row.token_hash)
        assert row.last_used_at is not None
        actors = work.conn.execute(text("SELECT envelope FROM ledger_entry WHERE kind = 'import'")).scalars()
        assert [json.loads(bytes(one))["actor"] for one in actors] == [str(row.id)]


def test_only_who_imports_for_the_firm_makes_tokens(open_work: Opener) -> None:
    people = firm(open_work)
    with open_work(people.operator) as work:
        assert create_token(work, "desk", ["research"]).token.startswith("outreach_")
        for name, feeds in (
            ("desk", ["research"]),
            ("", ["research"]),
            ("other", []),
            ("other", ["weather"]),
        ):
            with pytest.raises(BadInput):
                create_token(work, name, feeds)
        with pytest.raises(BadInput):
            create_token(work, "other", ["research"], timedelta())
    for actor in (people.b01.manager, people.b01.advisor, people.head_office, people.compliance):
        with open_work(actor) as work:
            for act in (
                lambda work=work: create_token(work, "mine", ["research"]),
                lambda work=work: list_tokens(work),
                lambda work=work: revoke_token(work, "desk"),
            ):
                with pytest.raises(Forbidden):
                    act()


# ── the documentation ─────────────────────────────────────────────────────────────────────────────────────


def test_the_documented_examples_are_taken(program: Program) -> None:
    page = (ROOT / "docs/reference/feeds.md").read_text(encoding="utf-8")
    calls = re.findall(r'curl -sS "\$OUTREACH(/api/v1/[a-z-]+)".*?-d \'(\{.*?\n  \})\'', page, re.S)
    assert [path for path, _ in calls] == ["/api/v1/research", "/api/v1/market-events"]
    answers = [program.post(path, body.encode()) for path, body in calls]
    assert [answer.status_code for answer in answers] == [201, 201]
    [shown] = re.findall(r"```json\n(.*?)\n```", page, re.S)
    assert answers[0].json() == json.loads(shown)
