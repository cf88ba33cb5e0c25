"""One cell made clean before its field's parser reads it."""

import re
import unicodedata

from outreach.people.importing.findings import Issue, issue
from outreach.people.importing.words import EMPTY_WORDS, SPREADSHEET_ERRORS

# What a spreadsheet or a data program makes of a long number: 1.38E+10, 4.4E16, 13812345678.0
FLOAT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+|[+-]?\d+\.\d*|[+-]?\.\d+([eE][+-]?\d+)?")
_TEXT_FORMULA = re.compile(r'="([^"]*)"')
_FORMULA_START = ("=", "+", "-", "@")
# A mark that joins two letters into one, as some scripts need it, is part of the text.
_KEPT = frozenset("\n\u200c\u200d")


def tidy(text: str) -> tuple[str, list[Issue]]:
    """``text`` without outer spaces, control and format characters (line breaks stay), and ``="…"`` unwrapped."""
    issues: list[Issue] = []
    if not text.isprintable():
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").replace("\u2028", "\n")
        visible = "".join(
            char for char in text if char in _KEPT or unicodedata.category(char) not in {"Cc", "Cf", "Cs"}
        )
        if len(visible) != len(text) and visible.strip() != text.strip("\x00\ufeff\u200b \n"):
            issues.append(issue("control_characters"))
        text = visible
    text = text.strip()
    if text.startswith(("=", "'")):
        wrapped = _TEXT_FORMULA.fullmatch(text)
        if wrapped:
            text = wrapped[1].strip()
        elif text.startswith("'") and not text.endswith("'"):
            text = text[1:].strip()
    return text, issues


def value_of(text: str) -> tuple[str, list[Issue]]:
    """A tidied cell that holds a value and no prose: empty for words such as NULL, 无, and for #REF! or a formula."""
    plain, issues = tidy(text)
    if not plain:
        return "", issues
    if plain[0] == "#" and SPREADSHEET_ERRORS.fullmatch(plain):
        return "", [*issues, issue("spreadsheet_error")]
    if plain[0] == "=":
        return "", [*issues, issue("formula")]
    if len(plain) <= 11 and plain.casefold() in EMPTY_WORDS:
        return "", issues
    return plain, issues


def prose_of(text: str, limit: int) -> tuple[str | None, list[Issue]]:
    """A tidied cell of free text, at most ``limit`` characters of it."""
    plain, issues = tidy(text)
    if not plain or plain.casefold() in {"null", "none", "nan", "n/a"}:
        return None, issues
    if plain[0] == "#" and SPREADSHEET_ERRORS.fullmatch(plain):
        return None, [*issues, issue("spreadsheet_error")]
    if plain.startswith(_FORMULA_START) and len(plain) > 1:
        issues.append(issue("formula_text"))
    if len(plain) > limit:
        issues.append(issue("too_long", limit=limit))
        plain = plain[:limit]
    return plain, issues


def half_width(text: str) -> str:
    """Compatibility forms made plain (NFKC): for numbers, dates and codes, never for names."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)
