"""Dates in client files: read when there is one reading, else unknown with the reason."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.occasions.lunar import LunarDay
from outreach.people.importing.dates import (
    lunar_in_solar,
    parse_date,
    parse_expiry,
    parse_lunar_cell,
    parse_past_date,
)


@pytest.mark.parametrize(
    "text",
    ["2024-01-05", "2024/1/5", "2024.1.5", "20240105", "2024年1月5日", "２０２４－０１－０５", "2024 年 1 月 5 日",
     "2024-01-05 00:00:00", "2024-01-05T08:30", "20240105.0", "45296", "5-Jan-2024", "Jan 5, 2024", "5 January 2024"],
)  # fmt: skip
def test_one_reading(text: str) -> None:
    assert parse_date(text)[0] == date(2024, 1, 5)


@pytest.mark.parametrize(
    "text",
    ["1900-01-01", "1899-12-30", "0000-00-00", "99991231", "9999-12-31", "1900-01-00", "0", "00000000", "0001-01-01",
     "00:00:00"],
)  # fmt: skip
def test_a_date_that_stands_for_unknown(text: str) -> None:
    found, issues = parse_date(text)
    assert found is None
    assert [issue.code for issue in issues] == ["date_unknown"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1985-02-30", "date_impossible"),
        ("2023-02-29", "date_impossible"),
        ("2024-13-01", "date_impossible"),
        ("85-03-05", "date_two_digit_year"),
        ("850305", "date_two_digit_year"),
        ("85年3月5日", "date_two_digit_year"),
        ("3/5/85", "date_two_digit_year"),
        ("3/5/1985", "date_ambiguous"),
        ("25/12/1985", "date_ambiguous"),
        ("8-15", "date_ambiguous"),
        ("8月15日", "date_ambiguous"),
        ("1985-03", "date_ambiguous"),
        ("1985", "date_ambiguous"),
        ("1.98503E+07", "not_guessed"),
        ("15000", "date_form"),
        ("someday", "date_form"),
        ("1985-03-05T16:00:00Z", "date_form"),
        ("1850-01-01", "date_too_old"),
    ],
)
def test_never_guessed(text: str, code: str) -> None:
    assert (parse_date(text)[0], parse_date(text)[1][0].code) == (None, code)


def test_a_serial_number_is_said() -> None:
    found, issues = parse_date("45000")
    assert found == date(2023, 3, 15)
    assert dict(issues[0].params) == {"date": "2023-03-15"}


def test_the_future_is_no_birthday() -> None:
    assert parse_past_date("2030-01-01", date(2026, 11, 23))[1][0].code == "date_future"
    assert parse_past_date("2026-11-23", date(2026, 11, 23)) == (date(2026, 11, 23), [])


@pytest.mark.parametrize("text", ["长期", "长期有效", "9999-12-31", "99991231", "2015.06.30-长期", "永久"])
def test_no_expiry(text: str) -> None:
    assert parse_expiry(text) == (None, [])


@pytest.mark.parametrize(
    "text", ["2035-06-30", "2015.06.30-2035.06.30", "20150630-20350630", "2015-06-30至2035-06-30"]
)
def test_an_expiry(text: str) -> None:
    assert parse_expiry(text) == (date(2035, 6, 30), [])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("八月十五", LunarDay(8, 15)),
        ("农历8月15日", LunarDay(8, 15)),
        ("1968年八月十五", LunarDay(8, 15)),
        ("农历1968年8月15日", LunarDay(8, 15)),
        ("闰六月初六", LunarDay(6, 6, True)),
        ("腊月廿三", LunarDay(12, 23)),
        ("8-15", None),
        ("八月十五日", None),
        ("1968-08-15", None),
        ("", None),
    ],
)
def test_a_lunar_date_in_the_solar_column(text: str, found: LunarDay | None) -> None:
    assert lunar_in_solar(text) == found


def test_the_lunar_column() -> None:
    assert parse_lunar_cell("农历 八月十五") == (LunarDay(8, 15), ())
    assert parse_lunar_cell("1968-10-06")[1][0].code == "lunar_form"
    assert parse_lunar_cell("") == (None, ())


@given(
    st.dates(min_value=date(1901, 1, 1), max_value=date(2098, 12, 31)),
    st.sampled_from(["-", "/", ".", "", "年"]),
)
def test_every_date_comes_back(day: date, separator: str) -> None:
    text = f"{day:%Y年%m月%d日}" if separator == "年" else day.strftime(f"%Y{separator}%m{separator}%d")
    assert parse_date(text) == (day, [])


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_a_reason(text: str) -> None:
    for parse in (parse_date, parse_expiry):
        found, issues = parse(text.strip())
        assert isinstance(found, date) or found is None
        assert all(issue.code for issue in issues)
    lunar_in_solar(text)
    parse_lunar_cell(text)
