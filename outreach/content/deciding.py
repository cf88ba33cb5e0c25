"""Drafts of content are put up by one person, and published or returned by another (P2)."""

from uuid import UUID

from sqlalchemy import Connection, select

from outreach.content.drafts import (
    Draft,
    change,
    decided,
    draft_for,
    files_in_force,
    note_of,
    overtaken,
    person_of,
    same_eyes,
)
from outreach.content.loader import ContentSet
from outreach.content.proof import nothing_lost, proof_of
from outreach.content.publish import Release, digest_of, one_at_a_time, publish
from outreach.content.tables import content_draft
from outreach.core import clock
from outreach.core.errors import BadInput, Conflict, RuleBroken
from outreach.ledger.work import Work


def submit(work: Work, draft_id: UUID, revision: int, note: str = "") -> Draft:
    """Put the draft up for a second person.

    Raises BadInput when it has a fault or changes nothing, Conflict when somebody saved in between or another version
    is in force than it was started from.
    """
    person = person_of(work)
    draft = draft_for(work, draft_id)
    _same_base(work.conn, draft)
    _, standing = files_in_force(work.conn, draft.kind, draft.name)
    if digest_of(standing) == digest_of(draft.files):
        raise BadInput("Nothing differs from the version in force.", mend="Change something, or discard it.")
    _without_faults(work.conn, draft)
    return change(
        work,
        draft,
        revision,
        ("editing", "returned"),
        "submitted",
        seal={"note": note_of(note), "files": dict(draft.files)},
        keep_revision=True,
        state="submitted",
        submitted_at=clock.now(),
        submitted_by=person,
        note=note_of(note),
        decided_by=None,
        decided_at=None,
        decision_note="",
    )


def publish_draft(work: Work, draft_id: UUID, revision: int, note: str = "") -> Release:
    """Make the draft a version, in force at once; the actor is its second person.

    Raises RuleBroken when the actor last edited it or put it up, Conflict when it is not the revision that was put
    up or another version came into force meanwhile, BadInput when it has become faulty.
    """
    person = person_of(work)
    one_at_a_time(work.conn)
    row = work.conn.execute(
        select(content_draft).where(content_draft.c.id == draft_id).with_for_update()
    ).one_or_none()
    draft = draft_for(work, draft_id)
    if row is None or draft.state != "submitted" or draft.revision != revision or draft.submitted_by is None:
        raise overtaken(work.conn, draft)
    if same_eyes(work.conn, person, draft):
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
    change(
        work,
        draft,
        revision,
        ("submitted",),
        "published",
        seal={"note": note_of(note)} if note.strip() else None,
        keep_revision=True,
        release_id=release.id,
        **decided(person, "published", note),
    )
    return release


def return_draft(work: Work, draft_id: UUID, revision: int, note: str) -> Draft:
    """Give the draft back to whoever put it up, saying why. Raises BadInput without a word, Conflict as above."""
    person = person_of(work)
    draft = draft_for(work, draft_id)
    if not note.strip():
        raise BadInput("Say why it goes back.", mend="Write what is to be changed.")
    return change(
        work,
        draft,
        revision,
        ("submitted",),
        "returned",
        seal={"note": note_of(note)},
        keep_revision=True,
        **decided(person, "returned", note),
    )


def _same_base(conn: Connection, draft: Draft) -> None:
    version, _ = files_in_force(conn, draft.kind, draft.name)
    if version != draft.base_version:
        raise Conflict(
            f"Version {version} is in force by now; this draft was started from {draft.base_version}.",
            mend="Start the draft from the version in force, look at the difference, and put it up again.",
            version=version,
        )


def _without_faults(conn: Connection, draft: Draft) -> ContentSet:
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
