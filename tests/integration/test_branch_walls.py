"""P7: every service that takes an id is called with a foreign branch's; none of them reads or acts.

A service that is not listed here fails the test: whoever adds one says what it does with a foreign id.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

import outreach
from outreach.app import wire
from outreach.archive.runs import bag_of
from outreach.care.advisor_day import advisor_day, advisors_of
from outreach.care.answers import answer_with_phrase, offers
from outreach.care.calls import call_list
from outreach.care.reports import report
from outreach.care.tasks import close_task, open_tasks, task_by_id
from outreach.composing.keeping import close_draft, discard_draft, keep_draft, open_draft
from outreach.composing.own import list_own, own_message
from outreach.composing.pending import personalise, resubmit, skip, withdraw
from outreach.composing.requests import RequestDraft, preview_request, queue_request
from outreach.content.deciding import publish_draft, return_draft, submit
from outreach.content.drafts import draft_for
from outreach.content.editing import discard, save, take_over
from outreach.content.editing import start as start_draft
from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.core.errors import Conflict, Forbidden, NotFound
from outreach.delivery import figures as flow_figures
from outreach.delivery.replies import (
    ReplyIn,
    list_replies,
    mark_answered,
    replies_by_id,
    replies_of,
    take_reply,
)
from outreach.delivery.sends import sends_of
from outreach.delivery.watch import settle_by_hand
from outreach.ledger.work import Work
from outreach.messages.attachments import (
    attachment_file,
    attachments_among,
    attachments_by_id,
    chosen_attachments,
    take_attachment,
)
from outreach.messages.leftout import list_left_out
from outreach.messages.material import Particulars, list_material, material_for
from outreach.messages.tables import message
from outreach.messages.tally import keeping, messages_to
from outreach.notices.outbox import list_notices, mark_seen
from outreach.occasions.periods import Period, last_days
from outreach.people.absence import deputies_for, end_absence, set_absence
from outreach.people.birthdays import birthdays_of
from outreach.people.clients import client_for, consents, contact_points, holdings
from outreach.people.conflicts import decide_conflict, decide_conflicts, list_conflicts
from outreach.people.consent import opt_in, opt_out
from outreach.people.corrections import correct_client, corrections_of
from outreach.people.imports import rejects_of
from outreach.people.nightly import discard_waiting, waiting_file
from outreach.people.picking import lines_by_id
from outreach.people.subscriptions import subscribe, subscriptions_of, unsubscribe
from outreach.people.tables import contact_point
from outreach.review import figures
from outreach.review.attached import open_attached
from outreach.review.batch import approve_batch, sample_of
from outreach.review.claims import claim, release_claim
from outreach.review.decide import approve, reject, return_
from outreach.review.detail import message_detail
from outreach.review.filters import Filters
from outreach.review.holding import hold_for_branch, lift_hold
from outreach.review.identical import (
    approve_identical,
    approve_seen_unflagged,
    groups_of,
    return_identical,
)
from outreach.review.inbox import list_messages
from outreach.review.material import (
    approve_material,
    material_file,
    mend_material,
    put_up,
    reject_material,
    return_material,
    withdraw_material,
)
from outreach.review.mending import returned_to
from outreach.review.opening import open_message, open_submission
from outreach.review.reading import note_reading
from outreach.review.remarks import (
    answer_question,
    ask_compliance,
    comment,
    remarks_on,
    withdraw_question,
)
from outreach.review.rest import rest_of, return_rest
from outreach.review.standing import grant_standing, revoke_standing
from outreach.review.stopping import resume_batch
from outreach.review.submissions import decided_under, submission_for, submission_of
from outreach.review.tables import decision
from outreach.review.ticked import approve_ticked
from outreach.review.undo import undo
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.papers import pdf


@dataclass
class Foreign:
    """What branch B01 has, to be asked for from B02."""

    people: Firm
    client: UUID
    message: UUID
    submission: UUID
    occurrence: UUID
    decision: UUID
    reply: UUID
    task: UUID
    conflict: UUID
    draft: UUID
    attachment: UUID
    material: UUID
    absence: UUID
    revision: int
    digest: bytes

    @property
    def advisor(self) -> UUID:
        assert self.people.b01.advisor.staff_id is not None
        return self.people.b01.advisor.staff_id

    @property
    def bound(self) -> dict[UUID, tuple[int, bytes]]:
        return {self.message: (self.revision, self.digest)}


Act = Callable[[Work, Foreign], Any]


def today(work: Work) -> Period:
    return last_days(clock.today(work.settings.zone), 1, work.settings.zone)


LEAFLET = Particulars("手册", "relationship", "zh-CN")

# Called by the deciders and advisors of the other branch. What comes back must be nothing, or a refusal.
REFUSED: dict[str, Act] = {
    "archive.runs.bag_of": lambda work, it: bag_of(work, it.decision),
    "care.advisor_day.advisor_day": lambda work, it: advisor_day(work, it.people.b01.advisor.staff_id),
    "care.advisor_day.advisors_of": lambda work, it: advisors_of(work, [it.people.b01.id]),
    "care.reports.report": lambda work, it: report(work, today(work), it.people.b01.id),
    "delivery.figures.answers": lambda work, it: flow_figures.answers(work, [it.people.b01.id], today(work)),
    "delivery.figures.flows": lambda work, it: flow_figures.flows(work, [it.people.b01.id], today(work)),
    "delivery.figures.opted_out": lambda work, it: flow_figures.opted_out(
        work, [it.people.b01.id], today(work)
    ),
    "delivery.figures.reach": lambda work, it: flow_figures.reach(work, [it.people.b01.id], today(work)),
    "delivery.figures.waiting_now": lambda work, it: flow_figures.waiting_now(work, [it.people.b01.id]),
    "delivery.sends.sends_of": lambda work, it: sends_of(work, it.advisor, clock.today(work.settings.zone)),
    "people.birthdays.birthdays_of": lambda work, it: birthdays_of(work, it.advisor, date(2026, 1, 2)),
    "review.figures.decisions_made": lambda work, it: figures.decisions_made(
        work, [it.people.b01.id], today(work)
    ),
    "review.figures.late_now": lambda work, it: figures.late_now(work, [it.people.b01.id]),
    "review.figures.pace": lambda work, it: figures.pace(work, [it.people.b01.id], today(work)),
    "review.figures.released_under": lambda work, it: figures.released_under(
        work, [it.people.b01.id], [it.decision]
    ),
    "review.figures.reported_branches": lambda work, it: figures.reported_branches(work, it.people.b01.id),
    "review.figures.returned_for": lambda work, it: figures.returned_for(
        work, [it.people.b01.id], today(work)
    ),
    "review.figures.undone": lambda work, it: figures.undone(work, [it.people.b01.id], today(work)),
    "review.mending.returned_to": lambda work, it: returned_to(work, it.advisor),
    "care.answers.offers": lambda work, it: offers(work, it.task),
    "care.answers.answer_with_phrase": lambda work, it: answer_with_phrase(work, it.task, "phrase-hours"),
    "care.tasks.close_task": lambda work, it: close_task(work, it.task, "done"),
    "care.tasks.task_by_id": lambda work, it: task_by_id(work, it.task),
    "care.calls.call_list": lambda work, it: call_list(work, occurrence_id=it.occurrence),
    "care.tasks.open_tasks": lambda work, it: open_tasks(work),
    "composing.keeping.close_draft": lambda work, it: close_draft(work, it.decision, it.occurrence),
    "composing.keeping.discard_draft": lambda work, it: discard_draft(work, it.decision),
    "composing.keeping.keep_draft": lambda work, it: keep_draft(work, RequestDraft(()), draft_id=it.decision),
    "composing.keeping.open_draft": lambda work, it: open_draft(work, it.decision),
    "composing.own.list_own": lambda work, it: list_own(work),
    "composing.own.own_message": lambda work, it: own_message(work, it.message),
    "composing.pending.personalise": lambda work, it: personalise(work, it.message, it.revision, "您好"),
    "composing.pending.resubmit": lambda work, it: resubmit(work, it.message, it.revision, "", "您好"),
    "composing.pending.skip": lambda work, it: skip(work, it.message),
    "composing.pending.withdraw": lambda work, it: withdraw(work, it.message),
    "composing.requests.preview_request": lambda work, it: preview_request(
        work, RequestDraft((it.client,), text="您好")
    ),
    "composing.requests.queue_request": lambda work, it: queue_request(
        work, RequestDraft((it.client,), text="您好")
    ),
    "content.deciding.publish_draft": lambda work, it: publish_draft(work, it.draft, 1),
    "content.deciding.return_draft": lambda work, it: return_draft(work, it.draft, 1, "x"),
    "content.deciding.submit": lambda work, it: submit(work, it.draft, 1),
    "content.drafts.draft_for": lambda work, it: draft_for(work, it.draft),
    "content.editing.discard": lambda work, it: discard(work, it.draft, 1),
    "content.editing.save": lambda work, it: save(work, it.draft, 1, {}),
    "content.editing.take_over": lambda work, it: take_over(work, it.draft, 1),
    "delivery.replies.list_replies": lambda work, it: list_replies(work),
    "delivery.replies.mark_answered": lambda work, it: mark_answered(work, it.reply),
    "delivery.replies.replies_by_id": lambda work, it: replies_by_id(work, [it.reply]),
    "delivery.replies.replies_of": lambda work, it: replies_of(work, it.client),
    "delivery.watch.settle_by_hand": lambda work, it: settle_by_hand(work, it.message, "delivered", ""),
    "messages.attachments.attachment_file": lambda work, it: attachment_file(work, it.attachment),
    "messages.attachments.attachments_among": lambda work, it: attachments_among(work, [it.attachment]),
    "messages.attachments.attachments_by_id": lambda work, it: attachments_by_id(work, [it.attachment]),
    "messages.attachments.chosen_attachments": lambda work, it: chosen_attachments(work, [it.attachment]),
    "messages.material.list_material": lambda work, it: list_material(work),
    "messages.material.material_for": lambda work, it: material_for(work, it.material),
    "messages.leftout.list_left_out": lambda work, it: list_left_out(work, occurrence_id=it.occurrence),
    "messages.tally.keeping": lambda work, it: keeping(work, [it.decision]),
    "messages.tally.messages_to": lambda work, it: messages_to(work, it.client),
    "notices.outbox.list_notices": lambda work, it: list_notices(work).items,
    "notices.outbox.mark_seen": lambda work, it: mark_seen(work),
    "people.absence.deputies_for": lambda work, it: deputies_for(work, [it.people.b01.manager.staff_id]),
    "people.absence.end_absence": lambda work, it: end_absence(work, it.absence),
    "people.absence.set_absence": lambda work, it: set_absence(
        work, it.people.b01.manager.staff_id, clock.now(), clock.now() + timedelta(days=1)
    ),
    "people.clients.client_for": lambda work, it: client_for(work, it.client),
    "people.clients.consents": lambda work, it: consents(work, it.client),
    "people.clients.contact_points": lambda work, it: contact_points(work, it.client),
    "people.clients.holdings": lambda work, it: holdings(work, it.client),
    "people.picking.lines_by_id": lambda work, it: lines_by_id(work, [it.client]),
    "people.conflicts.decide_conflict": lambda work, it: decide_conflict(work, it.conflict, take=True),
    "people.conflicts.decide_conflicts": lambda work, it: decide_conflicts(work, [it.conflict], take=True),
    "people.conflicts.list_conflicts": lambda work, it: list_conflicts(work, branch_id=it.people.b01.id),
    "people.corrections.correct_client": lambda work, it: correct_client(work, it.client, "gender", "男"),
    "people.corrections.corrections_of": lambda work, it: corrections_of(work, it.client),
    "people.consent.opt_in": lambda work, it: opt_in(work, [it.client], source="page"),
    "people.consent.opt_out": lambda work, it: opt_out(work, [it.client], source="page"),
    "people.subscriptions.subscribe": lambda work, it: subscribe(work, it.client, "research", source="page"),
    "people.subscriptions.subscriptions_of": lambda work, it: subscriptions_of(work, it.client),
    "people.subscriptions.unsubscribe": lambda work, it: unsubscribe(
        work, it.client, "research", source="page"
    ),
    "people.nightly.discard_waiting": lambda work, it: discard_waiting(work, it.decision),
    "people.nightly.waiting_file": lambda work, it: waiting_file(work, it.decision),
    "people.imports.rejects_of": lambda work, it: rejects_of(work, it.decision),
    "review.attached.open_attached": lambda work, it: open_attached(work, it.message, 0),
    "review.material.approve_material": lambda work, it: approve_material(work, it.material, b""),
    "review.material.material_file": lambda work, it: material_file(work, it.material),
    "review.material.mend_material": lambda work, it: mend_material(work, it.material, LEAFLET),
    "review.material.reject_material": lambda work, it: reject_material(work, it.material, b"", note="x"),
    "review.material.return_material": lambda work, it: return_material(work, it.material, b"", note="x"),
    "review.material.withdraw_material": lambda work, it: withdraw_material(work, it.material),
    "review.batch.approve_batch": lambda work, it: approve_batch(work, it.submission, b"", frozenset()),
    "review.batch.sample_of": lambda work, it: sample_of(work, it.submission),
    "review.decide.approve": lambda work, it: approve(work, [it.message], it.bound),
    "review.decide.reject": lambda work, it: reject(work, [it.message], it.bound, ["tone"], ""),
    "review.decide.return_": lambda work, it: return_(work, [it.message], it.bound, ["tone"], ""),
    "review.detail.message_detail": lambda work, it: message_detail(work, it.message),
    "review.holding.hold_for_branch": lambda work, it: hold_for_branch(
        work, it.submission, it.people.b01.id, "wait"
    ),
    "review.holding.lift_hold": lambda work, it: lift_hold(work, it.submission, it.people.b01.id),
    "review.claims.claim": lambda work, it: claim(work, it.submission),
    "review.claims.release_claim": lambda work, it: release_claim(work, it.submission),
    "review.identical.approve_identical": lambda work, it: approve_identical(work, it.message, b"", 1),
    "review.identical.approve_seen_unflagged": lambda work, it: approve_seen_unflagged(
        work, it.submission, b"", 1
    ),
    "review.identical.groups_of": lambda work, it: groups_of(work, it.submission),
    "review.identical.return_identical": lambda work, it: return_identical(
        work, it.message, b"", 1, ["tone"]
    ),
    "review.reading.note_reading": lambda work, it: note_reading(work, it.submission, it.message),
    "review.remarks.answer_question": lambda work, it: answer_question(work, it.decision, "x", objects=False),
    "review.remarks.ask_compliance": lambda work, it: ask_compliance(work, it.submission, "x", it.message),
    "review.remarks.comment": lambda work, it: comment(work, it.submission, "x", it.message),
    "review.remarks.remarks_on": lambda work, it: remarks_on(work, it.submission, it.message),
    "review.remarks.withdraw_question": lambda work, it: withdraw_question(work, it.decision),
    "review.rest.rest_of": lambda work, it: rest_of(work, it.submission),
    "review.rest.return_rest": lambda work, it: return_rest(work, it.submission, b"", ["tone"]),
    "review.stopping.resume_batch": lambda work, it: resume_batch(work, it.submission),
    "review.opening.open_message": lambda work, it: open_message(work, it.submission, it.message, "en"),
    "review.opening.open_submission": lambda work, it: open_submission(
        work, it.submission, it.message, None, 50, Filters(), "en"
    ),
    "review.lines.list_messages": lambda work, it: list_messages(work, it.submission),
    "review.standing.grant_standing": lambda work, it: grant_standing(
        work, it.submission, clock.now() + timedelta(days=1)
    ),
    "review.standing.revoke_standing": lambda work, it: revoke_standing(work, it.decision),
    "review.submissions.submission_for": lambda work, it: submission_for(work, it.submission),
    "review.submissions.decided_under": lambda work, it: decided_under(work, it.decision),
    "review.submissions.submission_of": lambda work, it: submission_of(work, it.message),
    "review.ticked.approve_ticked": lambda work, it: approve_ticked(work, it.bound),
    "review.undo.undo": lambda work, it: undo(work, it.decision),
}

# Parts of services, called within a transaction after the service has asked; or the machine's own work.
WITHIN = set(
    """
    archive.dossier.facts.facts_of archive.opening.open_kept archive.selection.choose
    archive.selection.records_of_messages archive.statements.info_of
    auth.passwords.set_password auth.sessions.begin care.tasks.open_task
    composing.batches.put_up composing.compose.compose_occurrence composing.drafts.plan_for composing.load.load_plan
    composing.requests.others_named content.publish.publish delivery.receipts.settle_receipts
    delivery.handover.is_with_a_person delivery.handover.settle_handed_over
    delivery.replies.reply_address delivery.sweep.settle messages.leftout.write_left_out messages.revising.revise
    people.clashes.as_seen people.clashes.store_clashes people.correctable.put_value
    people.corrections.forget_correction people.corrections.keep_correction people.staging.refuse_foreign
    care.owners.owner_of messages.closing.close_finished messages.fallthrough.take_next
    messages.suppress.suppress_waiting notices.outbox.tell
    notices.audience.branch_named notices.audience.branches_concerned notices.audience.tell_deciders
    notices.audience.tell_late notices.digest.letter_of
    review.approving.check_may_decide review.escalation.deciders review.whose.as_whom review.binding.endorse_bound
    review.approving.approve_locked review.binding.move_bound review.binding.record_decision
    composing.load.item_hosts review.questions.check_not_asked_about review.standing.standing_covers
    review.message_row.read_row review.message_row.row_question review.reading.note_question
    review.lines.beside_question review.seen.seen_question review.questions.asked_about review.remarks.read_remarks
    review.remarks.remark_rows review.lines.next_waiting
    review.standing.release_standing review.submissions.lock_submissions
    scheduling.occurrences.add_occurrence scheduling.occurrences.add_request scheduling.occurrences.compose_soon
    """.split()
)
# For the whole firm an operator imports wishes and settles outcomes; all else is beyond them, too.
OPERATORS = {
    "people.consent.opt_in",
    "people.consent.opt_out",
    "people.subscriptions.subscribe",
    "people.subscriptions.unsubscribe",
    "delivery.watch.settle_by_hand",
}
_FACES = ("web", "cli", "demo", "core", "ledger", "api", "bot")


def services_with_ids() -> set[str]:
    """Every public function of a room that takes a unit of work and an id."""
    found: set[str] = set()
    for module in pkgutil.walk_packages(outreach.__path__, "outreach."):
        if module.name.split(".")[1] in _FACES:
            continue
        loaded = importlib.import_module(module.name)
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            parameters = list(inspect.signature(function).parameters.values())
            if function.__module__ != module.name or name.startswith("_") or not parameters:
                continue
            if parameters[0].name in ("work", "open_work") and any(
                "UUID" in str(one.annotation) for one in parameters[1:]
            ):
                found.add(f"{module.name.removeprefix('outreach.')}.{name}")
    return found


def test_p7_every_service_is_listed() -> None:
    assert services_with_ids() - set(REFUSED) - WITHIN == set()
    assert services_with_ids() >= WITHIN


_DISPUTE = text(
    "WITH run AS (INSERT INTO import_run (id, kind, file_name, file_sha256, counts, at)"
    " VALUES (gen_random_uuid(), 'clients', 'night.csv', '', '{}', now()) RETURNING id)"
    " INSERT INTO import_conflict (id, client_id, branch_id, field, ours, theirs, import_id, at)"
    " SELECT gen_random_uuid(), :client, :branch, 'gender', '\"male\"', 'null', id, now() FROM run RETURNING id"
)


@pytest.fixture
def foreign(open_work: Callable[..., Any]) -> Foreign:
    wire()
    people = firm(open_work)
    publish_starter(open_work, people)
    with open_work(SYSTEM) as work:
        client = make_client(work, people.b01, name="张甲甲")
        number = work.conn.execute(
            select(contact_point.c.address).where(
                contact_point.c.client_id == client, contact_point.c.channel == "sms"
            )
        ).scalar_one()
    with open_work(people.b01.advisor) as work:
        attached = take_attachment(work, "建议书.pdf", pdf("attached"))
        material = put_up(work, LEAFLET, "手册.pdf", pdf("material"))
        draft_with = RequestDraft((client,), text="{称呼}，您好！请您有空回电。", attachments=(attached.id,))
        first = queue_request(work, draft_with)
        second = queue_request(work, RequestDraft((client,), text="{称呼}，您好！资料已备妥。"))
    with open_work(people.b01.manager) as work:
        row = work.conn.execute(select(message).where(message.c.id == second.message_ids[0])).one()
        approve(work, [row.id], {row.id: (row.revision, bytes(row.digest))})
    with open_work(SYSTEM) as work:
        reply = take_reply(work, ReplyIn("gateway", "R1", "sms", number, "请问"))
        task = work.conn.execute(text("SELECT id FROM task WHERE reply_id = :id"), {"id": reply}).scalar_one()
        waiting = work.conn.execute(select(message).where(message.c.id == first.message_ids[0])).one()
        made = work.conn.execute(select(decision.c.id)).scalar_one()
        conflict = work.conn.execute(_DISPUTE, {"client": client, "branch": people.b01.id}).scalar_one()
    with open_work(people.b01.manager) as work:
        week = (clock.now(), clock.now() + timedelta(days=7))
        absence = set_absence(work, people.b01.advisors[2].staff_id, *week)
    with open_work(people.compliance) as work:
        draft = start_draft(work, "template", "mid-autumn").id
    assert reply is not None
    return Foreign(
        people,
        client,
        waiting.id,
        first.submission_ids[0],
        first.occurrence_id,
        made,
        reply,
        task,
        conflict,
        draft,
        attached.id,
        material.id,
        absence,
        waiting.revision,
        bytes(waiting.digest),
    )


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_p7_a_foreign_id_is_not_found(open_work: Callable[..., Any], foreign: Foreign, name: str) -> None:
    before = _everything(open_work)
    team = foreign.people.b02
    others = () if name in OPERATORS else (foreign.people.operator,)
    for actor in (team.manager, team.deputy, team.advisor, *others):
        try:
            with open_work(actor) as work:
                answer = REFUSED[name](work, foreign)
                assert _empty(answer), f"{actor.name} got {answer!r}"
        except (NotFound, Forbidden):
            continue
        except Conflict as error:
            raise AssertionError(f"{actor.name} learned that it is there: {error}") from error
    assert _everything(open_work) == before


def test_what_is_asked_for_is_there(open_work: Callable[..., Any], foreign: Foreign) -> None:
    """The same questions of the branch's own manager find something: the walls are what stops the others."""
    with open_work(foreign.people.b01.manager) as work:
        assert message_detail(work, foreign.message).client.id == foreign.client
        assert replies_of(work, foreign.client)
        assert task_by_id(work, foreign.task)
        assert list_messages(work, foreign.submission).items


def _empty(answer: Any) -> bool:
    if answer is None or answer is False or answer == 0:
        return True
    items = getattr(answer, "items", answer)
    return not (items() if callable(items) else items)


def _everything(open_work: Callable[..., Any]) -> tuple[Any, ...]:
    with open_work(SYSTEM) as work:
        return tuple(
            work.conn.execute(
                text(
                    "SELECT (SELECT array_agg((id, state, revision) ORDER BY id) FROM message)::text,"
                    " (SELECT count(*) FROM decision), (SELECT count(*) FROM consent),"
                    " (SELECT count(*) FROM occurrence), (SELECT count(*) FROM task WHERE done_at IS NULL),"
                    " (SELECT count(*) FROM reply WHERE answered_at IS NULL),"
                    " (SELECT array_agg(state) FROM import_conflict)::text,"
                    " (SELECT count(*) FROM client_correction),"
                    " (SELECT array_agg((state, digest)) FROM material)::text,"
                    " (SELECT array_agg((id, cancelled_at)) FROM absence)::text"
                )
            ).one()
        )
