"""What a person put right in a client's file, and the night's file that says otherwise."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound
from outreach.core.events import ContactChanged, listening
from outreach.ledger.append import unseal_bytes
from outreach.ledger.work import Opener, Work
from outreach.people.apply import ImportResult, apply_import, preview_import
from outreach.people.conflicts import (
    conflicts_by_branch,
    decide_conflict,
    decide_conflicts,
    list_conflicts,
)
from outreach.people.consent import opt_in
from outreach.people.corrections import correct_client, corrections_of
from outreach.people.tables import client, client_correction, consent, contact_point, import_conflict
from tests.support.builders import Firm, firm, make_client

HEADER = (
    "client_no,name,mobile,email,address,postcode,gender,language,channel,birth_date,lunar_birthday,branch,"
    "advisor_id,opt_out\n"
)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return firm(open_work)


def row(number: str = "C001", **cells: str) -> str:
    said = {
        "mobile": "14700000001",
        "email": "one@example.net",
        "address": "示例路 1 号",
        "postcode": "100000",
        "gender": "女",
        "language": "zh-CN",
        "channel": "短信",
        "birth_date": "1980-05-06",
        "lunar_birthday": "",
        "branch": "B01",
        "advisor_id": "B01-A1",
        "opt_out": "",
        **cells,
    }
    name = said.pop("name", "王小明")
    return ",".join([number, name, *said.values()]) + "\n"


class Nightly:
    """The client system's file, night by night."""

    def __init__(self, open_work: Opener, people: Firm, folder: Path) -> None:
        self.open_work, self.people, self.folder = open_work, people, folder
        self.night = 0

    def file(self, *rows: str) -> Path:
        self.night += 1
        path = self.folder / f"night{self.night}.csv"
        path.write_text(HEADER + "".join(rows), encoding="utf-8")
        return path

    def comes(self, *rows: str) -> ImportResult:
        return apply_import(self.open_work, self.people.operator, self.file(*rows))


@pytest.fixture
def nightly(open_work: Opener, people: Firm, tmp_path: Path) -> Nightly:
    return Nightly(open_work, people, tmp_path)


def client_id(work: Work, number: str = "C001") -> UUID:
    return work.conn.execute(select(client.c.id).where(client.c.client_no == number)).scalar_one()


def active(work: Work, number: str = "C001", channel: str = "sms") -> list[str]:
    return list(
        work.conn.execute(
            select(contact_point.c.address).where(
                contact_point.c.client_id == client_id(work, number),
                contact_point.c.channel == channel,
                contact_point.c.active,
            )
        ).scalars()
    )


def correct(open_work: Opener, people: Firm, field: str, value: str, note: str = "") -> bool:
    with open_work(people.b01.advisor) as work:
        return correct_client(work, client_id(work), field, value, note)


def everything(open_work: Opener) -> Any:
    with open_work() as work:
        return (
            work.conn.execute(select(client).order_by(client.c.client_no)).all(),
            work.conn.execute(select(contact_point).order_by(contact_point.c.id)).all(),
            work.conn.execute(select(client_correction)).all(),
            work.conn.execute(select(import_conflict)).all(),
            work.conn.execute(select(consent)).all(),
        )


@pytest.mark.parametrize(
    ("field", "written", "column", "stored"),
    [
        ("gender", "男", "gender", "male"),
        ("language", "en", "language", "en"),
        ("channel", "邮件", "channel_preference", "email"),
        ("address", " 示例路 2 号 ", "address", "示例路2 号"),
        ("postcode", "200000", "postcode", "200000"),
        ("time_zone", "Europe/London", "time_zone", "Europe/London"),
        ("tags", "高尔夫, 书法，书法", "tags", ["书法", "高尔夫"]),
        ("lunar_birthday", "闰六月初六", "lunar_month", 6),
        ("postcode", "", "postcode", None),
    ],
)
def test_a_field_is_put_right(
    open_work: Opener, people: Firm, nightly: Nightly, field: str, written: str, column: str, stored: Any
) -> None:
    nightly.comes(row())
    assert correct(open_work, people, field, written, "电话核实")
    assert not correct(open_work, people, field, written)
    with open_work(people.b01.manager) as work:
        found = work.conn.execute(select(client)).one()
        if column == "address":
            assert found.address.startswith("示例路")
        else:
            assert getattr(found, column) == stored
        (one,) = corrections_of(work, found.id)
        assert (one.field, one.by, one.note) == (field, "顾问1B01", "电话核实")


def test_a_new_mobile_takes_the_place_of_the_old_and_what_waits_is_checked_again(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row())
    heard: list[ContactChanged] = []
    with listening(ContactChanged, lambda work, event: heard.append(event)):
        correct(open_work, people, "mobile", "0086 147-0000-0002")
        correct(open_work, people, "gender", "男")
    assert [event.reason for event in heard] == ["correction"]
    with open_work() as work:
        assert active(work) == ["+8614700000002"]
    correct(open_work, people, "mobile", "")
    with open_work() as work:
        assert active(work) == []
    correct(open_work, people, "mobile", "14700000001")
    with open_work() as work:
        assert active(work) == ["+8614700000001"]
        # back to what the file says: nothing is left to defend
        assert work.conn.execute(select(client_correction.c.field)).scalars().all() == ["gender"]


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("mobile", "1.47E+10"),
        ("mobile", "010-65881234"),
        ("mobile", "14700000001 / 14700000002"),
        ("email", "nobody"),
        ("email", "=cmd|' /C calc'!A0"),
        ("gender", "?"),
        ("language", ""),
        ("language", "fr"),
        ("birth_date", "2999-01-01"),
        ("birth_date", "八月十五"),
        ("lunar_birthday", "十三月初一"),
        ("time_zone", "Mars/Olympus"),
        ("tags", "x" * 41),
        ("risk_level", "C5"),
        ("id_no", "1"),
    ],
)
def test_what_an_import_would_not_take_is_not_taken(
    open_work: Opener, people: Firm, nightly: Nightly, field: str, written: str
) -> None:
    nightly.comes(row())
    before = everything(open_work)
    with pytest.raises(BadInput) as told:
        correct(open_work, people, field, written)
    assert told.value.mend
    assert everything(open_work) == before


def test_a_company_has_no_birthday(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        company = make_client(work, people.b01, kind="company")
    with open_work(people.b01.advisor) as work, pytest.raises(BadInput):
        correct_client(work, company, "birth_date", "1980-01-01")


def test_only_who_cares_for_the_client_puts_it_right(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row())
    for actor, error in (
        (people.head_office, Forbidden),
        (people.compliance, Forbidden),
        (people.operator, NotFound),
        (people.b02.manager, NotFound),
        (people.b01.advisors[1], NotFound),  # another advisor's client
    ):
        with open_work(actor) as work, pytest.raises(error):
            correct_client(work, client_id(work), "gender", "男")
    with open_work() as work, pytest.raises(Forbidden):
        correct_client(work, client_id(work), "gender", "男")


def test_the_record_names_the_field_in_the_open_and_seals_the_values(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002", "本人来电")
    with open_work() as work:
        found = work.conn.execute(
            text("SELECT envelope, sealed_id FROM ledger_entry WHERE kind = 'correction'")
        ).one()
        said = json.loads(bytes(found.envelope))
        assert (said["object"], said["action"]) == ("mobile", "corrected")
        assert "1470000000" not in bytes(found.envelope).decode()
        assert json.loads(unseal_bytes(work, found.sealed_id)) == {
            "field": "mobile",
            "old": "+8614700000001",
            "new": "+8614700000002",
            "note": "本人来电",
        }


def test_a_file_that_repeats_what_it_said_changes_nothing(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002")
    correct(open_work, people, "birth_date", "1981-05-06")
    before = everything(open_work)
    assert nightly.comes(row()).preview.clashes.kept == 2
    assert everything(open_work) == before
    # another field changes: the row is stored, what was put right stands
    done = nightly.comes(row(postcode="200000"))
    assert (done.preview.changed, done.preview.clashes.conflicts) == (1, 0)
    with open_work() as work:
        found = work.conn.execute(select(client)).one()
        assert (found.postcode, found.birth_date.isoformat()) == ("200000", "1981-05-06")
        assert active(work) == ["+8614700000002"]
        assert work.conn.execute(select(import_conflict)).all() == []


def test_a_file_that_says_our_value_settles_it(open_work: Opener, people: Firm, nightly: Nightly) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002")
    done = nightly.comes(row(mobile="147 0000 0002"))
    assert done.preview.clashes.settled == 1
    with open_work() as work:
        assert work.conn.execute(select(client_correction)).all() == []
        assert active(work) == ["+8614700000002"]
        actions = [
            json.loads(bytes(one))["action"]
            for one in work.conn.execute(
                text("SELECT envelope FROM ledger_entry WHERE kind = 'correction' ORDER BY id")
            ).scalars()
        ]
        assert actions == ["corrected", "settled"]
    nightly.comes(row(mobile="14700000003"))
    with open_work() as work:
        assert active(work) == ["+8614700000003"]


def test_a_third_value_is_a_conflict_shown_beforehand_and_ours_stands(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row(), row("C002", mobile="14700000009"))
    correct(open_work, people, "mobile", "14700000002")
    correct(open_work, people, "lunar_birthday", "8-15")
    path = nightly.file(
        row(mobile="14700000003", lunar_birthday="八月十六", gender="男"), row("C002", mobile="14700000009")
    )
    preview = preview_import(open_work, people.operator, path)
    assert preview.clashes.conflicts == 2
    # the operator needs no addresses, and gets none
    assert [(one.client_no, one.field, one.ours, one.theirs) for one in preview.clashes.first] == [
        ("C001", "lunar_birthday", "8-15", "8-16"),
        ("C001", "mobile", "+86···0002", "+86···0003"),
    ]
    assert [change.column for change in preview.changes] == ["gender"]
    with open_work() as work:
        assert work.conn.execute(select(import_conflict)).all() == []
    apply_import(open_work, people.operator, path)
    before = everything(open_work)
    apply_import(open_work, people.operator, path)
    assert everything(open_work) == before
    with open_work(people.b01.manager) as work:
        lines = list_conflicts(work)
        assert {(one.field, one.ours, one.theirs, one.by) for one in lines} == {
            ("mobile", "+8614700000002", "+8614700000003", "顾问1B01"),
            ("lunar_birthday", "8-15", "8-16", "顾问1B01"),
        }
        assert conflicts_by_branch(work) == {people.b01.id: 2}
        assert active(work) == ["+8614700000002"]
    with open_work(people.compliance) as work:
        assert "+86···0002" in {one.ours for one in list_conflicts(work)}
    for actor in (people.b02.manager, people.b01.advisors[1]):
        with open_work(actor) as work:
            assert list_conflicts(work) == []


def test_a_conflict_follows_the_newest_file_and_goes_with_it(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002")
    nightly.comes(row(mobile="14700000003"))
    nightly.comes(row(mobile="14700000004"))
    with open_work(people.b01.manager) as work:
        (one,) = list_conflicts(work)
        assert one.theirs == "+8614700000004"
    nightly.comes(row())
    with open_work(people.b01.manager) as work:
        assert list_conflicts(work) == []
        states = work.conn.execute(select(import_conflict.c.state)).scalars().all()
        assert states == ["gone"]
        assert active(work) == ["+8614700000002"]


def test_ours_is_kept_and_not_asked_again_until_the_file_says_something_new(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002")
    nightly.comes(row(mobile="14700000003"))
    with open_work(people.b01.manager) as work:
        decide_conflict(work, list_conflicts(work)[0].id, take=False)
    nightly.comes(row(mobile="14700000003", postcode="300000"))
    with open_work(people.b01.manager) as work:
        assert list_conflicts(work) == []
        assert active(work) == ["+8614700000002"]
    nightly.comes(row(mobile="14700000005"))
    with open_work(people.b01.manager) as work:
        assert len(list_conflicts(work)) == 1


def test_theirs_is_taken(open_work: Opener, people: Firm, nightly: Nightly) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002")
    correct(open_work, people, "channel", "邮件")
    nightly.comes(row(mobile="14700000003", channel="信函"))
    heard: list[ContactChanged] = []
    with (
        listening(ContactChanged, lambda work, event: heard.append(event)),
        open_work(people.b01.manager) as work,
    ):
        assert decide_conflicts(work, [one.id for one in list_conflicts(work)], take=True) == 2
    assert len(heard) == 1
    with open_work() as work:
        assert active(work) == ["+8614700000003"]
        assert work.conn.execute(select(client.c.channel_preference)).scalar_one() == "letter"
        assert work.conn.execute(select(client_correction)).all() == []
    nightly.comes(row(mobile="14700000006", channel="信函"))
    with open_work() as work:
        assert active(work) == ["+8614700000006"]


def test_correcting_again_decides_the_conflict(open_work: Opener, people: Firm, nightly: Nightly) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002")
    nightly.comes(row(mobile="14700000003"))
    correct(open_work, people, "mobile", "14700000004")
    with open_work(people.b01.manager) as work:
        assert list_conflicts(work) == []
    assert nightly.comes(row(mobile="14700000003")).preview.clashes.kept == 1


def test_an_unread_cell_says_nothing(open_work: Opener, people: Firm, nightly: Nightly) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002")
    assert nightly.comes(row(mobile="1.47E+10")).preview.clashes.conflicts == 0
    with open_work() as work:
        assert active(work) == ["+8614700000002"]


def test_a_conflict_is_decided_once_and_within_the_walls(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row())
    correct(open_work, people, "mobile", "14700000002")
    nightly.comes(row(mobile="14700000003"))
    with open_work(people.b01.manager) as work:
        conflict_id = list_conflicts(work)[0].id
    before = everything(open_work)
    for actor, error in (
        (people.b02.manager, NotFound),
        (people.b01.advisors[1], NotFound),
        (people.operator, NotFound),
        (people.compliance, Forbidden),
        (people.head_office, Forbidden),
    ):
        with pytest.raises(error), open_work(actor) as work:
            decide_conflict(work, conflict_id, take=True)
    assert everything(open_work) == before
    with pytest.raises(BadInput), open_work(people.b01.manager) as work:
        decide_conflicts(work, [], take=True)
    with open_work(people.b01.manager) as work:
        decide_conflict(work, conflict_id, take=False)
    with pytest.raises(Conflict), open_work(people.b01.manager) as work:
        decide_conflict(work, conflict_id, take=True)


def test_p5_a_file_never_takes_an_opt_out_back(open_work: Opener, people: Firm, nightly: Nightly) -> None:
    nightly.comes(row(opt_out="是"))
    done = nightly.comes(row(opt_out="否"))
    assert done.preview.clashes.conflicts == 1
    with open_work(people.b01.manager) as work:
        assert work.conn.execute(select(consent.c.state)).scalars().all() == ["opted_out"]
        (one,) = list_conflicts(work)
        assert (one.field, one.ours, one.theirs) == ("opt_out", "True", "False")
        decide_conflict(work, one.id, take=False)
    nightly.comes(row(opt_out="否", postcode="1"))
    with open_work(people.b01.manager) as work:
        assert list_conflicts(work) == []
        assert work.conn.execute(select(consent.c.state)).scalars().all() == ["opted_out"]


def test_p5_a_person_may_take_the_files_word_and_answers_for_it(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row(opt_out="是"))
    nightly.comes(row(opt_out="否"))
    with open_work(people.b01.manager) as work:
        decide_conflict(work, list_conflicts(work)[0].id, take=True)
        found = work.conn.execute(select(consent)).one()
        assert (found.state, found.source) == ("opted_in", "page")
        actors = work.conn.execute(
            text(
                "SELECT convert_from(envelope, 'UTF8')::json ->> 'actor' FROM ledger_entry WHERE kind = 'consent'"
                " ORDER BY id DESC LIMIT 1"
            )
        ).scalar_one()
        assert actors == str(people.b01.manager.staff_id)


def test_p5_a_wish_that_comes_back_settles_the_question(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row(opt_out="是"))
    nightly.comes(row(opt_out="否"))
    nightly.comes(row(opt_out="是"))
    with open_work(people.b01.manager) as work:
        assert list_conflicts(work) == []
        opt_in(work, [client_id(work)], source="page")
    assert nightly.comes(row(opt_out="否", postcode="2")).preview.clashes.conflicts == 0


def test_a_branch_does_not_import_another_branchs_client(
    open_work: Opener, people: Firm, nightly: Nightly
) -> None:
    nightly.comes(row())
    path = nightly.file(
        row(branch="B02", advisor_id="B02-A1"), row("C002", branch="B02", advisor_id="B02-A1")
    )
    done = apply_import(open_work, people.b02.manager, path).preview
    assert (done.new, done.changed, done.rejected) == (1, 0, 1)
    assert "branch_foreign" in {one.code for one in done.findings}
    with open_work() as work:
        home = work.conn.execute(select(client.c.branch_id).where(client.c.client_no == "C001")).scalar_one()
    assert home == people.b01.id
