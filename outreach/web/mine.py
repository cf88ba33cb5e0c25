"""An advisor's own messages: where each stands, and what can still be done about it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.composing.keeping import kept_drafts
from outreach.composing.own import list_own, own_message
from outreach.composing.pending import personalise, resubmit, skip, withdraw
from outreach.content.in_force import reasons_in_force, templates_in_force
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, OutreachError, RuleBroken
from outreach.messages.findings import Finding, read_findings
from outreach.web.frame import Desk, Desks, Page
from outreach.web.pieces import stretches

PAGE = 50
STATES = (
    "held",
    "returned",
    "approved",
    "sent",
    "delivered",
    "undelivered",
    "rejected",
    "suppressed",
    "cancelled",
)


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/mine")
    def mine(desk: here, state: str = "", after: UUID | None = None) -> Response:
        require(desk.actor, Permission.COMPOSE)
        with desk.work() as work:
            lines = list_own(work, state=state or None, after=after, limit=PAGE + 1, locale=desk.locale)
            return desk.page(
                "mine.html",
                lines=lines[:PAGE],
                following=lines[PAGE - 1].id if len(lines) > PAGE else None,
                after=after,
                state=state,
                states=STATES,
                drafts=kept_drafts(work) if after is None else [],
                titles={
                    one.name: one.meta.title.zh if desk.locale.startswith("zh") else one.meta.title.en
                    for one in templates_in_force(work.conn)
                },
                reasons=reasons_in_force(work.conn),
            )

    @routes.get("/mine/{message_id}")
    def one(desk: here, message_id: UUID) -> Response:
        return _one(desk, message_id)

    @routes.post("/mine/{message_id}")
    def change(
        desk: here,
        message_id: UUID,
        act: Annotated[str, Form(max_length=20)],
        revision: Annotated[int, Form()] = 0,
        subject: Annotated[str, Form(max_length=400)] = "",
        text: Annotated[str, Form(max_length=10000)] = "",
        note: Annotated[str, Form(max_length=400)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        try:
            with desk.work() as work:
                if act == "resubmit":
                    resubmit(work, message_id, revision, subject, text)
                    said = "Put up again; the new words wait for a decision."
                elif act == "personalise":
                    personalise(work, message_id, revision, text, subject)
                    said = "Your words wait for a decision of their own."
                elif act == "skip":
                    skip(work, message_id, note)
                    said = "Skipped: this client gets nothing this time."
                elif act == "withdraw":
                    withdraw(work, message_id)
                    said = "Withdrawn."
                else:
                    raise BadInput("Nothing was done.", mend="Choose one of the buttons.")
        except RuleBroken as error:
            found = error.details.get("findings", [])
            return _one(desk, message_id, error=error, written=(subject, text), findings=read_findings(found))
        return desk.go("/mine", desk.say(said))

    return routes


def _one(
    desk: Desk,
    message_id: UUID,
    *,
    error: OutreachError | None = None,
    written: tuple[str, str] | None = None,
    findings: list[Finding] | None = None,
) -> Response:
    require(desk.actor, Permission.COMPOSE)
    with desk.work() as work:
        line = own_message(work, message_id, desk.locale)
        return desk.page(
            "mine_one.html",
            status=422 if error else 200,
            line=line,
            subject=written[0] if written else line.subject,
            text=written[1] if written else line.text,
            findings=tuple(findings) if findings is not None else line.findings,
            stretches=stretches,
            reasons=reasons_in_force(work.conn),
            error=error,
        )
