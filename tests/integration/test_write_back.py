"""What the client system gets back: numbered files, nothing skipped, nothing twice, byte for byte again."""

import csv
import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.archive.write_back import WriteBack, write_again, write_next, write_since, write_when_due
from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.core.database import Database
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound
from outreach.core.settings import Settings
from outreach.ledger.append import Entry, record
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener, opener
from outreach.people.apply import apply_import
from outreach.people.consent import opt_in, opt_out
from outreach.people.corrections import correct_client
from outreach.people.subscriptions import subscribe
from outreach.people.tables import client, client_correction
from tests.support.builders import Firm, firm
from tests.support.sending import Post, mail, mobile

CLIENTS = (
    "client_no,name,mobile,email,branch,advisor_id\nC001,王小明,14700000001,one@example.net,B01,B01-A1\n"
)


@pytest.fixture
def people(open_work: Opener, tmp_path: Path) -> Firm:
    found = firm(open_work)
    path = tmp_path / "clients.csv"
    path.write_text(CLIENTS, encoding="utf-8")
    apply_import(open_work, found.operator, path)
    return found


def one(open_work: Opener) -> UUID:
    with open_work() as work:
        return work.conn.execute(select(client.c.id).where(client.c.client_no == "C001")).scalar_one()


def correct(open_work: Opener, people: Firm, field: str, value: str) -> None:
    identifier = one(open_work)
    with open_work(people.b01.advisor) as work:
        assert correct_client(work, identifier, field, value)


def sheet(made: WriteBack, name: str) -> list[dict[str, str]]:
    with (made.path / name).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def changes(made: WriteBack) -> list[tuple[str, str, str]]:
    return [(row["field"], row["old"], row["new"]) for row in sheet(made, "changes.csv")]


def test_a_correction_goes_back_once_with_who_and_when(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    correct(open_work, people, "email", "two@example.net")
    first = write_next(open_work, people.operator, tmp_path / "out")
    [row] = sheet(first, "changes.csv")
    assert row["client_no"] == "C001"
    assert (row["field"], row["old"], row["new"]) == ("email", "one@example.net", "two@example.net")
    assert row["by_staff_no"] == "B01-A1"
    assert row["source"] == "corrected"
    assert datetime.fromisoformat(row["at"]).utcoffset() == timedelta(hours=8)
    with open_work() as work:
        assert work.conn.execute(select(client_correction.c.told_at)).scalar_one() is not None
    correct(open_work, people, "email", "three@example.net")
    second = write_next(open_work, people.operator, tmp_path / "out")
    assert (first.number, second.number) == (1, 2)
    assert second.first_leaf == first.end_leaf
    assert changes(second) == [("email", "two@example.net", "three@example.net")]
    assert changes(write_next(open_work, people.operator, tmp_path / "out")) == []


def test_what_the_file_itself_said_does_not_go_back(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    path = tmp_path / "more.csv"
    path.write_text(
        CLIENTS.replace("advisor_id", "advisor_id,opt_out").replace("B01-A1", "B01-A1,是"), encoding="utf-8"
    )
    apply_import(open_work, people.operator, path)
    assert write_next(open_work, people.operator, tmp_path / "out").changes == 0


def test_consents_and_subscriptions_taken_here_go_back(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    identifier = one(open_work)
    with open_work(people.b01.advisor) as work:
        opt_out(work, [identifier], source="phone", evidence="call of today")
        opt_in(
            work, [identifier], channel="sms", category="greeting", source="phone", evidence="call of today"
        )
        subscribe(work, identifier, "research", "company", source="phone")
    told = sheet(write_next(open_work, people.operator, tmp_path / "out"), "changes.csv")
    assert all(row["field"].startswith(("consent/", "subscription/")) for row in told)
    assert {row["field"] for row in told} >= {"consent/sms/greeting", "subscription/research/company"}
    assert all(row["by_staff_no"] == "B01-A1" for row in told)


def test_what_was_sent_goes_back_with_its_decision_and_without_its_text(post: Post, tmp_path: Path) -> None:
    sms, letter = post.approved(mobile(), mail())
    post.send()
    made = write_next(post.open_work, post.people.operator, tmp_path / "out")
    rows = {row["message_id"]: row for row in sheet(made, "contacts.csv") if row["state"] == "sent"}
    assert set(rows) == {str(sms), str(letter)}
    row = rows[str(sms)]
    assert (row["channel"], row["template"], row["category"]) == ("sms", "market-event", "information")
    assert row["decision_id"]
    with post.open_work() as work:
        decided = work.conn.execute(text("SELECT id::text FROM decision")).scalars().all()
    assert row["decision_id"] in decided
    words = post.payload(sms).text
    assert words not in (made.path / "contacts.csv").read_text(encoding="utf-8-sig")


def test_the_list_of_digests_is_what_sha256sum_checks(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    made = write_next(open_work, people.operator, tmp_path / "out")
    listed = made.path / f"{made.path.name}.sha256"
    for line in listed.read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((made.path / name).read_bytes()).hexdigest() == digest
    assert hashlib.sha256(listed.read_bytes()).digest() == made.sha256
    assert made.path.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in made.path.iterdir()} == {0o600}


def test_an_entry_that_commits_late_is_in_the_next_file(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    identifier = one(open_work)
    with open_work(people.b01.advisor) as late:
        correct_client(late, identifier, "postcode", "200000")
        first = write_next(open_work, people.operator, tmp_path / "out")
    assert first.changes == 0
    assert changes(write_next(open_work, people.operator, tmp_path / "out")) == [("postcode", "", "200000")]


def test_a_numbered_file_is_made_again_byte_for_byte(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    correct(open_work, people, "email", "two@example.net")
    first = write_next(open_work, people.operator, tmp_path / "out")
    correct(open_work, people, "email", "three@example.net")
    again = write_again(open_work, people.operator, tmp_path / "again", 1)
    for name in ("changes.csv", "contacts.csv", f"{first.path.name}.sha256"):
        assert (again.path / name).read_bytes() == (first.path / name).read_bytes()
    with pytest.raises(NotFound):
        write_again(open_work, people.operator, tmp_path / "again", 7)
    with pytest.raises(Conflict):
        write_again(open_work, people.operator, tmp_path / "again", 1)


def test_since_an_instant_repeats_what_was_told_and_leaves_the_numbers_alone(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        write_since(open_work, people.operator, tmp_path / "out", clock.now())
    began = clock.now()
    correct(open_work, people, "email", "two@example.net")
    write_next(open_work, people.operator, tmp_path / "out")
    repeated = write_since(open_work, people.operator, tmp_path / "out", began)
    assert repeated.number is None
    assert changes(repeated) == [("email", "one@example.net", "two@example.net")]
    later = write_since(open_work, people.operator, tmp_path / "out", clock.now() + timedelta(days=1))
    assert later.changes == 0
    assert write_next(open_work, people.operator, tmp_path / "out").number == 2
    with pytest.raises(BadInput):
        write_since(open_work, people.operator, tmp_path / "out", began.replace(tzinfo=None))


def test_a_run_that_died_after_its_commit_is_finished_by_the_next_look(
    database: Database,
    keys: KeyRing,
    settings: Settings,
    open_work: Opener,
    people: Firm,
    tmp_path: Path,
) -> None:
    folder = settings.home / "write-back"
    correct(open_work, people, "email", "two@example.net")
    made = write_next(open_work, people.operator, folder)
    os.rename(made.path, folder / f".{made.path.name}.part")  # as it lay before its name was given
    (folder / ".write-back-000009.part").mkdir()  # of a run that died before its commit
    with freeze_time(datetime.now(UTC) + timedelta(seconds=1)):
        write_when_due(opener(database, keys, settings))
    assert changes(made) == [("email", "one@example.net", "two@example.net")]
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []


def test_the_nights_file_comes_once_after_its_time(
    database: Database, keys: KeyRing, settings: Settings
) -> None:
    nightly = opener(database, keys, settings)
    with freeze_time("2027-03-01 00:00:00"), nightly() as work:  # 08:00 in Shanghai
        record(work, Entry("key", {"action": "made"}))
    with freeze_time("2027-03-01 00:00:30"):
        assert write_when_due(nightly) is None  # the record has only begun
        write_next(nightly, SYSTEM, settings.home / "write-back")
    for instant, number in (
        ("2027-03-01 20:29:59", None),  # 04:29:59
        ("2027-03-01 20:30:00", 2),
        ("2027-03-01 21:00:00", None),
        ("2027-03-05 03:00:00", 3),  # after days of rest: one file for all
        ("2027-03-05 04:00:00", None),
    ):
        with freeze_time(instant):
            made = write_when_due(nightly)
            assert (made.number if made else None) == number
    with freeze_time("2027-03-09 00:00:00"):
        assert write_when_due(opener(database, keys, replace(settings, write_back=None))) is None


def test_only_who_imports_for_the_whole_firm_gets_it(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    for actor in (people.b01.advisor, people.b01.manager):
        with pytest.raises(Forbidden):
            write_next(open_work, actor, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_cells_can_not_run_as_formulas(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    correct(open_work, people, "address", "=HYPERLINK(1)路")
    [(_, _, new)] = changes(write_next(open_work, people.operator, tmp_path / "out"))
    assert not new.startswith("=")
