"""Answering from the phrase book: an approved answer, as it stands, to whoever wrote.

A phrase is a template that compliance published and a manager approved for a period; so the answer is released at once
under that standing approval, and recorded like every message. Without the approval it waits in the inbox, and the
task stays open until the client is answered (首问负责制, art. 11).
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from outreach.care.tasks import close_task, task_by_id
from outreach.composing.requests import RequestDraft, queue_request
from outreach.content.in_force import TemplateVersion, template_in_force, templates_in_force
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, RuleBroken
from outreach.delivery.tables import reply
from outreach.ledger.work import Work
from outreach.messages.reasons import words
from outreach.messages.states import State
from outreach.messages.tables import left_out, message


@dataclass(frozen=True)
class Answered:
    """What became of an answer. ``released``: it goes out under its standing approval and the task is closed."""

    message_id: UUID
    released: bool


def phrases(work: Work) -> list[TemplateVersion]:
    """The phrase book: the approved answers in force, by name."""
    return [one for one in templates_in_force(work.conn) if one.meta.phrase]


def answer_with_phrase(work: Work, task_id: UUID, phrase: str) -> Answered:
    """Answer the reply of a task with a phrase, on the channel on which the client wrote.

    Raises NotFound beyond the actor's scope or for an unknown phrase, Forbidden without the permissions to answer
    and to compose, BadInput for a task that has no client to answer or a template that is no phrase, RuleBroken
    with the reason when the client may not be written to.
    """
    found = task_by_id(work, task_id)
    require(work.actor, Permission.ANSWER_REPLIES, found.branch_id)
    require(work.actor, Permission.COMPOSE, found.branch_id)
    if found.kind != "answer" or found.client_id is None or found.done_at is not None:
        raise BadInput("This task has nobody to answer.", mend="Open the list again.")
    template = template_in_force(work.conn, phrase)
    if not template.meta.phrase:
        raise BadInput(f"{phrase} is not in the phrase book.", mend="Choose one of its answers.")
    wrote_on = work.conn.execute(select(reply.c.channel).where(reply.c.id == found.reply_id)).scalar_one()
    channel = wrote_on if wrote_on in template.meta.channels else ""
    done = queue_request(work, RequestDraft((found.client_id,), template=phrase, channel=channel))
    if not done.message_ids:
        _refuse(work, done.occurrence_id)
    state = work.conn.execute(select(message.c.state).where(message.c.id == done.message_ids[0])).scalar_one()
    released = state == State.APPROVED.value
    if released:
        title = template.meta.title.zh if work.settings.locale.startswith("zh") else template.meta.title.en
        close_task(work, task_id, title)
    return Answered(done.message_ids[0], released)


def _refuse(work: Work, occurrence_id: UUID) -> None:
    row = work.conn.execute(select(left_out).where(left_out.c.occurrence_id == occurrence_id)).one()
    why = words(row.rule, row.params, work.settings.locale)
    raise RuleBroken(why.reason, rule=row.rule, article=why.article, mend=why.mend)
