"""Reports from the command line: the documentation's own commands, behind the same walls."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from freezegun import freeze_time
from openpyxl import load_workbook

from outreach.auth.passwords import set_password
from outreach.core.access import Actor
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from tests.support.desk import Desk
from tests.support.figures_rows import a_busy_day

WORD = "care and patience"
PAGE = Path(__file__).parents[2] / "docs/reference/figures.md"


@pytest.fixture
def busy(open_work: Opener, desk: Desk) -> Desk:
    with freeze_time(datetime(2026, 11, 10, 1, tzinfo=UTC)) as frozen:
        a_busy_day(open_work, desk, frozen)
    return desk


def run(
    open_work: Opener, database: Database, settings: Settings, actor: Actor, command: str, where: Path
) -> subprocess.CompletedProcess[str]:
    assert actor.staff_id is not None
    with open_work() as work:
        set_password(work, actor.staff_id, f"u{actor.person_key.lower()}", WORD)
    return subprocess.run(
        [sys.executable, "-m", "outreach.cli.main", *command.split()[1:]],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=where,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "OUTREACH_HOME": str(settings.home),
            "OUTREACH_KEYS": str(settings.keys),
            "OUTREACH_DATABASE_URL": database.owner_conninfo,
            "OUTREACH_LOCALE": "en",
            "OUTREACH_USER": f"u{actor.person_key.lower()}",
            "OUTREACH_PASSWORD": WORD,
        },
    )


def test_the_documented_commands_work(
    open_work: Opener, database: Database, settings: Settings, busy: Desk, tmp_path: Path
) -> None:
    commands = re.findall(r"^outreach report .*$", PAGE.read_text("utf-8"), re.M)
    assert len(commands) == 3
    for command in commands:
        done = run(open_work, database, settings, busy.firm.head_office, command, tmp_path)
        assert done.returncode == 0, done.stderr
        if command.endswith(".xlsx"):
            book = load_workbook(tmp_path / command.split()[-1])
            assert book.worksheets[0].cell(5, 2).value == 12
        else:
            assert "Put up and decided" in done.stdout
            assert re.search(r"B01 Haidian Branch\s+12\s+7\s+0\s+2", done.stdout), done.stdout


def test_p7_another_branch_is_refused(
    open_work: Opener, database: Database, settings: Settings, busy: Desk, tmp_path: Path
) -> None:
    command = "outreach report day --branch B01 --date 2026-11-10"
    done = run(open_work, database, settings, busy.firm.b02.manager, command, tmp_path)
    assert done.returncode == 1
    assert "Haidian" not in done.stdout
    assert "no such branch" in done.stderr
