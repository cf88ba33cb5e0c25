"""Writing to clients: choose them, start from a template or write freely, look at each text, put it up.

One form, whose every button works without JavaScript; with it, findings come as one types and the draft is kept by
itself.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from outreach.composing.drafts import (
    CHANNELS,
    LARGEST,
    RequestDraft,
    asked_for,
    by_occasion,
    offered_templates,
)
from outreach.composing.keeping import close_draft, discard_draft, keep_draft, open_draft
from outreach.composing.requests import PreviewItem, Queued, preview_request, queue_request, try_words
from outreach.content.formats import CATEGORIES, LANGUAGES
from outreach.content.sms import SmsLength, sms_length
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, OutreachError
from outreach.messages.attached import attached_of
from outreach.messages.attachments import attachments_among
from outreach.messages.files import LARGEST as FILE_LARGEST
from outreach.messages.files import MOST
from outreach.messages.material import offered_material
from outreach.people.picking import (
    Pick,
    Unmatched,
    count_picked,
    lines_by_id,
    match_lines,
    pick_clients,
    picked_ids,
    tags_in_use,
)
from outreach.review.parts import parts_of
from outreach.web.attaching import Refused, with_files
from outreach.web.frame import Desk, Desks, Page
from outreach.web.handed_in import LARGEST_FORM, Fields, HandedIn, one, read_form
from outreach.web.pieces import Piece, pieces_of
from outreach.web.told import told

PAGE = 40
TIERS = ("diamond", "platinum", "gold", "silver", "vip", "core", "ordinary")
STATUSES = ("normal", "dormant", "frozen", "closed")
_VALUE = "value."
_MOST_FIELDS = 1400


@dataclass(frozen=True)
class Written:
    """Everything the form says."""

    draft: RequestDraft
    pick: Pick
    act: str
    draft_id: UUID | None
    title: str
    pasted: str
    look: UUID | None
    material: UUID | None = None  # to be attached, too
    detach: UUID | None = None


@dataclass(frozen=True)
class Stopped:
    """The clients who get nothing for one reason."""

    reason: str
    article: str
    mend: str
    items: tuple[PreviewItem, ...]


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/compose")
    def compose(
        desk: here,
        draft: UUID | None = None,
        template: Annotated[str, Query(max_length=80)] = "",
        client: Annotated[list[UUID] | None, Query()] = None,
    ) -> Response:
        require(desk.actor, Permission.COMPOSE)
        if draft is not None:
            with desk.work() as work:
                kept, title = open_draft(work, draft)
            return _form(desk, _fresh(kept, draft_id=draft, title=title))
        return _form(desk, _fresh(RequestDraft(tuple(client or ()), template=template)))

    @routes.post("/compose", max_body_size=LARGEST_FORM)
    async def send(desk: here, request: Request) -> Response:
        return await run_in_threadpool(_act, desk, *await read_form(request, _MOST_FIELDS))

    # What comes while one types has no files.
    @routes.post("/compose/words")
    async def words(desk: here, request: Request) -> Response:
        return await run_in_threadpool(_words, desk, await _fields(request))

    @routes.post("/compose/keep")
    async def keep(desk: here, request: Request) -> Response:
        return await run_in_threadpool(_keep, desk, await _fields(request))

    @routes.post("/drafts/{draft_id}/discard")
    def discard(desk: here, draft_id: UUID, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            discard_draft(work, draft_id)
        return desk.go("/mine", desk.say("The draft was put away."))

    return routes


async def _fields(request: Request) -> Fields:
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    found: Fields = {}
    for key, value in form.multi_items():
        if isinstance(value, str):
            found.setdefault(key, []).append(value)
    return found


def _act(desk: Desk, fields: Fields, files: list[HandedIn]) -> Response:
    desk.check_form(one(fields, "csrf"))
    written = _written(desk, fields)
    draft, refused = with_files(desk, written.draft, written.material, written.detach, files)
    written = replace(written, draft=draft)
    if refused:
        return _form(desk, written, refused=refused)
    if written.act == "preview":
        return _previewed(desk, written)
    if written.act == "queue":
        return _queued(desk, written)
    try:
        if written.act == "keep":
            with desk.work() as work:
                kept = keep_draft(work, written.draft, draft_id=written.draft_id, title=written.title)
            return desk.go(f"/compose?draft={kept}", desk.say("The draft is kept."))
        with desk.work() as work:
            draft = written.draft
            unmatched: list[Unmatched] = []
            if written.act == "all":
                draft = _with(draft, picked_ids(work, written.pick, limit=LARGEST))
            elif written.act == "paste":
                people, unmatched = match_lines(work, written.pasted)
                draft = _with(draft, [one.id for one in people])
            elif written.act == "nobody":
                draft = replace(draft, client_ids=())
    except OutreachError as error:
        return _form(desk, written, error=error)
    rest = written.pasted
    if written.act == "paste":
        # What fits nobody is what the field holds from now on: its lines are numbered as they stand there.
        lines = written.pasted.splitlines()
        rest = "\n".join(lines[one.line - 1].strip() for one in unmatched)
        unmatched = [replace(one, line=number) for number, one in enumerate(unmatched, 1)]
    return _form(desk, replace(written, draft=draft, pasted=rest), unmatched=unmatched)


def _previewed(desk: Desk, written: Written) -> Response:
    try:
        with desk.work() as work:
            items = preview_request(work, written.draft, desk.locale)
    except OutreachError as error:
        return _form(desk, written, error=error)
    return _form(desk, written, items=items)


def _queued(desk: Desk, written: Written) -> Response:
    try:
        with desk.work() as work:
            done: Queued = queue_request(work, written.draft)
            if written.draft_id is not None and done.message_ids:
                close_draft(work, written.draft_id, done.occurrence_id)
    except OutreachError as error:
        return _form(desk, written, error=error)
    said = desk.say("%(count)s messages wait for approval.", count=len(done.message_ids))
    if done.left_out:
        said += " " + desk.say("%(count)s clients were left out; see why.", count=done.left_out)
    return desk.go(f"/left-out?occurrence={done.occurrence_id}" if not done.message_ids else "/mine", said)


def _words(desk: Desk, fields: Fields) -> Response:
    """What was found in the words so far, and what the first client would get: for the page while one types."""
    desk.check_form(one(fields, "csrf"))
    error: OutreachError | None = None
    item: PreviewItem | None = None
    try:
        written = _written(desk, fields)
        with desk.work() as work:
            item = try_words(work, written.draft, desk.locale)
    except OutreachError as refused:
        error = refused
    return desk.page(
        "compose_words.html",
        trying=item,
        error=error,
        sms=_sms(item),
        pieces=pieces,
        told=partial(told, desk.locale),
    )


def _keep(desk: Desk, fields: Fields) -> Response:
    """Keep the draft by itself while one writes."""
    desk.check_form(one(fields, "csrf"))
    kept: UUID | None = None
    error: OutreachError | None = None
    try:
        written = _written(desk, fields)
        kept = written.draft_id
        draft = written.draft
        if draft.text.strip() or draft.client_ids or draft.template:
            with desk.work() as work:
                kept = keep_draft(work, draft, draft_id=written.draft_id, title=written.title)
    except OutreachError as refused:
        error = refused
    return desk.page("compose_kept.html", draft_id=kept, error=error, told=partial(told, desk.locale))


def _with(draft: RequestDraft, ids: list[UUID]) -> RequestDraft:
    """The draft with more clients. Raises BadInput when they become too many."""
    together = tuple(dict.fromkeys([*draft.client_ids, *ids]))
    if len(together) > LARGEST:
        raise BadInput(
            f"{len(together)} clients are more than one request may have.",
            mend=f"Choose up to {LARGEST}, or ask head office for a job.",
        )
    return replace(draft, client_ids=together)


def _fresh(draft: RequestDraft, *, draft_id: UUID | None = None, title: str = "") -> Written:
    return Written(draft, Pick(), "", draft_id, title, "", None)


def _written(desk: Desk, fields: Fields) -> Written:
    """What the form says. Raises BadInput for a field that can't be read."""
    try:
        ids = tuple(UUID(found) for found in fields.get("client", ()))
        attachments = tuple(UUID(found) for found in fields.get("attachment", ()))
        risk = int(one(fields, "risk_level")) if one(fields, "risk_level") else None
        least = int(one(fields, "risk_at_least")) if one(fields, "risk_at_least") else None
        at = datetime.fromisoformat(one(fields, "send_at")) if one(fields, "send_at") else None
        draft_id = UUID(one(fields, "draft")) if one(fields, "draft") else None
        look = UUID(fields["look"][-1]) if fields.get("look", [""])[-1] else None
        chosen = UUID(one(fields, "material")) if one(fields, "material") else None
        detach = UUID(one(fields, "detach")) if one(fields, "detach") else None
    except ValueError:
        raise BadInput("A field of this form can't be read.", mend="Open the page again.") from None
    template = one(fields, "template")
    zone = desk.site.settings.zone
    draft = RequestDraft(
        client_ids=tuple(dict.fromkeys(ids)),
        text="" if template else one(fields, "text"),
        subject="" if template else one(fields, "subject"),
        template=template,
        values={
            key.removeprefix(_VALUE): values[0] for key, values in fields.items() if key.startswith(_VALUE)
        },
        channel=one(fields, "channel"),
        category=one(fields, "category") or "relationship",
        advice=one(fields, "advice") == "yes",
        risk_level=risk,
        send_at=at.replace(tzinfo=zone) if at is not None and at.tzinfo is None else at,
        attachments=attachments,
    )
    pick = Pick(
        search=one(fields, "search")[:100],
        tiers=tuple(tier for tier in fields.get("tier", ()) if tier in TIERS),
        holding=one(fields, "holding")[:20],
        tags=tuple(tag[:80] for tag in fields.get("tag", ()) if tag),
        languages=tuple(tongue for tongue in fields.get("language", ()) if tongue in LANGUAGES),
        risk_at_least=least,
        statuses=tuple(one for one in fields.get("status", ()) if one in STATUSES),
    )
    return Written(
        draft,
        pick,
        one(fields, "act") or ("preview" if look else ""),
        draft_id,
        one(fields, "title")[:120],
        one(fields, "pasted"),
        look,
        chosen,
        detach,
    )


def _form(
    desk: Desk,
    written: Written,
    *,
    items: list[PreviewItem] | None = None,
    unmatched: list[Unmatched] | None = None,
    error: OutreachError | None = None,
    refused: tuple[Refused, ...] = (),
) -> Response:
    draft = written.draft
    with desk.work() as work:
        try:
            found = pick_clients(work, written.pick, limit=PAGE + len(draft.client_ids) + 1)
            fitting = count_picked(work, written.pick)
        except OutreachError as stopped:
            found, fitting, error = [], 0, error or stopped
        templates = offered_templates(work)
        shown = _shown(items, written.look)
        ready_files = attachments_among(work, draft.attachments)
        attached = attached_of(work, [one.line for one in ready_files], Permission.COMPOSE)
        return desk.page(
            "compose.html",
            status=400 if error or refused else 200,
            draft=draft,
            draft_id=written.draft_id,
            title=written.title,
            pick=written.pick,
            people=lines_by_id(work, draft.client_ids),
            found=[one for one in found if one.id not in set(draft.client_ids)][:PAGE],
            fitting=fitting,
            largest=LARGEST,
            pasted=written.pasted,
            unmatched=unmatched or [],
            tags=tags_in_use(work),
            tiers=TIERS,
            statuses=STATUSES,
            templates=by_occasion(templates),
            variables={one.name: asked_for(one, desk.locale) for one in templates},
            categories=CATEGORIES,
            channels=CHANNELS,
            items=items,
            ready=[item for item in items or () if item.stopped is None],
            stopped=_by_reason(items or []),
            shown=shown,
            sms=_sms(shown),
            pieces=pieces,
            error=error,
            refused=refused,
            told=partial(told, desk.locale),
            files=[(file.id, told_of) for file, told_of in zip(ready_files, attached, strict=True)],
            offered=[
                one for one in offered_material(work) if one.attachment_id not in set(draft.attachments)
            ],
            most=MOST,
            largest_file=FILE_LARGEST,
            carried=attached_of(work, shown.attachments, Permission.COMPOSE) if shown else (),
        )


def _shown(items: list[PreviewItem] | None, look: UUID | None) -> PreviewItem | None:
    """The client whose text is open: the one asked for, else the first who gets something."""
    everybody = items or []
    asked = next((item for item in everybody if item.client_id == look), None)
    return asked or next((item for item in everybody if item.stopped is None), None)


def _by_reason(items: list[PreviewItem]) -> list[Stopped]:
    groups: dict[tuple[str, str, str], list[PreviewItem]] = {}
    for item in items:
        if item.stopped is not None:
            key = (item.stopped.reason, item.stopped.article, item.stopped.mend)
            groups.setdefault(key, []).append(item)
    return [Stopped(*key, tuple(members)) for key, members in groups.items()]


def _sms(item: PreviewItem | None) -> SmsLength | None:
    return sms_length(item.text) if item is not None and item.channel == "sms" and item.text else None


def pieces(item: PreviewItem) -> list[Piece]:
    """A preview's text in stretches: slots, and what was found."""
    return pieces_of(parts_of(item.text, item.source or None), item.findings)
