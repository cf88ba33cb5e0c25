"""A text cut into stretches for the page: where each comes from, and what was found in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from outreach.messages.findings import Finding
from outreach.review.parts import Part


@dataclass(frozen=True)
class Piece:
    """A stretch of a message's text as the page shows it: where it comes from, and what was found in it.

    ``number`` is set on the last stretch of a finding: it is the one that ``notes_of`` explains.
    """

    text: str
    origin: str
    finding: Finding | None
    number: int = 0


@dataclass(frozen=True)
class Note:
    """A finding with the numbers of its places in the text (none: it is about the whole), and what is said there."""

    finding: Finding
    numbers: tuple[int, ...]
    said: str


def pieces_of(parts: Sequence[Part], findings: Sequence[Finding]) -> list[Piece]:
    """The text in stretches, cut where its origin changes and where a finding begins or ends."""
    found = _placed(findings)
    cuts = {0} | {one.start for one in found} | {one.end for one in found}
    made: list[Piece] = []
    at = 0
    for part in parts:
        end = at + len(part.text)
        inner = sorted({at, end} | {cut for cut in cuts if at < cut < end})
        for start, stop in pairwise(inner):
            finding = next((one for one in found if one.start <= start and stop <= one.end), None)
            number = found.index(finding) + 1 if finding is not None and stop == finding.end else 0
            made.append(Piece(part.text[start - at : stop - at], part.origin, finding, number))
        at = end
    return made


def notes_of(text: str, findings: Sequence[Finding]) -> list[Note]:
    """What was found, each rule's places together; those that forbid sending come first."""
    numbered = _placed(findings)
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for one in findings:
        said = text[one.start : one.end] if one in numbered else ""
        groups.setdefault((one.rule, one.severity, one.advice, said), []).append(one)
    notes = [
        Note(several[0], tuple(numbered.index(one) + 1 for one in several if one in numbered), key[3])
        for key, several in groups.items()
    ]
    weights = {"block": 0, "flag": 1, "hint": 2}
    return sorted(notes, key=lambda note: (weights[note.finding.severity], note.numbers or (0,)))


def _placed(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that have a place in the text, in its order."""
    return sorted(
        (one for one in findings if one.field == "text" and one.end > one.start),
        key=lambda one: (one.start, -one.end),
    )


@dataclass(frozen=True)
class Stretch:
    """A stretch of a preview's text, and what was found in it."""

    text: str
    finding: Finding | None


def stretches(text: str, findings: tuple[Finding, ...]) -> list[Stretch]:
    """``text`` cut where a finding begins or ends."""
    found = [one for one in findings if one.field == "text" and one.end > one.start]
    cuts = sorted({0, len(text)} | {one.start for one in found} | {one.end for one in found})
    return [
        Stretch(text[start:end], next((one for one in found if one.start <= start and end <= one.end), None))
        for start, end in pairwise(cuts)
    ]
