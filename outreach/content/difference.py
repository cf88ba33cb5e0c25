"""What a publication would change: each file against the version in force, line by line."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Literal

from sqlalchemy import Connection

from outreach.content.loader import ContentSet
from outreach.content.publish import digest_of, latest_versions

CONTEXT = 2  # lines shown around a change


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
