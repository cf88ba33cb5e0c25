"""A client file handed in on a page: read first, stored only when applied, refused rows with their mend."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from tests.support.builders import Firm, firm, make_client
from tests.support.pages import Reader, SignIn

SAMPLES = Path(__file__).parents[1] / "samples"
HEADER = "客户号,客户姓名,手机,风险等级,测评日期,客户级别,营业部,出生日期\n"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return firm(open_work)


def _file(content: str, name: str = "客户.csv") -> dict[str, tuple[str, bytes, str]]:
    return {"file": (name, content.encode("utf-8-sig"), "text/csv")}


def _row(number: int, name: str = "王小明", branch: str = "B01") -> str:
    return f"C{number:03d},{name},1470000{number:04d},C3,2026-01-05,VIP,{branch},1980-05-06\n"


def _clients(open_work: Opener) -> int:
    with open_work() as work:
        return int(work.conn.execute(text("SELECT count(*) FROM client")).scalar_one())


def _settled(reader: Reader, path: str) -> str:
    """The page once the work in the background has ended."""
    for _ in range(60):
        said = reader.read(path)
        if "Reading the file" not in said and "Importing …" not in said:
            return said
    raise AssertionError(said)


def test_a_preview_stores_nothing_and_says_what_it_found(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    reader = sign_in(people.operator)
    answer = reader.post("/import", _file(HEADER + _row(1) + _row(2) + ",无号,,C3,,,B01,\n"))
    assert answer.status_code == 303
    said = _settled(reader, answer.headers["location"])
    assert "1 row refused" in said
    assert "2 VIP and core clients without an advisor" in said
    assert "The client number is missing." in said
    assert "Import 2 rows" in said
    assert _clients(open_work) == 0


def test_applying_stores_once_and_hands_out_the_refused_rows(
    open_work: Opener, settings: Settings, people: Firm, sign_in: SignIn
) -> None:
    reader = sign_in(people.operator)
    place = reader.post("/import", _file(HEADER + _row(1) + ",无号,,C3,,,B01,\n")).headers["location"]
    _settled(reader, place)
    assert reader.post(f"{place}/apply").status_code == 303
    assert reader.post(f"{place}/apply").status_code == 303  # a second click changes nothing
    assert "Imported, in one transaction" in _settled(reader, place)
    assert _clients(open_work) == 1
    link = re.search(r'href="(/imports/[^"]+/rejected.csv)"', reader.get(place).text)
    assert link is not None
    assert "客户号" in reader.get(link[1]).text
    assert not list((settings.home / "uploads").iterdir())
    other = sign_in(people.b01.manager)
    assert other.get(link[1]).status_code == 404


def test_a_changed_file_shows_what_changes(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.operator)
    place = reader.post("/import", _file(HEADER + _row(1))).headers["location"]
    _settled(reader, place)
    reader.post(f"{place}/apply")
    _settled(reader, place)
    again = reader.post("/import", _file(HEADER + _row(1, "王大明"))).headers["location"]
    said = _settled(reader, again)
    assert "王小明" in said
    assert "王大明" in said


def test_a_file_is_its_owners_alone(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.operator)
    place = reader.post("/import", _file(HEADER + _row(1))).headers["location"]
    other = sign_in(people.b01.manager)
    assert other.get(place).status_code == 404
    assert other.post(f"{place}/apply").status_code == 404


def test_a_file_that_cannot_be_read_says_so(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.operator)
    place = reader.post("/import", _file("a,b\n1,2\n")).headers["location"]
    said = _settled(reader, place)
    assert "Unknown columns" in said
    assert "Nothing was stored." in said


def test_no_file_no_kind_no_token(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.operator)
    assert reader.post("/import").status_code == 400
    assert reader.post("/import", {"file": ("", b"", "text/csv")}).status_code == 400
    assert reader.post("/import", _file("x"), kind="staff").status_code == 400
    forged = Reader(reader.client, "another")
    assert forged.post("/import", _file(HEADER)).status_code == 403
    assert "No file was chosen." in reader.post("/import").text


def test_a_file_name_never_leaves_its_folder(settings: Settings, people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.operator)
    for name in ("../../evil.csv", "..\\evil.csv", "owner.json", "a\x00b.csv"):
        assert reader.post("/import", _file(HEADER + _row(1), name)).status_code == 303
    kept = {
        path.relative_to(settings.home / "uploads").parts
        for path in (settings.home / "uploads").rglob("*.csv")
    }
    assert all(len(parts) == 2 for parts in kept)


def test_holdings_likewise(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    with open_work() as work:
        make_client(work, people.b01, client_no="H001")
    reader = sign_in(people.operator)
    content = "client_no,code,quantity,date\nH001,600000.SH,100,2026-01-05\nNOBODY,600000.SH,5,2026-01-05\n"
    place = reader.post("/import", _file(content, "h.csv"), kind="holdings").headers["location"]
    said = _settled(reader, place)
    assert "Refused 1" in said
    assert "NOBODY" in said
    reader.post(f"{place}/apply")
    _settled(reader, place)
    with open_work() as work:
        assert work.conn.execute(text("SELECT count(*) FROM holding")).scalar_one() == 1


@pytest.mark.parametrize(
    "name", ["clients_gb18030.csv", "clients_utf8_bom.csv", "clients_english_headers.csv"]
)
def test_the_sample_files(people: Firm, sign_in: SignIn, name: str) -> None:
    reader = sign_in(people.b01.manager)
    files = {"file": (name, (SAMPLES / name).read_bytes(), "text/csv")}
    said = _settled(reader, reader.post("/import", files).headers["location"])
    assert "Rows 92" in said


def test_dated_facts_likewise(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    with open_work() as work:
        make_client(work, people.b01, client_no="D001")
    content = (
        "client_no,kind,date,subject,withdrawn\nD001,product-maturity,2027-06-10,一号,\nD001,x y,soon,,\n"
    )
    reader = sign_in(people.operator)
    assert "Dated facts" in reader.read("/import")
    place = reader.post("/import", _file(content, "d.csv"), kind="dates").headers["location"]
    said = _settled(reader, place)
    assert "product-maturity 1" in said
    assert "Withdrawn" in said
    assert "The kind is missing" in said
    assert reader.post(f"{place}/apply").status_code == 303
    said = _settled(reader, place)
    assert "Imported, in one transaction" in said
    rejected = re.search(r"/imports/[0-9a-f-]+/rejected\.csv", reader.get(place).text)
    assert rejected is not None
    assert "x y" in reader.get(rejected[0]).text
    assert "Dated facts" in reader.read("/import")
    with open_work() as work:
        assert work.conn.execute(text("SELECT count(*) FROM client_date")).scalar_one() == 1
