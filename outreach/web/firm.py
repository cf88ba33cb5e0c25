"""What head office sends to a branch's clients, and the branch's hold on it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.core.access import Permission, require
from outreach.core.errors import BadInput
from outreach.core.i18n import number_text
from outreach.review.holding import firm_submissions, hold_for_branch, lift_hold
from outreach.web.frame import Desk, Desks, Page


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/firm")
    def firm(desk: here) -> Response:
        require(desk.actor, Permission.LEAD)
        with desk.work() as work:
            return desk.page("firm.html", lines=firm_submissions(work))

    @routes.post("/firm/{submission_id}/{branch_id}")
    def hold(
        desk: here,
        submission_id: UUID,
        branch_id: UUID,
        act: Annotated[str, Form()] = "",
        reason: Annotated[str, Form(max_length=2000)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        if act not in ("hold", "lift"):
            raise BadInput("What should become of it?", mend="Choose hold or let go out.")
        with desk.work() as work:
            if act == "hold":
                count = hold_for_branch(work, submission_id, branch_id, reason)
                said = desk.say("Held for your clients. Approved and waiting: %(n)s.", n=_n(desk, count))
            else:
                count = lift_hold(work, submission_id, branch_id)
                said = desk.say("The hold is lifted. Going out: %(n)s.", n=_n(desk, count))
        return desk.go("/firm", said)

    return routes


def _n(desk: Desk, count: int) -> str:
    return number_text(desk.locale, count)
