"""Each row of the sample client files comes out as clients_expected.jsonl says, in all three encodings."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from outreach.people.importing.rows import ClientRow, Duplicate, Parsed, inspect_clients, parse_clients

SAMPLES = Path(__file__).parent.parent / "samples"
FILES = {
    "clients_utf8_bom.csv": "utf-8-sig",
    "clients_gb18030.csv": "gb18030",
    "clients_english_headers.csv": "utf-8",
}
EXPECTED = [json.loads(line) for line in (SAMPLES / "clients_expected.jsonl").read_text("utf-8").splitlines()]
TODAY = date(2026, 11, 23)
ADVISORS = {"A001", "A002", "A003"}


def read(name: str) -> list[Parsed]:
    return list(parse_clients(SAMPLES / name, known_advisors=ADVISORS, today=TODAY))


def outcome(parsed: Parsed, without: str) -> str:
    if isinstance(parsed, Duplicate):
        return "duplicate"
    if not isinstance(parsed, ClientRow):
        return "reject"
    if parsed.suppressed:
        return "accept_suppressed"
    if without and getattr(parsed, without) is None and parsed.warnings:
        return "accept_without_mobile" if without == "mobile" else "accept_without_id"
    return "accept_with_warning" if parsed.warnings else "accept"


# Where two outcomes are allowed: docs/decisions/0002-import-outcomes.md.
CHOSEN = {"reject_or_accept_without_id": "accept_without_id", "reject_or_suppress": "accept_suppressed"}


@pytest.mark.parametrize("name", FILES)
def test_every_row_has_the_expected_outcome(name: str) -> None:
    rows = read(name)
    assert [row.row for row in rows] == [expected["row"] for expected in EXPECTED]
    assert len(rows) == 92
    for parsed, expected in zip(rows, EXPECTED, strict=True):
        wanted = CHOSEN.get(expected["outcome"], expected["outcome"])
        without = {"accept_without_mobile": "mobile", "accept_without_id": "id_no"}.get(wanted, "")
        assert parsed.client_no == expected["client_no"], expected
        assert outcome(parsed, without) == wanted, (expected, parsed)
        if isinstance(parsed, ClientRow):
            for field, value in facts(parsed).items():
                if field in expected:
                    assert value == expected[field], (expected, parsed)


def facts(row: ClientRow) -> dict[str, Any]:
    lunar = row.lunar_birthday
    return {
        "mobile": row.mobile,
        "birth_date": row.birth_date.isoformat() if row.birth_date else None,
        "lunar_birthday": [lunar.month, lunar.day, lunar.leap] if lunar else None,
        "id_no": row.id_no,
        "name": row.name,
        "email": row.email,
        "id_expiry": row.id_expiry,
        "opt_out": row.opt_out,
        "risk": f"C{row.risk_class}",
    }


@pytest.mark.parametrize("name", FILES)
def test_the_three_encodings_say_the_same(name: str) -> None:
    def content(parsed: Parsed) -> object:
        return parsed.digest if isinstance(parsed, ClientRow) else type(parsed)

    assert [content(row) for row in read(name)] == [content(row) for row in read("clients_utf8_bom.csv")]


@pytest.mark.parametrize(("name", "encoding"), FILES.items())
def test_the_encoding_is_found(name: str, encoding: str) -> None:
    found = inspect_clients(SAMPLES / name)
    assert found.facts.encoding == encoding
    assert len(found.columns) == 25


def test_what_the_details_are() -> None:
    rows = {row.client_no: row for row in read("clients_utf8_bom.csv") if isinstance(row, ClientRow)}
    assert rows["C0100070"].name == "罗宇强"
    assert rows["C0100070"].suppressed == ("deceased",)
    assert rows["C0100071"].suppressed == ("closed",)
    assert rows["C0100072"].suppressed == ("test",)
    assert rows["C0100080"].suppressed == ("minor",)
    assert rows["C0100080"].sensitive
    assert rows["C0100074"].note == "=cmd|' /C calc'!A0"
    assert rows["C0100075"].address == "上海市浦东新区世纪大道100号"
    assert rows["C0100076"].mobile == "+8619906679548"
    assert rows["C0100086"].opened_on == date(2023, 3, 15)
    assert rows["C0100090"].kind == "company"
    assert rows["C0100090"].birth_date is None
    assert rows["C0100067"].birth_date == date(1954, 8, 28)
    assert rows["C0100085"].advisor_no == "A999"
    assert [finding.code for finding in rows["C0100085"].warnings] == ["advisor_unknown"]
    assert rows["C0100091"].id_no == "110105530923123"
    assert rows["C0100081"].opt_out is True
    assert rows["C0100082"].opt_out is None
