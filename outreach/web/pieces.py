"""A text cut into stretches for the page: where each comes from, and what was found in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from outreach.messages.findings import Finding
from outreach.review.parts import Part


@dataclass(frozen=True)
class Piece:
    """A stretch of a message's text as the page shows it: where it comes from, and what was found in it."""

    text: str
    origin: str
    finding: Finding | None


def pieces_of(parts: Sequence[Part], findings: Sequence[Finding]) -> list[Piece]:
    """The text in stretches, cut where its origin changes and where a finding begins or ends."""
    found = [one for one in findings if one.field == "text" and one.end > one.start]
    cuts = {0} | {one.start for one in found} | {one.end for one in found}
    made: list[Piece] = []
    at = 0
    for part in parts:
        end = at + len(part.text)
        inner = sorted({at, end} | {cut for cut in cuts if at < cut < end})
        for start, stop in pairwise(inner):
            finding = next((one for one in found if one.start <= start and stop <= one.end), None)
            made.append(Piece(part.text[start - at : stop - at], part.origin, finding))
        at = end
    return made


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
