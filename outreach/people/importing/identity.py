"""Identity numbers: GB 11643-1999 for residents (check digit by ISO 7064 MOD 11-2), and what companies have."""

import re
from dataclasses import dataclass
from datetime import date

from outreach.people.importing.cells import FLOAT, half_width
from outreach.people.importing.findings import Issue, issue
from outreach.people.importing.words import COMPANY_ID_TYPES

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_EIGHTEEN = re.compile(r"\d{17}[\dX]")
_FIFTEEN = re.compile(r"\d{15}")
# GB 32100-2015; its letters leave out I, O, S, V and Z.
_CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-Z]{10}")
_OTHER = re.compile(r"[0-9A-Z][0-9A-Z()/.\-]{2,39}")


@dataclass(frozen=True)
class Identity:
    """An identity number and what it says: the birth date and sex of a resident's."""

    id_type: str | None
    id_no: str | None
    born: date | None = None
    sex: str | None = None


def parse_identity(id_type: str | None, text: str) -> tuple[Identity, list[Issue]]:
    """Read a cleaned identity number under its (known or unknown) type.

    What is no sound number is dropped with the reason: a number that a spreadsheet turned to a float is not
    guessed. The resident's number makes the type known when the file does not say it.
    """
    plain = "".join(half_width(text).split()).upper()
    if not plain:
        return Identity(id_type, None), []
    if FLOAT.fullmatch(plain):
        return Identity(id_type, None), [issue("not_guessed")]
    if "**" in plain:
        return Identity(id_type, None), [issue("masked")]
    if id_type in COMPANY_ID_TYPES:
        sound = _OTHER.fullmatch(plain) is not None
        return Identity(id_type, plain if sound else None), [] if sound else [issue("id_form")]
    if id_type in {None, "id_card", "household"}:
        resident = _resident(id_type, plain.replace("-", ""))
        if resident is not None:
            return resident
        if id_type is None and _CREDIT_CODE.fullmatch(plain):
            return Identity("credit_code", plain), []
        if id_type is not None:
            return Identity(id_type, None), [issue("id_form")]
    if _OTHER.fullmatch(plain):
        return Identity(id_type, plain), []
    return Identity(id_type, None), [issue("id_form")]


def check_digit(first_17: str) -> str:
    """The check digit of a resident's number, from its first 17 digits."""
    total = sum(int(digit) * weight for digit, weight in zip(first_17, _WEIGHTS, strict=True))
    return _CHECK[total % 11]


def _resident(id_type: str | None, plain: str) -> tuple[Identity, list[Issue]] | None:
    if _EIGHTEEN.fullmatch(plain):
        if check_digit(plain[:17]) == plain[17]:
            born = _date(plain[6:14])
            if born is not None:
                return Identity("id_card", plain, born, _sex(plain[16])), []
        if id_type is None and _CREDIT_CODE.fullmatch(plain) and plain.startswith("9"):
            return None
        return Identity(id_type, None), [issue("id_checksum")]
    if _FIFTEEN.fullmatch(plain):
        # The old form has no century; it was given out to people born in the 20th.
        born = _date("19" + plain[6:12])
        if born is None:
            return (Identity(id_type, None), [issue("id_form")]) if id_type else None
        return Identity("id_card", plain, born, _sex(plain[14])), [issue("id_15")]
    return None


def _sex(digit: str) -> str:
    return "male" if int(digit) % 2 else "female"


def _date(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
