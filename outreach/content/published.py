"""What is in force, and who put it there: for the page that shows it. Ids of staff are resolved by ``people``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from outreach.content.publish import latest_versions
from outreach.content.tables import content_release


@dataclass(frozen=True)
class Published:
    """One name's version in force and the release that made it. The titles are empty where its kind has none."""

    kind: str
    name: str
    title_zh: str
    title_en: str
    version: int
    sha256: bytes
    last_editor: UUID
    at: datetime
    published_by: UUID
    approved_by: UUID
    bootstrap: bool
    note: str


def versions_in_force(conn: Connection) -> list[Published]:
    """Every name in force, by kind and name; empty before the first publication."""
    releases = {row.id: row for row in conn.execute(select(content_release))}
    return [
        Published(
            kind=kind,
            name=name,
            **_titles(row.files),
            version=row.version,
            sha256=bytes(row.sha256),
            last_editor=row.last_editor,
            at=releases[row.release_id].at,
            published_by=releases[row.release_id].published_by,
            approved_by=releases[row.release_id].approved_by,
            bootstrap=releases[row.release_id].bootstrap,
            note=releases[row.release_id].note,
        )
        for (kind, name), row in sorted(latest_versions(conn).items(), key=lambda pair: pair[0])
        if not row.retired
    ]


def _titles(files: Mapping[str, str]) -> dict[str, str]:
    """What the file with the settings calls it. A version in force was read before it was published."""
    said = tomllib.loads(files.get("template.toml") or next(iter(files.values()))).get("title", {})
    return {"title_zh": str(said.get("zh", "")), "title_en": str(said.get("en", ""))}
