"""Content in force and its drafts: edited by one person with a live preview, published by another.

Every form works without JavaScript; with it, what a client would get and what is found stand beside the text as one
types.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from outreach.composing.proofread import LONGEST_SENTENCE, Proofread, proofread
from outreach.content.deciding import submit
from outreach.content.difference import FileChange, compare, in_pieces
from outreach.content.drafts import (
    Draft,
    closed_drafts,
    draft_for,
    files_in_force,
    may_publish,
    open_drafts,
)
from outreach.content.editing import discard, readable, save, start, take_over
from outreach.content.export import export_content, zipped
from outreach.content.published import Published, versions_in_force
from outreach.content.tree import KINDS, SINGLE, check_name, tree_of
from outreach.core.access import Permission
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound, OutreachError
from outreach.ledger.work import Work
from outreach.people.staff import staff_names
from outreach.web.content_files import groups_of, title_of
from outreach.web.content_review import persons_of, told_of
from outreach.web.frame import STATUS, Desk, Desks, Page, mail_page

_LARGEST_FORM = 8 << 20  # bytes: what is larger is cut off while it arrives
_MOST_FIELDS = 60
_FILE = "file."


@dataclass(frozen=True)
class Sent:
    """Everything the editor's form says."""

    files: dict[str, str]
    revision: int
    act: str
    note: str
    sentence: str


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/content")
    def content(desk: here, search: Annotated[str, Query(max_length=100)] = "") -> Response:
        _may_look(desk)
        wanted = search.strip().casefold()
        with desk.work() as work:
            versions = versions_in_force(work.conn)
            drafts = open_drafts(work) if desk.actor.may(Permission.PUBLISH) else []
            closed = closed_drafts(work) if desk.actor.may(Permission.PUBLISH) else []
            people = {
                person for one in versions for person in (one.published_by, one.approved_by, one.last_editor)
            }
            return desk.page(
                "content.html",
                versions=versions,
                kinds=[
                    (kind, group)
                    for kind in KINDS
                    if (group := [one for one in versions if one.kind == kind and _fits(one, wanted)])
                ],
                missing=sorted(SINGLE - {one.kind for one in versions}) if versions and not wanted else [],
                search=search,
                mine=[one for one in drafts if may_publish(work, one)],
                drafts=drafts,
                closed=closed,
                names={(one.kind, one.name): one for one in versions},
                people=staff_names(work.conn, people | persons_of(*drafts, *closed)),
            )

    @routes.get("/content/files.zip")
    def everything(desk: here) -> Response:
        with desk.work() as work:
            return _archive(export_content(work), "content")

    @routes.get("/content/in-force/{kind}/{name}")
    def standing(desk: here, kind: str, name: str) -> Response:
        _may_look(desk)
        check_name(kind, name)
        with desk.work() as work:
            version, files = files_in_force(work.conn, kind, name)
            if not version:
                raise NotFound("There is nothing in force under this name.", mend="Look at the list.")
            return desk.page(
                "content_one.html",
                kind=kind,
                called=name,
                title=title_of(kind, name, files, desk.locale),
                version=version,
                files=files,
            )

    @routes.post("/content/start")
    def begin(
        desk: here,
        kind: Annotated[str, Form(max_length=40)] = "",
        name: Annotated[str, Form(max_length=200)] = "",
        copy_of: Annotated[str, Form(max_length=200)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            draft = start(work, kind, name.strip(), copy_of=copy_of)
        return desk.go(f"/content/{draft.id}")

    @routes.get("/content/{draft_id}")
    def edit(desk: here, draft_id: UUID) -> Response:
        with desk.work() as work:
            draft = draft_for(work, draft_id)
            if not draft.is_open:
                return desk.go(f"/content/{draft.id}/review")
            return _editor(desk, work, draft, seen=_proofread(desk, work, draft, draft.files, ""))

    # Read on the server's loop, done in a thread.
    @routes.post("/content/{draft_id}", max_body_size=_LARGEST_FORM)
    async def send(desk: here, draft_id: UUID, request: Request) -> Response:
        return await run_in_threadpool(_act, desk, draft_id, await _sent(desk, request))

    @routes.post("/content/{draft_id}/try", max_body_size=_LARGEST_FORM)
    async def attempt(desk: here, draft_id: UUID, request: Request) -> Response:
        return await run_in_threadpool(_try, desk, draft_id, await _sent(desk, request))

    @routes.post("/content/{draft_id}/mail", max_body_size=_LARGEST_FORM)
    async def mail_as_typed(desk: here, draft_id: UUID, request: Request, language: str = "") -> Response:
        return await run_in_threadpool(_mail, desk, draft_id, language, await _sent(desk, request))

    @routes.get("/content/{draft_id}/mail")
    def mail(desk: here, draft_id: UUID, language: Annotated[str, Query(max_length=10)] = "") -> Response:
        return _mail(desk, draft_id, language, None)

    @routes.get("/content/{draft_id}/files.zip")
    def download(desk: here, draft_id: UUID) -> Response:
        with desk.work() as work:
            draft = draft_for(work, draft_id)
        return _archive(tree_of(draft.kind, draft.name, draft.files), draft.name)

    @routes.post("/content/{draft_id}/discard")
    def put_aside(
        desk: here, draft_id: UUID, revision: Annotated[int, Form()] = 0, csrf: Annotated[str, Form()] = ""
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            discard(work, draft_id, revision)
        return desk.go("/content", desk.say("The draft was put aside; it stays on record."))

    @routes.post("/content/{draft_id}/take-over")
    def anew(
        desk: here, draft_id: UUID, revision: Annotated[int, Form()] = 0, csrf: Annotated[str, Form()] = ""
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            take_over(work, draft_id, revision)
        said = desk.say(
            "It starts from the version in force now. Look at the difference before you put it up."
        )
        return desk.go(f"/content/{draft_id}", said)

    return routes


def _fits(one: Published, wanted: str) -> bool:
    return any(wanted in said.casefold() for said in (one.name, one.title_zh, one.title_en))


def _may_look(desk: Desk) -> None:
    if not (desk.actor.may(Permission.RUN_JOBS) or desk.actor.may(Permission.PUBLISH)):
        raise Forbidden(mend="Ask somebody who runs the jobs or publishes content.")


async def _sent(desk: Desk, request: Request) -> Sent:
    """What the form says. Raises FormExpired unless it is of this session."""
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    said = {key: value for key, value in form.multi_items() if isinstance(value, str)}
    desk.check_form(said.get("csrf", ""))
    revision = said.get("revision", "")
    return Sent(
        files={key.removeprefix(_FILE): value for key, value in said.items() if key.startswith(_FILE)},
        revision=int(revision) if revision.isascii() and revision.isdigit() and len(revision) < 10 else 0,
        act=said.get("act", ""),
        note=said.get("note", ""),
        sentence=said.get("sentence", "")[:LONGEST_SENTENCE],
    )


def _act(desk: Desk, draft_id: UUID, sent: Sent) -> Response:
    """Save, preview or put up. What can't be done leaves the page with everything that was typed."""
    with desk.work() as work:
        draft = draft_for(work, draft_id)
    try:
        if sent.act != "preview":
            with desk.work() as work:
                saved = save(work, draft_id, sent.revision, sent.files)
            # From here on what was typed is kept, whatever becomes of putting it up.
            draft, sent = saved, replace(sent, revision=saved.revision, files=dict(saved.files))
        if sent.act == "submit":
            with desk.work() as work:
                submit(work, draft_id, draft.revision, sent.note)
            return desk.go(f"/content/{draft_id}/review", desk.say("It waits for a second person."))
        if sent.act == "save":
            return desk.go(
                f"/content/{draft_id}", desk.say("Saved. It is not in force before it is published.")
            )
        if sent.act != "preview":
            raise BadInput("Nothing was asked for.", mend="Use the buttons of this page.")
    except OutreachError as error:
        with desk.work() as work:
            return _editor(desk, work, draft_for(work, draft_id), sent=sent, error=error)
    with desk.work() as work:
        return _editor(desk, work, draft, sent=sent)


def _editor(
    desk: Desk,
    work: Work,
    draft: Draft,
    *,
    sent: Sent | None = None,
    seen: Proofread | None = None,
    error: OutreachError | None = None,
) -> Response:
    """The editor with what was typed, else with the draft. Whoever was overtaken sees what their words would undo,
    and saves over it knowingly or not at all."""
    files = sent.files if sent else draft.files
    theirs: tuple[FileChange, ...] = ()
    if isinstance(error, Conflict) and sent is not None and draft.revision != sent.revision:
        theirs = compare(draft.files, _as_read(draft, files))
    if seen is None:
        try:
            seen = _proofread(desk, work, draft, files, sent.sentence if sent else "")
        except OutreachError as refused:
            error = error or refused
    version, standing_files = files_in_force(work.conn, draft.kind, draft.name)
    return desk.page(
        "content_edit.html",
        status=STATUS.get(error.code, 400) if error else 200,
        draft=draft,
        title=title_of(draft.kind, draft.name, draft.files, desk.locale),
        groups=groups_of(draft.kind, draft.name, files),
        seen=seen,
        error=error,
        theirs=theirs,
        version=version,
        changed=standing_files != dict(draft.files),
        note=sent.note if sent else draft.note,
        sentence=sent.sentence if sent else "",
        people=staff_names(work.conn, persons_of(draft)),
        in_pieces=in_pieces,
        **told_of(desk),
    )


def _as_read(draft: Draft, files: Mapping[str, str]) -> Mapping[str, str]:
    try:
        return readable(draft.kind, draft.name, files)
    except BadInput:
        return files


def _proofread(desk: Desk, work: Work, draft: Draft, files: Any, sentence: str) -> Proofread:
    kept = readable(draft.kind, draft.name, files)
    return proofread(work, draft.kind, draft.name, kept, desk.locale, sentence=sentence)


def _try(desk: Desk, draft_id: UUID, sent: Sent) -> Response:
    """What would come of the words so far: for the page while one types."""
    error: OutreachError | None = None
    seen: Proofread | None = None
    with desk.work() as work:
        draft = draft_for(work, draft_id)
        try:
            seen = _proofread(desk, work, draft, sent.files, sent.sentence)
        except OutreachError as refused:
            error = refused
    return desk.page(
        "content_tried.html",
        draft=draft,
        groups=groups_of(draft.kind, draft.name, sent.files),
        seen=seen,
        error=error,
        **told_of(desk),
    )


def _mail(desk: Desk, draft_id: UUID, language: str, sent: Sent | None) -> Response:
    """A mail of the draft, or of what was typed, as the mail program shows it."""
    with desk.work() as work:
        draft = draft_for(work, draft_id)
        try:
            seen = _proofread(desk, work, draft, sent.files if sent else draft.files, "")
        except OutreachError:
            return mail_page("")
    for made in seen.renderings:
        if (made.channel, made.language) == ("email", language):
            return mail_page(made.html)
    return mail_page("")


def _archive(tree: dict[str, str], name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(zipped(tree), media_type="application/zip", headers=headers)
