"""Whether a text to one client names another (art. 14, 54(13))."""

import re
import unicodedata
from uuid import UUID

from sqlalchemy import Connection, text

from outreach.messages.findings import Finding
from outreach.messages.reasons import REASONS

_LATIN = re.compile(r"[^\W\d_]", re.ASCII)

# Names of the branch's clients that stand in the text; colleagues who happen to be clients may be named.
_NAMED = text(
    """
    SELECT DISTINCT c.name
      FROM client c
     WHERE c.branch_id = :branch AND c.id <> :recipient AND length(c.name) >= 2
       AND position(replace(lower(c.name), ' ', '') IN :condensed) > 0
       AND NOT EXISTS (SELECT FROM client r WHERE r.id = :recipient AND r.name = c.name)
       AND NOT EXISTS (SELECT FROM staff s WHERE c.name IN (s.name, s.name_en))
    """
)


def names_of_others(
    conn: Connection, branch_id: UUID, recipient: UUID, fields: dict[str, str], locale: str = "zh-CN"
) -> list[Finding]:
    """A blocking finding for each place in ``fields`` (name of the field -> its text) where another client of the
    branch is named.

    Blanks between the characters and full-width forms do not hide a name; a name in Latin letters counts as
    whole words only.
    """
    findings: list[Finding] = []
    row = REASONS["names_other_client"]
    advice = row.mend_zh if locale.startswith("zh") else row.mend_en
    for field, original in fields.items():
        condensed, places = _condense(original)
        if not condensed:
            continue
        named = conn.execute(
            _NAMED, {"branch": branch_id, "recipient": recipient, "condensed": condensed}
        ).scalars()
        for name in sorted(named):
            findings += [
                Finding("names_other_client", row.article, "block", field, start, end, advice)
                for start, end in _spans(name, original, condensed, places)
            ]
    return findings


def _condense(original: str) -> tuple[str, list[int]]:
    """The text without blanks, in lower case and NFKC, and where in the original each character stands."""
    kept: list[str] = []
    places: list[int] = []
    for place, char in enumerate(original):
        for part in unicodedata.normalize("NFKC", char).lower():
            if not part.isspace() and unicodedata.category(part) != "Cf":
                kept.append(part)
                places.append(place)
    return "".join(kept), places


def _spans(name: str, original: str, condensed: str, places: list[int]) -> list[tuple[int, int]]:
    wanted = "".join(name.lower().split())
    latin = bool(_LATIN.search(name))
    spans: list[tuple[int, int]] = []
    at = condensed.find(wanted)
    while at >= 0:
        start, end = places[at], places[at + len(wanted) - 1] + 1
        if not latin or _whole_words(original, start, end):
            spans.append((start, end))
        at = condensed.find(wanted, at + 1)
    return spans


def _whole_words(original: str, start: int, end: int) -> bool:
    before = original[start - 1 : start]
    after = original[end : end + 1]
    return not (before.isascii() and before.isalnum()) and not (after.isascii() and after.isalnum())
