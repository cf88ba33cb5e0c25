"""What the second person weighs before a draft is published: each line that differs, what is found, which waiting
messages keep the version in force, and what a changed lexicon would hit."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.composing.proofread import Rendering, proofread
from outreach.content.deciding import publish_draft, return_draft
from outreach.content.difference import compare, in_pieces
from outreach.content.drafts import LONGEST_NOTE, Draft, draft_for, files_in_force, may_publish
from outreach.content.faults import Fault
from outreach.content.matcher import compile_lexicons
from outreach.content.proof import proof_of
from outreach.content.publish import latest_versions
from outreach.core.access import Permission
from outreach.core.errors import BadInput, Conflict, OutreachError
from outreach.ledger.work import Work
from outreach.messages.tally import keeping
from outreach.people.staff import staff_names
from outreach.review.impact import impact_of
from outreach.review.submissions import decided_under
from outreach.web.background import Background, Task
from outreach.web.content_files import groups_of, title_of
from outreach.web.content_words import in_words
from outreach.web.frame import STATUS, Desk, Desks, Page
from outreach.web.pieces import stretches


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]
    going = Background()

    @routes.get("/content/{draft_id}/review")
    def review(desk: here, draft_id: UUID) -> Response:
        with desk.work() as work:
            return _review(desk, work, going, draft_for(work, draft_id))

    @routes.get("/content/{draft_id}/review/impact")
    def impact(desk: here, draft_id: UUID) -> Response:
        with desk.work() as work:
            draft = draft_for(work, draft_id)
            task = _impact_task(desk, going, work, draft)
        if task is None or task.ended:
            return Response(status_code=200, headers={"HX-Refresh": "true"})
        return desk.page("content_impact.html", task=task, draft=draft)

    @routes.post("/content/{draft_id}/publish")
    def make_it_so(
        desk: here,
        draft_id: UUID,
        revision: Annotated[int, Form()] = 0,
        note: Annotated[str, Form(max_length=LONGEST_NOTE + 1)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        return _decide(
            desk,
            going,
            draft_id,
            lambda work: publish_draft(work, draft_id, revision, note),
            desk.say("Published: it is in force, and on record with both of you."),
        )

    @routes.post("/content/{draft_id}/return")
    def give_back(
        desk: here,
        draft_id: UUID,
        revision: Annotated[int, Form()] = 0,
        note: Annotated[str, Form(max_length=LONGEST_NOTE + 1)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        return _decide(
            desk,
            going,
            draft_id,
            lambda work: return_draft(work, draft_id, revision, note),
            desk.say("It went back, with your note."),
        )

    return routes


def _review(
    desk: Desk,
    work: Work,
    going: Background,
    draft: Draft,
    error: OutreachError | None = None,
    note: str = "",
) -> Response:
    version, before = files_in_force(work.conn, draft.kind, draft.name)
    task = _impact_task(desk, going, work, draft)
    return desk.page(
        "content_review.html",
        status=STATUS.get(error.code, 400) if error else 200,
        draft=draft,
        title=title_of(draft.kind, draft.name, draft.files, desk.locale),
        version=version,
        differences=compare(before, draft.files) if draft.is_open else (),
        seen=proofread(work, draft.kind, draft.name, draft.files, desk.locale) if draft.is_open else None,
        groups=groups_of(draft.kind, draft.name, draft.files),
        keeping=_keeping(work, draft),
        mine=may_publish(work, draft),
        task=task,
        error=error,
        note=note,
        people=staff_names(work.conn, persons_of(draft)),
        in_pieces=in_pieces,
        **told_of(desk),
    )


def _decide(
    desk: Desk, going: Background, draft_id: UUID, act: Callable[[Work], object], done: str
) -> Response:
    """Publish or return; what stands against it is told on the page."""
    try:
        with desk.work() as work:
            act(work)
    except (Conflict, BadInput) as error:
        with desk.work() as work:
            return _review(desk, work, going, draft_for(work, draft_id), error)
    return desk.go("/content", done)


def _keeping(work: Work, draft: Draft) -> dict[str, int] | None:
    """state -> how many waiting messages were made from the version in force of a template, or are decided under
    that of a policy, and keep it; None where nothing can."""
    row = latest_versions(work.conn).get((draft.kind, draft.name))
    if row is None or row.retired or not draft.is_open:
        return None
    if draft.kind == "policy":
        return decided_under(work, row.id)
    return keeping(work, [row.id]).get(row.id, {}) if draft.kind == "template" else None


def _impact_task(desk: Desk, going: Background, work: Work, draft: Draft) -> Task | None:
    """The look through 90 days of messages with a drafted lexicon, begun when it is first asked for; None where there
    is nothing to look for."""
    may = desk.actor.may(Permission.READ_MESSAGES)
    if draft.kind != "lexicon" or draft.state != "submitted" or not may:
        return None
    key = f"{draft.id}:{draft.revision}"
    known = going.get(key, desk.actor.staff_id)
    if known is not None:
        return known
    content = proof_of(work.conn, draft.kind, draft.name, draft.files).content
    coming = compile_lexicons([source.meta for source in content.lexicons.values()])
    open_work, actor = desk.site.open_work, desk.actor

    def look(task: Task) -> Any:
        return impact_of(open_work, actor, coming, task.tell)

    return going.begin(key, actor.staff_id, "content:impact", look)


def told_of(desk: Desk) -> dict[str, Any]:
    """What the pages of content say things with: sentences in the reader's language, texts with their findings."""

    def told(text: str) -> str:
        return in_words(desk.locale, text)

    def mend(one: Fault | OutreachError) -> str:
        first = one if isinstance(one, Fault) else next(iter(one.details.get("faults", ())), None)
        if isinstance(first, Fault) and first.mend_zh and desk.locale.startswith("zh"):
            return first.mend_zh
        return told(one.mend)

    def marked(made: Rendering) -> Any:
        return stretches(made.text, made.findings)

    return {"told": told, "mending": mend, "marked": marked}


def persons_of(*drafts: Draft) -> set[UUID]:
    """Everybody whom these drafts name."""
    return {
        person for one in drafts for person in (one.editor_id, one.submitted_by, one.decided_by) if person
    }
