"""The archive's pages: an export fetched as one file, and the check of the record."""

import io
import zipfile

import pytest

from outreach.ledger.work import Opener
from tests.support.archive_rows import Institution, institution
from tests.support.pages import Reader, SignIn


@pytest.fixture
def there(open_work: Opener) -> Institution:
    return institution(open_work)


def _settled(reader: Reader, path: str) -> str:
    for _ in range(60):
        said = reader.read(path)
        if "Writing the export" not in said and "Computing every hash" not in said:
            return said
    raise AssertionError(said)


def test_an_export_is_fetched_as_one_file(there: Institution, sign_in: SignIn) -> None:
    reader = sign_in(there.firm.compliance)
    answer = reader.post("/archive/export", what="client", client_no=there.client_no)
    said = _settled(reader, answer.headers["location"])
    assert "The export is whole and signed." in said
    page = reader.get("/archive").text
    link = page.partition('href="/archive/')[2].partition('"')[0]
    with zipfile.ZipFile(io.BytesIO(reader.get(f"/archive/{link}").content)) as bag:
        assert bag.testzip() is None
        names = bag.namelist()
    assert any(name.endswith("/VERIFY.txt") for name in names)
    assert any(name.endswith(".tagmanifest.sig") for name in names)
    assert not any(name.startswith("/") or ".." in name for name in names)


def test_what_cannot_be_exported_is_said(there: Institution, sign_in: SignIn) -> None:
    reader = sign_in(there.firm.compliance)
    answer = reader.post("/archive/export", what="client", client_no="NOBODY")
    assert "There is no client NOBODY" in _settled(reader, answer.headers["location"])
    assert reader.post("/archive/export", first="2026-13-01", last="x").status_code == 400
    backwards = reader.post("/archive/export", first="2026-02-02", last="2026-01-01")
    assert "The period has no length." in _settled(reader, backwards.headers["location"])


def test_the_record_is_checked_and_a_change_is_found(
    open_work: Opener, there: Institution, sign_in: SignIn
) -> None:
    reader = sign_in(there.firm.operator)
    said = _settled(reader, reader.post("/archive/verify").headers["location"])
    assert "Everything holds" in said
    assert reader.post("/archive/export", what="client", client_no=there.client_no).status_code == 403


def test_somebody_elses_work_is_not_shown(there: Institution, sign_in: SignIn) -> None:
    place = sign_in(there.firm.operator).post("/archive/verify").headers["location"]
    assert sign_in(there.firm.compliance).get(place).status_code == 404
