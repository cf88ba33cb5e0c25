"""Dates as files have them. What has two readings has none: a date is never guessed."""

import re
from datetime import date, timedelta
from functools import lru_cache

from outreach.core.errors import BadInput
from outreach.occasions.lunar import LunarDay, parse_lunar
from outreach.people.importing.cells import FLOAT, half_width
from outreach.people.importing.findings import Issue, issue

_SPACES = re.compile(r"\s*([-/.年月])\s*|\s+(?=[日号])")
_TIME = re.compile(r"[T\s]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$")
_FULL = re.compile(r"(\d{4})(?:[-/._](\d{1,2})[-/._](\d{1,2})|年(\d{1,2})月(\d{1,2})[日号]?)\.?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0+)?")
_SERIAL = re.compile(r"(\d{5})(?:\.\d*)?")
_TWO_DIGITS = re.compile(
    r"'?\d{2}(?:[-/.]\d{1,2}[-/.]\d{1,2}|年\d{1,2}月\d{1,2}[日号]?)|\d{1,2}[-/.]\d{1,2}[-/.]\d{2}|\d{6}"
)
_AMBIGUOUS = re.compile(
    r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}[-/.]\d{1,2}|\d{1,2}月(\d{1,2}[日号]?)?|\d{4}([-/.]\d{1,2}|年(\d{1,2}月)?)?"
)
_MONTHS = {name: number for number, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)}  # fmt: skip
_DAY_MONTH = re.compile(r"(\d{1,2})[-\s]([A-Za-z]{3,9})\.?[-,\s]\s*(\d{4})")
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})")

# Day 1 of a spreadsheet's calendar is 1900-01-01, but it counts a 29 February 1900 that never was.
_SERIAL_ZERO = date(1899, 12, 30)
_SERIALS = range(20000, 60001)
_UNKNOWN = frozenset(
    {(1900, 1, 1), (1899, 12, 30), (1899, 12, 31), (1900, 1, 0), (1753, 1, 1), (2099, 12, 31)}
)
_UNKNOWN_WORDS = frozenset({"0", "00:00:00", "00:00", "0.0"})
_FAR = 2900

_NO_END = frozenset(
    {"长期", "长期有效", "永久", "永久有效", "无期限", "长久", "终身", "permanent", "indefinite", "longterm"}
)
_RANGE = re.compile(
    r"\d{4}[-./年]?\d{1,2}[-./月]?\d{1,2}日?\s*[-–—~至到]+\s*(?P<end>\D.*|\d{4}\D?\d{1,2}\D?\d{1,2}日?)"
)

_LUNAR_PREFIX = re.compile(r"^[(（]?(农历|農曆|阴历|陰曆|旧历|旧曆)[)）:：]?")
_LUNAR_YEAR = re.compile(r"^(\d{4}|[〇零○一二三四五六七八九]{4})年")
# What only a lunar date has: 初五, 廿三, 闰, 正月, 冬月, 腊月; or a day in characters without 日 or 号.
_LUNAR_MARK = re.compile(
    r"初|廿|卅|闰|閏|正月|冬月|腊月|臘月|[一二三四五六七八九十]{1,2}月[一二三四五六七八九十]{1,3}$"
)


def parse_date(text: str) -> tuple[date | None, list[Issue]]:
    """The civil date in a cleaned cell.

    Reads 2024-01-05, 2024/1/5, 2024.1.5, 20240105, 2024年1月5日, 5 Jan 2024, with a time after it or not, and a
    spreadsheet's serial number from 20000 to 60000 (1954 to 2064). Dates that stand for “unknown” are None
    with the issue ``date_unknown``; everything else is None with the reason.
    """
    if not text:
        return None, []
    plain = _SPACES.sub(r"\1", half_width(text).strip())
    if plain in _UNKNOWN_WORDS:
        return None, [issue("date_unknown")]
    plain = _TIME.sub("", plain)
    found = _FULL.fullmatch(plain) or _COMPACT.fullmatch(plain)
    if found:
        year, month, day = (int(part) for part in found.groups() if part is not None)
        return _civil(year, month, day)
    serial = _SERIAL.fullmatch(plain)
    if serial and int(serial[1]) in _SERIALS:
        day_of_serial = _SERIAL_ZERO + timedelta(days=int(serial[1]))
        return day_of_serial, [issue("date_serial", date=day_of_serial.isoformat())]
    named = _with_month_name(plain)
    if named is not None:
        return named
    if _TWO_DIGITS.fullmatch(plain):
        return None, [issue("date_two_digit_year")]
    if _AMBIGUOUS.fullmatch(plain):
        return None, [issue("date_ambiguous")]
    if FLOAT.fullmatch(plain) and "e" in plain.casefold():
        return None, [issue("not_guessed")]
    return None, [issue("date_form")]


def _civil(year: int, month: int, day: int) -> tuple[date | None, list[Issue]]:
    if year == 0 or year >= _FAR or (year, month, day) in _UNKNOWN or (year, month, day) == (1, 1, 1):
        return None, [issue("date_unknown")]
    try:
        found = date(year, month, day)
    except ValueError:
        return None, [issue("date_impossible")]
    return (found, []) if year >= 1900 else (None, [issue("date_too_old")])


def _with_month_name(text: str) -> tuple[date | None, list[Issue]] | None:
    found = _DAY_MONTH.fullmatch(text)
    parts = (found[3], found[2], found[1]) if found else None
    if parts is None and (found := _MONTH_DAY.fullmatch(text)):
        parts = (found[3], found[1], found[2])
    month = _MONTHS.get(parts[1][:3].casefold()) if parts else None
    return _civil(int(parts[0]), month, int(parts[2])) if parts and month else None


def parse_past_date(text: str, today: date) -> tuple[date | None, list[Issue]]:
    """A date that can't lie after ``today``."""
    found, issues = parse_date(text)
    if found is not None and found > today:
        return None, [issue("date_future")]
    return found, issues


def parse_expiry(text: str) -> tuple[date | None, list[Issue]]:
    """The day something ends; None without issue for 长期 and 9999-12-31. Of a range, its end."""
    plain = half_width(text)
    if "".join(plain.split()).casefold().replace("-", "") in _NO_END:
        return None, []
    whole, issues = parse_date(plain)
    if whole is None and issues and issues[0].code == "date_form" and (span := _RANGE.fullmatch(plain)):
        return parse_expiry(span["end"])
    return whole, [found for found in issues if found.code != "date_unknown"]


@lru_cache(maxsize=4096)
def lunar_in_solar(text: str) -> LunarDay | None:
    """The lunar birthday in a cell meant for a solar date, when it can be nothing else."""
    plain = "".join(half_width(text).split())
    bare = _LUNAR_PREFIX.sub("", plain)
    if bare == plain and not _LUNAR_MARK.search(plain):
        return None
    try:
        return parse_lunar(_LUNAR_YEAR.sub("", bare))
    except BadInput:
        return None


@lru_cache(maxsize=4096)
def parse_lunar_cell(text: str) -> tuple[LunarDay | None, tuple[Issue, ...]]:
    """The lunar birthday in a cleaned cell; a year before it in characters says nothing and is passed over."""
    if not text:
        return None, ()
    plain = _LUNAR_PREFIX.sub("", "".join(half_width(text).split()))
    try:
        return parse_lunar(_LUNAR_YEAR.sub("", plain)), ()
    except BadInput:
        return None, (issue("lunar_form"),)
