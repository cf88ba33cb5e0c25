"""Content that is edited in the browser: kept as drafts, put up by one person, published by another.

A draft becomes the same version that a folder with its bytes would make; nothing of it is in force before. Whoever
last edited it or put it up does not publish it (P2), and who saves over somebody else's words is told so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, text, update

from outreach.content.publish import digest_of, latest_versions
from outreach.content.tables import content_draft
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.ledger.append import Entry, record, seal_bytes
from outreach.ledger.work import Work

LARGEST = 256 * 1024  # bytes of one file, as for the files of a folder
LONGEST_NOTE = 2000  # characters
OPEN = ("editing", "submitted", "returned")


@dataclass(frozen=True)
class Draft:
    """A draft and what became of it. ``base_version`` is the version in force that it was started from (0: none);
    ``revision`` counts savings."""

    id: UUID
    kind: str
    name: str
    base_version: int
    files: Mapping[str, str]
    state: str
    revision: int
    editor_id: UUID
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    submitted_by: UUID | None
    note: str
    decided_by: UUID | None
    decided_at: datetime | None
    decision_note: str
    release_id: UUID | None

    @property
    def is_open(self) -> bool:
        """Whether it can still become a version."""
        return self.state in OPEN


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────


def draft_for(work: Work, draft_id: UUID) -> Draft:
    """The draft. Raises Forbidden without the permission to publish, NotFound when there is none."""
    require(work.actor, Permission.PUBLISH)
    row = work.conn.execute(select(content_draft).where(content_draft.c.id == draft_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such draft.", mend="Look at the list of drafts.")
    return as_draft(row)


def open_drafts(work: Work) -> list[Draft]:
    """Every open draft, the latest change first. Raises Forbidden without the permission to publish."""
    require(work.actor, Permission.PUBLISH)
    query = select(content_draft).where(content_draft.c.state.in_(OPEN))
    return [as_draft(row) for row in work.conn.execute(query.order_by(content_draft.c.updated_at.desc()))]


def closed_drafts(work: Work, limit: int = 10) -> list[Draft]:
    """What was published or discarded last. Raises Forbidden without the permission to publish."""
    require(work.actor, Permission.PUBLISH)
    query = select(content_draft).where(content_draft.c.state.in_(("published", "discarded")))
    rows = work.conn.execute(query.order_by(content_draft.c.updated_at.desc()).limit(limit))
    return [as_draft(row) for row in rows]


def may_publish(work: Work, draft: Draft) -> bool:
    """Whether the draft waits, and waits for these eyes: the actor neither last edited it nor put it up."""
    if draft.state != "submitted" or not work.actor.may(Permission.PUBLISH):
        return False
    return not same_eyes(work.conn, work.actor.staff_id, draft)


def files_in_force(conn: Connection, kind: str, name: str) -> tuple[int, dict[str, str]]:
    """The version in force and its files; (0, none) when there is none."""
    row = latest_versions(conn).get((kind, name))
    return (0, {}) if row is None or row.retired else (row.version, dict(row.files))


# ── changing: for content.editing and content.deciding ───────────────────────────────────────────────────


def person_of(work: Work) -> UUID:
    """The member of staff who acts. Raises Forbidden without the permission to publish, RuleBroken for the system."""
    require(work.actor, Permission.PUBLISH)
    if work.actor.staff_id is None:
        raise RuleBroken(
            "Content is edited by a person.", rule="four_eyes", mend="Sign in as a member of staff."
        )
    return work.actor.staff_id


def as_draft(row: Row[Any]) -> Draft:
    """The row as a value."""
    return Draft(**{name: getattr(row, name) for name in Draft.__dataclass_fields__})


def note_of(note: str) -> str:
    """The note without what no text has. Raises BadInput when it is too long."""
    if len(note) > LONGEST_NOTE:
        raise BadInput(f"The note is longer than {LONGEST_NOTE} characters.", mend="Shorten it.")
    return note.replace("\0", "").strip()


def decided(person: UUID, state: str, note: str) -> dict[str, Any]:
    """The columns that say who decided what."""
    return {
        "state": state,
        "decided_by": person,
        "decided_at": clock.now(),
        "decision_note": note_of(note),
    }


def change(
    work: Work,
    draft: Draft,
    revision: int,
    states: tuple[str, ...],
    verb: str,
    *,
    seal: Mapping[str, Any] | None = None,
    keep_revision: bool = False,
    **values: Any,
) -> Draft:
    """One conditional UPDATE; whoever was slower is told by whom and when."""
    row = work.conn.execute(
        update(content_draft)
        .where(
            content_draft.c.id == draft.id,
            content_draft.c.revision == revision,
            content_draft.c.state.in_(states),
        )
        .values(
            revision=content_draft.c.revision + (0 if keep_revision else 1), updated_at=clock.now(), **values
        )
        .returning(content_draft)
    ).one_or_none()
    if row is None:
        raise overtaken(work.conn, draft_for(work, draft.id))
    changed = as_draft(row)
    record_step(work, changed, verb, seal)
    return changed


def overtaken(conn: Connection, draft: Draft) -> Conflict:
    """Who was faster, what they did and when."""
    said = {
        "editing": "{} saved this draft at {}.",
        "submitted": "{} put this draft up at {}.",
        "returned": "{} returned this draft at {}.",
        "published": "{} published this draft at {}.",
        "discarded": "{} discarded this draft at {}.",
    }[draft.state]
    who = {"editing": draft.editor_id, "submitted": draft.submitted_by}.get(draft.state, draft.decided_by)
    name = conn.execute(_NAME, {"id": who}).scalar_one_or_none() or "–"
    at = f"{draft.updated_at:%Y-%m-%d %H:%M:%S} UTC"
    return Conflict(
        said.format(name, at),
        mend="Open the draft again; copy what you wrote before you do.",
        state=draft.state,
        who=name,
        at=draft.updated_at,
    )


_NAME = text("SELECT name FROM staff WHERE id = :id")
_SAME_PERSON = text(
    "SELECT EXISTS (SELECT FROM staff me JOIN staff other USING (person_key)"
    " WHERE me.id = :me AND other.id = ANY(:others))"
)


def same_eyes(conn: Connection, person: UUID | None, draft: Draft) -> bool:
    """Whether ``person`` is the same natural person as who last edited the draft or put it up (P2)."""
    others = [one for one in (draft.editor_id, draft.submitted_by) if one is not None]
    return bool(conn.execute(_SAME_PERSON, {"me": person, "others": others}).scalar_one())


def record_step(work: Work, draft: Draft, verb: str, seal: Mapping[str, Any] | None = None) -> None:
    """Enter a step of the draft into the ledger; ``seal`` holds the words that belong to it."""
    body = json.dumps(seal, ensure_ascii=False, sort_keys=True).encode() if seal else None
    record(
        work,
        Entry(
            "content.draft",
            {
                "draft_id": draft.id,
                "verb": verb,
                "scope": draft.kind,
                "object": draft.name,
                "revision": draft.revision,
                "number": draft.base_version,
                "digest": digest_of(draft.files),
                "release_id": draft.release_id,
            },
            sealed=seal_bytes(work, body) if body else None,
        ),
    )
