"""Importing clients and holdings: a preview that stores nothing, then one transaction; twice changes nothing."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import func, select

from outreach.core.access import SYSTEM, Role
from outreach.core.errors import BadInput, Forbidden
from outreach.ledger.work import Opener
from outreach.people.apply import apply_import, preview_import
from outreach.people.holdings import import_holdings, preview_holdings
from outreach.people.staff import NewBranch, NewStaff, actor_for, add_branch, add_staff
from outreach.people.tables import client, consent, contact_point, holding, import_finding, import_run

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
FILES = ("clients_gb18030.csv", "clients_utf8_bom.csv", "clients_english_headers.csv")
EXPECTED = [
    json.loads(line) for line in (SAMPLES / "clients_expected.jsonl").read_text(encoding="utf-8").splitlines()
]
DAY = "2026-11-23T02:00:00Z"


@pytest.fixture
def branches(open_work: Opener) -> None:
    with open_work() as work:
        for code, name in (("SH01", "上海浦东营业部"), ("BJ01", "北京建国路营业部")):
            branch_id = add_branch(work, NewBranch(code=code, name=name, name_en=code))
            numbers = ("A001", "A002") if code == "SH01" else ("A003",)
            for number in numbers:
                add_staff(work, NewStaff(staff_no=number, name=number, roles=[(Role.ADVISOR, branch_id)]))


def stored(open_work: Opener) -> dict[str, Any]:
    with open_work() as work:
        mobiles = {
            row.client_id: row.address
            for row in work.conn.execute(select(contact_point).where(contact_point.c.channel == "sms"))
        }
        mails = set(
            work.conn.execute(
                select(contact_point.c.client_id).where(contact_point.c.channel == "email")
            ).scalars()
        )
        out = set(
            work.conn.execute(select(consent.c.client_id).where(consent.c.state == "opted_out")).scalars()
        )
        return {
            row.client_no: (row, mobiles.get(row.id), row.id in mails, row.id in out)
            for row in work.conn.execute(select(client))
        }


@freeze_time(DAY)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("branches")
def test_every_sample_row_is_stored_as_expected(open_work: Opener, name: str) -> None:
    result = apply_import(open_work, SYSTEM, SAMPLES / name)
    found = stored(open_work)
    with open_work() as work:
        warned = set(
            work.conn.execute(
                select(import_finding.c.row_number).where(import_finding.c.severity == "warning")
            ).scalars()
        )
    taken = 0
    for wanted in EXPECTED:
        number, outcome = wanted["client_no"], wanted["outcome"]
        if outcome in {"reject", "duplicate"}:
            continue
        taken += 1
        row, mobile, has_mail, opted_out = found[number]
        if "mobile" in wanted:
            assert mobile == wanted["mobile"], wanted
        if "birth_date" in wanted:
            birth = wanted["birth_date"]
            assert row.birth_date == (date.fromisoformat(birth) if birth else None), wanted
        if "lunar_birthday" in wanted:
            assert [row.lunar_month, row.lunar_day, row.lunar_leap] == wanted["lunar_birthday"]
        if "name" in wanted:
            assert row.name == wanted["name"]
        if "risk" in wanted:
            assert f"C{row.risk_class}" == wanted["risk"]
        if "email" in wanted:
            assert not has_mail
        if "id_expiry" in wanted:
            assert row.id_expiry is None
        if "id_no" in wanted:
            assert row.id_no is None
        assert opted_out == wanted.get("opt_out", False)
        assert (wanted["row"] in warned) >= (outcome == "accept_with_warning"), wanted
    assert found["C0100070"][0].deceased
    assert found["C0100071"][0].status == "closed"
    assert found["C0100072"][0].test
    assert found["C0100085"][0].advisor_id is None
    assert found["C0100086"][0].opened_on == date(2023, 3, 15)
    assert found["C0100090"][0].kind == "company"
    assert len(found) == taken == result.preview.new
    assert (result.preview.rows, result.preview.rejected, result.preview.duplicates) == (92, 1, 1)


@freeze_time(DAY)
@pytest.mark.usefixtures("branches")
def test_the_preview_stores_nothing_and_says_what_it_found(open_work: Opener) -> None:
    preview = preview_import(open_work, SYSTEM, SAMPLES / FILES[0])
    assert (preview.rows, preview.new, preview.changed, preview.unchanged) == (92, 90, 0, 0)
    assert preview.encoding == "gb18030"
    assert preview.birthdays_today >= 1  # C0100088 was born on 23 November
    assert preview.suppressed == {"deceased": 1, "closed": 1, "test": 1, "minor": 1}
    with open_work() as work:
        for table in (client, contact_point, consent, import_run, import_finding):
            assert work.conn.execute(select(func.count()).select_from(table)).scalar_one() == 0


@freeze_time(DAY)
@pytest.mark.usefixtures("branches")
def test_the_same_file_twice_changes_nothing_in_whatever_encoding(open_work: Opener) -> None:
    apply_import(open_work, SYSTEM, SAMPLES / FILES[0])
    before = stored(open_work)
    for name in FILES:
        again = apply_import(open_work, SYSTEM, SAMPLES / name).preview
        assert (again.new, again.changed, again.unchanged) == (0, 0, 90)
    assert stored(open_work) == before


@freeze_time(DAY)
@pytest.mark.usefixtures("branches")
def test_a_changed_file_shows_what_changed_and_keeps_what_it_can_not_read(
    open_work: Opener, tmp_path: Path
) -> None:
    apply_import(open_work, SYSTEM, SAMPLES / FILES[1])
    text = (SAMPLES / FILES[1]).read_text(encoding="utf-8-sig")
    changed = tmp_path / "next.csv"
    changed.write_text(
        text.replace("18628179657", "1.86E+10")
        .replace("13999821838", "13999821839")
        .replace("普通,C4,2025-03-01", "VIP,C4,2025-03-01"),
        encoding="utf-8",
    )
    preview = preview_import(open_work, SYSTEM, changed)
    assert preview.changed == 2
    assert ("C0100001", "tier", "ordinary", "vip") in {
        (one.client_no, one.column, one.before, one.after) for one in preview.changes
    }
    apply_import(open_work, SYSTEM, changed)
    with open_work() as work:
        rows = work.conn.execute(
            select(client.c.client_no, contact_point.c.address, contact_point.c.active)
            .join(contact_point, contact_point.c.client_id == client.c.id)
            .where(client.c.client_no.in_(["C0100001", "C0100004"]), contact_point.c.channel == "sms")
        ).all()
    assert {tuple(row) for row in rows} == {
        ("C0100001", "+8618628179657", True),  # 1.86E+10 can't be read, so what was known stays
        ("C0100004", "+8613999821838", False),
        ("C0100004", "+8613999821839", True),
    }


@freeze_time(DAY)
@pytest.mark.usefixtures("branches")
def test_p8_what_is_refused_is_written_with_row_column_reason_and_mend(open_work: Opener) -> None:
    result = apply_import(open_work, SYSTEM, SAMPLES / FILES[1])
    assert result.rejects is not None
    with result.rejects.open(encoding="utf-8-sig", newline="") as handle:
        lines = list(csv.DictReader(handle))
    refused = next(line for line in lines if line["行"] == "84")
    assert refused["列"] == "客户号"
    assert refused["原因"]
    assert refused["处理方法"]
    assert all(not value.startswith(("=", "+", "-", "@")) for line in lines for value in line.values())
    assert result.rejects.stat().st_mode & 0o077 == 0


@freeze_time(DAY)
def test_rows_of_another_branch_are_refused_and_told(open_work: Opener) -> None:
    with open_work() as work:
        mine = add_branch(work, NewBranch(code="SH01", name="上海浦东营业部", name_en="Pudong"))
        add_branch(work, NewBranch(code="BJ01", name="北京建国路营业部", name_en="Jianguo"))
        staff_id = add_staff(work, NewStaff(staff_no="M1", name="经理", roles=[(Role.MANAGER, mine)]))
        advisor_id = add_staff(work, NewStaff(staff_no="A1", name="顾问", roles=[(Role.ADVISOR, mine)]))
        manager = actor_for(work.conn, staff_id, date(2026, 11, 23))
        advisor = actor_for(work.conn, advisor_id, date(2026, 11, 23))
    preview = apply_import(open_work, manager, SAMPLES / FILES[2]).preview
    assert preview.new + preview.rejected + preview.duplicates == 92
    assert preview.new < 60
    assert {finding.code for finding in preview.findings} >= {"branch_foreign", "client_no_missing"}
    with pytest.raises(Forbidden):
        preview_import(open_work, advisor, SAMPLES / FILES[2])


@pytest.mark.usefixtures("branches")
def test_an_import_that_fails_half_way_stores_nothing(open_work: Opener, tmp_path: Path) -> None:
    blocked = tmp_path / "imports"
    with open_work() as work:
        home = work.settings.home
    home.mkdir(parents=True)
    blocked.write_text("a file where the folder of refused rows should be", encoding="utf-8")
    (home / "imports").symlink_to(blocked)
    with pytest.raises((OSError, BadInput)):
        apply_import(open_work, SYSTEM, SAMPLES / FILES[0])
    assert stored(open_work) == {}


@freeze_time(DAY)
@pytest.mark.usefixtures("branches")
def test_holdings_follow_the_latest_date_and_unknown_clients_are_told(
    open_work: Opener, tmp_path: Path
) -> None:
    apply_import(open_work, SYSTEM, SAMPLES / FILES[0])
    file = tmp_path / "holdings.csv"
    file.write_text(
        "client_no,code,quantity,date\nC0100001,600000.SH,100,2026-11-20\nC0100001,600000.SH,300,2026-11-22\n"
        "C0100002,300750,50,2026-11-22\nC9999999,600000.SH,5,2026-11-22\n",
        encoding="utf-8",
    )
    assert preview_holdings(open_work, SYSTEM, file).new == 2
    done = import_holdings(open_work, SYSTEM, file)
    assert (done.new, done.rejected) == (2, 1)
    assert done.rejects is not None
    again = import_holdings(open_work, SYSTEM, file)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)
    with open_work() as work:
        held = work.conn.execute(select(holding.c.code, holding.c.quantity).order_by(holding.c.code)).all()
    assert [tuple(row) for row in held] == [("300750.SZ", 50), ("600000.SH", 300)]
