"""Editing content in the browser: begin a draft, save it, start it anew from what is in force, put it aside."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from outreach.content.drafts import (
    LARGEST,
    OPEN,
    Draft,
    as_draft,
    change,
    decided,
    draft_for,
    files_in_force,
    person_of,
    record_step,
)
from outreach.content.tables import content_draft
from outreach.content.tree import SINGLE, check_name, file_names
from outreach.core import clock
from outreach.core.errors import BadInput, Conflict, NotFound
from outreach.core.ids import new_id
from outreach.ledger.work import Work


def start(work: Work, kind: str, name: str, *, copy_of: str = "") -> Draft:
    """Begin a draft of (kind, name) from the version in force, or a new name from a copy of ``copy_of``'s. When it
    has an open draft already, that one.

    Raises BadInput for a name that there can't be or that is taken, NotFound when there is nothing to start from.
    """
    person = person_of(work)
    check_name(kind, name)
    known = work.conn.execute(
        select(content_draft).where(
            content_draft.c.kind == kind, content_draft.c.name == name, content_draft.c.state.in_(OPEN)
        )
    ).one_or_none()
    if known is not None and not copy_of:
        return as_draft(known)
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
        insert(content_draft)
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
    draft = as_draft(row)
    record_step(work, draft, "started")
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
    person = person_of(work)
    draft = draft_for(work, draft_id)
    kept = readable(draft.kind, draft.name, files)
    if draft.is_open and draft.revision == revision and kept == draft.files and draft.state != "submitted":
        return draft
    return change(work, draft, revision, OPEN, "saved", files=kept, state="editing", editor_id=person)


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
    person = person_of(work)
    draft = draft_for(work, draft_id)
    version, _ = files_in_force(work.conn, draft.kind, draft.name)
    return change(
        work, draft, revision, OPEN, "rebased", base_version=version, state="editing", editor_id=person
    )


def discard(work: Work, draft_id: UUID, revision: int) -> Draft:
    """Put the draft aside for good; it stays on record. Raises Conflict as ``save`` does."""
    person = person_of(work)
    draft = draft_for(work, draft_id)
    return change(
        work, draft, revision, OPEN, "discarded", keep_revision=True, **decided(person, "discarded", "")
    )
