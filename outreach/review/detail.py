"""One message as its reader needs it: what the client will get, the findings on it, the facts that matter, where its
words come from, its history, and whether this actor may decide and if not, why."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from outreach.content.tables import content_version
from outreach.core import clock
from outreach.core.access import Permission, Role, visible
from outreach.core.errors import NotFound
from outreach.ledger.append import Entry, record, unseal_many
from outreach.ledger.work import Work
from outreach.messages.attached import Attached, attached_of
from outreach.messages.findings import Finding, read_findings
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.reasons import Words, words
from outreach.messages.states import State
from outreach.messages.tables import message
from outreach.occasions.birthdays import assessment_valid_until
from outreach.people.tables import client, consent, staff
from outreach.review.eyes import own_words
from outreach.review.history import Event, decisions_of, history, revisions_of
from outreach.review.parts import Part, parts_of
from outreach.review.policies import Policy, policy_for, refusal
from outreach.review.submissions import Submission, submission_for
from outreach.review.tables import decision
from outreach.review.wording import Refusal, refuse

LAST_CONTACTS = 5
_REACHED = [State.SENT, State.DELIVERED, State.UNDELIVERED, State.HANDED_OVER, State.UNKNOWN, State.CLAIMED]


@dataclass(frozen=True)
class Contact:
    """A message that went to this client before."""

    at: datetime
    channel: str
    category: str
    state: str


@dataclass(frozen=True)
class ClientFacts:
    """What about the client matters to a decision. ``opted_out``: (channel, category) pairs, ``*`` for all."""

    id: UUID
    client_no: str
    name: str
    tier: str
    risk_class: int | None
    risk_minimum: bool
    assessed_until: date | None
    status: str
    deceased: bool
    do_not_contact: bool
    opted_out: tuple[tuple[str, str], ...]
    language: str
    last_contacts: tuple[Contact, ...]


@dataclass(frozen=True)
class Detail:
    """Everything the page of one message shows. ``payload`` is None when the bytes were disposed of."""

    id: UUID
    submission: Submission
    branch_id: UUID
    client: ClientFacts
    channel: str
    category: str
    language: str
    state: str
    why: Words | None  # why it stands where it does
    revision: int
    digest: bytes
    payload: Payload | None
    attachments: tuple[Attached, ...]
    parts: tuple[Part, ...]
    findings: tuple[Finding, ...]
    flagged: bool
    blocked: bool
    urgent: bool
    risk_level: int | None
    send_at: datetime
    due_at: datetime | None
    expires_at: datetime
    author_name: str
    last_editor_name: str
    advisor_name: str
    history: tuple[Event, ...]
    refusal: Refusal | None  # why this actor may not approve it
    may_return: bool
    undo: UUID | None  # the decision that can still be undone
    undo_until: datetime | None

    @property
    def may_approve(self) -> bool:
        """Whether this actor may approve it as it now stands."""
        return self.refusal is None


def message_detail(work: Work, message_id: UUID, locale: str | None = None) -> Detail:
    """One message with all that its reader needs. That compliance read it is recorded in the ledger.

    Raises NotFound beyond the actor's scope.
    """
    tongue = locale or work.settings.locale
    scope = visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    row = work.conn.execute(select(message).where(message.c.id == message_id, scope)).one_or_none()
    if row is None:
        raise NotFound("There is no such message that you may see.", mend="Look in the inbox again.")
    submission = submission_for(work, row.submission_id)
    policy = policy_for(work.conn, submission.policy_version_id)
    revisions = revisions_of(work.conn, row)
    oldest = revisions[0].payload_id if revisions else row.payload_id
    bodies = unseal_many(work, {row.payload_id, oldest})
    payload = from_bytes(bodies[row.payload_id]) if row.payload_id in bodies else None
    first = from_bytes(bodies[oldest]) if row.revision > 1 and oldest in bodies else None
    names = _names(work, {row.author_id, row.last_editor_id, row.advisor_id} - {None})
    undoable = _undoable(work, row)
    if Role.COMPLIANCE in work.actor.roles():
        _record_view(work, row)
    return Detail(
        id=row.id,
        submission=submission,
        branch_id=row.branch_id,
        client=_client(work, row),
        channel=row.channel,
        category=row.category,
        language=row.language,
        state=row.state,
        why=words(row.reason, row.reason_params, tongue) if row.reason else None,
        revision=row.revision,
        digest=bytes(row.digest),
        payload=payload,
        attachments=attached_of(work, payload.attachments) if payload else (),
        parts=_parts(work, row, payload, first),
        findings=tuple(read_findings(row.findings)),
        flagged=row.flagged,
        blocked=row.blocked,
        urgent=row.urgent,
        risk_level=row.risk_level,
        send_at=row.send_at,
        due_at=row.due_at,
        expires_at=row.expires_at,
        author_name=names.get(row.author_id, ""),
        last_editor_name=names.get(row.last_editor_id, ""),
        advisor_name=names.get(row.advisor_id, ""),
        history=tuple(history(revisions, decisions_of(work.conn, row.id))),
        refusal=_refusal(work, row, submission, policy, tongue),
        may_return=row.state == State.HELD.value
        and refusal(work.actor, submission.branch_id, policy, "return", tongue, row.branch_id) is None,
        undo=undoable[0] if undoable else None,
        undo_until=undoable[1] if undoable else None,
    )


def _record_view(work: Work, row: Row[Any]) -> None:
    record(
        work,
        Entry(
            "view",
            {"object": "message", "purpose": "review", "submission_id": row.submission_id},
            message_id=row.id,
            client_id=row.client_id,
            branch_id=row.branch_id,
        ),
    )


def _refusal(
    work: Work, row: Row[Any], submission: Submission, policy: Policy, locale: str
) -> Refusal | None:
    """Why this actor may not approve the message; the same rules hold in the transaction that approves."""
    if row.state != State.HELD.value:
        return refuse("not_held", locale)
    if (why := refusal(work.actor, submission.branch_id, policy, "approve", locale)) is not None:
        return why
    if work.actor.staff_id is None or own_words(work.conn, work.actor.staff_id, [row.id]):
        return refuse("four_eyes", locale)
    return refuse("blocked", locale) if row.blocked else None


def _client(work: Work, row: Row[Any]) -> ClientFacts:
    found = work.conn.execute(select(client).where(client.c.id == row.client_id)).one()
    out = work.conn.execute(
        select(consent.c.channel, consent.c.category)
        .where(consent.c.client_id == row.client_id, consent.c.state == "opted_out")
        .order_by(consent.c.channel, consent.c.category)
    )
    reached = work.conn.execute(
        select(message.c.state_at, message.c.channel, message.c.category, message.c.state)
        .where(
            message.c.client_id == row.client_id,
            message.c.state.in_([state.value for state in _REACHED]),
            message.c.id != row.id,
        )
        .order_by(message.c.state_at.desc())
        .limit(LAST_CONTACTS)
    )
    return ClientFacts(
        id=found.id,
        client_no=found.client_no,
        name=found.name,
        tier=found.tier,
        risk_class=found.risk_class,
        risk_minimum=found.risk_minimum,
        assessed_until=assessment_valid_until(found.assessed_on) if found.assessed_on else None,
        status=found.status,
        deceased=found.deceased,
        do_not_contact=found.do_not_contact,
        opted_out=tuple((item.channel, item.category) for item in out),
        language=found.language,
        last_contacts=tuple(
            Contact(item.state_at, item.channel, item.category, item.state) for item in reached
        ),
    )


def _undoable(work: Work, row: Row[Any]) -> tuple[UUID, datetime] | None:
    if row.state != State.APPROVED.value or row.decision_id is None:
        return None
    made = work.conn.execute(
        select(decision.c.id, decision.c.undo_until).where(
            decision.c.id == row.decision_id,
            decision.c.verb == "approve",
            decision.c.undone_at.is_(None),
            decision.c.undo_until > clock.now(),
        )
    ).one_or_none()
    return (made.id, made.undo_until) if made else None


def _parts(work: Work, row: Row[Any], payload: Payload | None, first: Payload | None) -> tuple[Part, ...]:
    if payload is None:
        return ()
    source: str | None = None
    if row.template_version_id is not None:
        files = work.conn.execute(
            select(content_version.c.files).where(content_version.c.id == row.template_version_id)
        ).scalar_one()
        source = _source(files, row.channel, row.language)
    return parts_of(payload.text, source, first.text if first else None)


def _source(files: dict[str, str], channel: str, language: str) -> str | None:
    """The template's text for this channel and language, by the names that DESIGN §6 gives its files."""
    for name in (f"{channel}.{language}.j2", f"{channel}.{language}.txt.j2"):
        for path, content in files.items():
            if path == name or path.endswith(f"/{name}"):
                return content
    return None


def _names(work: Work, ids: set[UUID]) -> dict[UUID, str]:
    rows = work.conn.execute(select(staff.c.id, staff.c.name).where(staff.c.id.in_(ids)))
    return {row.id: row.name for row in rows}
