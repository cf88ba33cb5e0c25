"""Publishing: files become immutable versions, under a record of two persons. Files are never read at send time."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, text

from outreach.content.loader import ContentSet, Source
from outreach.content.tables import content_release, content_version
from outreach.core import clock
from outreach.core.access import Actor, Permission, require
from outreach.core.errors import BadInput, RuleBroken
from outreach.core.events import ContentPublished
from outreach.core.events import publish as tell
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record, seal_bytes
from outreach.ledger.work import Work


@dataclass(frozen=True)
class Release:
    """One publication. ``versions`` has (kind, name, version) of what is new, ``retired`` what ended with it; with
    ``id`` None nothing had changed and nothing was written."""

    id: UUID | None
    number: int
    versions: tuple[tuple[str, str, int], ...] = ()
    retired: tuple[tuple[str, str, int], ...] = ()


def publish(
    work: Work,
    content: ContentSet,
    published_by: UUID,
    approved_by: UUID,
    *,
    bootstrap: bool = False,
    last_editors: Mapping[tuple[str, str], UUID] | None = None,
    note: str = "",
) -> Release:
    """Make ``content`` what is in force: a new version of each name whose files changed, an end to each name that
    is gone.

    ``last_editors`` says who last edited (kind, name); by default whoever publishes. They may not approve what
    is made from it (P2). ``bootstrap`` marks the starter set's publication. Raises RuleBroken when whoever published
    or last edited is the person who approves, Forbidden without the permission, BadInput when the content is empty.
    """
    require(work.actor, Permission.PUBLISH)
    editors = last_editors or {}
    for one in {published_by, *editors.values()}:
        _two_persons(work.conn, one, approved_by)
    sources = content.sources()
    if not sources:
        raise BadInput(
            "There is nothing to publish.", mend="Name the folder that holds templates/ and jobs/."
        )
    one_at_a_time(work.conn)
    before = latest_versions(work.conn)
    changed = [source for source in sources if _differs(before.get((source.kind, source.name)), source)]
    kept = {(source.kind, source.name) for source in sources}
    gone = [row for key, row in before.items() if key not in kept and not row.retired]
    if not changed and not gone:
        return Release(None, _number(work.conn))
    release_id = new_id()
    number: int = work.conn.execute(
        insert(content_release)
        .values(
            id=release_id,
            at=clock.now(),
            published_by=published_by,
            approved_by=approved_by,
            bootstrap=bootstrap,
            note=note,
        )
        .returning(content_release.c.number)
    ).scalar_one()
    rows = [
        _row(
            release_id,
            source,
            before.get((source.kind, source.name)),
            editors.get((source.kind, source.name), published_by),
        )
        for source in changed
    ]
    rows += [_ending(release_id, row, published_by) for row in gone]
    work.conn.execute(insert(content_version), rows)
    _record(work, release_id, number, rows, published_by, approved_by, bootstrap)
    tell(work, ContentPublished(release_id))
    return Release(
        release_id,
        number,
        tuple((row["kind"], row["name"], row["version"]) for row in rows if not row["retired"]),
        tuple((row["kind"], row["name"], row["version"]) for row in rows if row["retired"]),
    )


def publish_together(work: Work, content: ContentSet, approver: Actor, *, note: str = "") -> Release:
    """``publish`` by the actor, with ``approver`` beside them: somebody who has signed in for it and may publish, too.

    Raises as ``publish``; Forbidden when either of them may not publish, RuleBroken when one of them is no person.
    """
    require(work.actor, Permission.PUBLISH)
    require(approver, Permission.PUBLISH)
    if work.actor.staff_id is None or approver.staff_id is None:
        raise RuleBroken(
            "Content is published by a person.", rule="four_eyes", mend="Sign in as a member of staff."
        )
    return publish(work, content, work.actor.staff_id, approver.staff_id, note=note)


def one_at_a_time(conn: Connection) -> None:
    """Wait until nobody else publishes, so that release numbers follow the order of commits, and keep others waiting
    until the transaction ends."""
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtext('content.publish'))"))


def digest_of(files: Mapping[str, str]) -> bytes:
    """SHA-256 over the files (path and text) as canonical JSON in the order of their paths."""
    return hashlib.sha256(
        json.dumps(sorted(files.items()), ensure_ascii=False, separators=(",", ":")).encode()
    ).digest()


_NEWEST = text("SELECT DISTINCT ON (kind, name) * FROM content_version ORDER BY kind, name, version DESC")


def latest_versions(conn: Connection) -> dict[tuple[str, str], Row[Any]]:
    """The newest version of every (kind, name), ended ones included."""
    rows = conn.execute(_NEWEST)
    return {(row.kind, row.name): row for row in rows}


_PERSONS = text("SELECT id, person_key FROM staff WHERE id IN (:one, :other)")


def _two_persons(conn: Connection, published_by: UUID, approved_by: UUID) -> None:
    rows = conn.execute(_PERSONS, {"one": published_by, "other": approved_by}).all()
    if len({row.person_key for row in rows}) < 2:
        raise RuleBroken(
            "Content is published by one person and approved by another.",
            rule="four_eyes",
            article="art. 63",
            mend="Let a second person approve the publication.",
        )


def _number(conn: Connection) -> int:
    return int(conn.execute(text("SELECT coalesce(max(number), 0) FROM content_release")).scalar_one())


def _differs(row: Row[Any] | None, source: Source) -> bool:
    return row is None or row.retired or bytes(row.sha256) != digest_of(source.files)


def _row(release_id: UUID, source: Source, before: Row[Any] | None, editor: UUID) -> dict[str, Any]:
    return {
        "id": new_id(),
        "kind": source.kind,
        "name": source.name,
        "version": before.version + 1 if before is not None else 1,
        "sha256": digest_of(source.files),
        "files": dict(source.files),
        "release_id": release_id,
        "last_editor": editor,
        "retired": False,
    }


def _ending(release_id: UUID, row: Row[Any], editor: UUID) -> dict[str, Any]:
    return {
        "id": new_id(),
        "kind": row.kind,
        "name": row.name,
        "version": row.version + 1,
        "sha256": digest_of({}),
        "files": {},
        "release_id": release_id,
        "last_editor": editor,
        "retired": True,
    }


def _record(
    work: Work,
    release_id: UUID,
    number: int,
    rows: list[dict[str, Any]],
    published_by: UUID,
    approved_by: UUID,
    bootstrap: bool,
) -> None:
    """The entry says how many versions and by whom; what they are, with each digest, is sealed beside it."""
    listing = {
        "release": number,
        "published_by": str(published_by),
        "approved_by": str(approved_by),
        "versions": [
            {
                "kind": row["kind"],
                "name": row["name"],
                "version": row["version"],
                "sha256": row["sha256"].hex(),
                "last_editor": str(row["last_editor"]),
                "retired": row["retired"],
            }
            for row in rows
        ],
    }
    body = json.dumps(listing, ensure_ascii=False, sort_keys=True).encode()
    record(
        work,
        Entry(
            "content.published",
            {
                "release_id": release_id,
                "author_id": published_by,
                "on_behalf_of": approved_by,
                "number": number,
                "count": len(rows),
                "digest": hashlib.sha256(body).digest(),
                "bootstrap": bootstrap,
            },
            sealed=seal_bytes(work, body),
        ),
    )
