"""Personal data in a body: identity numbers, card numbers, other people's mobiles (DOMAIN.md §2)."""

import re
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

_ID = re.compile(r"(?<!\d)\d{17}[\dXx](?![\dXx])")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){15,18}(?!\d)")
# What is put between a mobile's digits so that nobody finds it: dots, dashes of any kind, characters without width.
_BETWEEN = r"[ \-.·\u2010-\u2015\u200b-\u200d\u2060\ufeff]?"
_MOBILE = re.compile(rf"(?<!\d)(?:\+?86{_BETWEEN})?1[3-9]\d{_BETWEEN}\d{{4}}{_BETWEEN}\d{{4}}(?!\d)")
# Nothing below has fewer digits than a mobile's eleven: most texts end here.
_LONG = re.compile(rf"\d(?:{_BETWEEN}\d){{10}}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


class PersonalData(NamedTuple):
    """A place in a text: ``kind`` is identity_number, card_number or mobile."""

    kind: str
    start: int
    end: int


def identity_number_holds(number: str) -> bool:
    """Whether the 18-digit identity number's check digit is right (GB 11643-1999)."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def luhn_holds(number: str) -> bool:
    """Whether a card number's check digit is right (ISO/IEC 7812-1)."""
    total = 0
    for at, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if at % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def find_personal_data(text: str, allowed_numbers: Collection[str] = ()) -> list[PersonalData]:
    """Identity, card and mobile numbers in ``text``; ``allowed_numbers`` (the sender's, the branch's) may stand.

    Full-width digits are read like plain ones; positions are those of ``text``.
    """
    if not _LONG.search(unicodedata.normalize("NFKC", text)):
        return []
    plain = "".join(folded if len(folded := unicodedata.normalize("NFKC", one)) == 1 else one for one in text)
    allowed = {_digits(number) for number in allowed_numbers if number}
    found: list[PersonalData] = []
    taken: list[tuple[int, int]] = []
    for match in _ID.finditer(plain):
        if identity_number_holds(match.group()):
            found.append(PersonalData("identity_number", *match.span()))
            taken.append(match.span())
    for match in _CARD.finditer(plain):
        digits = re.sub(r"\D", "", match.group())
        if 16 <= len(digits) <= 19 and luhn_holds(digits) and not _inside(match.span(), taken):
            found.append(PersonalData("card_number", *match.span()))
            taken.append(match.span())
    for match in _MOBILE.finditer(plain):
        if _digits(match.group()) not in allowed and not _inside(match.span(), taken):
            found.append(PersonalData("mobile", *match.span()))
    return sorted(found, key=lambda one: one.start)


def is_one_of(said: str, numbers: Collection[str]) -> bool:
    """Whether ``said``, a mobile as it stands in a text, is one of ``numbers``, however either is written."""
    return _digits(unicodedata.normalize("NFKC", said)) in {_digits(number) for number in numbers}


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)[-11:]


def _inside(span: tuple[int, int], taken: list[tuple[int, int]]) -> bool:
    return any(low <= span[0] and span[1] <= high for low, high in taken)
