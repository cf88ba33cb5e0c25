"""Exports: who may, what is in them, what is withheld, and what an export that ends early leaves behind."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, func, select, update

from outreach.archive.dossier.pages import PER_PAGE
from outreach.archive.export import export_client, export_period
from outreach.archive.tables import export_run
from outreach.archive.verify import verify_bag
from outreach.core.access import Grant, Role
from outreach.core.database import Database
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound, Unavailable
from outreach.core.settings import Settings, Smtp
from outreach.ledger.append import Entry, record_many
from outreach.ledger.integrator import integrate
from outreach.ledger.seal import KeyRing
from outreach.ledger.tables import ledger_entry, sealed_record
from outreach.ledger.work import Opener, opener
from tests.support.archive_rows import SENDER, Institution, institution, whole_day


@pytest.fixture
def open_work(database: Database, keys: KeyRing, settings: Settings) -> Opener:
    return opener(database, keys, replace(settings, smtp=Smtp("localhost", 25, SENDER)))


@pytest.fixture
def made(open_work: Opener) -> Institution:
    return institution(open_work)


def kinds(bag: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in (bag / "data/ledger/leaves.jsonl").read_text().splitlines()]


def texts(bag: Path) -> str:
    return "\n".join(file.read_text() for file in bag.glob("data/records/*/*.payload.json"))


def runs(open_work: Opener) -> list[tuple[str, str | None]]:
    with open_work() as work:
        rows = work.conn.execute(select(export_run.c.state, export_run.c.error).order_by(export_run.c.at))
        return [(row.state, row.error) for row in rows]


def test_a_period_holds_every_record_and_says_so(
    open_work: Opener, made: Institution, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    out = tmp_path / "exports" / "all"
    result = export_period(
        open_work, made.firm.compliance, *whole_day(), out, lambda *done: told.append(done)
    )
    assert result.path == out
    assert (result.messages, result.withheld) == (4, 0)
    assert sorted(set(kinds(out))) == ["decision", "export", "import", "message.sent", "receipt", "reply"]
    assert told[-1] == (result.records, result.records)
    assert runs(open_work) == [("done", None)]
    assert out.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "exports" / "all.partial").exists()
    integrate(open_work)
    with open_work() as work:
        said = [
            json.loads(bytes(row.envelope))
            for row in work.conn.execute(
                select(ledger_entry.c.envelope)
                .where(ledger_entry.c.kind == "export")
                .order_by(ledger_entry.c.id)
            )
        ]
    assert [entry["purpose"] for entry in said] == ["begun", "done"]
    assert said[1]["manifest_digest"] == result.manifest_sha256.hex()
    assert said[1]["root"] == result.root.hex()
    assert {entry["actor"] for entry in said} == {str(made.firm.compliance.staff_id)}


def test_a_client_brings_their_messages_with_who_decided(
    open_work: Opener, made: Institution, tmp_path: Path
) -> None:
    result = export_client(open_work, made.firm.compliance, made.client_no, tmp_path / "one")
    assert result.messages == 1
    assert sorted(kinds(result.path)) == ["decision", "export", "message.sent", "receipt", "reply"]
    assert "生日快乐" in texts(result.path)
    assert "浦东" not in texts(result.path)
    [manifest] = result.path.glob("data/decisions/*.txt")
    assert str(made.greeting.id) in manifest.read_text()


def test_a_returned_text_is_kept_with_the_note_that_returned_it(
    open_work: Opener, made: Institution, tmp_path: Path
) -> None:
    result = export_period(open_work, made.firm.compliance, *whole_day(), tmp_path / "all")
    [note] = result.path.glob("data/records/*/*.note.txt")
    assert note.read_text() == "请删去产品推荐"
    assert "草稿:推荐产品" in Path(str(note).replace(".note.txt", ".payload.json")).read_text()


def test_the_index_opens_in_a_spreadsheet_and_runs_no_formula(
    open_work: Opener, made: Institution, tmp_path: Path
) -> None:
    result = export_period(open_work, made.firm.compliance, *whole_day(), tmp_path / "all")
    raw = (result.path / "data/index.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(raw.decode("utf-8-sig").splitlines()))
    assert len(rows) == result.records + 1
    cells = [cell for row in rows for cell in row]
    assert "'=T1,甲" in cells
    assert "'+8610010000001" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("who", ["manager", "advisor", "head_office", "operator"])
def test_only_compliance_exports(open_work: Opener, made: Institution, tmp_path: Path, who: str) -> None:
    firm = made.firm
    actor = {
        "manager": firm.b01.manager,
        "advisor": firm.b01.advisor,
        "head_office": firm.head_office,
        "operator": firm.operator,
    }[who]
    with pytest.raises(Forbidden):
        export_period(open_work, actor, *whole_day(), tmp_path / "all")
    with pytest.raises(Forbidden):
        export_client(open_work, actor, made.client_no, tmp_path / "one")
    assert list(tmp_path.glob("all*")) == []


def test_the_scope_is_a_wall_and_what_lies_beyond_is_counted(
    open_work: Opener, made: Institution, tmp_path: Path
) -> None:
    branch = made.firm.b02
    actor = replace(branch.manager, grants=(Grant(Role.COMPLIANCE, branch.id),))
    result = export_period(open_work, actor, *whole_day(), tmp_path / "all")
    assert result.messages == 1
    assert "浦东客户您好" in texts(result.path)
    assert "生日快乐" not in "".join(file.read_text() for file in result.path.rglob("*.json"))
    [withheld] = json.loads((result.path / "data/withheld.json").read_text())["withheld"]
    assert (withheld["reason"], withheld["count"] > 3) == ("beyond_scope", True)
    assert verify_bag(result.path, result.fingerprint).ok
    with pytest.raises(NotFound):
        export_client(open_work, actor, made.client_no, tmp_path / "one")


def test_what_was_disposed_of_or_altered_is_withheld_and_every_proof_still_holds(
    open_work: Opener, made: Institution, tmp_path: Path, conninfo: str
) -> None:
    owner = create_engine(conninfo.replace("postgresql://", "postgresql+psycopg://"))
    with owner.begin() as conn:
        conn.execute(delete(sealed_record).where(sealed_record.c.id == made.greeting.sealed.id))
        conn.execute(
            update(sealed_record)
            .where(sealed_record.c.id == made.mail.sealed.id)
            .values(ciphertext=b"\x00" * 40)
        )
    owner.dispose()
    result = export_period(open_work, made.firm.compliance, *whole_day(), tmp_path / "all")
    withheld = json.loads((result.path / "data/withheld.json").read_text())["withheld"]
    assert sorted(item["reason"] for item in withheld) == ["altered", "disposed"]
    assert "已依规处置" in (result.path / "data/index.html").read_text()
    assert "生日快乐" not in texts(result.path)
    assert verify_bag(result.path, result.fingerprint).ok


def test_a_mail_that_can_not_be_built_again_is_named(
    database: Database,
    keys: KeyRing,
    settings: Settings,
    open_work: Opener,
    made: Institution,
    tmp_path: Path,
) -> None:
    moved = opener(database, keys, replace(settings, smtp=Smtp("localhost", 25, "other@example.com")))
    result = export_period(moved, made.firm.compliance, *whole_day(), tmp_path / "all")
    [item] = json.loads((result.path / "data/withheld.json").read_text())["withheld"]
    assert item["reason"] == "eml_not_rebuilt"
    assert list(result.path.glob("data/records/*/*.eml")) == []


def test_a_large_dossier_has_pages(open_work: Opener, made: Institution, tmp_path: Path) -> None:
    with open_work() as work:
        record_many(work, [Entry("view", {"purpose": "test"}) for _ in range(PER_PAGE + 3)])
    result = export_period(open_work, made.firm.compliance, *whole_day(), tmp_path / "all")
    assert result.pages == 2
    first = (result.path / "data/index.html").read_text()
    second = (result.path / "data/dossier-00002.html").read_text()
    # A message's records share an article; the first page is full, the rest is on the second.
    assert first.count("<article") == PER_PAGE
    assert 0 < second.count("<article") <= result.records - PER_PAGE
    assert 'href="index.html"' in second
    assert verify_bag(result.path, result.fingerprint).ok


def test_a_taken_name_is_refused_and_left_alone(open_work: Opener, made: Institution, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "mine").write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        export_period(open_work, made.firm.compliance, *whole_day(), tmp_path / "all")
    (tmp_path / "other.partial").mkdir()
    (tmp_path / "other.partial" / "mine").write_text("mine")
    with pytest.raises(BadInput, match="no unfinished export"):
        export_period(open_work, made.firm.compliance, *whole_day(), tmp_path / "other")
    assert (
        (tmp_path / "all" / "mine").read_text() == (tmp_path / "other.partial" / "mine").read_text() == "mine"
    )
    start, end = whole_day()
    with pytest.raises(BadInput, match="no length"):
        export_period(open_work, made.firm.compliance, end, start, tmp_path / "none")


CHILD = """
import os, resource, sys, time
from pathlib import Path
from outreach.archive.export import export_period
from outreach.core.access import Actor, Grant, Role
from outreach.core.database import Database
from outreach.core.errors import Unavailable
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import opener
from tests.support.archive_rows import whole_day

conninfo, keys, out, act = sys.argv[1:]
settings = Settings(home=Path(out).parent, keys=Path(keys))
open_work = opener(Database(conninfo), KeyRing.open(settings.keys), settings)
actor = Actor(None, "system", (Grant(Role.SYSTEM),))

def tell(done, total):
    if act == "wait":
        print("writing", flush=True)
        time.sleep(600)

if act == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    export_period(open_work, actor, *whole_day(), Path(out), tell)
except Unavailable as error:
    print(error, flush=True)
    sys.exit(3)
"""


def child(conninfo: str, keys: KeyRing, out: Path, act: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, conninfo, str(keys.folder), str(out), act],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )


def test_a_full_disk_is_told_in_words_and_leaves_nothing_behind(
    open_work: Opener, made: Institution, keys: KeyRing, conninfo: str, tmp_path: Path
) -> None:
    out = tmp_path / "exports" / "all"
    with child(conninfo, keys, out, "full") as running:
        said, _ = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "full" in said
    assert "Make room" in said
    assert list(out.parent.iterdir()) == []
    [(state, error)] = runs(open_work)
    assert state == "failed"
    assert error == said.strip()
    assert export_period(open_work, made.firm.compliance, *whole_day(), out).records > 0


def test_a_killed_export_is_replaced_by_the_next(
    open_work: Opener, made: Institution, keys: KeyRing, conninfo: str, tmp_path: Path
) -> None:
    out = tmp_path / "exports" / "all"
    with child(conninfo, keys, out, "wait") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "writing\n"
        with pytest.raises(Conflict, match="Another export"):
            export_period(open_work, made.firm.compliance, *whole_day(), out)
        running.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert (out.parent / "all.partial").exists()
    assert [state for state, _ in runs(open_work)] == ["running"]
    result = export_period(open_work, made.firm.compliance, *whole_day(), out)
    assert verify_bag(out, result.fingerprint).ok
    assert sorted(path.name for path in out.parent.iterdir()) == ["all", "all.tagmanifest.sig"]
    assert [state for state, _ in runs(open_work)] == ["failed", "done"]
    assert "interrupted" in (runs(open_work)[0][1] or "")


def test_a_database_that_goes_away_is_told_in_words(
    open_work: Opener, made: Institution, conninfo: str, tmp_path: Path
) -> None:
    owner = create_engine(conninfo.replace("postgresql://", "postgresql+psycopg://"))

    def cut(done: int, total: int) -> None:
        with owner.begin() as conn:
            conn.execute(
                select(func.pg_terminate_backend(func.pg_stat_get_backend_pid(_backends().c.backend)))
            )

    def _backends():  # type: ignore[no-untyped-def]
        return select(func.pg_stat_get_backend_idset().label("backend")).subquery()

    with pytest.raises(Unavailable, match="database"):
        export_period(open_work, made.firm.compliance, *whole_day(), tmp_path / "all", cut)
    owner.dispose()
    assert list(tmp_path.glob("all*")) == []
