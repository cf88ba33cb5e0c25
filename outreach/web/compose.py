"""Writing to clients: choose them, start from a template or write freely, look at each text, put it up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from outreach.composing.drafts import CHANNELS, RequestDraft, offered_templates, own_variables
from outreach.composing.requests import PreviewItem, preview_request, queue_request
from outreach.content.formats import CATEGORIES
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, OutreachError
from outreach.messages.findings import Finding
from outreach.people.clients import search_clients
from outreach.web.frame import Desk

PAGE = 40
_VALUE = "value."


@dataclass(frozen=True)
class Stretch:
    """A stretch of a preview's text, and what was found in it."""

    text: str
    finding: Finding | None


def router(desk: Callable[[Request], Desk]) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/compose")
    def compose(
        desk: here,
        search: Annotated[str, Query(max_length=100)] = "",
        after: Annotated[str, Query(max_length=40)] = "",
        client: Annotated[list[UUID] | None, Query()] = None,
    ) -> Response:
        require(desk.actor, Permission.COMPOSE)
        return _form(desk, RequestDraft(tuple(client or ())), search=search, after=after)

    @routes.get("/compose/clients")
    def clients(
        desk: here,
        search: Annotated[str, Query(max_length=100)] = "",
        after: Annotated[str, Query(max_length=40)] = "",
    ) -> Response:
        require(desk.actor, Permission.COMPOSE)
        with desk.work() as work:
            found = search_clients(work, search, after=after, limit=PAGE + 1)
        return desk.page(
            "compose_clients.html", found=found[:PAGE], more=len(found) > PAGE, chosen=frozenset()
        )

    @routes.post("/compose")
    async def send(desk: here, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=1200)
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
        chosen = [value for value in form.getlist("client") if isinstance(value, str)]
        return await run_in_threadpool(_act, desk, fields, chosen)

    return routes


def _act(desk: Desk, fields: dict[str, str], chosen: list[str]) -> Response:
    desk.check_form(fields.get("csrf", ""))
    draft = _draft(desk, fields, chosen)
    search = fields.get("search", "")
    if fields.get("act") == "find":
        return _form(desk, draft, search=search)
    try:
        with desk.work() as work:
            items = preview_request(work, draft, desk.locale)
            if fields.get("act") == "queue":
                done = queue_request(work, draft)
    except OutreachError as error:
        return _form(desk, draft, search=search, error=error)
    if fields.get("act") != "queue":
        return _form(desk, draft, search=search, items=items)
    said = desk.say("%(count)s messages wait for approval.", count=len(done.message_ids))
    if done.left_out:
        said += " " + desk.say("%(count)s clients were left out; see why.", count=done.left_out)
    return desk.go(f"/left-out?occurrence={done.occurrence_id}" if not done.message_ids else "/mine", said)


def _draft(desk: Desk, fields: dict[str, str], chosen: list[str]) -> RequestDraft:
    try:
        ids = tuple(UUID(one) for one in chosen)
        risk = int(fields["risk_level"]) if fields.get("risk_level") else None
        at = datetime.fromisoformat(fields["send_at"]) if fields.get("send_at") else None
    except ValueError:
        raise BadInput("A field of this form can't be read.", mend="Open the page again.") from None
    template = fields.get("template", "")
    return RequestDraft(
        client_ids=tuple(dict.fromkeys(ids)),
        text="" if template else fields.get("text", ""),
        subject="" if template else fields.get("subject", ""),
        template=template,
        values={key.removeprefix(_VALUE): value for key, value in fields.items() if key.startswith(_VALUE)},
        channel=fields.get("channel", ""),
        category=fields.get("category") or "relationship",
        advice=fields.get("advice") == "yes",
        risk_level=risk,
        send_at=at.replace(tzinfo=desk.site.settings.zone) if at is not None and at.tzinfo is None else at,
    )


def _form(
    desk: Desk,
    draft: RequestDraft,
    *,
    search: str = "",
    after: str = "",
    items: list[PreviewItem] | None = None,
    error: OutreachError | None = None,
) -> Response:
    with desk.work() as work:
        found = search_clients(work, search, after=after, limit=PAGE + 1)
        # Whoever is chosen stays in sight, whatever is searched for.
        shown = {one.id for one in found[:PAGE]}
        kept = [one for one in draft.client_ids if one not in shown]
        templates = offered_templates(work)
        return desk.page(
            "compose.html",
            status=400 if error else 200,
            draft=draft,
            search=search,
            found=found[:PAGE],
            more=len(found) > PAGE,
            kept=kept,
            chosen=frozenset(draft.client_ids),
            templates=templates,
            variables={one.name: own_variables(one) for one in templates},
            categories=CATEGORIES,
            channels=CHANNELS,
            items=items,
            ready=sum(item.stopped is None for item in items or ()),
            stretches=stretches,
            error=error,
        )


def stretches(text: str, findings: tuple[Finding, ...]) -> list[Stretch]:
    """``text`` cut where a finding begins or ends."""
    found = [one for one in findings if one.field == "text" and one.end > one.start]
    cuts = sorted({0, len(text)} | {one.start for one in found} | {one.end for one in found})
    return [
        Stretch(text[start:end], next((one for one in found if one.start <= start and end <= one.end), None))
        for start, end in pairwise(cuts)
    ]
