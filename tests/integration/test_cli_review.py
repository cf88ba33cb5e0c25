"""The inbox from the command line: the same services, the same four eyes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from outreach.auth.passwords import set_password
from outreach.composing.requests import RequestDraft, queue_request
from outreach.core import clock
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from tests.support.builders import Firm, firm, make_client, publish_starter

WORD = "care and patience"


@dataclass
class Line:
    """The command line of one installation."""

    environment: dict[str, str]

    def __call__(self, user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "outreach.cli.main", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **self.environment, "OUTREACH_USER": user, "OUTREACH_PASSWORD": WORD},
        )


@pytest.fixture
def people(open_work: Opener, keys: KeyRing) -> Firm:
    made = firm(open_work)
    publish_starter(open_work, made)
    with open_work() as work:
        for actor, name in (
            (made.b01.manager, "manager"),
            (made.b02.manager, "other"),
            (made.operator, "operator"),
        ):
            assert actor.staff_id is not None
            set_password(work, actor.staff_id, name, WORD)
    return made


@pytest.fixture
def line(database: Database, settings: Settings) -> Line:
    return Line(
        {
            "OUTREACH_DATABASE_URL": database.owner_conninfo,
            "OUTREACH_HOME": str(settings.home),
            "OUTREACH_KEYS": str(settings.keys),
        }
    )


@pytest.fixture
def waiting(open_work: Opener, people: Firm) -> list[str]:
    with open_work() as work:
        clients = tuple(make_client(work, people.b01) for _ in range(3))
    with open_work(people.b01.advisor) as work:
        made = queue_request(work, RequestDraft(clients, text="{称呼}，您好！资料已备妥，请您有空时来取。"))
    return [str(one) for one in made.message_ids]


def state(open_work: Opener, identifier: str) -> str:
    with open_work() as work:
        return str(
            work.conn.execute(select(message.c.state).where(text(f"id = '{identifier}'"))).scalar_one()
        )


def test_list_show_approve_return_reject(line: Line, open_work: Opener, waiting: list[str]) -> None:
    listed = line("manager", "review", "list")
    assert listed.returncode == 0, listed.stderr
    assert "自拟文字" in listed.stdout
    shown = line("manager", "review", "show", waiting[0])
    assert "资料已备妥" in shown.stdout
    assert "digest" in shown.stdout
    for identifier, command in zip(
        waiting,
        (["approve"], ["return", "--reason", "tone"], ["reject", "--reason", "tone"]),
        strict=True,
    ):
        verb, *options = command
        done = line("manager", "review", verb, identifier, *options)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [state(open_work, one) for one in waiting] == ["approved", "returned", "rejected"]


def test_a_foreign_branch_and_an_operator_are_refused(
    line: Line, open_work: Opener, waiting: list[str]
) -> None:
    for user in ("other", "operator"):
        done = line(user, "review", "approve", waiting[0])
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
    assert state(open_work, waiting[0]) == "held"


def test_a_wrong_password_is_refused(line: Line, waiting: list[str]) -> None:
    line.environment["OUTREACH_PASSWORD"] = "wrong"
    done = subprocess.run(
        [sys.executable, "-m", "outreach.cli.main", "review", "list"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **line.environment, "OUTREACH_USER": "manager"},
    )
    assert done.returncode == 1
    assert "User name or password is wrong" in done.stderr


def test_a_client_file_is_previewed_imported_and_known(line: Line, people: Firm, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_text("客户号,客户姓名,营业部,手机\nN1,王晓梅,B01,14700000001\nN2,,B01,\n", encoding="utf-8")
    preview = line("manager", "clients", "import", "--preview", str(file))
    assert "2 rows" in preview.stdout, preview.stdout + preview.stderr
    first = line("manager", "clients", "import", "--yes", str(file))
    assert "1 new" in first.stdout, first.stdout + first.stderr
    assert "what to look at" in first.stdout
    again = line("manager", "clients", "import", "--yes", str(file))
    assert "0 new, 0 changed" in again.stdout
    missing = line("manager", "clients", "import", str(tmp_path / "none.csv"))
    assert missing.returncode == 2


def test_a_job_is_rehearsed_from_the_command_line(open_work: Opener, people: Firm, line: Line) -> None:
    with open_work() as work:
        make_client(work, people.b01, client_no="K1", name="欧阳明", gender="male")
    shown = line("manager", "jobs", "preview", "spring-festival", "--date", "2027-02-06", "--client", "K1")
    assert shown.returncode == 0, shown.stderr
    assert "欧阳先生" in shown.stdout
    assert "[sms zh-CN · 1 segments]" in shown.stdout
    assert "[email en]" in shown.stdout
    only = line(
        "manager",
        "jobs",
        "preview",
        "spring-festival",
        "--client",
        "K1",
        "--channel",
        "sms",
        "--language",
        "en",
    )
    assert "[email" not in only.stdout
    assert "does not fire on this day" in only.stdout
    refused = line("operator", "jobs", "preview", "spring-festival")
    assert refused.returncode != 0
    assert "may not read messages" in refused.stderr
    wrong = line("manager", "jobs", "preview", "spring-festival", "--date", "someday")
    assert wrong.returncode != 0
    assert "--date" in wrong.stderr


def test_the_year_ahead_is_printed(open_work: Opener, people: Firm, line: Line) -> None:
    with open_work() as work:
        make_client(work, people.b01, client_no="K1")
    shown = line("manager", "calendar", "--year", "2027")
    assert shown.returncode == 0, shown.stderr
    assert "PROVISIONAL" in shown.stdout
    assert "2027-02-06" in shown.stdout
    assert "[spring-festival]" in shown.stdout
    assert "each item of research" in shown.stdout
    plain = json.loads(line("manager", "calendar", "--year", "2027", "--json").stdout)
    [festival] = [one for one in plain["jobs"] if one["job"] == "spring-festival"]
    assert (festival["dates"], festival["total"]) == ([["2027-02-06", 1]], 1)
    refused = line("manager", "calendar", "--year", "1800")
    assert refused.returncode == 1
    assert "The calendar knows" in refused.stderr


def test_an_absence_is_set_listed_and_ended(line: Line, people: Firm) -> None:
    done = line("manager", "absence", "set", "--from", "2026-01-01", "--until", "2026-01-02")
    assert done.returncode == 1
    assert "after now" in done.stderr
    first, last = (f"{clock.now().date() + timedelta(days=n)}" for n in (0, 6))
    done = line(
        "manager", "absence", "set", "--from", first, "--until", last, "--deputy", "B01-A1", "--note", "休假"
    )
    assert done.returncode == 0, done.stderr
    absence_id = done.stdout.split()[1]
    listed = line("manager", "absence", "list").stdout
    assert absence_id in listed
    assert people.b01.advisor.name in listed
    assert "休假" in listed
    assert absence_id not in line("other", "absence", "list").stdout
    assert line("other", "absence", "end", absence_id).returncode == 1
    assert line("manager", "absence", "end", absence_id).stdout == "ended\n"
    assert absence_id not in line("manager", "absence", "list").stdout
