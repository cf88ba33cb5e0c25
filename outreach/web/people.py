"""The start page, who was left out and why, and clients' replies."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response, StreamingResponse

from outreach.care.tasks import open_tasks
from outreach.core.access import Permission, Role, require
from outreach.delivery.replies import list_replies, mark_answered
from outreach.messages.leftout import LeftOutLine, list_left_out
from outreach.notices.outbox import mark_seen, unseen
from outreach.people.importing.rejects import formula_safe
from outreach.review.inbox import counts
from outreach.web.frame import Desk
from outreach.web.overview import sends_today, traps


def router(desk: Callable[[Request], Desk]) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/")
    def start(desk: here) -> Response:
        actor = desk.actor
        with desk.work() as work:
            return desk.page(
                "start.html",
                inbox=counts(work) if actor.may(Permission.DECIDE) else None,
                today=sends_today(work) if actor.may(Permission.WATCH_DELIVERY) or Role.ADVISOR in actor.roles() else None,
                notices=unseen(work, 8, desk.locale),
                tasks=open_tasks(work)[:8] if actor.may(Permission.ANSWER_REPLIES) else [],
                traps=traps(desk.site.settings, desk.locale),
            )

    @routes.post("/notices/seen")
    def seen(desk: here, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            mark_seen(work)
        return desk.go("/")

    @routes.get("/left-out")
    def left_out(desk: here, rule: str = "", after: str = "") -> Response:
        require(desk.actor, Permission.READ_CLIENTS)
        with desk.work() as work:
            page = list_left_out(work, rule=rule or None, after=after or None, limit=50, locale=desk.locale)
            return desk.page("left_out.html", page=page, rule=rule)

    @routes.get("/left-out.csv")
    def left_out_csv(desk: here, rule: str = "") -> Response:
        require(desk.actor, Permission.READ_CLIENTS)
        return StreamingResponse(
            _csv(desk, rule),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="left-out.csv"'},
        )

    @routes.get("/replies")
    def replies(desk: here, before: UUID | None = None, everything: bool = False) -> Response:
        require(desk.actor, Permission.ANSWER_REPLIES)
        with desk.work() as work:
            lines = list_replies(work, open_only=not everything, before=before, limit=50)
            return desk.page("replies.html", lines=lines, everything=everything)

    @routes.post("/replies/{reply_id}/answered")
    def answered(desk: here, reply_id: UUID, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            mark_answered(work, reply_id)
        return desk.go("/replies", desk.say("Noted as answered."))

    return routes


def _csv(desk: Desk, rule: str) -> Iterator[str]:
    """Every left-out row, a page at a time: memory stays flat. UTF-8 with BOM, safe from formulas."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([desk.say(one) for one in ("Time", "Branch", "Client", "Name", "Occasion", "Why", "What to mend", "Source")])
    after: str | None = None
    while True:
        with desk.work() as work:
            page = list_left_out(work, rule=rule or None, after=after, limit=1000, locale=desk.locale)
        for line in page.items:
            writer.writerow([formula_safe(cell) for cell in _cells(line)])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        after = page.next_after
        if after is None:
            return


def _cells(line: LeftOutLine) -> tuple[str, ...]:
    return (
        line.at.isoformat(timespec="seconds"),
        line.branch_name,
        line.client_no,
        line.client_name,
        line.title,
        line.reason,
        line.mend,
        line.article,
    )
