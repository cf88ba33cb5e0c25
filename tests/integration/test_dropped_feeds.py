"""Feeds by the watched folder, from the composition root on; and the commands that handle tokens."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from outreach.app import DROPS, Outreach
from outreach.auth.passwords import set_password
from outreach.auth.tokens import holder_of
from outreach.cli.feeds import subscriptions
from outreach.cli.tokens import token
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.core.tables import dropped_file
from outreach.feeds.tables import feed_item
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener
from tests.support.builders import firm, make_client

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PASSWORD = "a long enough password"


@pytest.fixture
def whole(database: Database, keys: KeyRing, settings: Settings) -> Outreach:
    return Outreach(settings, database, keys)


def drop(whole: Outreach, name: str, file: Path) -> Path:
    """Drop a file as another program would, long enough ago to be complete."""
    place = whole.settings.drop_folder / name / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, place)
    os.utime(place, (1_000_000_000, 1_000_000_000))
    return place


def test_the_sample_files_are_taken_in_and_what_was_refused_is_told(whole: Outreach) -> None:
    drop(whole, "research", SAMPLES / "research.jsonl")
    drop(whole, "market-events", SAMPLES / "market_events.jsonl")
    for name in ("research", "market-events"):
        whole.look_at_dropped(name)
    with whole.open_work() as work:
        counts = {
            row.folder: (row.state, row.counts["accepted"], row.counts["refused"])
            for row in work.conn.execute(select(dropped_file))
        }
        assert len(work.conn.execute(select(feed_item)).all()) == 9
    assert counts == {"research": ("taken", 4, 2), "market-events": ("taken", 5, 0)}
    folder = whole.settings.drop_folder / "research"
    reasons = (folder / "refused/research.jsonl.reasons.txt").read_text(encoding="utf-8").splitlines()
    assert [line.partition(":")[0] for line in reasons] == ["5", "6"]
    assert (folder / "done/research.jsonl").exists()


def test_the_same_file_again_changes_nothing(whole: Outreach) -> None:
    for _ in range(2):
        drop(whole, "research", SAMPLES / "research.jsonl")
        whole.look_at_dropped("research")
    with whole.open_work() as work:
        assert len(work.conn.execute(select(dropped_file)).all()) == 1
        assert len(work.conn.execute(select(feed_item)).all()) == 4


def test_every_folder_has_its_duty(whole: Outreach) -> None:
    duties = {duty.name for duty in whole.duties()}
    assert {f"dropped {name}" for name in DROPS} <= duties


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch, open_work: Opener, settings: Settings, conninfo: str) -> Opener:
    """An operator at the command line, over this test's database."""
    people = firm(open_work)
    with open_work() as work:
        assert people.operator.staff_id is not None
        set_password(work, people.operator.staff_id, "operator", PASSWORD)
        make_client(work, people.b01, client_no="C1")
    for name, value in (
        ("OUTREACH_HOME", str(settings.home)),
        ("OUTREACH_KEYS", str(settings.keys)),
        ("OUTREACH_DATABASE_URL", conninfo),
        ("OUTREACH_USER", "operator"),
        ("OUTREACH_PASSWORD", PASSWORD),
    ):
        monkeypatch.setenv(name, value)
    return open_work


def test_a_token_is_made_listed_and_revoked_at_the_command_line(operator: Opener) -> None:
    run = CliRunner()
    made = run.invoke(token, ["create", "desk", "--for", "research", "--expires", "90d"])
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert holder_of(operator, secret, "research", "").staff_id is None
    listed = run.invoke(token, ["list"])
    assert "desk" in listed.stdout
    assert "valid" in listed.stdout
    assert secret not in listed.stdout
    assert run.invoke(token, ["revoke", "desk"]).exit_code == 0
    assert "revoked" in run.invoke(token, ["list"]).stdout
    assert run.invoke(token, ["create", "other", "--for", "research", "--expires", "soon"]).exit_code == 2


def test_subscriptions_are_imported_at_the_command_line(operator: Opener, tmp_path: Path) -> None:
    file = tmp_path / "subscriptions.csv"
    file.write_text("client_no,feed\nC1,research\nC9,research\n", encoding="utf-8")
    done = CliRunner().invoke(subscriptions, ["import", str(file)])
    assert done.exit_code == 0, done.output
    assert "2 rows: 1 changed, 0 unchanged, 1 refused" in done.stdout
    assert "row 3: There is no such client among yours." in done.stdout
