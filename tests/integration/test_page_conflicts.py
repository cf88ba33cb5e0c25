"""Putting a client's file right on a page, and deciding what the night's file says otherwise."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from outreach.ledger.work import Opener
from outreach.people.apply import apply_import
from outreach.people.importing import texts
from outreach.people.tables import client, client_correction
from tests.support.builders import Firm, firm
from tests.support.pages import Reader, SignIn

HEADER = "client_no,name,mobile,gender,branch,advisor_id,opt_out\n"


@pytest.fixture
def people(open_work: Opener, tmp_path: Path) -> Firm:
    found = firm(open_work)
    night(open_work, found, tmp_path)
    return found


def night(open_work: Opener, people: Firm, folder: Path, mobile: str = "14700000001", wish: str = "") -> Path:
    path = folder / f"{mobile}{wish}.csv"
    rows = (
        f"C001,王小明,{mobile},男,B01,B01-A1,{wish}\n",
        f"C002,李大,{mobile[:-1]}9,男,B01,B01-A2,\n",
        f"C003,赵远,{mobile[:-1]}8,男,B02,B02-A1,\n",
    )
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    apply_import(open_work, people.operator, path)
    return path


def ids(open_work: Opener) -> dict[str, UUID]:
    with open_work() as work:
        return {row.client_no: row.id for row in work.conn.execute(select(client.c.client_no, client.c.id))}


def ticks(reader: Reader) -> list[str]:
    return re.findall(r'name="conflict" value="([^"]+)"', reader.get("/conflicts").text)


def test_a_field_is_put_right_on_the_clients_page(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    place = f"/clients/{ids(open_work)['C001']}"
    advisor = sign_in(people.b01.advisor)
    said = advisor.after(f"{place}/correct", field="mobile", value="147 0000 0002", note="本人来电")
    assert "Put right, and recorded." in said
    assert "+8614700000002" in said
    assert "the file says: +8614700000001" in said
    assert "本人来电" in said
    assert "That is what stands already." in advisor.after(
        f"{place}/correct", field="mobile", value="14700000002"
    )
    # compliance reads the file, and sees no address in full
    said = sign_in(people.compliance).read(place)
    assert "14700000002" not in said
    assert "Put something right" not in said


def test_what_can_not_be_read_is_told_beside_what_was_written(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    place = f"/clients/{ids(open_work)['C001']}"
    advisor = sign_in(people.b01.advisor, "zh-CN")
    answer = advisor.post(f"{place}/correct", field="mobile", value="1.47E+10", note="短信回复")
    assert answer.status_code == 400
    assert 'value="1.47E+10"' in answer.text
    assert 'value="短信回复"' in answer.text
    assert texts.message("not_guessed") in answer.text
    assert advisor.post(f"{place}/correct", field="risk_level", value="C5").status_code == 400
    forged = Reader(advisor.client, "another")
    assert forged.post(f"{place}/correct", field="gender", value="女").status_code == 403
    assert sign_in(people.b02.manager).post(f"{place}/correct", field="gender", value="女").status_code == 404
    assert sign_in(people.compliance).post(f"{place}/correct", field="gender", value="女").status_code == 403
    with open_work() as work:
        assert work.conn.execute(select(client_correction)).all() == []


@pytest.fixture
def disputed(open_work: Opener, people: Firm, sign_in: SignIn, tmp_path: Path) -> Firm:
    for number, mine in (
        ("C001", people.b01.advisor),
        ("C002", people.b01.advisors[1]),
        ("C003", people.b02.advisor),
    ):
        place = f"/clients/{ids(open_work)[number]}/correct"
        sign_in(mine).post(place, field="mobile", value=f"1470000002{number[-1]}")
    night(open_work, people, tmp_path, "14700000031")
    return people


def test_conflicts_are_decided_by_ticking(open_work: Opener, disputed: Firm, sign_in: SignIn) -> None:
    manager = sign_in(disputed.b01.manager)
    said = manager.read("/conflicts")
    assert "+8614700000021" in said
    assert "+8614700000031" in said
    assert "赵远" not in said
    assert "Conflicts with the client file 2" in manager.read("/clients")
    first, second = ticks(manager)
    assert "Ours was kept: 1." in manager.after("/conflicts", act="keep", conflict=first)
    assert len(ticks(manager)) == 1
    assert manager.post("/conflicts", act="keep", conflict=first).status_code == 409
    assert "The file's value was taken: 1." in manager.after("/conflicts", act="take", conflict=second)
    assert "Nothing is in conflict." in manager.read("/conflicts")


def test_conflicts_within_the_walls(disputed: Firm, sign_in: SignIn) -> None:
    theirs = ticks(sign_in(disputed.b02.manager))
    assert len(theirs) == 1
    manager = sign_in(disputed.b01.manager)
    assert manager.post("/conflicts", act="take", conflict=theirs[0]).status_code == 404
    assert manager.post("/conflicts", act="take").status_code == 400
    assert manager.post("/conflicts", act="burn", conflict=theirs[0]).status_code == 400
    assert Reader(manager.client, "x").post("/conflicts", act="take").status_code == 403
    compliance = sign_in(disputed.compliance)
    said = compliance.read(f"/conflicts?branch={disputed.b02.id}")
    assert "赵远" in said
    assert "王小明" not in said
    assert "+8614700000" not in said
    assert "Keep ours" not in said
    assert compliance.get("/conflicts?branch=nowhere").status_code == 400
    assert compliance.get("/conflicts?after=nowhere").status_code == 400
    assert sign_in(disputed.operator).get("/conflicts").status_code == 403


def test_a_preview_shows_conflicts_beforehand(
    open_work: Opener, disputed: Firm, sign_in: SignIn, tmp_path: Path
) -> None:
    operator = sign_in(disputed.operator)
    rows = "C001,王小明,14700000041,男,B01,B01-A1,\n"
    files = {"file": ("n.csv", (HEADER + rows).encode(), "text/csv")}
    place = operator.post("/import", files).headers["location"]
    said = operator.read(place)
    for _ in range(60):
        if "Reading the file" not in said:
            break
        said = operator.read(place)
    assert "In conflict with what was put right here (1)" in said
    assert "+86···0041" in said
    assert "14700000041" not in said
