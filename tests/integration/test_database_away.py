"""The database away at the start, and while running: told in words, nothing lost, nothing hung."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from outreach.core import embedded
from outreach.core.database import Database, migrate
from outreach.core.errors import Unavailable
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import opener
from tests.support.builders import firm
from tests.support.pages import serving, signed_in

NOBODY = "postgresql://nobody@127.0.0.1:9/none"


@pytest.mark.parametrize("command", [["migrate"], ["scheduler"], ["worker"], ["web"], ["jobs", "tick"]])
def test_away_at_the_start_is_told_in_words(tmp_path: Path, command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "outreach.cli.main", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **os.environ,
            "OUTREACH_DATABASE_URL": NOBODY,
            "OUTREACH_HOME": str(tmp_path),
            "OUTREACH_PORT": "8951",
            "OUTREACH_USER": "x",
            "OUTREACH_PASSWORD": "y",
        },
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "does not answer" in done.stderr


def test_away_while_running_is_a_page_and_comes_back(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    data = tmp_path / "postgres"
    embedded.start(data)
    try:
        embedded.ensure_database(data)
        migrate(embedded.conninfo(data))
        settings = Settings(home=tmp_path, keys=tmp_path / "keys")
        database = Database(embedded.conninfo(data), pool_size=2)
        open_work = opener(database, KeyRing.open(settings.keys, create=True), settings)
        people = firm(open_work)
        with (
            serving(open_work, settings) as address,
            signed_in(open_work, address, people.b01.manager) as reader,
        ):
            assert reader.get("/inbox").status_code == 200
            embedded.stop(data)
            with pytest.raises(Unavailable), open_work():
                raise AssertionError("no transaction without a database")
            away = reader.get("/inbox")
            assert away.status_code == 503
            assert "does not answer" in away.text
            embedded.start(data)
            assert reader.get("/inbox").status_code == 200
        database.close()
    finally:
        embedded.stop(data)


def test_migrating_again_and_at_once_changes_nothing(conninfo: str) -> None:
    with psycopg.connect(conninfo) as conn:
        before = conn.execute("SELECT count(*) FROM information_schema.columns").fetchone()
    migrate(conninfo)
    with psycopg.connect(conninfo) as conn:
        assert conn.execute("SELECT count(*) FROM information_schema.columns").fetchone() == before


def test_the_application_can_not_alter_the_ledger(database: Database) -> None:
    for statement in (
        "UPDATE ledger_entry SET kind = 'x'",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_leaf",
    ):
        with pytest.raises(Exception, match="permission denied"), database.begin() as conn:
            conn.exec_driver_sql(statement)
