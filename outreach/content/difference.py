"""What a publication would change: each file against the version in force, line by line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import groupby
from typing import Literal

from sqlalchemy import Connection

from outreach.content.loader import ContentSet
from outreach.content.publish import digest_of, latest_versions

CONTEXT = 2  # lines shown around a change
_ALIKE = 0.4  # below this share two lines have too little in common to be told apart piece by piece
_LONGEST_LINE = 2000  # characters; a longer line is shown as a whole


@dataclass(frozen=True)
class FileChange:
    """One file: its unified difference, line by line, without headings. ``added`` and ``removed`` count lines."""

    name: str
    lines: tuple[str, ...]

    @property
    def added(self) -> int:
        """Lines that come."""
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        """Lines that go."""
        return sum(line.startswith("-") for line in self.lines)


@dataclass(frozen=True)
class Change:
    """One name: from which version (0: it is new), and what becomes of it."""

    kind: str
    name: str
    what: Literal["new", "changed", "ended"]
    version: int
    files: tuple[FileChange, ...]


def changes(conn: Connection, content: ContentSet) -> list[Change]:
    """What publishing ``content`` would change, by kind and name; empty when nothing would."""
    before = {key: row for key, row in latest_versions(conn).items() if not row.retired}
    found: list[Change] = []
    for source in content.sources():
        row = before.pop((source.kind, source.name), None)
        if row is None:
            found.append(Change(source.kind, source.name, "new", 0, compare({}, source.files)))
        elif bytes(row.sha256) != digest_of(source.files):
            files = compare(row.files, source.files)
            found.append(Change(source.kind, source.name, "changed", row.version, files))
    for (kind, name), row in before.items():
        found.append(Change(kind, name, "ended", row.version, compare(row.files, {})))
    return sorted(found, key=lambda one: (one.kind, one.name))


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[FileChange, ...]:
    """The files that differ, by name."""
    found: list[FileChange] = []
    for name in sorted(set(before) | set(after)):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            lines = list(unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=CONTEXT))[2:]
            found.append(FileChange(name, tuple(lines)))
    return tuple(found)


@dataclass(frozen=True)
class DiffLine:
    """A line of a difference: its sign (``+``, ``-``, a space, or ``@`` for a heading) and its pieces, each with
    whether it is what differs from the line that it takes the place of."""

    sign: str
    pieces: tuple[tuple[str, bool], ...]


def in_pieces(lines: Sequence[str]) -> list[DiffLine]:
    """The lines of a difference, with what differs within a line told apart: a message is often one long line."""
    found: list[DiffLine] = []
    for sign, run in groupby(lines, key=lambda line: line[:1]):
        new = [DiffLine(sign, ((line if sign == "@" else line[1:], False),)) for line in run]
        before = found[-len(new) :] if len(found) >= len(new) else []
        if sign == "+" and len(before) == len(new) and all(one.sign == "-" for one in before):
            pairs = [_against(old, one) for old, one in zip(before, new, strict=True)]
            found[-len(new) :] = [old for old, _ in pairs]
            new = [one for _, one in pairs]
        found += new
    return found


def _against(old: DiffLine, new: DiffLine) -> tuple[DiffLine, DiffLine]:
    before, after = old.pieces[0][0], new.pieces[0][0]
    if max(len(before), len(after)) > _LONGEST_LINE:
        return old, new
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return old, new
    steps = matcher.get_opcodes()
    left = tuple((before[a:b], what != "equal") for what, a, b, _, _ in steps if b > a)
    right = tuple((after[a:b], what != "equal") for what, _, _, a, b in steps if b > a)
    return DiffLine("-", left), DiffLine("+", right)
