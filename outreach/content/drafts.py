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
from sqlalchemy.dialects.postgresql import insert as pg_insert

from outreach.content.proof import nothing_lost, proof_of
from outreach.content.publish import Release, digest_of, latest_versions, one_at_a_time, publish
from outreach.content.tables import content_draft
from outreach.content.tree import SINGLE, check_name, file_names
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.core.ids import new_id
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
    return _draft(row)


def open_drafts(work: Work) -> list[Draft]:
    """Every open draft, the latest change first. Raises Forbidden without the permission to publish."""
    require(work.actor, Permission.PUBLISH)
    query = select(content_draft).where(content_draft.c.state.in_(OPEN))
    return [_draft(row) for row in work.conn.execute(query.order_by(content_draft.c.updated_at.desc()))]


def closed_drafts(work: Work, limit: int = 10) -> list[Draft]:
    """What was published or discarded last. Raises Forbidden without the permission to publish."""
    require(work.actor, Permission.PUBLISH)
    query = select(content_draft).where(content_draft.c.state.in_(("published", "discarded")))
    rows = work.conn.execute(query.order_by(content_draft.c.updated_at.desc()).limit(limit))
    return [_draft(row) for row in rows]


def may_publish(work: Work, draft: Draft) -> bool:
    """Whether the draft waits, and waits for these eyes: the actor neither last edited it nor put it up."""
    if draft.state != "submitted" or not work.actor.may(Permission.PUBLISH):
        return False
    return not _own(work.conn, work.actor.staff_id, draft)


def files_in_force(conn: Connection, kind: str, name: str) -> tuple[int, dict[str, str]]:
    """The version in force and its files; (0, none) when there is none."""
    row = latest_versions(conn).get((kind, name))
    return (0, {}) if row is None or row.retired else (row.version, dict(row.files))


# ── editing ───────────────────────────────────────────────────────────────────────────────────────────────


def start(work: Work, kind: str, name: str, *, copy_of: str = "") -> Draft:
    """Begin a draft of (kind, name) from the version in force, or a new name from a copy of ``copy_of``'s. When it
    has an open draft already, that one.

    Raises BadInput for a name that there can't be or that is taken, NotFound when there is nothing to start from.
    """
    person = _person(work)
    check_name(kind, name)
    known = work.conn.execute(
        select(content_draft).where(
            content_draft.c.kind == kind, content_draft.c.name == name, content_draft.c.state.in_(OPEN)
        )
    ).one_or_none()
    if known is not None and not copy_of:
        return _draft(known)
    version, files = files_in_force(work.conn, kind, name)
    if copy_of:
        if version or known is not None:
            raise BadInput(
                f"There is a {kind} {name} already.", mend="Choose another name, or edit that one."
            )
        files = _copied(work.conn, kind, name, copy_of)
    elif not files and kind not in SINGLE:
        raise NotFound(f"There is no {kind} {name} in force.", mend="Copy one that is there.")
    now = clock.now()
    row = work.conn.execute(
        pg_insert(content_draft)
        .values(
            id=new_id(),
            kind=kind,
            name=name,
            base_version=version,
            files=files or {file_names(kind, name)[0]: ""},
            editor_id=person,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing()
        .returning(content_draft)
    ).one_or_none()
    if row is None:
        raise Conflict("Somebody began a draft of this just now.", mend="Open it from the list of drafts.")
    draft = _draft(row)
    _record(work, draft, "started")
    return draft


def _copied(conn: Connection, kind: str, name: str, copy_of: str) -> dict[str, str]:
    if kind in SINGLE:
        raise BadInput("There is only one of this kind.", mend="Edit the one in force.")
    check_name(kind, copy_of)
    _, files = files_in_force(conn, kind, copy_of)
    if not files:
        raise NotFound(f"There is no {kind} {copy_of} in force.", mend="Copy one that is there.")
    return files if kind == "template" else {file_names(kind, name)[0]: next(iter(files.values()))}


def save(work: Work, draft_id: UUID, revision: int, files: Mapping[str, str]) -> Draft:
    """Keep ``files`` as the draft's text, faulty or not; a file without a word is left out. What was put up or
    returned is being edited again. ``revision`` is the one that whoever saves has seen.

    Raises Conflict naming who saved in between, BadInput for a file that there can't be or that is too large.
    """
    person = _person(work)
    draft = draft_for(work, draft_id)
    kept = readable(draft.kind, draft.name, files)
    if draft.is_open and draft.revision == revision and kept == draft.files and draft.state != "submitted":
        return draft
    return _changed(work, draft, revision, OPEN, "saved", files=kept, state="editing", editor_id=person)


def readable(kind: str, name: str, files: Mapping[str, str]) -> dict[str, str]:
    """``files`` as a folder's would be read: line ends made one, without byte-order marks and empty files.

    Raises BadInput for a file that there can't be, that is too large or holds what no text has.
    """
    kept: dict[str, str] = {}
    known = file_names(kind, name)
    for file, said in files.items():
        if file not in known:
            raise BadInput(
                f"{file[:80]!r} is not a file of a {kind}.", mend=f"There may be: {', '.join(known)}."
            )
        body = said.removeprefix("\ufeff").replace("\r\n", "\n")
        try:
            size = len(body.encode())
        except UnicodeEncodeError:
            raise BadInput(f"{file} is not text.", mend="Paste it again as plain text.") from None
        if size > LARGEST:
            raise BadInput(f"{file} has {size} bytes, more than {LARGEST}.", mend="Shorten it.")
        if "\0" in body:
            raise BadInput(f"{file} is not text.", mend="Paste it again as plain text.")
        if body.strip():
            kept[file] = body
    return kept


def take_over(work: Work, draft_id: UUID, revision: int) -> Draft:
    """Let the draft start from the version that is in force now: its words stay, the difference shows what they
    would undo. Raises Conflict as ``save`` does."""
    person = _person(work)
    draft = draft_for(work, draft_id)
    version, _ = files_in_force(work.conn, draft.kind, draft.name)
    return _changed(
        work, draft, revision, OPEN, "rebased", base_version=version, state="editing", editor_id=person
    )


# ── putting up and deciding ───────────────────────────────────────────────────────────────────────────────


def submit(work: Work, draft_id: UUID, revision: int, note: str = "") -> Draft:
    """Put the draft up for a second person.

    Raises BadInput when it has a fault or changes nothing, Conflict when somebody saved in between or another version
    is in force than it was started from.
    """
    person = _person(work)
    draft = draft_for(work, draft_id)
    _same_base(work.conn, draft)
    _, standing = files_in_force(work.conn, draft.kind, draft.name)
    if digest_of(standing) == digest_of(draft.files):
        raise BadInput("Nothing differs from the version in force.", mend="Change something, or discard it.")
    _without_faults(work.conn, draft)
    return _changed(
        work,
        draft,
        revision,
        ("editing", "returned"),
        "submitted",
        seal={"note": _note(note), "files": dict(draft.files)},
        keep_revision=True,
        state="submitted",
        submitted_at=clock.now(),
        submitted_by=person,
        note=_note(note),
        decided_by=None,
        decided_at=None,
        decision_note="",
    )


def publish_draft(work: Work, draft_id: UUID, revision: int, note: str = "") -> Release:
    """Make the draft a version, in force at once; the actor is its second person.

    Raises RuleBroken when the actor last edited it or put it up, Conflict when it is not the revision that was put
    up or another version came into force meanwhile, BadInput when it has become faulty.
    """
    person = _person(work)
    one_at_a_time(work.conn)
    row = work.conn.execute(
        select(content_draft).where(content_draft.c.id == draft_id).with_for_update()
    ).one_or_none()
    draft = draft_for(work, draft_id)
    if row is None or draft.state != "submitted" or draft.revision != revision or draft.submitted_by is None:
        raise _overtaken(work.conn, draft)
    if _own(work.conn, person, draft):
        raise RuleBroken(
            "Whoever last edited content or put it up does not publish it.",
            rule="four_eyes",
            article="art. 63",
            mend="Let a second person publish it.",
        )
    _same_base(work.conn, draft)
    content = _without_faults(work.conn, draft)
    nothing_lost(work.conn, content)
    release = publish(
        work,
        content,
        draft.submitted_by,
        person,
        last_editors={(draft.kind, draft.name): draft.editor_id},
        note=draft.note,
    )
    _changed(
        work,
        draft,
        revision,
        ("submitted",),
        "published",
        seal={"note": _note(note)} if note.strip() else None,
        keep_revision=True,
        release_id=release.id,
        **_decided(person, "published", note),
    )
    return release


def return_draft(work: Work, draft_id: UUID, revision: int, note: str) -> Draft:
    """Give the draft back to whoever put it up, saying why. Raises BadInput without a word, Conflict as above."""
    person = _person(work)
    draft = draft_for(work, draft_id)
    if not note.strip():
        raise BadInput("Say why it goes back.", mend="Write what is to be changed.")
    return _changed(
        work,
        draft,
        revision,
        ("submitted",),
        "returned",
        seal={"note": _note(note)},
        keep_revision=True,
        **_decided(person, "returned", note),
    )


def discard(work: Work, draft_id: UUID, revision: int) -> Draft:
    """Put the draft aside for good; it stays on record. Raises Conflict as ``save`` does."""
    person = _person(work)
    draft = draft_for(work, draft_id)
    return _changed(
        work, draft, revision, OPEN, "discarded", keep_revision=True, **_decided(person, "discarded", "")
    )


# ── within ────────────────────────────────────────────────────────────────────────────────────────────────


def _person(work: Work) -> UUID:
    require(work.actor, Permission.PUBLISH)
    if work.actor.staff_id is None:
        raise RuleBroken(
            "Content is edited by a person.", rule="four_eyes", mend="Sign in as a member of staff."
        )
    return work.actor.staff_id


def _draft(row: Row[Any]) -> Draft:
    return Draft(**{name: getattr(row, name) for name in Draft.__dataclass_fields__})


def _note(note: str) -> str:
    if len(note) > LONGEST_NOTE:
        raise BadInput(f"The note is longer than {LONGEST_NOTE} characters.", mend="Shorten it.")
    return note.replace("\0", "").strip()


def _decided(person: UUID, state: str, note: str) -> dict[str, Any]:
    return {
        "state": state,
        "decided_by": person,
        "decided_at": clock.now(),
        "decision_note": _note(note),
    }


def _changed(
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
        raise _overtaken(work.conn, draft_for(work, draft.id))
    changed = _draft(row)
    _record(work, changed, verb, seal)
    return changed


def _overtaken(conn: Connection, draft: Draft) -> Conflict:
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


def _own(conn: Connection, person: UUID | None, draft: Draft) -> bool:
    others = [one for one in (draft.editor_id, draft.submitted_by) if one is not None]
    return bool(conn.execute(_SAME_PERSON, {"me": person, "others": others}).scalar_one())


def _same_base(conn: Connection, draft: Draft) -> None:
    version, _ = files_in_force(conn, draft.kind, draft.name)
    if version != draft.base_version:
        raise Conflict(
            f"Version {version} is in force by now; this draft was started from {draft.base_version}.",
            mend="Start the draft from the version in force, look at the difference, and put it up again.",
            version=version,
        )


def _without_faults(conn: Connection, draft: Draft) -> Any:
    proof = proof_of(conn, draft.kind, draft.name, draft.files)
    if proof.faults:
        first = proof.faults[0]
        more = f" ({len(proof.faults) - 1} more)" if len(proof.faults) > 1 else ""
        raise BadInput(
            f"{first.file}:{first.line}: {first.message}{more}",
            mend=first.mend or "Mend what is found, and put it up then.",
            faults=proof.faults,
        )
    return proof.content


def _record(work: Work, draft: Draft, verb: str, seal: Mapping[str, Any] | None = None) -> None:
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
