"""Whole files: encodings, delimiters, broken quotes, ragged rows, headers, workbooks, size."""

import csv
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from outreach.core.errors import BadInput
from outreach.people.importing.holdings import HoldingRow, parse_holdings
from outreach.people.importing.rows import (
    ClientRow,
    Duplicate,
    Parsed,
    Rejected,
    inspect_clients,
    parse_clients,
)

SAMPLES = Path(__file__).parent.parent / "samples"
TODAY = date(2026, 11, 23)
Row = TypeVar("Row")


def read(path: Path) -> list[Parsed]:
    return list(parse_clients(path, today=TODAY))


def file(tmp_path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = tmp_path / "clients.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def said(error: pytest.ExceptionInfo[BadInput]) -> str:
    assert error.value.mend
    return error.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_encodings_line_ends_and_delimiters(tmp_path: Path, encoding: str, end: str, delimiter: str) -> None:
    rows = [["客户号", "客户姓名", "备注"], ["C1", "䶮𬭸", "好"], ["C2", "张三", ""]]
    path = file(tmp_path, end.join(delimiter.join(row) for row in rows) + end, encoding)
    assert [row.name for row in read(path) if isinstance(row, ClientRow)] == ["䶮𬭸", "张三"]
    assert inspect_clients(path).facts.encoding == encoding


@pytest.mark.parametrize("line_end", ["\n", ""])
def test_the_last_line_may_lack_its_end(tmp_path: Path, line_end: str) -> None:
    assert len(read(file(tmp_path, f"client_no,name\nC1,A B{line_end}"))) == 1


def test_gb18030_characters_of_the_2022_edition(tmp_path: Path) -> None:
    path = file(tmp_path, "客户号,姓名\nC1,".encode("gb18030") + b"\xfe\x59\xfe\x51\n")
    row = read(path)[0]
    assert isinstance(row, ClientRow)
    assert row.name == "\u9fb4\U00020087"
    assert not row.warnings


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n\r\n", "empty"),
        (b"\x00" * 50, "empty"),
        (b"client_no,name\n", "no rows"),
        (b"client_no,name\r\n\r\n", "no rows"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 workbook", "old Excel"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\xef\xbb\xbf<html><table>", "web page"),
        (b"PK\x03\x04 nothing that follows", "not a sound Excel workbook"),
        ("client_no,name\nC1,A\n".encode("utf-16-le"), "UTF-16"),
        (b"client_no,name\nC1,\xff\xff\n", "at byte 18"),
        (b"\xef\xbb\xbfclient_no,name\nC1,\xd5\xc5\n", "byte 21"),
        (b"\xff\xfea\x00\x00\xd8b\x00", "UTF-16"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(BadInput) as error:
        read(file(tmp_path, content))
    assert words in said(error)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(BadInput, match="can't be read"):
            read(path)


def test_damaged_utf8_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    lines = ["client_no,name,address"] + [f"C{n},张三丰,北京市朝阳区建国路甲八十八号" for n in range(20)]
    damaged = "\n".join(lines).encode() + "\nC99,李四\n".encode("gb18030")
    with pytest.raises(BadInput, match="mixes encodings or is damaged: line 2"):
        read(file(tmp_path, damaged))


def test_short_names_that_are_utf8_by_chance_do_not_stop_a_gb18030_file(tmp_path: Path) -> None:
    # 联通 in GB18030 is four bytes that are valid UTF-8, the well-known accident.
    path = file(tmp_path, "客户号,姓名\nC1,联通\nC2,张三丰\n", "gb18030")
    assert [row.name for row in read(path) if isinstance(row, ClientRow)] == ["联通", "张三丰"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("client_no,name,mobil", "“mobil” (did you mean “mobile”?)"),
        ("客户号,姓名,手机号吗", "“手机号吗” (did you mean “手机号"),
        ("client_no,name,x", "“x”"),
        ("client_no,name,手机,mobile", "Two columns are mobile: “手机” and “mobile”"),
        ("client_no,name,name", "Two columns are name"),
        ("client_no,mobile", "客户姓名 (name)"),
        ("姓名,手机", "客户号 (client_no)"),
    ],
)
def test_a_header_that_does_not_match(tmp_path: Path, header: str, words: str) -> None:
    with pytest.raises(BadInput) as error:
        read(file(tmp_path, f"{header}\n1,2,3,4\n"))
    assert words in said(error)


@pytest.mark.parametrize(
    "header",
    [
        "客户编号,姓名,手机号码",
        " 客户号 ,客户姓名*,手 机",
        "CLIENT NO,Name,Mobile_Phone",
        "Customer ID,Full Name,cell",
        "客户号,姓名,手机（必填）",
        "ｃｌｉｅｎｔ＿ｎｏ,ｎａｍｅ,ｍｏｂｉｌｅ",
        '"客户号","姓名","手机"',
        "\ufeffclient_no,name,mobile",
    ],
)
def test_headers_as_systems_and_people_write_them(tmp_path: Path, header: str) -> None:
    row = read(file(tmp_path, f"{header}\nC1,张三,15400000123\n"))[0]
    assert isinstance(row, ClientRow)
    assert (row.client_no, row.name, row.mobile) == ("C1", "张三", "+8615400000123")


def test_columns_that_are_passed_over(tmp_path: Path) -> None:
    path = file(tmp_path, "序号,client_no,name,来源,\n1,C1,A B,网,\n2,C2,A C,网,x\n")
    rows = list(parse_clients(path, ignored_columns=["来源"], today=TODAY))
    assert [type(row) for row in rows] == [ClientRow, ClientRow]
    assert [finding.code for finding in rows[1].findings] == ["no_header"]


def outline(path: Path) -> list[tuple[int, str, str]]:
    return [
        (row.row, row.client_no, "" if isinstance(row, ClientRow) else row.findings[-1].code)
        for row in read(path)
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C1,A B,x\nC2,A C\nC3,A D,x\n", [(2, "C1", ""), (3, "", "cells_few"), (4, "C3", "")]),
        ("C1,A B,x,y\nC2,A C,x,,,\n", [(2, "", "cells_many"), (3, "C2", "")]),
        ('C1,"A\nB",x\nC2,A C,x\n', [(2, "C1", ""), (3, "C2", "")]),
        ("\nC1,A B,x\n\n,,\nC2,A C,x\n", [(3, "C1", ""), (6, "C2", "")]),
        ('C1,"A B,x\nC2,A C,x\nC3,A D,x\n', [(2, "", "quote_open"), (3, "C2", ""), (4, "C3", "")]),
        ('C1,"A" B,x\nC2,A C,x\n', [(2, "", "quote_open"), (3, "C2", "")]),
        ('C1,A B,5" pipe\nC2,A C,x\n', [(2, "C1", ""), (3, "C2", "")]),
        ('C1,"A B,x\nC2,"A C",x\n', [(2, "", "quote_open"), (3, "C2", "")]),
        ("C1,A B,x\nclient_no,name,note\nC2,A C,x\n", [(2, "C1", ""), (4, "C2", "")]),
        ("C1,A B,x\n\ufeffclient_no,name,note\nC2,A C,x\n", [(2, "C1", ""), (4, "C2", "")]),
        (
            "C1,A B,x\nC1,A B,x\nC1,A C,x\n",
            [(2, "C1", ""), (3, "C1", "duplicate"), (4, "C1", "client_no_again")],
        ),
        (f"C1,A B,{'x' * 200_000}\nC2,A C,x\n", [(2, "", "cell_too_long"), (3, "C2", "")]),
        (f"C1,A B,{'x' * 3_000_000}\nC2,A C,x\n", [(2, "", "row_too_long"), (3, "C2", "")]),
        ("C1,A\x00 B,x\n\x00\x00\x00\nC2,A C,x\n", [(2, "C1", ""), (4, "C2", "")]),
        ("合计,,2\nC2,A C,x\n", [(2, "合计", "name_missing"), (3, "C2", "")]),
    ],
    ids=range(15),
)
def test_rows_that_are_broken_do_not_take_others_with_them(
    tmp_path: Path, body: str, expected: list[tuple[int, str, str]]
) -> None:
    assert outline(file(tmp_path, "client_no,name,note\n" + body)) == expected


def test_an_open_quote_swallows_at_most_its_own_row(tmp_path: Path) -> None:
    lines = [f"C{n},A B,x" for n in range(1000)]
    lines[3] = 'C3,"A B,x'
    rows = outline(file(tmp_path, "client_no,name,note\n" + "\n".join(lines)))
    assert [row for row in rows if row[2]] == [(5, "", "quote_open")]
    assert len(rows) == 1000


def test_another_account_of_the_same_client_counts_once(tmp_path: Path) -> None:
    rows = read(file(tmp_path, "client_no,account_no,name\nC1,1,A B\nC1,2,A B\n"))
    assert isinstance(rows[1], Duplicate)
    assert rows[1].findings[0].code == "another_account"
    assert rows[1].first_row == 2


def test_excels_separator_line(tmp_path: Path) -> None:
    assert outline(file(tmp_path, "sep=;\r\nclient_no;name\r\nC1;A B\r\n")) == [(2, "C1", "")]


def workbook(tmp_path: Path, rows: list[list[object]]) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    path = tmp_path / "clients.xlsx"
    book.save(path)
    return path


def test_a_workbook_says_what_the_csv_says(tmp_path: Path) -> None:
    with (SAMPLES / "clients_utf8_bom.csv").open(encoding="utf-8-sig", newline="") as handle:
        path = workbook(tmp_path, [list(row) for row in csv.reader(handle)])
    expected = read(SAMPLES / "clients_utf8_bom.csv")
    found = read(path)
    assert [(type(row), row.row) for row in found] == [(type(row), row.row) for row in expected]
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, ClientRow) and isinstance(other, ClientRow):
            assert one.digest == other.digest, (one, other)


def test_a_workbooks_numbers_and_dates(tmp_path: Path) -> None:
    born = datetime.combine(date(1999, 2, 9), time())
    path = workbook(
        tmp_path,
        [
            ["客户号", "姓名", "手机", "证件号码", "出生日期", "开户日期", "拒收标志", "资金账号"],
            [1001, "张三", 15400000123, 110105199902097213, born, 45000, True, 8010000001],
            ["C2", "李四", 1.54e10 + 0.5, "110105199902097213", date(1999, 2, 9), None, False, 1.5],
            ["C3", "王五"],
            [None, None, None],
        ],
    )
    first, second, third = read(path)
    assert isinstance(first, ClientRow)
    assert isinstance(second, ClientRow)
    assert isinstance(third, ClientRow)
    assert (first.client_no, first.mobile, first.birth_date) == ("1001", "+8615400000123", date(1999, 2, 9))
    assert (first.opened_on, first.opt_out, first.account_no) == (date(2023, 3, 15), True, "8010000001")
    assert first.id_no is None
    assert "not_guessed" in [finding.code for finding in first.warnings]
    assert (second.mobile, second.account_no, second.opt_out) == (None, None, False)
    assert second.id_no == "110105199902097213"
    assert third.mobile is None


def test_a_formula_counts_as_its_text_when_no_value_was_saved(tmp_path: Path) -> None:
    path = workbook(
        tmp_path, [["client_no", "name", "mobile", "note"], ["C1", "A B", "=B1&C1", "=cmd|' /C calc'!A0"]]
    )
    row = read(path)[0]
    assert isinstance(row, ClientRow)
    assert (row.mobile, row.note) == (None, "=cmd|' /C calc'!A0")
    assert sorted(finding.code for finding in row.findings) == ["formula", "formula_text"]


def test_a_workbook_with_a_row_at_the_far_end(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["client_no", "name"])
    sheet.cell(3000, 1, "C1")
    sheet.cell(3000, 2, "A B")
    sheet.cell(3001, 9, "stray")
    book.save(tmp_path / "far.xlsx")
    assert outline(tmp_path / "far.xlsx") == [(3000, "C1", ""), (3001, "", "cells_many")]


def test_holdings(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "客户号,证券代码,持仓数量,日期\n"
        'C1,600000.SH,"1,200",2026-11-20\n'
        "C1,sz000001,100,20261120\n"
        "C2,300750,50.5,2026/11/20\n"
        "C2,300750.SZ,50.5,2026-11-20\n"
        "C2,300750.SZ,60,2026-11-20\n"
        "C3,2594,100,2026-11-20\n"
        "C3,002594,1E+05,2026-11-20\n"
        "C3,002594,-5,2026-11-20\n"
        "C3,002594,5,2027-01-01\n"
        "C3,002594,5,\n"
        ",002594,5,2026-11-20\n"
        "C4,00700.HK,0,46346\n",
    )
    rows = list(parse_holdings(path, today=TODAY))
    codes = [row.code if isinstance(row, HoldingRow) else row.findings[-1].code for row in rows]
    assert codes == [
        "600000.SH", "000001.SZ", "300750.SZ", "duplicate", "holding_again", "code_form", "quantity_form",
        "quantity_form", "as_of_future", "as_of_form", "client_no_missing", "00700.HK",
    ]  # fmt: skip
    last = rows[-1]
    assert isinstance(last, HoldingRow)
    assert last.quantity == 0
    assert last.as_of == date(2026, 11, 20)


def test_holdings_need_their_four_columns(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no column 数量"):
        list(parse_holdings(file(tmp_path, "client_no,code,date\nC1,600000.SH,2026-11-20\n"), today=TODAY))


def suppressing(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows up to the one thing that may be raised."""
    with suppress(BadInput):
        yield from rows


_PARTS = ['"', ",", "\n", "\r", "C1", "张三", "\x00", ";", "\t", "\ufeff", "=1", "2024"]
_BYTES = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=200).map(
        lambda text: f"client_no,name,mobile,birth_date\n{text}".encode("utf-8", "replace")
    ),
    st.lists(st.sampled_from(_PARTS), max_size=60).map(
        lambda parts: ("客户号,姓名,备注\n" + "".join(parts)).encode("gb18030")
    ),
    st.binary(max_size=300).map(lambda tail: b"PK\x03\x04" + tail),
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_BYTES)
def test_whatever_the_bytes_only_bad_input_is_raised(tmp_path: Path, content: bytes) -> None:
    path = file(tmp_path, content)
    for parse in (parse_clients, parse_holdings):
        rows = list(suppressing(parse(path, today=TODAY)))
        assert [row.row for row in rows] == sorted({row.row for row in rows})
        assert all(row.findings for row in rows if isinstance(row, Rejected))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_broken_in_a_workbook_only_bad_input_is_raised(
    tmp_path: Path, data: st.DataObject
) -> None:
    whole = tmp_path / "clients.xlsx"
    if not whole.exists():
        workbook(tmp_path, [["client_no", "name"], ["C1", "张三"]])
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "broken.xlsx"
    path.write_bytes(content)
    list(suppressing(parse_clients(path, today=TODAY)))


_CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"]),
    min_size=1,
    max_size=20,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_CELL, min_size=1, max_size=8), st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
def test_a_note_comes_back_as_it_was_written(tmp_path: Path, notes: list[str], encoding: str) -> None:
    path = tmp_path / "clients.csv"
    with path.open("w", encoding=encoding, newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["客户号", "姓名", "备注"])
        writer.writerows([f"C{n}", "张三", note] for n, note in enumerate(notes))
    for row, note in zip(read(path), notes, strict=True):
        assert isinstance(row, ClientRow)
        if note[0] not in "='#" and note.casefold() not in {"null", "none", "nan", "n/a"}:
            assert row.note == note


def test_memory_stays_flat(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        with path.open("w", encoding="utf-8", newline="") as handle:
            handle.write("客户号,客户姓名,手机,备注\n")
            for number in range(rows):
                handle.write(f"C{number:08},张三,15400000123,{'常来营业部喝茶' * 120}\n")
        tracemalloc.start()
        try:
            count = sum(isinstance(row, ClientRow) for row in parse_clients(path, today=TODAY))
            assert count == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(1_000), peak(12_000)
    assert (tmp_path / "12000.csv").stat().st_size > 30_000_000
    # What grows is the filter of repeats: an eighth of the file's size, and 16 MB at most.
    assert large < small + 30_000_000 // 8 + 2_000_000
