"""Whether a text to one client names another (art. 14, 54(13))."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from sqlalchemy import Connection, text

from outreach.messages.findings import Finding
from outreach.messages.reasons import REASONS

_LATIN = re.compile(r"[^\W\d_]", re.ASCII)
CHUNK = 1000  # texts a query

# Names of the branches' clients whose first two and last two characters stand side by side in some of the texts: nearly
# always those that are named. Colleagues who happen to be clients may be named. ``own``: recipients of the same name.
_CANDIDATES = text(
    """
    WITH pairs AS MATERIALIZED (SELECT unnest(CAST(:pairs AS text[])) AS pair),
    spelt AS (
        SELECT c.branch_id, c.name, replace(lower(normalize(c.name, NFKC)), ' ', '') AS plain
          FROM client c WHERE c.branch_id = ANY(CAST(:branches AS uuid[])) AND length(c.name) >= 2
    )
    SELECT s.branch_id, s.name,
           ARRAY(SELECT r.id FROM client r WHERE r.id = ANY(CAST(:recipients AS uuid[])) AND r.name = s.name) AS own
      FROM (SELECT DISTINCT branch_id, name FROM spelt
             WHERE left(plain, 2) IN (SELECT pair FROM pairs) AND right(plain, 2) IN (SELECT pair FROM pairs)) s
     WHERE NOT EXISTS (SELECT FROM staff WHERE s.name IN (staff.name, staff.name_en))
     ORDER BY s.name
    """
)


@dataclass(frozen=True)
class Written:
    """What is written to one client of a branch: name of the field -> its text."""

    branch_id: UUID
    recipient: UUID
    fields: Mapping[str, str]


@dataclass(frozen=True)
class _Name:
    name: str
    plain: str
    own: Collection[UUID]


def names_of_others(
    conn: Connection, written: Sequence[Written], locale: str = "zh-CN"
) -> list[list[Finding]]:
    """For each of ``written``, a blocking finding for each place where another client of the branch is named.

    Blanks between the characters and full-width forms do not hide a name; a name in Latin letters counts as
    whole words only. One query for a thousand of them.
    """
    found: list[list[Finding]] = []
    for start in range(0, len(written), CHUNK):
        found += _of_chunk(conn, written[start : start + CHUNK], locale)
    return found


def _of_chunk(conn: Connection, written: Sequence[Written], locale: str) -> list[list[Finding]]:
    readings = {original: _condense(original) for one in written for original in one.fields.values()}
    pairs = {left + right for condensed, _ in readings.values() for left, right in pairwise(condensed)}
    if not pairs:
        return [[] for _ in written]
    names: dict[UUID, list[_Name]] = {}
    rows = conn.execute(
        _CANDIDATES,
        {
            "pairs": sorted(pairs),
            "branches": sorted({one.branch_id for one in written}),
            "recipients": sorted({one.recipient for one in written}),
        },
    )
    for row in rows:
        plain, _ = _condense(row.name)
        names.setdefault(row.branch_id, []).append(_Name(row.name, plain, frozenset(row.own)))
    reason = REASONS["names_other_client"]
    advice = reason.mend_zh if locale.startswith("zh") else reason.mend_en
    return [
        [
            Finding("names_other_client", reason.article, "block", field, start, end, advice)
            for field, original in one.fields.items()
            for name in names.get(one.branch_id, ())
            if name.plain in readings[original][0] and one.recipient not in name.own
            for start, end in _spans(name, original, *readings[original])
        ]
        for one in written
    ]


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


def _spans(name: _Name, original: str, condensed: str, places: list[int]) -> list[tuple[int, int]]:
    wanted = name.plain
    latin = bool(_LATIN.search(wanted))
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
