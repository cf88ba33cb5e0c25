"""The file of rejected rows: what to mend, safe to open in a spreadsheet."""

import csv
import stat
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.people.importing.findings import Finding
from outreach.people.importing.rejects import formula_safe, write_rejects
from outreach.people.importing.rows import Rejected, parse_clients

SAMPLES = Path(__file__).parent.parent / "samples"


def test_each_rejected_row_has_row_column_reason_and_mend(tmp_path: Path) -> None:
    rows = parse_clients(SAMPLES / "clients_utf8_bom.csv", today=date(2026, 11, 23))
    findings = [finding for row in rows if isinstance(row, Rejected) for finding in row.findings]
    assert write_rejects(tmp_path / "rejects.csv", findings) == 1
    assert (tmp_path / "rejects.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert stat.S_IMODE((tmp_path / "rejects.csv").stat().st_mode) == 0o600
    with (tmp_path / "rejects.csv").open(encoding="utf-8-sig", newline="") as handle:
        assert list(csv.reader(handle)) == [
            ["行", "列", "内容", "原因", "处理方法"],
            ["84", "客户号", "", "缺少客户号。", "请在源系统中更正后重新导入。"],
        ]
    write_rejects(tmp_path / "rejects.csv", findings, "en")
    assert "The client number is missing." in (tmp_path / "rejects.csv").read_text("utf-8-sig")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", " =1", "　=1", "＝1"])
def test_what_a_spreadsheet_would_run_is_made_text(text: str) -> None:
    assert formula_safe(text) == f"'{text}"


def test_other_text_is_left_alone() -> None:
    assert formula_safe("张三=1") == "张三=1"


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=5))
def test_no_cell_starts_a_formula(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("rejects") / "rejects.csv"
    write_rejects(path, [Finding(2, column, "name_missing", value) for column, value in cells])
    with path.open(encoding="utf-8-sig", newline="") as handle:
        written = list(csv.reader(handle))
    assert len(written) == len(cells) + 1
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in written for cell in row)
