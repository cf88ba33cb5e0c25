"""The approval inbox with a million held messages in 500 branches and eight managers at work at once.

The pages are those of the product, served by one web process; a layer around them notes each request's time on the
server and how much of it the database took. The managers are threads of this process, each with a pause between two
requests, as a quick reader has.
"""

import json
import re
import secrets
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import uvicorn
from sqlalchemy import event, text
from starlette.responses import JSONResponse

from benchmarks.bed import Bed, bed
from benchmarks.inbox_rows import BATCHES, EACH, ROWS
from outreach.auth.passwords import set_password
from outreach.auth.sessions import begin
from outreach.content.in_force import lexicons_in_force
from outreach.core import embedded
from outreach.core.access import SYSTEM
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.demo.supervisor import free_port
from outreach.ledger.append import seal_many
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Work, opener
from outreach.messages.copying import text_hash
from outreach.messages.payload import Payload, digest, to_bytes
from outreach.web.frame import COOKIE
from outreach.web.site import create_site, share_fairly

BRANCHES = 500  # of a million messages
USERS = 8
PAUSE = 0.5  # seconds between a manager's requests
APART = 2.0  # seconds between one manager's first request and the next one's: nobody approves a batch in step
ROUNDS = 40  # messages that each manager reads and decides one by one
TARGETS = {"list": 50, "detail": 30, "decision": 30, "bulk of 1,000": 1000}  # milliseconds, 95th percentile
BARE = "bare: one empty question"  # the limit: the same server's shortest answer, asked by the same managers
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Awaitable[None]]


@dataclass(frozen=True)
class Timed:
    """Requests of one kind: how many, the median and the 95th percentile on the server in milliseconds, SQL's share."""

    kind: str
    count: int
    median: float
    p95: float
    sql_share: float


@dataclass(frozen=True)
class Measured:
    """Everything of one run; each of ``kinds`` is a ``Timed``."""

    held: int
    branches: int
    users: int
    kinds: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """For the process that asked."""
        return asdict(self)


def measure(held: int) -> Measured:
    """Fill a fresh database with ``held`` messages, and let the managers work."""
    branches = max(USERS, round(BRANCHES * held / 1_000_000))
    with bed() as made:
        tokens = fill(made, branches)
        with made.open_work(SYSTEM) as work:
            total = int(work.conn.execute(text("SELECT count(*) FROM message")).scalar_one())
        port = free_port(8790, "127.0.0.1")
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.inbox", "serve", str(made.home), str(port)]
        )
        try:
            _work_through(f"http://127.0.0.1:{port}", tokens)
            noted = httpx.get(f"http://127.0.0.1:{port}{_NOTED}").json()
        finally:
            server.terminate()
            server.wait(30)
        kinds = [asdict(one) for one in _timed(noted)]
    return Measured(total, branches, USERS, kinds)


def _timed(noted: list[list[Any]]) -> list[Timed]:
    grouped: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for kind, whole, sql in noted:
        grouped[kind].append((whole * 1000, sql * 1000))
    found: list[Timed] = []
    for kind in (BARE, *TARGETS):
        whole = sorted(one for one, _ in grouped[kind])
        share = sum(sql for _, sql in grouped[kind]) / sum(whole)
        at = min(len(whole) - 1, round(len(whole) * 0.95))
        found.append(Timed(kind, len(whole), statistics.median(whole), whole[at], share))
    return found


# ── the managers ──────────────────────────────────────────────────────────────────────────────────────────


def _work_through(url: str, tokens: list[str]) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/healthz").status_code == 200:
                break
        except httpx.HTTPError:
            time.sleep(0.1)
    failures: list[BaseException] = []

    def one(number: int, token: str) -> None:
        try:
            time.sleep(number * APART)
            _manage(url, token, False)
        except BaseException as error:
            failures.append(error)

    # The first visits fill the caches of templates and plans, as any server's first minute does; they are not counted.
    _manage(url, tokens[0], True)
    httpx.get(f"{url}{_FROM_NOW_ON}")
    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(tokens)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _manage(url: str, token: str, warm: bool) -> None:
    pause = 0.0 if warm else PAUSE
    with httpx.Client(base_url=url, cookies={COOKIE: token}, follow_redirects=True, timeout=60) as web:

        def get(path: str, **headers: str) -> str:
            time.sleep(pause)
            answer = web.get(path, headers=headers)
            assert answer.status_code == 200, (path, answer.status_code, answer.text[-2000:])
            return answer.text

        def post(path: str, fields: dict[str, Any]) -> str:
            time.sleep(pause)
            answer = web.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin"})
            assert answer.status_code == 200, (path, answer.status_code, answer.text[-2000:])
            return answer.text

        inbox = get("/inbox?mode=batch")
        batches = re.findall(r'href="(/inbox/submission/[0-9a-f-]{36}/batch)\?[^"]*" data-item', inbox)
        whole = get(batches[-1 if warm else 0])
        if not warm:
            fields = {name: _field(whole, name) for name in ("csrf", "manifest")}
            seen = re.findall(r'name="seen" value="([0-9a-f-]{36})"', whole)
            confirmed = (re.findall(r'name="confirmed" value="(\d+)"', whole) or [""])[0]
            post(batches[0], {**fields, "seen": seen, "confirmed": confirmed})
        done = 0
        while done < (5 if warm else ROUNDS):
            inbox = get("/inbox?mode=each")
            submission = re.findall(r'href="(/inbox/submission/[0-9a-f-]{36})\?[^"]*" data-item', inbox)[0]
            page = get(submission)
            for _ in range(10):
                if 'class="decide"' not in page:
                    break
                # As the page itself asks for the message that one goes on to.
                page = get(f"{submission}?message={_decision(page)['message']}", **_INTO_THE_READER)
                page = post("/inbox/decide", {**_decision(page), "verb": "approve"})
                done += 1
        for path in ("/inbox", "/inbox?flagged=true", "/inbox?mode=batch", "/inbox?due=today") * 5:
            get(path)
            get("/healthz")


def _decision(page: str) -> dict[str, str]:
    form = page[page.index('class="decide"') :]
    return {name: _field(form, name) for name in ("csrf", "message", "revision", "digest", "following")}


def _field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, (name, page[-3000:])
    return found[1]


# ── the server ────────────────────────────────────────────────────────────────────────────────────────────

_INTO_THE_READER = {"HX-Request": "true", "HX-Target": "div#reader"}
_SQL: ContextVar[list[float] | None] = ContextVar("sql", default=None)
_FROM_NOW_ON, _NOTED = "/from-now-on", "/noted"  # what the layer itself answers


def serve(home: Path, port: int) -> None:
    """The product's pages over the database of a bed, with every request's time noted."""
    settings = Settings(home=home, port=port, public_url=f"http://127.0.0.1:{port}")
    database = Database(embedded.conninfo(home / "postgres"), pool_size=8)

    @event.listens_for(database.engine, "before_cursor_execute")
    def began(conn: Any, *_: Any) -> None:
        conn.info["began"] = time.perf_counter()

    @event.listens_for(database.engine, "after_cursor_execute")
    def ended(conn: Any, *_: Any) -> None:
        spent, now = _SQL.get(), time.perf_counter()
        if spent is not None:
            # Of questions that are asked together, each from the answer before it.
            spent.append(now - max(conn.info["began"], conn.info.get("ended", 0.0)))
        conn.info["ended"] = now

    @dataclass
    class Pages:
        settings: Settings
        open_work: Any

    inner: App = create_site(Pages(settings, opener(database, KeyRing.open(home / "keys"), settings)))
    share_fairly()
    times: list[tuple[str, float, float]] = []

    async def timed(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
            return
        if scope["path"] in (_FROM_NOW_ON, _NOTED):
            await JSONResponse(list(times))(scope, receive, send)
            times.clear()
            return
        spent: list[float] = []
        _SQL.set(spent)
        start = time.perf_counter()
        await inner(scope, receive, send)
        times.append((_kind(scope), time.perf_counter() - start, sum(spent)))

    uvicorn.run(timed, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def _kind(scope: Scope) -> str:
    path, method = scope["path"], scope["method"]
    if method == "POST":
        return "decision" if path == "/inbox/decide" else "bulk of 1,000" if path.endswith("/batch") else ""
    if path == "/inbox":
        return "list"
    if path == "/healthz":
        return BARE
    return "detail" if path.startswith("/inbox/submission/") and not path.endswith("/batch") else ""


# ── a million messages ────────────────────────────────────────────────────────────────────────────────────


def fill(made: Bed, branches: int) -> list[str]:
    """Branches with a manager, an advisor, clients and held messages each; returns the sessions of the first USERS
    managers. The messages say forty texts, each sealed once: many greet in the same words."""
    with made.open_work(SYSTEM) as work:
        set_password(work, made.people["M001"], "manager.bench", secrets.token_hex(8))
        texts = [f"您好！这是第{n}条问候，愿您新的一年身体康健、诸事从容。拒收请回复R" for n in range(40)]
        payloads = [
            Payload(channel="sms", to=f"+861470000{n:04d}", text=one, recipient_name=f"客户{n}")
            for n, one in enumerate(texts)
        ]
        bodies = [to_bytes(one) for one in payloads]
        given = {
            "branches": branches,
            "payloads": [one.id for one in seal_many(work, bodies)],
            "digests": [digest(one) for one in bodies],
            "hashes": [text_hash(work.keys, one) for one in payloads],
            "batches": list(BATCHES),
            "each": list(EACH),
            "lexicon": lexicons_in_force(work.conn)[1],
        }
        for statement in ROWS:
            wanted = {name: value for name, value in given.items() if f":{name}" in statement}
            work.conn.execute(text(statement), wanted)
        managers = work.conn.execute(
            text("SELECT id FROM staff WHERE staff_no LIKE 'MX%' ORDER BY staff_no LIMIT :n"), {"n": USERS}
        ).scalars()
        tokens = [_session(work, one) for one in list(managers)]
    with psycopg.connect(made.database.owner_conninfo, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
    return tokens


def _session(work: Work, staff_id: Any) -> str:
    work.conn.execute(
        text(
            "INSERT INTO account (staff_id, username, password_hash)"
            " SELECT :id, 'bench-' || CAST(:id AS text), password_hash FROM account LIMIT 1"
        ),
        {"id": staff_id},
    )
    return begin(work, staff_id)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(measure(int(sys.argv[1])).to_json(), indent=2))
