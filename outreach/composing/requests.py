"""The advisor's composer: look at what each client would get, then put it up for approval.

A request is an occurrence of its own, made by the code that makes a job's messages; whoever can't be written to is
left out with the reason in words, and the others are held in the inbox.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from outreach.composing.audience import LEAST, read_chunk
from outreach.composing.batches import put_up
from outreach.composing.chunk import Composer, stopped_by
from outreach.composing.drafts import RequestDraft, own_words, plan_for
from outreach.composing.dressing import SLOTS
from outreach.composing.greeting_slots import take_slots
from outreach.composing.other_names import Written, names_of_others
from outreach.composing.placing import place, policy_of
from outreach.composing.plan import Plan, Words
from outreach.composing.salutation import salutation
from outreach.composing.same_text import (
    Recipients,
    recipients_of_request,
    template_source,
    text_key,
    without,
)
from outreach.content.in_force import template_in_force
from outreach.content.render import parts
from outreach.core import clock
from outreach.core.access import Permission, require, visible
from outreach.core.errors import Forbidden, NotFound
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work
from outreach.messages.copying import NewMessage, write_messages
from outreach.messages.findings import Finding
from outreach.messages.leftout import LeftOut, write_left_out
from outreach.messages.reasons import Words as Reason
from outreach.messages.reasons import words as in_words
from outreach.people.clients import in_scope, search_clients
from outreach.people.tables import client
from outreach.scheduling.occurrences import add_request

__all__ = ["PreviewItem", "Queued", "RequestDraft", "preview_request", "queue_request"]


@dataclass(frozen=True)
class PreviewItem:
    """What one client would get, or why they get nothing (``stopped``). ``to`` is masked; ``subject`` is a mail's."""

    client_id: UUID
    client_no: str
    client_name: str
    channel: str
    to: str
    language: str
    subject: str
    text: str
    html: str
    findings: tuple[Finding, ...]
    stopped: Reason | None = None
    rule: str = ""
    source: str = ""  # the template's or the author's own text, with its slots as ``{{ … }}``
    attachments: tuple[str, ...] = ()  # as the payload names them
    policy_version_id: UUID | None = None  # under which it would be decided
    policy: str = ""  # its title


@dataclass(frozen=True)
class Queued:
    """What a request put up. Without a message there is no submission: everybody was left out."""

    occurrence_id: UUID
    submission_ids: tuple[UUID, ...]
    message_ids: tuple[UUID, ...]
    left_out: int


@dataclass(frozen=True)
class _Made:
    """One client's result: a message or the reason why not, and the text as far as it came."""

    row: Row[Any]
    message: NewMessage | None
    left: LeftOut | None
    channel: str
    language: str
    words: Words | None
    findings: tuple[Finding, ...]


def preview_request(work: Work, draft: RequestDraft, locale: str | None = None) -> list[PreviewItem]:
    """What each chosen client would get, by client number; stores nothing.

    Raises BadInput for an unusable draft, NotFound for clients that are not the actor's, Forbidden without the
    permission to compose.
    """
    plan = plan_for(work, draft, new_id())
    tongue = locale or work.settings.locale
    found = _make(work, draft, plan)
    plan, recipients = _counted(work, draft, plan, found, lock=False)
    items = [_preview(one, tongue, plan, recipients) for one in found]
    items = [replace(item, source=source_of(work, draft, item.channel, item.language)) for item in items]
    return sorted(items, key=lambda item: item.client_no)


def try_words(work: Work, draft: RequestDraft, locale: str | None = None) -> PreviewItem | None:
    """What the first chosen client would get; the actor's first client stands for nobody chosen yet.

    None while there is nothing to say, or nobody to say it to. Raises as ``preview_request`` does.
    """
    if not draft.template and not draft.text.strip():
        return None
    sample = list(draft.client_ids[:1]) or [one.id for one in search_clients(work, limit=1)]
    if not sample:
        return None
    return preview_request(work, replace(draft, client_ids=tuple(sample)), locale)[0]


def source_of(work: Work, draft: RequestDraft, channel: str, language: str) -> str:
    """The text before anybody's own data: a template's part, or the author's words with the salutation's slot."""
    if draft.template:
        name = parts(channel, language).get("text", "") if channel else ""
        return str(template_in_force(work.conn, draft.template).files.get(name, ""))
    text = draft.text
    for slot in SLOTS:
        text = text.replace(slot, "{{ client.salutation }}")
    return text


def queue_request(work: Work, draft: RequestDraft) -> Queued:
    """Put a request up for approval; whoever can't be written to is left out with the reason.

    Raises as ``preview_request`` does.
    """
    draft_plan = plan_for(work, draft, new_id())
    made = _make(work, draft, draft_plan)
    draft_plan, recipients = _counted(work, draft, draft_plan, made, lock=True)
    if work.actor.staff_id is None:
        raise Forbidden("A request has an author.", mend="Sign in as a member of staff.")
    occurrence_id = add_request(
        work,
        draft_plan.occurrence_id,
        requested_by=work.actor.staff_id,
        template_version_id=draft_plan.template_version_id,
        policy_version_id=draft_plan.batch.policy_version_id,
        send_at=draft_plan.send_at,
        expires_at=draft_plan.expires_at,
    )
    messages = [item.message for item in made if item.message is not None]
    left = [item.left for item in made if item.left is not None]
    if draft_plan.greeting and draft_plan.send_date and messages:
        messages, lost = take_slots(work.conn, draft_plan.greeting, draft_plan.send_date, messages)
        left += lost
    messages = place(work, draft_plan, messages, [item.row for item in made], recipients)
    write_messages(work, messages)
    write_left_out(work, occurrence_id, left)
    if left:
        record(work, Entry("left_out", {"occurrence_id": occurrence_id, "count": len(left)}))
    put = tuple(dict.fromkeys(item.submission_id for item in messages))
    put_up(work, put, draft_plan.lexicon_digest)
    return Queued(occurrence_id, put, tuple(item.id for item in messages), len(left))


def _counted(
    work: Work, draft: RequestDraft, plan: Plan, made: Sequence[_Made], *, lock: bool
) -> tuple[Plan, Recipients]:
    """The plan with the key of its text, and how many recipients that text has with this request."""
    template = template_in_force(work.conn, draft.template) if draft.template else None
    names = {one.row.name for one in made} | {
        salutation(one.row.name, one.row.gender, one.row.kind, language)
        for one in made
        for language in ("zh-CN", "en")
    }
    said = own_words(draft, template) if template else [draft.text]
    own = [without(one, {*SLOTS, *names}) for one in said if one.strip()]
    source = [template_source(template)] if template else []
    key = text_key(work.keys, *source, *own, *sorted(plan.attachments))
    plan = replace(plan, batch=replace(plan.batch, text_hash=key))
    getting = {one.row.id: one.row.branch_id for one in made if one.message is not None}
    return plan, recipients_of_request(work.conn, plan, getting, lock=lock)


def _make(work: Work, draft: RequestDraft, plan: Plan) -> list[_Made]:
    """Every chosen client's message or reason, by the code that composes jobs."""
    require(work.actor, Permission.COMPOSE)
    _all_mine(work, draft.client_ids)
    rows = read_chunk(
        work.conn,
        plan.audience,
        occurrence_id=plan.occurrence_id,
        month=plan.scheduled_month,
        after=LEAST,
        size=len(draft.client_ids),
    )
    made: list[_Made] = []
    for row in rows:
        seen: list[tuple[str, str, Words, list[Finding]]] = []

        def look(
            channel: str,
            language: str,
            words: Words,
            /,
            *,
            own: Collection[str] = (),
            seen: list[tuple[str, str, Words, list[Finding]]] = seen,
        ) -> list[Finding]:
            findings = plan.check(channel, language, words, own=own)
            seen.append((channel, language, words, findings))
            return findings

        composer = Composer.of(replace(plan, check=look), work.keys, clock.now(), work.settings.zone)
        messages, left = composer.compose([row], {})
        channel, language, words, findings = seen[-1] if seen else ("", row.language, None, [])
        made.append(
            _Made(
                row,
                messages[0] if messages else None,
                left[0] if left else None,
                channel,
                language,
                words,
                tuple(findings),
            )
        )
    return _without_others(work, made)


def _without_others(work: Work, made: list[_Made]) -> list[_Made]:
    """The same, with findings for other clients who are named: whoever's text names one is left out."""
    written = [
        Written(one.row.branch_id, one.row.id, _fields(one.words)) for one in made if one.words is not None
    ]
    named = iter(names_of_others(work.conn, written, work.settings.locale))
    return [one if one.words is None else _with_findings(one, next(named)) for one in made]


def _with_findings(made: _Made, more: list[Finding]) -> _Made:
    if not more:
        return made
    findings = (*made.findings, *more)
    # What was left out for another reason than its text stays so.
    if made.message is None and not any(one.severity == "block" for one in made.findings):
        return replace(made, findings=findings)
    left = stopped_by(made.row, findings, made.channel)
    return replace(made, findings=findings, message=None, left=left)


def others_named(work: Work, branch_id: UUID, recipient: UUID, words: Words) -> list[Finding]:
    """Findings for other clients of the branch who are named in a text (art. 14, 54(13))."""
    written = Written(branch_id, recipient, _fields(words))
    return names_of_others(work.conn, [written], work.settings.locale)[0]


def _fields(words: Words) -> Mapping[str, str]:
    return {"text": words.text, "subject": words.subject}


def _all_mine(work: Work, client_ids: Sequence[UUID]) -> None:
    wanted = set(client_ids)
    mine = set(
        work.conn.execute(
            select(client.c.id).where(
                client.c.id.in_(sorted(wanted)),
                in_scope(work),
                visible(work.actor, Permission.COMPOSE, client.c.branch_id),
            )
        ).scalars()
    )
    if mine != wanted:
        raise NotFound(
            f"{len(wanted - mine)} of the chosen clients are not among yours.", mend="Choose from your list."
        )


def masked(channel: str, address: str) -> str:
    """An address of which only enough is shown to recognise it."""
    if channel == "email":
        name, _, host = address.partition("@")
        return f"{name[:1]}***@{host}"
    return f"{address[:-8]}****{address[-4:]}" if len(address) > 8 else "****"


def _preview(made: _Made, locale: str, plan: Plan, recipients: Recipients) -> PreviewItem:
    row, message = made.row, made.message
    policy = policy_of(plan, row.tier, made.findings, row.branch_id, recipients) if message else None
    title = policy.meta.title if policy else None
    stopped = in_words(made.left.code, made.left.params, locale) if made.left is not None else None
    return PreviewItem(
        client_id=row.id,
        client_no=row.client_no,
        client_name=row.name,
        channel=made.channel or (made.left.channel if made.left else ""),
        to=masked(message.channel, message.payload.to) if message is not None else "",
        language=made.language,
        subject=made.words.subject if made.words else "",
        text=made.words.text if made.words else "",
        html=made.words.html if made.words else "",
        findings=made.findings,
        stopped=stopped,
        rule=made.left.code if made.left is not None else "",
        attachments=message.payload.attachments if message is not None else (),
        policy_version_id=policy.id if policy else None,
        policy=(title.zh if locale.startswith("zh") else title.en) if title else "",
    )
