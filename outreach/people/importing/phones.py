"""Mobile numbers, in E.164. A number is taken as it stands or not at all."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from outreach.people.importing.cells import FLOAT, half_width
from outreach.people.importing.findings import Issue, issue

# Whether a prefix is assigned changes faster than any list of prefixes; the form of a mainland mobile does not.
_MAINLAND = re.compile(r"(?:(?:\+|00)?86)?0?(1[3-9]\d{9})")
_MAINLAND_NATIONAL = re.compile(r"1[3-9]\d{9}")
_PLACEHOLDER = re.compile(r"1[3-9]\d0{8}|13800138000|(\d)\1{10}")
# Ofcom's range for fiction (07700 900000 to 900999), so that trial data never rings anybody.
_FICTION = re.compile(r"\+447700900\d{3}")
_REMARK = re.compile(r"[(\[【][^()\[\]【】\d]*[)\]】]")
_SEPARATORS = re.compile(r"[/,;、|\n\\]+|或")
_SPACING = re.compile(r"[\s\-–—‐‑−.·()]+")
_MASK = re.compile(r"\d[*xX•#]{2,}\d?|\*{2,}")


def parse_mobile(text: str) -> tuple[str | None, str, list[Issue]]:
    """The mobile number in a cleaned cell as E.164, its country (ISO 3166), and what was noticed.

    Without country code a number is mainland China's. Landlines, floats (1.38E+10), masked and placeholder
    numbers give None. Of several numbers in a cell the first mobile number counts; they are never joined.
    """
    if not text:
        return None, "", []
    plain = half_width(text)
    if FLOAT.fullmatch(plain):
        return None, "", [issue("not_guessed")]
    if _MASK.search(plain):
        return None, "", [issue("masked")]
    parts = _parts(_REMARK.sub("", plain))
    several = len(parts) > 1
    first_issue: Issue | None = None
    for part in parts:
        number, country, problem = _one(part)
        if number is not None:
            return number, country, [issue("mobile_several")] if several else []
        first_issue = first_issue or problem
    return None, "", [first_issue or issue("mobile_form")]


def _parts(text: str) -> list[str]:
    parts = [part for part in _SEPARATORS.split(text) if part.strip()]
    return [piece for part in parts for piece in _apart(part.strip())]


def _apart(part: str) -> list[str]:
    """Two numbers with only space between them."""
    pieces = part.split()
    digits = sum(char.isdigit() for char in part)
    return pieces if digits > 15 and all(len(piece) >= 7 for piece in pieces) else [part]


def _one(text: str) -> tuple[str | None, str, Issue]:
    bare = _SPACING.sub("", text)
    mainland = _MAINLAND.fullmatch(bare)
    if mainland:
        if _PLACEHOLDER.fullmatch(mainland[1]):
            return None, "", issue("mobile_placeholder")
        return f"+86{mainland[1]}", "CN", issue("mobile_form")
    if re.fullmatch(r"(\d)\1{6,}", bare):
        return None, "", issue("mobile_placeholder")
    if not re.fullmatch(r"\+?\d{5,17}", bare):
        return None, "", issue("mobile_landline" if _is_landline(text) else "mobile_form")
    try:
        number = phonenumbers.parse("+" + bare[2:] if bare.startswith("00") else bare, "CN")
    except NumberParseException:
        return None, "", issue("mobile_form")
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if _FICTION.fullmatch(e164):
        return e164, "GB", issue("mobile_form")
    if not phonenumbers.is_valid_number(number):
        return None, "", issue("mobile_landline" if _is_landline(text) else "mobile_form")
    kind = phonenumbers.number_type(number)
    if kind not in {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}:
        return None, "", issue("mobile_landline")
    if number.country_code == 86 and not _MAINLAND_NATIONAL.fullmatch(str(number.national_number)):
        return None, "", issue("mobile_landline")
    return e164, phonenumbers.region_code_for_number(number) or "", issue("mobile_form")


def _is_landline(text: str) -> bool:
    """A landline with an extension, such as 010-65881234-802 or 转802."""
    return re.match(r"\(?0\d{2,3}\)?[-\s]?\d{7,8}\D", text.strip()) is not None
