"""One message as its reader needs it: what the client will get, the findings on it, the facts that matter, where its
words come from, its history and what was said about it, and whether this actor may decide and if not, why.

Nine queries at most, whatever the message has: everything of one row comes in one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from outreach.content.in_force import TemplateVersion, template_version
from outreach.core import clock
from outreach.core.access import Role
from outreach.core.together import Answer, Ask, together
from outreach.ledger.append import SEALED, Entry, record, unseal_many, unsealed
from outreach.ledger.work import Work
from outreach.messages.attached import Attached, attached_of
from outreach.messages.findings import Finding, read_findings
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.reasons import Words, words
from outreach.messages.states import State
from outreach.review.claims import Claim
from outreach.review.eyes import OWN_WORDS, own_endorsements, own_words, places, seen_by
from outreach.review.facts import (
    LAST_CONTACTS,
    WISHES_AND_CONTACTS,
    ClientFacts,
    Contact,
    client_facts,
)
from outreach.review.history import DECISIONS, REVISIONS, Event, history
from outreach.review.message_row import SUBMISSION, read_row
from outreach.review.parts import Part, parts_of
from outreach.review.policies import Policy, fitting, policy_for, refusal
from outreach.review.questions import open_among, params_of
from outreach.review.remarks import ON_ONE, Remark, read_remarks
from outreach.review.sources import SOURCES, Source, source_of
from outreach.review.submissions import Submission
from outreach.review.turns import Endorsement, chains, endorsers
from outreach.review.wording import Refusal, refuse

__all__ = ["LAST_CONTACTS", "ClientFacts", "Contact", "Detail", "Event", "Seen", "Step", "message_detail"]


@dataclass(frozen=True)
class Step:
    """One of the policy's approvers in order. ``by`` and ``at``: who endorsed this revision when; empty while open."""

    number: int  # from 1
    roles: tuple[Role, ...]
    by: str
    at: datetime | None


@dataclass(frozen=True)
class Seen:
    """What somebody was shown of a message: which revision, with which findings, and when."""

    revision: int
    findings: tuple[Finding, ...]
    at: datetime


@dataclass(frozen=True)
class Detail:
    """Everything the page of one message shows. ``payload`` is None when the bytes were disposed of."""

    id: UUID
    submission: Submission
    branch_id: UUID
    branch: str
    branch_en: str
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
    template: str  # its name; empty where an advisor wrote it all
    template_version: int
    policy: Policy
    policy_version: int
    steps: tuple[Step, ...]
    sources: tuple[Source, ...]
    thread: tuple[Remark, ...]  # about this message and about the whole submission, oldest first
    claim: Claim | None
    stopped_by: str  # whose return stopped the batch; empty unless it stopped
    undo: UUID | None  # the decision that can still be undone
    undo_until: datetime | None
    text_hash: bytes | None  # of what it says, to whomever
    seen: Seen | None  # as this actor last saw it

    @property
    def submission_id(self) -> UUID:
        """Where it was put up."""
        return self.submission.id

    @property
    def scheduled_month(self) -> date:
        """Of the partition in which it lies."""
        return self.submission.scheduled_month

    @property
    def may_approve(self) -> bool:
        """Whether this actor may approve it as it now stands."""
        return self.refusal is None


def message_detail(
    work: Work, message_id: UUID, locale: str | None = None, *, within: UUID | None = None
) -> Detail:
    """One message with all that its reader needs. That compliance read it is recorded in the ledger.

    ``within``: the submission, where it is known. Raises NotFound beyond the actor's scope, or outside of it.
    """
    row = read_row(work, message_id, within)
    with together(work.conn) as ask:
        about = ask_about(ask, work, row)
    return detail_of(work, row, about, locale)


@dataclass(frozen=True)
class About:
    """What was asked about one message, beside its row."""

    revisions: Answer
    decisions: Answer
    remarks: Answer
    wishes: Answer
    own_words: Answer
    sources: Answer | None
    body: Answer


def ask_about(ask: Ask, work: Work, row: Any) -> About:
    """Ask what ``detail_of`` needs of a message whose row ``read_row`` gave."""
    return About(
        ask(REVISIONS, message=row.id, month=row.scheduled_month),
        ask(DECISIONS, message=row.id),
        ask(ON_ONE, submission=row.submission_id, message=row.id),
        ask(WISHES_AND_CONTACTS, client=row.client_id, message=row.id, most=LAST_CONTACTS),
        ask(OWN_WORDS, places([row]) | seen_by(work.actor.staff_id)),
        ask(SOURCES, occurrence=row.occurrence_id) if row.sourced else None,
        ask(SEALED, ids=[row.payload_id]),
    )


def detail_of(work: Work, row: Any, told: About, locale: str | None = None) -> Detail:
    """The message of ``read_row``, with what was asked about it. That compliance read it is recorded in the ledger."""
    tongue = locale or work.settings.locale
    about = Submission(**{name: getattr(row, f"submission_{name}") for name in SUBMISSION})
    policy = policy_for(work.conn, about.policy_version_id)
    template = template_version(work.conn, row.template_version_id) if row.template_version_id else None
    revisions, decisions, said = told.revisions.rows, told.decisions.rows, told.remarks.rows
    oldest = revisions[0].payload_id if revisions else row.payload_id
    bodies = unsealed(work, told.body.rows)
    if more := {oldest, *(item.sealed_id for item in said)} - {row.payload_id}:
        bodies |= unseal_many(work, more)
    payload = from_bytes(bodies[row.payload_id]) if row.payload_id in bodies else None
    first = from_bytes(bodies[oldest]) if row.revision > 1 and oldest in bodies else None
    standing = chains(work.conn, [row], policy)[row.id]
    thread = tuple(read_remarks(work, said, bodies))
    undoable = _undoable(row, decisions)
    if Role.COMPLIANCE in work.actor.roles():
        _record_view(work, row)
    return Detail(
        id=row.id,
        submission=about,
        branch_id=row.branch_id,
        branch=row.branch_name,
        branch_en=row.branch_name_en,
        client=client_facts(row, told.wishes.rows),
        channel=row.channel,
        category=row.category,
        language=row.language,
        state=row.state,
        why=words(row.reason, row.reason_params, tongue) if row.reason else None,
        revision=row.revision,
        digest=bytes(row.digest),
        payload=payload,
        attachments=attached_of(work, payload.attachments) if payload else (),
        parts=_parts(row, template, payload, first),
        findings=tuple(read_findings(row.findings)),
        flagged=row.flagged,
        blocked=row.blocked,
        urgent=row.urgent,
        risk_level=row.risk_level,
        send_at=row.send_at,
        due_at=row.due_at,
        expires_at=row.expires_at,
        author_name=row.author_name or "",
        last_editor_name=row.editor_name or "",
        advisor_name=row.advisor_name or "",
        history=tuple(history(revisions, decisions)),
        refusal=_refusal(work, row, about, policy, standing, thread, told, tongue),
        may_return=row.state == State.HELD.value
        and refusal(
            work.actor,
            about.branch_id,
            policy,
            "return",
            tongue,
            row.branch_id,
            endorsed=len(standing),
            escalation=about.escalation,
        )
        is None,
        template=template.name if template else "",
        template_version=template.version if template else 0,
        policy=policy,
        policy_version=row.policy_version,
        steps=_steps(policy, standing),
        sources=tuple(map(source_of, told.sources.rows)) if told.sources else (),
        thread=thread,
        claim=_claim(work, row),
        stopped_by=row.stopper_name or "",
        undo=undoable[0] if undoable else None,
        undo_until=undoable[1] if undoable else None,
        text_hash=row.text_hash,
        seen=Seen(row.seen_revision, tuple(read_findings(row.seen_findings)), row.seen_at)
        if row.seen_at
        else None,
    )


def _record_view(work: Work, row: Any) -> None:
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
    work: Work,
    row: Any,
    about: Submission,
    policy: Policy,
    standing: Sequence[Endorsement],
    thread: Sequence[Remark],
    told: About,
    locale: str,
) -> Refusal | None:
    """Why this actor may not approve the message; the same rules hold in the transaction that approves."""
    if row.state != State.HELD.value:
        return refuse("not_held", locale)
    endorsed, escalation = len(standing), about.escalation
    why = refusal(
        work.actor,
        about.branch_id,
        policy,
        "approve",
        locale,
        row.branch_id,
        endorsed=endorsed,
        escalation=escalation,
        endorsers=endorsers(work, standing, locale),
    )
    if why is not None:
        return why
    if (own := _own(work, row, about, policy, endorsed, bool(told.own_words.rows))) is not None:
        return refuse(own, locale)
    if row.blocked:
        return refuse("blocked", locale)
    revisions = told.revisions.rows
    asked = open_among(row.id, thread, revisions[-1].at if revisions else row.created_at)
    if asked is None:
        return None
    said = words(asked.code, params_of(work, asked), locale)
    return Refusal(rule=asked.code, article=said.article, reason=said.reason, mend=said.mend)


def _own(work: Work, row: Any, about: Submission, policy: Policy, endorsed: int, written: bool) -> str | None:
    """The rule of four eyes that keeps the actor from approving it by any of their grants; ``written``: the words are
    their own."""
    if work.actor.staff_id is None:
        return "four_eyes"
    rule = "four_eyes"
    tried: set[UUID | None] = set()
    for grant in fitting(work.actor, about.branch_id, policy, endorsed=endorsed, escalation=about.escalation):
        if grant.acting_for in tried:
            continue
        tried.add(grant.acting_for)
        others = [one for one in (grant.acting_for, grant.through) if one]
        if own_words(work.conn, work.actor.staff_id, [row], *others) if others else written:
            continue
        if not endorsed or not own_endorsements(work.conn, work.actor.staff_id, [row], *others):
            return None
        rule = "four_eyes_step"
    return rule


def _steps(policy: Policy, standing: Sequence[Endorsement]) -> tuple[Step, ...]:
    done = {one.step: one for one in standing}
    return tuple(
        Step(
            number,
            roles,
            done[number].who if number in done else "",
            done[number].at if number in done else None,
        )
        for number, roles in enumerate(policy.steps, 1)
    )


def _claim(work: Work, row: Any) -> Claim | None:
    if row.claimer_name is None:
        return None
    by = row.submission_claimed_by
    return Claim(by, row.claimer_name, row.submission_claimed_until, by == work.actor.staff_id)


def _undoable(row: Any, decisions: Sequence[Any]) -> tuple[UUID, datetime] | None:
    """The decision that brought it where it is, while it can be taken back."""
    now = clock.now()
    for made in sorted(decisions, key=lambda one: one.at, reverse=True):
        if made.undone_at is not None or made.undo_until <= now:
            continue
        if row.state == State.APPROVED.value and made.verb == "approve" and made.id == row.decision_id:
            return made.id, made.undo_until
        if (
            row.state == State.HELD.value
            and made.verb == "endorse"
            and (made.step, made.bound) == (row.endorsed, row.revision)
        ):
            return made.id, made.undo_until
    return None


def _parts(
    row: Any, template: TemplateVersion | None, payload: Payload | None, first: Payload | None
) -> tuple[Part, ...]:
    if payload is None:
        return ()
    source = _source(template.files, row.channel, row.language) if template else None
    return parts_of(payload.text, source, first.text if first else None)


def _source(files: Mapping[str, str], channel: str, language: str) -> str | None:
    """The template's text for this channel and language, by the names that DESIGN §6 gives its files."""
    for name in (f"{channel}.{language}.j2", f"{channel}.{language}.txt.j2"):
        for path, content in files.items():
            if path == name or path.endswith(f"/{name}"):
                return content
    return None
