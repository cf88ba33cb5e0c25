"""One message that waits: mended after a return, made personal, skipped or withdrawn by the advisor it belongs to.

A change of words makes a new revision by a new last editor, so no decision about the old one holds any more (P1) and
the editor can't approve it (P2).
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, select, text

from outreach.composing.audience import LEAST, Audience, read_chunk
from outreach.composing.batches import put_up
from outreach.composing.checks import Requirements, check, required_disclosures
from outreach.composing.context import client_context, disclosure_text
from outreach.composing.drafts import LONGEST
from outreach.composing.dressing import dress
from outreach.composing.load import item_hosts, office_numbers
from outreach.composing.moving import submission_for_words
from outreach.composing.own import not_found
from outreach.composing.requests import others_named
from outreach.content.in_force import disclosures_in_force, lexicons_in_force, template_version
from outreach.content.render import Rendered
from outreach.core.access import Permission, Role, visible
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.core.events import PendingChanged, publish
from outreach.ledger.append import record_many, unseal_bytes
from outreach.ledger.work import Work
from outreach.messages.chains import whole_chain
from outreach.messages.closing import close_finished
from outreach.messages.entries import message_entry
from outreach.messages.findings import Finding, blocks
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.revising import revise
from outreach.messages.states import State, move_one
from outreach.messages.tables import message
from outreach.people.clients import in_scope
from outreach.people.tables import client, staff

# With those of the same occurrence and branch: a message may move from one policy's submission to a stricter one's.
_LOCK_SUBMISSIONS = text(
    """
    SELECT s.id FROM submission s JOIN submission own ON own.id = :id
     WHERE s.occurrence_id = own.occurrence_id AND s.branch_id IS NOT DISTINCT FROM own.branch_id
     ORDER BY s.id
       FOR NO KEY UPDATE OF s
    """
)


def resubmit(work: Work, message_id: UUID, revision: int, subject: str, said: str) -> int:
    """Put a returned message up again with other words; returns the new revision's number.

    Raises NotFound for a message that is not the actor's, Conflict when it is not returned any more or has another
    revision, BadInput for an empty or endless text, RuleBroken (with ``findings``) for words that may not go out.
    """
    row = _mine(work, message_id)
    if row.state != State.RETURNED.value:
        raise _changed(work, row, "This message is not returned to be mended.")
    return _edit(work, row, revision, subject, said, flagged=False)


def personalise(work: Work, message_id: UUID, revision: int, said: str, subject: str = "") -> int:
    """Give one waiting message of an own client words of its own; returns the new revision's number.

    It leaves its batch's decision and has to be read and decided by itself. Raises as ``resubmit`` does.
    """
    row = _mine(work, message_id)
    if row.state != State.HELD.value:
        raise _changed(work, row, "This message does not wait for a decision any more.")
    return _edit(work, row, revision, subject, said, flagged=True)


def skip(work: Work, message_id: UUID, note: str = "") -> None:
    """Let one client of one's own go without a waiting message and its alternatives; everybody else's goes on.

    What is approved and not on its way yet is taken back, too. Raises NotFound, or Conflict when it is too late.
    """
    row = _mine(work, message_id)
    _cancel(work, row, "skipped", note)


def withdraw(work: Work, message_id: UUID) -> None:
    """Take back a message that the actor wrote and that is not on its way yet. Raises NotFound, or Conflict when it
    is too late."""
    row = _mine(work, message_id)
    if row.author_id != work.actor.staff_id:
        raise NotFound("This message is not yours to take back.", mend="Skip it instead.")
    _cancel(work, row, "withdrawn", "")


def _mine(work: Work, message_id: UUID) -> Row[Any]:
    """The message, its row locked after its submissions' (the order in which deciders lock, so that nobody waits in
    a ring). Raises NotFound beyond what the actor may change."""
    condition = visible(work.actor, Permission.COMPOSE, message.c.branch_id)
    if work.actor.roles() == {Role.ADVISOR}:
        mine = select(client.c.id).where(in_scope(work))
        condition &= or_(message.c.author_id == work.actor.staff_id, message.c.client_id.in_(mine))
    wanted = select(message).where(message.c.id == message_id, condition)
    if (found := work.conn.execute(wanted).one_or_none()) is None:
        raise not_found()
    work.conn.execute(_LOCK_SUBMISSIONS, {"id": found.submission_id})
    if (row := work.conn.execute(wanted.with_for_update()).one_or_none()) is None:
        raise not_found()
    return row


def _changed(work: Work, row: Row[Any], what: str) -> Conflict:
    editor = work.conn.execute(
        select(staff.c.name).where(staff.c.id == row.last_editor_id)
    ).scalar_one_or_none()
    return Conflict(
        f"{what} It is {row.state} with revision {row.revision}, last edited by {editor or 'the system'}.",
        mend="Read it again.",
    )


def _edit(work: Work, row: Row[Any], revision: int, subject: str, said: str, *, flagged: bool) -> int:
    if row.revision != revision:
        raise _changed(work, row, "Somebody was faster.")
    if not said.strip() or len(said) > LONGEST or len(subject) > 200:
        raise BadInput("The text is empty or too long.", mend=f"Write up to {LONGEST} characters.")
    payload, findings, lexicon_digest = _reworded(work, row, subject, said.strip())
    if blocks(findings):
        stopping = next(item for item in findings if item.severity == "block")
        raise RuleBroken(
            "These words may not go out; nothing was stored.",
            rule=stopping.rule,
            article=stopping.article,
            mend=stopping.advice,
            findings=[item.to_json() for item in findings],
        )
    said_by_hand = len(said.strip()) + len(subject)
    submission_id = submission_for_words(work, row, payload, said_by_hand, findings)
    number = revise(
        work,
        row,
        payload,
        expected=revision,
        editor_id=work.actor.staff_id,
        findings=findings,
        lexicon_digest=lexicon_digest,
        flagged=flagged,
        reason="edited" if flagged else None,
        submission_id=submission_id,
    )
    left = {row.submission_id} - {submission_id}
    put_up(work, {submission_id, *left}, lexicon_digest, without=left)
    if flagged:
        publish(work, PendingChanged(row.submission_id, row.id, "edited"))
    return number


def _reworded(work: Work, row: Row[Any], subject: str, said: str) -> tuple[Payload, list[Finding], bytes]:
    """The payload with new words, dressed and checked as every text is. A mail's HTML would still say the old ones:
    it goes."""
    before = from_bytes(unseal_bytes(work, row.payload_id))
    matcher, lexicon_digest = lexicons_in_force(work.conn)
    known = disclosures_in_force(work.conn)
    meta = template_version(work.conn, row.template_version_id).meta if row.template_version_id else None
    wanted = list(meta.disclosures) if meta else required_disclosures(known, row.category, row.advice)
    text_ = dress(
        work.settings,
        row.channel,
        row.language,
        said,
        disclosure_text(known, wanted, row.language),
        _context(work, row),
        advice=row.advice,
    )
    title = " ".join((subject or before.subject).split()) if row.channel == "email" else ""
    rendered = Rendered(text=text_, subject=title)
    findings = check(
        row.channel,
        row.language,
        rendered,
        Requirements(
            matcher=matcher,
            known=known,
            disclosures=wanted,
            numbers=office_numbers(work),
            greeting=bool(meta and meta.greeting),
            locale=work.settings.locale,
            links={
                *work.settings.link_hosts,
                *(meta.allowed_links if meta else ()),
                *item_hosts(work, row.occurrence_id),
            },
            advice=row.advice,
        ),
        own=[before.to] if row.channel != "email" else (),
    ) + others_named(work, row.branch_id, row.client_id, rendered)
    payload = Payload(
        channel=before.channel,
        to=before.to,
        text=text_.strip() if row.channel == "sms" else text_,
        sender=before.sender,
        subject=title,
        recipient_name=before.recipient_name,
        attachments=before.attachments,
    )
    return payload, findings, lexicon_digest


def _context(work: Work, row: Row[Any]) -> dict[str, Any]:
    audience = Audience(client_ids={row.client_id}, signer_id=row.advisor_id or work.actor.staff_id)
    found = read_chunk(
        work.conn,
        audience,
        occurrence_id=LEAST,
        month=row.scheduled_month,
        after=LEAST,
        size=1,
    )
    return client_context(found[0], row.language)


_MAY_BE_SKIPPED = (State.HELD, State.RETURNED, State.APPROVED)


def _cancel(work: Work, row: Row[Any], reason: str, note: str) -> None:
    """Cancel a message that waits, and with it what would stand in for it on another channel."""
    if State(row.state) not in _MAY_BE_SKIPPED:
        raise _changed(work, row, "It is too late to stop this message here.")
    whole = whole_chain(work.conn, row.id)
    query = select(message).where(message.c.id.in_(whole)).order_by(message.c.id).with_for_update()
    stopping = [one for one in work.conn.execute(query) if State(one.state) in _MAY_BE_SKIPPED]
    params = {"note": note[:200]} if note else None
    for one in stopping:
        source = State(one.state)
        move_one(work.conn, source, State.CANCELLED, one.id, reason=reason, params=params, due_at=None)
    record_many(work, [message_entry("message.cancelled", one, reason) for one in stopping])
    close_finished(work, {one.submission_id for one in stopping})
    was = "taken_back" if row.state == State.APPROVED.value else reason
    publish(work, PendingChanged(row.submission_id, row.id, was))
