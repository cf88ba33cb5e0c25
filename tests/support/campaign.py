"""The whole machine in processes of its own, to be killed again and again while messages go through it."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from outreach.app import Outreach
from outreach.cli.run import loopback, standing_database
from outreach.core import clock, embedded
from outreach.core.access import SYSTEM, Actor
from outreach.core.errors import Conflict, Unavailable
from outreach.core.settings import Settings
from outreach.demo.sandbox.client import Sandbox
from outreach.demo.stage import set_stage
from outreach.demo.supervisor import Supervisor, answers, free_port, wait_until
from outreach.feeds.take_in import import_feed
from outreach.people.staff import actor_by_number
from outreach.review.batch import approve_batch, sample_of
from outreach.review.inbox import list_waiting

Value = TypeVar("Value")
MANAGERS = ("M001", "M002")


@dataclass
class Machine:
    """Database, sandbox and roles of one campaign, and what was asked of them."""

    settings: Settings
    outreach: Outreach
    supervisor: Supervisor
    sandbox: Sandbox
    chance: random.Random
    approved: int = 0
    armed: bool = False
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def data(self) -> Path:
        return self.settings.home / "postgres"

    def actor(self, staff_no: str) -> Actor:
        def read() -> Actor:
            with self.outreach.open_work(SYSTEM) as work:
                return actor_by_number(work.conn, staff_no, clock.today(self.settings.zone))

        return self.surely(read)

    def surely(self, act: Callable[[], Value], seconds: float = 60.0) -> Value:
        """Do ``act``, again while the database is away: what a person at a page would do."""
        until = time.monotonic() + seconds
        while True:
            try:
                return act()
            except (Unavailable, DBAPIError):
                if time.monotonic() > until:
                    raise
                self.look_after()
                time.sleep(0.1)

    def count(self, query: str, **parameters: object) -> int:
        def read() -> int:
            with self.outreach.open_work(SYSTEM) as work:
                return int(work.conn.execute(text(query), parameters).scalar_one())

        return self.surely(read)

    def patient(self, ready: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
        """Wait until ``ready``, looking after the roles meanwhile."""

        def look() -> bool:
            self.look_after()
            return ready()

        wait_until(look, what, seconds)

    # ── one event through the machine ─────────────────────────────────────────────────────────────────────

    def announce(self, number: int) -> str:
        """A market event comes in by the feed; returns its id."""
        now = clock.now().astimezone(self.settings.zone)
        identifier = f"K{number:04d}"
        event = {
            "event_id": identifier,
            "type": "policy",
            "ts_code": "",
            "headline": f"第{number}号市场提示",
            "announced_at": (now - timedelta(seconds=5)).isoformat(),
            "record_date": None,
            "ex_date": None,
            "pay_date": None,
            "deadline": None,
            "source_url": "https://news.example.com/1",
            "severity": "high",
            "firm_view": "请结合自身风险承受能力决策。",
            "supersedes": None,
        }
        path = self.settings.home / "event.jsonl"
        path.write_text(json.dumps(event, ensure_ascii=False) + "\n", encoding="utf-8")
        operator = self.actor("O001")
        self.surely(lambda: import_feed(self.outreach.open_work, operator, "market-event", path))
        return identifier

    def composed(self, identifier: str) -> bool:
        """Whether the event's occurrence is composed."""
        return (
            self.count(
                "SELECT count(*) FROM occurrence o JOIN feed_item f ON f.id = o.feed_item_id"
                " WHERE f.item_key = :key AND o.state = 'composed'",
                key=identifier,
            )
            > 0
        )

    def approve_all(self, title: str) -> None:
        """Both managers read the sample and approve what ``title`` is about."""
        for staff_no in MANAGERS:
            actor = self.actor(staff_no)
            self.surely(lambda actor=actor: self._approve(actor, title))  # type: ignore[misc]

    def _approve(self, actor: Actor, title: str) -> None:
        with self.outreach.open_work(actor) as work:
            waiting = [one for one in list_waiting(work, limit=200).items if title in one.submission.title]
        for item in waiting:
            try:
                with self.outreach.open_work(actor) as work:
                    sample = sample_of(work, item.submission.id)
                    if sample.count:
                        done = approve_batch(
                            work,
                            item.submission.id,
                            sample.manifest_digest,
                            frozenset(sample.message_ids),
                            sample.count if sample.needs_count else None,
                        )
                        self.approved += done.count - done.alternatives
            except Conflict:
                continue  # the decision before the database went away had been kept

    # ── killing ───────────────────────────────────────────────────────────────────────────────────────────

    def look_after(self) -> None:
        """Start again what died; a worker that reached its point is followed by one that lives."""
        worker = self.supervisor.roles["worker"]
        if self.armed and worker.process.poll() == -signal.SIGKILL:
            self._environment(None)
            worker.pause = 0.1
        self.supervisor.look_after()

    def arm(self, point: str) -> None:
        """Have the worker replaced by one that kills itself at ``point``."""
        self.kills[point] += 1
        role = self.supervisor.roles["worker"]
        self._environment(point)
        role.process.terminate()
        role.process.wait(60)
        role.pause = 0.1
        self.look_after()

    def _environment(self, point: str | None) -> None:
        self.armed = point is not None
        kept = {
            key: value for key, value in self.supervisor.environment.items() if key != "OUTREACH_FAULT_POINT"
        }
        self.supervisor.environment = kept | ({"OUTREACH_FAULT_POINT": point} if point else {})

    def kill(self, victim: str) -> None:
        """kill -9 of a role or of the database's postmaster, at once."""
        self.kills[victim] += 1
        if victim == "postgres":
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, signal.SIGKILL)
            embedded.start(self.data)
        else:
            role = self.supervisor.roles[victim]
            role.pause = 0.1
            role.process.kill()
        self.look_after()


@contextmanager
def machine(home: Path, seed: int) -> Iterator[Machine]:
    """A demonstration in ``home``, running."""
    # Test processes that start a machine at the same moment must not find the same port free.
    port = free_port(8600 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))
    settings = Settings(
        home=home, keys=home / "keys", demonstration=True, port=port, public_url=f"http://127.0.0.1:{port}"
    )
    with standing_database(settings), loopback(settings) as environment:
        environment |= {"OUTREACH_KEYS": str(settings.keys), "OUTREACH_DATABASE_URL": ""}
        told = Settings.from_environment(environment)
        supervisor = Supervisor(environment, home / "logs")
        outreach = Outreach.open(told)
        try:
            set_stage(outreach.open_work, told, lambda _: None)
            supervisor.start()
            wait_until(lambda: answers(told), "The web server's first answer")
            smtp, twilio, gateway = (home / "sandbox" / "control").read_text("utf-8").split()
            yield Machine(told, outreach, supervisor, Sandbox.at(smtp, twilio, gateway), random.Random(seed))
        finally:
            supervisor.stop()
            outreach.close()
