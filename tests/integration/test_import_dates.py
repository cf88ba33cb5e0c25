"""Importing dated facts: a file adds, a row that says so withdraws, and a job by the fact finds its clients."""

import csv
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import select, text

from outreach.composing.year import year_ahead
from outreach.core.errors import BadInput, Forbidden
from outreach.ledger.work import Opener
from outreach.people.dated_facts import DatesResult, import_dates, preview_dates
from outreach.people.importing.dated_facts import FactRow, parse_dates
from outreach.people.tables import client_date, import_run
from tests.support.builders import Firm, firm, make_client, publish_starter

HEADER = "客户号,事项,到期日,产品名称,撤销\n"
GOOD = (
    HEADER
    + "D001,product-maturity,2027-06-10,示例一号,\nD001,product-maturity,2027-06-10,示例二号,\n"
    + "D002,product-maturity,2027年7月1日,示例一号,否\n"
)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    with open_work() as work:
        make_client(work, found.b01, client_no="D001")
        make_client(work, found.b02, client_no="D002")
    return found


def file(folder: Path, content: str, encoding: str = "utf-8") -> Path:
    path = folder / "dates.csv"
    path.write_bytes(content.encode(encoding))
    return path


def stored(open_work: Opener) -> list[tuple[str, date, str]]:
    with open_work() as work:
        rows = work.conn.execute(
            select(client_date.c.kind, client_date.c.on_date, client_date.c.subject).order_by(
                client_date.c.on_date, client_date.c.subject
            )
        )
        return [(row.kind, row.on_date, row.subject) for row in rows]


def counts(done: DatesResult) -> tuple[int, int, int, int]:
    return done.new, done.withdrawn, done.unchanged, done.rejected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_file_adds_in_any_encoding(open_work: Opener, people: Firm, tmp_path: Path, encoding: str) -> None:
    done = import_dates(open_work, people.operator, file(tmp_path, GOOD, encoding))
    assert counts(done) == (3, 0, 0, 0)
    assert done.kinds == {"product-maturity": 3}
    assert done.rejects is None
    assert stored(open_work) == [
        ("product-maturity", date(2027, 6, 10), "示例一号"),
        ("product-maturity", date(2027, 6, 10), "示例二号"),
        ("product-maturity", date(2027, 7, 1), "示例一号"),
    ]


def test_a_workbook_is_read_alike(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["client_no", "kind", "date", "subject"])
    sheet.append(["D001", "product-maturity", date(2027, 6, 10), "示例一号"])
    book.save(tmp_path / "dates.xlsx")
    assert counts(import_dates(open_work, people.operator, tmp_path / "dates.xlsx")) == (1, 0, 0, 0)
    assert stored(open_work) == [("product-maturity", date(2027, 6, 10), "示例一号")]


def test_a_preview_stores_nothing_and_says_the_same(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    path = file(tmp_path, GOOD)
    preview = preview_dates(open_work, people.operator, path)
    assert counts(preview) == (3, 0, 0, 0)
    assert preview.import_id is None
    assert stored(open_work) == []
    assert counts(import_dates(open_work, people.operator, path)) == counts(preview)


def test_the_same_file_twice_changes_nothing(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    path = file(tmp_path, GOOD)
    import_dates(open_work, people.operator, path)
    before = stored(open_work)
    assert counts(import_dates(open_work, people.operator, path)) == (0, 0, 3, 0)
    assert stored(open_work) == before


def test_what_a_later_file_does_not_name_stays(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    import_dates(open_work, people.operator, file(tmp_path, GOOD))
    later = HEADER + "D001,product-maturity,2027-09-09,示例三号,\n"
    assert counts(import_dates(open_work, people.operator, file(tmp_path, later))) == (1, 0, 0, 0)
    assert len(stored(open_work)) == 4


def test_a_row_that_says_so_withdraws_and_only_that(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    import_dates(open_work, people.operator, file(tmp_path, GOOD))
    ending = (
        HEADER
        + "D001,product-maturity,2027-06-10,示例一号,是\nD001,product-maturity,2027-06-11,示例一号,是\n"
    )
    path = file(tmp_path, ending)
    assert counts(import_dates(open_work, people.operator, path)) == (0, 1, 1, 0)
    assert [subject for _, _, subject in stored(open_work)] == ["示例二号", "示例一号"]
    assert counts(import_dates(open_work, people.operator, path)) == (0, 0, 2, 0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("C404,product-maturity,2027-06-10,,", "no such client"),
        (",product-maturity,2027-06-10,,", "client number is missing"),
        ("1.38E+10,product-maturity,2027-06-10,,", ""),
        ("D001,,2027-06-10,,", "kind is missing"),
        ("D001,产品到期,2027-06-10,,", "kind is missing"),
        ("D001,product-maturity,,,", "can't be read"),
        ("D001,product-maturity,soon,,", "can't be read"),
        ("D001,product-maturity,03/04/2027,,", "can't be read"),
        ("D001,product-maturity,2027-02-30,,", "can't be read"),
        ("D001,product-maturity,9999-12-31,,", "can't be read"),
        (f"D001,product-maturity,2027-06-10,{'长' * 61},", "more than 60"),
        ("D001,product-maturity,2027-06-10,=cmd|' /C calc'!A0,", "formula"),
        ("D001,product-maturity,2027-06-10,示例一号,也许", "withdrawn"),
        ("D001,product-maturity,2027-06-10,示例一号,,多", "cells"),
    ],
)
def test_a_row_that_can_not_be_taken_is_told_and_the_rest_goes_on(
    open_work: Opener, people: Firm, tmp_path: Path, line: str, words: str
) -> None:
    done = import_dates(open_work, people.operator, file(tmp_path, GOOD + line + "\n"))
    assert counts(done) == (3, 0, 0, 1)
    assert done.rejects is not None
    with done.rejects.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows[1][0] == "5"
    assert any(words in one.message("en") for one in done.findings)
    assert all(one.message("zh-CN") and one.mend("zh-CN") for one in done.findings)


def test_two_rows_that_contradict_are_not_guessed(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    row = "D001,product-maturity,2027-06-10,示例一号,"
    done = import_dates(open_work, people.operator, file(tmp_path, f"{HEADER}{row}\n{row}\n{row}是\n"))
    assert (done.new, done.duplicates, done.rejected) == (1, 1, 1)
    assert "the opposite" in done.findings[-1].message("en")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        (HEADER, "no rows"),
        ("客户号,到期日\nD001,2027-06-10\n", "no column"),
        ("客户号,事项,到期日,天气\nD001,a,2027-06-10,x\n", "Unknown column"),
        ("客户号,事项,到期日,到期日期\nD001,a,2027-06-10,2027-06-10\n", "Two columns"),
    ],
)
def test_a_file_that_is_none_stores_nothing(
    open_work: Opener, people: Firm, tmp_path: Path, content: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        import_dates(open_work, people.operator, file(tmp_path, content))
    with open_work() as work:
        assert work.conn.execute(select(import_run.c.id)).first() is None


def test_a_kind_that_no_job_goes_by_is_taken_with_a_warning(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    publish_starter(open_work, people)
    done = import_dates(
        open_work, people.operator, file(tmp_path, HEADER + "D001,product-maturty,2027-06-10,示例一号,\n")
    )
    assert counts(done) == (1, 0, 0, 0)
    assert [one.code for one in done.findings] == ["fact_kind_unused"]
    assert not import_dates(open_work, people.operator, file(tmp_path, GOOD)).findings


def test_the_job_by_that_fact_counts_them(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    publish_starter(open_work, people)
    import_dates(open_work, people.operator, file(tmp_path, GOOD))
    with open_work(people.head_office) as work:
        line = next(one for one in year_ahead(work, 2027).lines if one.job == "product-maturity")
    assert {one.month: one.count for one in line.months if one.count} == {6: 2}


def test_a_branch_imports_for_its_own_clients_only(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    path = file(tmp_path, GOOD)
    done = import_dates(open_work, people.b01.manager, path)
    assert counts(done) == (2, 0, 0, 1)
    assert [one.code for one in done.findings] == ["client_unknown"]
    ending = file(tmp_path, GOOD.replace("否", "是").replace("示例一号,\n", "示例一号,是\n"))
    assert counts(import_dates(open_work, people.b02.manager, ending)) == (0, 0, 1, 2)
    assert len(stored(open_work)) == 2


def test_who_may_not_import(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    for act in (preview_dates, import_dates):
        with pytest.raises(Forbidden):
            act(open_work, people.compliance, file(tmp_path, GOOD))
    assert stored(open_work) == []


def test_the_ledger_has_the_import_without_a_client(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    done = import_dates(open_work, people.operator, file(tmp_path, GOOD))
    with open_work() as work:
        said = work.conn.execute(
            text("SELECT convert_from(envelope, 'UTF8') FROM ledger_entry WHERE kind = 'import'")
        ).scalar_one()
        run = work.conn.execute(select(import_run)).one()
    assert str(done.import_id) in said
    assert '"object":"dates"' in said
    assert "D001" not in said
    assert (run.kind, run.counts["new"]) == ("dates", 3)


def test_every_row_of_a_long_file_is_read(tmp_path: Path) -> None:
    path = file(
        tmp_path, HEADER + "".join(f"D{n:05d},product-maturity,2027-06-10,一号,\n" for n in range(10_000))
    )
    assert sum(isinstance(one, FactRow) for one in parse_dates(path)) == 10_000
