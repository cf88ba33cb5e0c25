"""Answering from the phrase book: an approved answer, as it stands, to whoever wrote.

A phrase is a template that compliance published and a manager approved for a period; so the answer is released at once
under that standing approval, and recorded like every message. Without the approval it waits in the inbox, and the
task stays open until the client is answered (首问负责制, art. 11).
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from outreach.care.tasks import Task, close_task, task_by_id
from outreach.composing.drafts import RequestDraft
from outreach.composing.requests import PreviewItem, preview_request, queue_request
from outreach.content.in_force import TemplateVersion, template_in_force, templates_in_force
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, RuleBroken
from outreach.delivery.tables import reply
from outreach.ledger.work import Work
from outreach.messages.reasons import words
from outreach.messages.states import State
from outreach.messages.tables import left_out, message
from outreach.review.standing import standing_covers


@dataclass(frozen=True)
class Answered:
    """What became of an answer. ``released``: it goes out under its standing approval and the task is closed."""

    message_id: UUID
    released: bool


def phrases(work: Work) -> list[TemplateVersion]:
    """The phrase book: the approved answers in force, by name."""
    return [one for one in templates_in_force(work.conn) if one.meta.phrase]


@dataclass(frozen=True)
class Offer:
    """A phrase as the client of a task would get it. ``at_once``: a standing approval covers it, so it goes out
    without waiting for anybody."""

    phrase: TemplateVersion
    item: PreviewItem
    at_once: bool


def offers(work: Work, task_id: UUID, locale: str | None = None) -> list[Offer]:
    """The phrase book for the client of a task: each answer in that client's own words, what is approved first;
    stores nothing. Raises as ``answer_with_phrase`` does."""
    found = _to_answer(work, task_id)
    made = [_offer(work, found, one, locale) for one in phrases(work)]
    return sorted(made, key=lambda one: (one.item.stopped is not None, not one.at_once, one.phrase.name))


def _offer(work: Work, found: Task, phrase: TemplateVersion, locale: str | None) -> Offer:
    draft = _draft(work, found, phrase)
    [item] = preview_request(work, draft, locale)
    policy = item.policy_version_id
    stands = policy is not None and standing_covers(work, found.branch_id, phrase.id, policy)
    clean = item.stopped is None and all(one.severity == "hint" for one in item.findings)
    return Offer(phrase, item, stands and clean)


def answer_with_phrase(work: Work, task_id: UUID, phrase: str) -> Answered:
    """Answer the reply of a task with a phrase, on the channel on which the client wrote.

    Raises NotFound beyond the actor's scope or for an unknown phrase, Forbidden without the permissions to answer
    and to compose, BadInput for a task that has no client to answer or a template that is no phrase, RuleBroken
    with the reason when the client may not be written to.
    """
    found = _to_answer(work, task_id)
    template = template_in_force(work.conn, phrase)
    if not template.meta.phrase:
        raise BadInput(f"{phrase} is not in the phrase book.", mend="Choose one of its answers.")
    done = queue_request(work, _draft(work, found, template))
    if not done.message_ids:
        _refuse(work, done.occurrence_id)
    state = work.conn.execute(select(message.c.state).where(message.c.id == done.message_ids[0])).scalar_one()
    released = state == State.APPROVED.value
    if released:
        title = template.meta.title.zh if work.settings.locale.startswith("zh") else template.meta.title.en
        close_task(work, task_id, title)
    return Answered(done.message_ids[0], released)


def _to_answer(work: Work, task_id: UUID) -> Task:
    """A task whose client wrote and waits for an answer that the actor may give."""
    found = task_by_id(work, task_id)
    require(work.actor, Permission.ANSWER_REPLIES, found.branch_id)
    require(work.actor, Permission.COMPOSE, found.branch_id)
    if found.kind != "answer" or found.client_id is None or found.done_at is not None:
        raise BadInput("This task has nobody to answer.", mend="Open the list again.")
    return found


def _draft(work: Work, found: Task, phrase: TemplateVersion) -> RequestDraft:
    """The answer as a request: to the task's client, on the channel on which they wrote where the phrase has it."""
    wrote_on = work.conn.execute(select(reply.c.channel).where(reply.c.id == found.reply_id)).scalar_one()
    client_ids = (found.client_id,) if found.client_id else ()
    channel = wrote_on if wrote_on in phrase.meta.channels else ""
    return RequestDraft(client_ids, template=phrase.name, channel=channel)


def _refuse(work: Work, occurrence_id: UUID) -> None:
    row = work.conn.execute(select(left_out).where(left_out.c.occurrence_id == occurrence_id)).one()
    why = words(row.rule, row.params, work.settings.locale)
    raise RuleBroken(why.reason, rule=row.rule, article=why.article, mend=why.mend)
