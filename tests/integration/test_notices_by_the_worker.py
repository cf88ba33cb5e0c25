"""The worker's own path: what waits is told through a real mail server and a real webhook, as soon as it is
committed or its time has come."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from outreach.app import Outreach
from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.core.database import Database
from outreach.core.errors import Misconfigured
from outreach.core.events import SubmissionHeld
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener
from outreach.notices.audience import on_submission_held
from outreach.notices.outbox import tell
from outreach.notices.sending import wake_notices
from tests.support.builders import change_staff
from tests.support.desk import Desk
from tests.support.notices import on_a_working_day
from tests.support.receiver import Receiver, receiver
from tests.support.review_rows import hold
from tests.support.sending import Servers


@dataclass
class Worker:
    """A worker's tasks over the sandbox's mail server and a webhook of branch B01."""

    outreach: Outreach
    servers: Servers
    webhook: Receiver

    def waiting(self) -> list[str]:
        """The jobs in the queue."""
        with self.outreach.open_work(SYSTEM) as work:
            jobs = text("SELECT task_name FROM procrastinate_jobs WHERE status = 'todo' ORDER BY 1")
            return list(work.conn.execute(jobs).scalars())

    def work(self) -> list[str]:
        """Do them; returns their names."""
        names = [name for name in self.waiting() if name.endswith("notices")]
        with self.outreach.open_work(SYSTEM) as work:
            work.conn.execute(text("DELETE FROM procrastinate_jobs"))
        handlers: dict[str, Callable[..., Any]] = dict(self.outreach.handlers(self.outreach.providers()))
        for name in names:
            handlers[name]()
        return names

    def mails(self, address: str) -> list[Any]:
        """What lies in somebody's mailbox."""
        return self.servers.sandbox.mailbox(address)


def targets_file(folder: Path, port: int, mode: int = 0o600) -> Path:
    path = folder / "targets.toml"
    path.write_text(f'[branch]\nurl = "json://127.0.0.1:{port}/branch"\nbranch = "B01"\n', "utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def worker(
    database: Database, keys: KeyRing, settings: Settings, servers: Servers, tmp_path: Path
) -> Iterator[Worker]:
    with receiver() as webhook:
        told = replace(servers.settings(settings), notice_targets=targets_file(tmp_path, webhook.port))
        yield Worker(Outreach(told, database, keys), servers, webhook)
    servers.clear()


def fresh(number: int) -> str:
    return f"b01-m-{number}-{clock.now().timestamp()}@example.com"


def manager_at(open_work: Opener, desk: Desk, address: str) -> None:
    with open_work() as work:
        change_staff(work, desk.firm.b01.manager, email=address)


def test_an_alert_is_told_by_mail_and_messenger_as_soon_as_it_is_committed(
    open_work: Opener, desk: Desk, worker: Worker
) -> None:
    address = fresh(1)
    manager_at(open_work, desk, address)
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True, title="重大公告")
        on_submission_held(work, SubmissionHeld(held.submission_id))
        assert "send_urgent_notices" not in worker.waiting()
    assert worker.work() == ["send_urgent_notices"]
    [mail] = worker.mails(address)
    assert mail.subject.startswith("紧急：有 1 条消息等待您审批：重大公告")
    assert f"/inbox/submission/{held.submission_id}" in mail.text
    [posted] = worker.webhook.posted
    assert json.loads(posted.body)["title"].startswith("紧急：海淀营业部有 1 条消息")


def test_what_is_gathered_is_woken_when_its_time_has_come(
    open_work: Opener, desk: Desk, worker: Worker, settings: Settings
) -> None:
    address = fresh(2)
    manager_at(open_work, desk, address)
    at = {wall: on_a_working_day(settings, wall) for wall in ("09:00", "11:29", "11:30")}
    with freeze_time(at["09:00"]), open_work() as work:
        held = hold(
            work, desk.firm, desk.firm.b01, policy=desk.each, due_by=clock.now() + timedelta(hours=30)
        )
        on_submission_held(work, SubmissionHeld(held.submission_id))
    for wall, jobs in (("11:29", []), ("11:30", ["send_notices"])):
        with freeze_time(at[wall]):
            with open_work() as work:
                wake_notices(work)
            assert worker.work() == jobs
    assert [mail.subject for mail in worker.mails(address)] == ["有 1 条消息等待您审批"]
    assert len(worker.webhook.posted) == 1


def test_a_mail_server_that_refuses_is_tried_again_when_the_pause_is_over(
    open_work: Opener, desk: Desk, worker: Worker
) -> None:
    address = fresh(3)
    manager_at(open_work, desk, address)
    manager = desk.firm.b01.manager.staff_id
    assert manager is not None
    start = clock.now()
    worker.servers.sandbox.smtp.fault("reject", times=1)
    with freeze_time(start):
        with open_work() as work:
            tell(work, [manager], "reply", {"reply_id": "x"})
        assert worker.work() == ["send_notices"]
        assert worker.mails(address) == []
    with freeze_time(start + timedelta(seconds=16)):
        with open_work() as work:
            wake_notices(work)
        assert worker.work() == ["send_notices"]
    assert len(worker.mails(address)) == 1


def test_without_mail_server_and_targets_what_is_told_is_on_the_page_and_nothing_piles_up(
    open_work: Opener, desk: Desk, settings: Settings, database: Database, keys: KeyRing, servers: Servers
) -> None:
    worker = Worker(Outreach(settings, database, keys), servers, Receiver())
    manager = desk.firm.b01.manager.staff_id
    assert manager is not None
    with open_work() as work:
        tell(work, [manager], "reply", {"reply_id": "x"})
    assert worker.work() == ["send_notices"]
    with open_work() as work:
        wake_notices(work)
    assert worker.waiting() == []


def test_a_worker_does_not_start_with_targets_that_can_not_be_used(
    settings: Settings, database: Database, keys: KeyRing, tmp_path: Path
) -> None:
    path = targets_file(tmp_path, 9)
    path.write_text('[a]\nurl = "nothing://x"\nfirm = true\n', "utf-8")
    outreach = Outreach(replace(settings, notice_targets=path), database, keys)
    with pytest.raises(Misconfigured, match="nothing"):
        outreach.handlers(outreach.providers())
