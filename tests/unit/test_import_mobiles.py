"""Mobile numbers in client files. None of the numbers here is meant to be anybody's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.people.importing.phones import parse_mobile


@pytest.mark.parametrize(
    "text",
    [
        "15400000123",
        "１５４０００００１２３",
        "+86 154-0000-0123",
        "008615400000123",
        "86 154 0000 0123",
        "154 0000 0123",
        "154-0000-0123",
        "015400000123",
        "(+86)15400000123",
        "15400000123(本人)",
        "15400000123（微信同号）",
        "+8615400000123",
        "154.0000.0123",
    ],
)
def test_a_mainland_number(text: str) -> None:
    assert parse_mobile(text) == ("+8615400000123", "CN", [])


@pytest.mark.parametrize(
    ("text", "number", "country"),
    [
        ("+852 5123 4567", "+85251234567", "HK"),
        ("00852-51234567", "+85251234567", "HK"),
        ("+1 202 555 0123", "+12025550123", "US"),
        ("+44 7700 900123", "+447700900123", "GB"),
    ],
)
def test_a_number_abroad(text: str, number: str, country: str) -> None:
    assert parse_mobile(text) == (number, country, [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("010-65881234", "mobile_landline"),
        ("(021)65881234", "mobile_landline"),
        ("010-65881234-802", "mobile_landline"),
        ("010-65881234转802", "mobile_landline"),
        ("1.38E+10", "not_guessed"),
        ("1.5400000123E10", "not_guessed"),
        ("15400000123.0", "not_guessed"),
        ("154****0123", "masked"),
        ("154xxxx0123", "masked"),
        ("1540000012", "mobile_form"),
        ("154000001234", "mobile_form"),
        ("1540000012O", "mobile_form"),
        ("13800000000", "mobile_placeholder"),
        ("13800138000", "mobile_placeholder"),
        ("11111111111", "mobile_placeholder"),
        ("00000000000", "mobile_placeholder"),
        ("see note", "mobile_form"),
        ("/", "mobile_form"),
    ],
)
def test_no_mobile_number(text: str, code: str) -> None:
    number, _, issues = parse_mobile(text)
    assert (number, [issue.code for issue in issues]) == (None, [code])


@pytest.mark.parametrize(
    "text",
    ["15400000123/15500000456", "15400000123 15500000456", "15400000123;15500000456", "15400000123、15500000456",
     "15400000123，010-65881234", "010-65881234/15400000123", "15400000123\n15500000456", "15400000123或15500000456"],
)  # fmt: skip
def test_of_several_numbers_the_first_mobile(text: str) -> None:
    number, _, issues = parse_mobile(text)
    assert (number, [issue.code for issue in issues]) == ("+8615400000123", ["mobile_several"])


@given(st.text(alphabet="0123456789+-/() 　１２,;.eE转*ext", max_size=40))
def test_a_number_is_never_joined_from_two(text: str) -> None:
    number, country, issues = parse_mobile(text.strip())
    if number is None:
        assert issues or not text.strip()
    else:
        assert re.fullmatch(r"\+[1-9]\d{6,14}", number)
        assert country != "CN" or len(number) == 14


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    parse_mobile(text)


@given(st.from_regex(r"1[3-9][0-9]{8}[1-9]", fullmatch=True))
def test_every_mainland_form_comes_back(digits: str) -> None:
    for text in (digits, f"+86{digits}", f"0086 {digits[:3]} {digits[3:7]} {digits[7:]}", f"86-{digits}"):
        assert parse_mobile(text)[0] == f"+86{digits}"
